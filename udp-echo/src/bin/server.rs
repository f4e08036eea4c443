//! UDP echo server: each datagram goes back to whoever sent it.
//!
//! Node twin: `node/server.js`. Other half: `client.rs`.
//!
//!     cargo run -p udp-echo --bin server
//!     cargo run -p udp-echo --bin client        # in a second terminal
//!
//! Try this: stop the server for a while and start it again. The client
//! counts what was lost, and goes on.

use std::io::ErrorKind;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use common::{log, shutdown};
use tokio::net::UdpSocket;
use tokio::time;
use udp_echo::{ANY_DATAGRAM, may_answer, resolve};

/// Sends each datagram back to whoever sent it.
#[derive(Parser)]
struct Args {
    /// Where to listen; 0.0.0.0:8888 opens it to other computers
    #[arg(default_value = "127.0.0.1:8888")]
    address: String,

    #[command(flatten)]
    quiet: log::Quiet,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let Args { address, quiet } = Args::parse();
    quiet.apply();
    let stop = shutdown::token();

    // 1. Listen. One socket is enough for all clients: nobody connects,
    //    and each datagram says where it comes from.
    let listen = || format!("listen on {address}");
    let here = resolve(&address).await.with_context(listen)?;
    let socket = UdpSocket::bind(here).await.with_context(listen)?;
    let here = socket.local_addr()?;
    log::ready(format_args!("listening on {here}"));

    // 2. Take one datagram after the other, until Ctrl-C. A buffer that is
    //    too small cuts a datagram without a word, and its end is gone.
    let mut buffer = vec![0; ANY_DATAGRAM];
    loop {
        let received = tokio::select! {
            biased; // what has arrived is answered, even after Ctrl-C
            received = socket.recv_from(&mut buffer) => received,
            () = stop.cancelled() => break,
        };
        let (length, sender) = match received {
            Ok(received) => received,
            // Windows reports here that an earlier answer reached nobody:
            // that client is gone, which is no concern of the others.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                continue;
            }
            // 3. An error ends nothing. It may be there again at once, so
            //    take a breath.
            Err(error) => {
                log::error(format_args!("receive: {error}"));
                time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // One datagram is one message, and may well be empty.
        let bytes = &buffer[..length];
        let text = log::shown_bytes(bytes);
        log::line(format_args!("receive: {text}"));

        // 4. Send it back: to nobody but its sender, and not a byte more
        //    than came. A server that answers with more than it was sent
        //    is used to flood others, under a forged sender.
        if !may_answer(sender, here.port()) {
            log::error(format_args!("no answer to {sender}: not a client"));
            continue;
        }
        match socket.send_to(bytes, sender).await {
            Ok(_) => log::line(format_args!("send: {text}")),
            Err(error) => {
                log::error(format_args!("send to {sender}: {error}"));
            }
        }
    }

    // 5. Stop. There is nothing to close: no client is connected.
    Ok(())
}
