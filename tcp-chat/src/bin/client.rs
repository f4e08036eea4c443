//! TCP chat client: sends what you type, and shows what all say.
//!
//! Node twin: `node/client.js`. Other half: `server.rs`.
//!
//!     cargo run -p tcp-chat --bin server         # in a first terminal
//!     cargo run -p tcp-chat --bin client -- --name Ada
//!
//! Try this: type half a line, and let another client send something.

use std::io;

use anyhow::{Context, Result, anyhow, ensure};
use clap::Parser;
use common::{log, shutdown};
use tcp_chat::terminal::{self, Input, Screen};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// Sends what you type to a chat, and shows what all say.
#[derive(Parser)]
struct Args {
    /// Where the server listens
    #[arg(default_value = "127.0.0.1:8000")]
    address: String,

    /// What the others call you; without it, your address
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

/// The longest line that we show, in bytes.
const LONGEST: u64 = 64 * 1024;

const ADVICE: &str =
    "start the server first: cargo run -p tcp-chat --bin server";

// An error becomes one line on stderr, and status 1.
#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let Args { address, name } = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Connect.
    let socket = TcpStream::connect(&address)
        .await
        .map_err(|error| anyhow!("connect to {address}: {error}; {ADVICE}"))?;
    // Disable Nagle's algorithm, so that small writes are sent immediately.
    socket.set_nodelay(true)?;
    log::line("connected.");

    // 2. Send and receive at the same time, until the server closes or the
    //    user leaves. In a terminal there is a line editor; from a pipe, bytes
    //    come as they are. The task's error is dropped: when the server has
    //    closed, its last line may say why, and receive() shows it.
    let (input, screen) = terminal::open(&stop);
    let (reader, writer) = socket.into_split();
    tokio::spawn(send(writer, input, name));
    let received = tokio::select! {
        received = receive(reader, &screen) => received,
        () = stop.cancelled() => Ok(()), // Ctrl-C, or Ctrl-D in the editor
    };

    // 3. Give the terminal back before anything else is printed.
    drop(screen);
    received.context("receive")?;
    log::line("disconnected.");
    Ok(())
}

/// 4. Send what is typed.
async fn send(
    mut writer: OwnedWriteHalf,
    mut input: Input,
    name: Option<String>,
) -> io::Result<()> {
    if let Some(name) = name {
        let line = format!("/name {name}\n");
        writer.write_all(line.as_bytes()).await?;
    }
    // The server looks for the line ends, so pieces of any size will do.
    while let Some(typed) = input.next().await {
        writer.write_all(&typed).await?;
    }
    // Half-close: tells the server that nothing more will come, and leaves
    // the other direction open.
    writer.shutdown().await
}

/// 5. Receive lines, and show them.
async fn receive(reader: OwnedReadHalf, screen: &Screen) -> Result<()> {
    let mut reader = BufReader::new(reader);
    while let Some(line) = read_line(&mut reader).await? {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\r', '\n']);
        screen.show(log::escaped(text)).await;
    }
    Ok(())
}

/// 6. Framing: TCP has none, so one read may return half a line, which would
///    stand in the line being typed. Collect bytes up to the next line feed.
///    `None` at the end.
async fn read_line(
    reader: &mut BufReader<OwnedReadHalf>,
) -> Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    reader.take(LONGEST).read_until(b'\n', &mut line).await?;
    // A server that sends no line feed would fill the memory.
    ensure!(line.len() < LONGEST as usize, "a line without an end");
    if line.is_empty() {
        return Ok(None);
    }
    Ok(Some(line))
}
