//! TCP echo client: sends hello every three seconds and prints the echo.
//!
//! Node twin: `node/client.js`. Other half: `server.rs`.
//!
//!     cargo run -p tcp-echo --bin server        # in a first terminal
//!     cargo run -p tcp-echo --bin client
//!
//! Try this: stop the server while the client runs.

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use common::{log, pace::Pace, shutdown};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio_util::sync::CancellationToken;

/// Sends messages to a TCP echo server and prints what comes back.
#[derive(Parser)]
struct Args {
    /// Where the server listens
    #[arg(default_value = "127.0.0.1:8888")]
    address: String,

    /// What to send
    #[arg(long, value_name = "TEXT", default_value = "hello")]
    message: String,

    #[command(flatten)]
    pace: Pace, // --every and --count
}

const ADVICE: &str =
    "start the server first: cargo run -p tcp-echo --bin server";

// An error becomes one line on stderr, and status 1.
#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Connect.
    let address = &args.address;
    let mut socket = TcpStream::connect(address)
        .await
        .map_err(|error| anyhow!("connect to {address}: {error}; {ADVICE}"))?;
    // Disable Nagle's algorithm, so that small writes are sent immediately.
    socket.set_nodelay(true)?;
    log::line("connected.");

    // 2. Send and receive at the same time. If both sides only wrote, all
    //    buffers would fill up and each would wait for the other: a deadlock.
    let (reader, writer) = socket.split();
    let (mut sent, mut received) = (0, 0);
    tokio::select! {
        biased; // start with the first: send
        // Taken only if send() fails: when all is sent, we still receive.
        Err(error) = send(writer, &args, stop, &mut sent) => {
            return Err(error.context("send").into());
        }
        result = receive(reader, &mut received) => result.context("receive")?,
    }

    // 3. The server has closed. Did everything come back?
    log::line("disconnected.");
    if received != sent {
        return Err(anyhow!("{received} of {sent} bytes came back").into());
    }
    Ok(())
}

/// 4. Sends the message at each tick, until the last one or Ctrl-C.
async fn send(
    mut writer: WriteHalf<'_>,
    args: &Args,
    stop: CancellationToken,
    sent: &mut usize,
) -> Result<()> {
    let message = &args.message;
    let mut ticks = args.pace.ticks(stop);
    while ticks.next().await {
        log::line(format_args!("send: {message}"));
        *sent += message.len();
        // Back-pressure: this waits while the server does not read.
        writer.write_all(message.as_bytes()).await?;
    }
    // Half-close: tells the server that nothing more will come, and leaves
    // the other direction open, so that the last echo still arrives.
    writer.shutdown().await?;
    Ok(())
}

/// 5. Receives and prints what comes back, until the server closes.
async fn receive(mut reader: ReadHalf<'_>, received: &mut usize) -> Result<()> {
    let mut decoder = log::Decoder::default();
    let mut bytes = Vec::with_capacity(16 * 1024);
    // TCP has no framing: one read may return half a "hello". The decoder
    // keeps half a character until the rest arrives.
    while reader.read_buf(&mut bytes).await? > 0 {
        *received += bytes.len();
        log::line(format_args!("receive: {}", decoder.decode(&bytes)));
        bytes.clear();
    }
    Ok(())
}
