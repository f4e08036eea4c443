//! UDP echo client: numbers its messages, and counts those that are lost.
//!
//! Node twin: `node/client.js`. Other half: `server.rs`.
//!
//!     cargo run -p udp-echo --bin server        # in a first terminal
//!     cargo run -p udp-echo --bin client
//!     cargo run -p udp-echo --bin client -- --count 100 --every 10
//!
//! Try this: start it without a server, and the server a little later.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use common::{log, pace::Pace, shutdown};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout};
use udp_echo::{MAX_DATAGRAM, resolve};

/// Sends numbered messages to a UDP echo server and counts those that are lost.
#[derive(Parser)]
struct Args {
    /// Where the server listens
    #[arg(default_value = "127.0.0.1:8888")]
    address: String,

    /// What to send, after its number
    #[arg(long, value_name = "TEXT", default_value = "hello")]
    message: String,

    #[command(flatten)]
    pace: Pace, // --every and --count

    /// Milliseconds after which a message counts as lost
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    timeout: u64,
}

const ADVICE: &str =
    "is the server running? cargo run -p udp-echo --bin server";

// An error becomes one line on stderr, and status 1.
#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM
    let limit = Duration::from_millis(args.timeout);
    let (mut sent, mut received) = (0, 0);

    // 1. "Connect". Nothing is sent, and the server does not notice.
    let socket = connect(&args.address)
        .await
        .with_context(|| format!("connect to {}", args.address))?;

    // 2. Send one message at each tick, until the last one or Ctrl-C. Its
    //    number tells which one an echo belongs to, and which one is lost.
    let mut ticks = args.pace.ticks(stop);
    while ticks.next().await {
        sent += 1;
        let message = format!("{sent} {}", args.message);
        log::line(format_args!("send: {message}"));
        let start = Instant::now();
        match timeout(limit, round_trip(&socket, &message)).await {
            Ok(Ok(())) => {
                received += 1;
                let ms = start.elapsed().as_secs_f64() * 1000.0;
                log::line(format_args!("receive: {message} after {ms:.2} ms"));
                continue;
            }
            // "Connection refused": nobody listens there at the moment. There
            // is no connection that could break, so go on; the server may
            // come back.
            Ok(Err(error)) => {
                let length = message.len();
                log::error(format_args!("send {length} bytes: {error}"));
            }
            Err(_) => {} // nothing has come within the limit
        }
        // 3. Timeout. Packet loss is silent: whether the message or its echo
        //    was lost, nobody knows.
        log::line(format_args!("lost: {message}"));
    }

    // 4. Count.
    let lost = sent - received;
    log::line(format_args!(
        "sent {sent}, received {received}, lost {lost}"
    ));
    if lost > 0 {
        let error = anyhow!("{lost} of {sent} messages were lost; {ADVICE}");
        return Err(error.into());
    }
    Ok(())
}

/// 5. Makes a socket with a port of its own that the system chooses.
///    "Connected", it receives from this server only, and send() and recv()
///    fail when the network reports an error.
async fn connect(address: &str) -> Result<UdpSocket> {
    let server = resolve(address).await?; // a name: its IPv4 address first
    let any_port = match server {
        SocketAddr::V4(_) => "0.0.0.0:0",
        SocketAddr::V6(_) => "[::]:0",
    };
    let socket = UdpSocket::bind(any_port).await?;
    socket.connect(server).await?;
    Ok(socket)
}

/// 6. Sends one message and waits for its echo. Something else may arrive
///    before: the echo of an earlier message, late or a second time.
async fn round_trip(socket: &UdpSocket, message: &str) -> io::Result<()> {
    socket.send(message.as_bytes()).await?;
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        let length = socket.recv(&mut buffer).await?;
        let bytes = &buffer[..length];
        if bytes == message.as_bytes() {
            return Ok(());
        }
        let text = log::shown(bytes); // control characters escaped
        log::line(format_args!("ignore: {text}"));
    }
}
