//! UDP echo server: sends each datagram back to its sender.
//!
//! Node twin: `node/server.js`. Other half: `client.rs`.
//!
//!     cargo run -p udp-echo --bin server
//!     cargo run -p udp-echo --bin client        # in a second terminal
//!
//! Try this: stop the server for a while and start it again. The client
//! counts what was lost, and goes on.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use common::{log, shutdown};
use tokio::net::UdpSocket;
use tokio::time::sleep;
use udp_echo::{MAX_DATAGRAM, resolve};

/// Sends each datagram back to its sender.
#[derive(Parser)]
struct Args {
    /// Where to listen; 0.0.0.0:8888 opens it to other computers
    #[arg(default_value = "127.0.0.1:8888")]
    address: String,
}

// An error becomes one line on stderr, and status 1.
#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let Args { address } = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Listen. One socket serves all clients: there are no connections,
    //    and each datagram says where it comes from.
    let resolved = resolve(&address).await?; // a name: its IPv4 address first
    let socket = UdpSocket::bind(resolved)
        .await
        .with_context(|| format!("listen on {address}"))?;
    let own = socket.local_addr()?;
    log::line(format_args!("listening on {own}"));

    // 2. Receive one datagram after the other, until Ctrl-C. In Node they are
    //    pushed: a function is called for each. A datagram that is longer
    //    than the buffer would be cut, and nobody would say so.
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        let received = tokio::select! {
            biased; // what has arrived is answered, even after Ctrl-C
            received = socket.recv_from(&mut buffer) => received,
            () = stop.cancelled() => break,
        };
        match received {
            Ok((length, sender)) => {
                echo(&socket, &buffer[..length], sender, own.port()).await;
            }
            // Windows: an earlier echo did not reach its client, which is
            // gone. For the other clients nothing has changed.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => {
                log::error(format_args!("receive: {error}"));
                sleep(Duration::from_millis(100)).await;
            }
        }
    }

    // 3. Stop. No client is connected, so there is nothing to close.
    Ok(())
}

/// 4. Sends one datagram back. It is a whole message, and may be empty: in
///    UDP, 0 bytes do not mean the end.
async fn echo(
    socket: &UdpSocket,
    bytes: &[u8],
    sender: SocketAddr,
    own_port: u16,
) {
    let text = log::shown(bytes); // as text, control characters escaped
    log::line(format_args!("receive: {text}"));

    // 5. Protect others. Spoofing: a sender's address can be forged. If it
    //    were that of another echo server, the two would answer each other
    //    indefinitely. So do not answer a port below 1024, where a system's
    //    services are, nor one with our own port number: it may be an
    //    echo server like this one.
    if sender.port() < 1024 || sender.port() == own_port {
        log::error(format_args!("no answer to {sender}: not a client"));
        return;
    }
    // Amplification: a server whose answers are longer than the questions
    // multiplies an attack on a forged sender. An echo is exactly as long as
    // what it answers.
    match socket.send_to(bytes, sender).await {
        Ok(_) => log::line(format_args!("send: {text}")),
        Err(error) => log::error(format_args!("send to {sender}: {error}")),
    }
}
