//! TCP echo client: says hello every three seconds and prints the echo.
//!
//! Node twin: `node/client.js`. Other half: `server.rs`.
//!
//!     cargo run -p tcp-echo --bin client
//!     cargo run -p tcp-echo --bin client -- 192.168.10.105:8888
//!
//! Try this: stop the server while the client runs.

use std::io;

use anyhow::{Context, anyhow};
use clap::Parser;
use common::{log, pace::Pace, shutdown, tally::Tally};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// Says hello to a TCP echo server and prints what comes back.
#[derive(Parser)]
struct Args {
    /// Where the server listens
    #[arg(default_value = "127.0.0.1:8888")]
    address: String,

    /// What to send
    #[arg(long, value_name = "TEXT", default_value = "hello")]
    message: String,

    #[command(flatten)]
    pace: Pace,

    #[command(flatten)]
    quiet: log::Quiet,
}

const ADVICE: &str =
    "start the server first: cargo run -p tcp-echo --bin server";

#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    args.quiet.apply();

    // 1. Connect, or give up on Ctrl-C.
    let address = &args.address;
    let socket = shutdown::or_exit(TcpStream::connect(address))
        .await
        .map_err(|error| anyhow!("connect to {address}: {error}; {ADVICE}"))?;
    socket.set_nodelay(true)?;
    log::line("connected.");

    // A socket has two directions, and both are used at once: with all
    // buffers full, a client that writes before it reads and a server that
    // does the same would wait for each other for ever.
    let (reader, writer) = socket.into_split();
    let tally = Tally::new(&args.message);
    tokio::select! {
        heard = hear(reader, &tally) => heard.context("receive")?,
        // Only an error ends this here; all said, we go on listening.
        Err(error) = say(writer, &args, &tally) => Err(error).context("send")?,
    }

    // 4. The server has closed.
    log::line("disconnected.");
    tally.settle()?;
    Ok(())
}

/// 2. Sends, now and at every tick, until that was all or Ctrl-C.
async fn say(
    mut writer: OwnedWriteHalf,
    args: &Args,
    tally: &Tally<'_>,
) -> io::Result<()> {
    let mut ticks = args.pace.start();
    while ticks.next().await {
        log::line(format_args!("send: {}", log::shown(&args.message)));
        tally.sent();
        writer.write_all(args.message.as_bytes()).await?;
    }
    // Says "that was all" and leaves the other direction open, so the last
    // echo still arrives.
    writer.shutdown().await
}

/// 3. Prints what comes back, until the server closes.
async fn hear(mut reader: OwnedReadHalf, tally: &Tally<'_>) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    let mut decoder = log::Decoder::default();
    loop {
        // One read is not one message: it may hold half a "hello".
        let length = reader.read(&mut buffer).await?;
        if length == 0 {
            decoder.finish(|rest| log::line(format_args!("receive: {rest}")));
            return Ok(());
        }
        let bytes = &buffer[..length];
        log::line(format_args!("receive: {}", decoder.decode(bytes)));
        tally.received(bytes)?;
    }
}
