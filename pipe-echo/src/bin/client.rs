//! Pipe echo client: sends hello every three seconds and prints the echo.
//!
//! Node twin: `node/client.js`. Other half: `server.rs`.
//!
//!     cargo run -p pipe-echo --bin server       # in a first terminal
//!     cargo run -p pipe-echo --bin client
//!
//! Try this: stop the server while the client runs.

use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use common::{log, pace::Pace, shutdown};
use pipe_echo::DEFAULT_PATH;
#[cfg(windows)] // a named pipe, with the calls of a Unix socket
use pipe_echo::windows::client::{Connect, UnixStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

/// Sends messages to a pipe echo server and prints what comes back.
#[derive(Parser)]
struct Args {
    /// Where the server listens
    #[arg(default_value = DEFAULT_PATH)]
    path: PathBuf,

    /// What to send
    #[arg(long, value_name = "TEXT", default_value = "hello")]
    message: String,

    #[command(flatten)]
    pace: Pace, // --every and --count
}

const ADVICE: &str =
    "start the server first: cargo run -p pipe-echo --bin server";

// An error becomes one line on stderr, and status 1.
#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Connect.
    let path = args.path.display();
    let socket = UnixStream::connect(&args.path)
        .await
        .map_err(|error| anyhow!("connect to {path}: {error}; {ADVICE}"))?;
    log::line("connected.");

    // 2. Send and receive at the same time. If both sides only wrote, all
    //    buffers would fill up and each would wait for the other: a deadlock.
    let (reader, writer) = split(socket);
    let (mut sent, mut received) = (0, 0);
    tokio::select! {
        biased; // start with the first: send
        // Taken only if send() fails: when all is sent, we still receive.
        Err(error) = send(writer, &args, stop, &mut sent) => {
            return Err(error.context("send").into());
        }
        result = receive(reader, &args, &mut received) => {
            result.context("receive")?;
        }
    }

    // 3. The server has closed, or all is back. Did everything come back?
    log::line("disconnected.");
    if received != sent {
        return Err(anyhow!("{received} of {sent} bytes came back").into());
    }
    Ok(())
}

/// 4. Sends the message at each tick, until the last one or Ctrl-C.
async fn send(
    mut writer: WriteHalf<UnixStream>,
    args: &Args,
    stop: CancellationToken,
    sent: &mut u64,
) -> Result<()> {
    let message = &args.message;
    let mut ticks = args.pace.ticks(stop);
    while ticks.next().await {
        log::line(format_args!("send: {message}"));
        *sent += message.len() as u64;
        // Back-pressure: this waits while the server does not read.
        writer.write_all(message.as_bytes()).await?;
    }
    // Half-close: tells the server that nothing more will come, and leaves
    // the other direction open, so that the last echo still arrives. On
    // Windows this does nothing: see step 5.
    writer.shutdown().await?;
    Ok(())
}

/// 5. Receives and prints what comes back, until the server closes, or until
///    all is back. A named pipe of Windows has no half-close: there, the server
///    does not learn that nothing more will come, so this side has to count.
async fn receive(
    mut reader: ReadHalf<UnixStream>,
    args: &Args,
    received: &mut u64,
) -> Result<()> {
    let count = args.pace.count().unwrap_or(u64::MAX);
    let all = count.saturating_mul(args.message.len() as u64);
    let mut decoder = log::Decoder::default();
    let mut bytes = Vec::with_capacity(16 * 1024);
    // A pipe has no framing: one read may return half a "hello". The decoder
    // keeps half a character until the rest arrives.
    while reader.read_buf(&mut bytes).await? > 0 {
        *received += bytes.len() as u64;
        log::line(format_args!("receive: {}", decoder.decode(&bytes)));
        bytes.clear();
        if *received >= all {
            break;
        }
    }
    Ok(())
}
