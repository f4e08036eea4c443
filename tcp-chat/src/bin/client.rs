//! TCP chat client: sends what you type, and shows what all say.
//!
//! Node twin: `node/client.js`. Other half: `server.rs`.
//!
//!     cargo run -p tcp-chat --bin server         # in a first terminal
//!     cargo run -p tcp-chat --bin client -- --name Ada
//!
//! Try this: type half a line, and let another client send something.

use std::io;

use anyhow::{Context, anyhow, ensure};
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

#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let Args { address, name } = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Connect.
    let socket = TcpStream::connect(&address)
        .await
        .map_err(|error| anyhow!("connect to {address}: {error}; {ADVICE}"))?;
    socket.set_nodelay(true)?;
    log::line("connected.");

    // 2. Send and receive at the same time, until the server closes or the
    //    user leaves. In a terminal there is a line editor; from a pipe, bytes
    //    come as they are.
    let (reader, writer) = socket.into_split();
    let (input, screen) = terminal::open(&stop);
    let received = tokio::select! {
        received = receive(reader, &screen) => received,
        // `Ok(true)`: a person typed Ctrl-D, so leave. Any other result does
        // not match, and select! goes on with receive(): the server's last
        // line may say why.
        Ok(true) = send(writer, input, name) => Ok(()),
        () = stop.cancelled() => Ok(()),
    };

    // 3. Give the terminal back before anything else is printed.
    drop(screen);
    received.context("receive")?;
    log::line("disconnected.");
    Ok(())
}

/// 4. Send what is typed. True when a person typed it, who now leaves.
async fn send(
    mut writer: OwnedWriteHalf,
    mut input: Input,
    name: Option<String>,
) -> io::Result<bool> {
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
    writer.shutdown().await?;
    Ok(input.is_terminal())
}

/// 5. Receive lines, and show them. TCP has no framing: a read may return
///    half a line, which would stand in the line being typed. So collect
///    bytes up to each line feed.
async fn receive(reader: OwnedReadHalf, screen: &Screen) -> anyhow::Result<()> {
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    loop {
        let mut limited = (&mut reader).take(LONGEST);
        if limited.read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        // A server that sends no line feed would fill the memory.
        ensure!(line.len() < LONGEST as usize, "a line without an end");
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\r', '\n']);
        screen.line(log::escaped(text)).await;
        line.clear();
    }
}
