//! Pipe echo client: says hello every three seconds and prints the echo.
//!
//! Node twin: `node/client.js`. Other half: `server.rs`.
//!
//!     cargo run -p pipe-echo --bin client
//!     cargo run -p pipe-echo --bin client -- ./my.sock
//!
//! Try this: stop the server while the client runs.

use std::io;
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use clap::Parser;
use common::pipe::{ClientStream, DEFAULT_PATH, connect};
use common::{log, pace::Pace, tally::Tally};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};

/// Says hello to a pipe echo server and prints what comes back.
#[derive(Parser)]
struct Args {
    /// Where the server listens
    #[arg(default_value = DEFAULT_PATH)]
    path: PathBuf,

    /// What to send
    #[arg(long, value_name = "TEXT", default_value = "hello")]
    message: String,

    #[command(flatten)]
    pace: Pace,

    #[command(flatten)]
    quiet: log::Quiet,
}

const ADVICE: &str =
    "start the server first: cargo run -p pipe-echo --bin server";

#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    args.quiet.apply();

    // 1. Connect.
    let path = args.path.display();
    let socket = connect(&args.path)
        .await
        .map_err(|error| anyhow!("connect to {path}: {error}; {ADVICE}"))?;
    log::line("connected.");

    // A pipe has two directions, and both are used at once: with all
    // buffers full, a client that writes before it reads and a server that
    // does the same would wait for each other for ever.
    let (reader, writer) = tokio::io::split(socket);
    let tally = Tally::new(&args.message);
    tokio::select! {
        heard = hear(reader, &tally) => heard.context("receive")?,
        said = say(writer, &args, &tally) => said.context("send")?,
    }

    // 4. All came back, or the server has closed.
    log::line("disconnected.");
    Ok(tally.settle()?)
}

/// 2. Sends, now and at every tick, until that was all or Ctrl-C. Ends when
///    all came back.
async fn say(
    mut writer: WriteHalf<ClientStream>,
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
    // echo still arrives. A Windows pipe cannot be closed by half: there
    // this does nothing, and counting what came back is the only way.
    writer.shutdown().await?;
    tally.complete().await;
    Ok(())
}

/// 3. Prints what comes back, until the server closes.
async fn hear(
    mut reader: ReadHalf<ClientStream>,
    tally: &Tally<'_>,
) -> io::Result<()> {
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
