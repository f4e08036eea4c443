//! TCP chat client: says what you type, shows what all say.
//!
//! Node twin: `node/client.js`. Other half: `server.rs`.
//!
//!     cargo run -p tcp-chat --bin client
//!     cargo run -p tcp-chat --bin client -- --name Ada
//!
//! Try this: type half a line, and let somebody else say something.

use std::io;

use anyhow::{Context, anyhow};
use clap::Parser;
use common::{log, shutdown};
use tcp_chat::lines::{Incoming, LONGEST, Line};
use tcp_chat::terminal::{self, Input, Screen};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// Says what you type in a chat, and shows what the others say.
#[derive(Parser)]
struct Args {
    /// Where the server listens
    #[arg(default_value = "127.0.0.1:8000")]
    address: String,

    /// What the others call you; otherwise, your address
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    #[command(flatten)]
    quiet: log::Quiet,
}

const ADVICE: &str =
    "start the server first: cargo run -p tcp-chat --bin server";

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

    // 2. Say and hear at once, until the server or the user has enough.
    let stop = shutdown::token();
    let (reader, writer) = socket.into_split();
    let (input, screen) = terminal::open(&stop);
    let heard = tokio::select! {
        heard = hear(reader, &screen) => heard,
        // Otherwise a pipe has ended, or nothing can be sent any more: hear
        // the rest. The server's last word may say why.
        Ok(true) = say(writer, input, args.name) => Ok(()),
        () = stop.cancelled() => Ok(()),
    };

    // 5. Give the terminal back before anything else is printed.
    drop(screen);
    heard.context("receive")?;
    log::line("disconnected.");
    Ok(())
}

/// 3. Says what is typed. True when a person typed it, who now leaves.
async fn say(
    mut writer: OwnedWriteHalf,
    mut input: Input,
    name: Option<String>,
) -> io::Result<bool> {
    if let Some(name) = name {
        let line = format!("/name {name}\n");
        writer.write_all(line.as_bytes()).await?;
    }
    // The server looks for the line ends, so any piece will do.
    while let Some(typed) = input.next().await {
        writer.write_all(&typed).await?;
    }
    // Says "that was all" and leaves the other direction open.
    writer.shutdown().await?;
    Ok(input.is_terminal())
}

/// 4. Shows what all say, until the server closes. Only whole lines: half a
///    line would stand in the line being typed.
async fn hear(reader: OwnedReadHalf, screen: &Screen) -> io::Result<()> {
    // A line from the server also has a name in front.
    let mut lines = Incoming::new(reader, 2 * LONGEST);
    while let Some(line) = lines.next().await? {
        match line {
            Line::Text(text) => screen.line(log::Escaped(&text)).await,
            _ => screen.line("(a line that cannot be shown)").await,
        }
    }
    Ok(())
}
