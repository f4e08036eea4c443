//! TCP echo server: what a client sends, it gets back.
//!
//! Node twin: `node/server.js`. Other half: `client.rs`.
//!
//!     cargo run -p tcp-echo --bin server
//!     cargo run -p tcp-echo --bin client        # in a second terminal
//!
//! Try this: start a third terminal with another client. Both are served.

use std::io;

use anyhow::Context;
use clap::Parser;
use common::{accept, log, shutdown};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Sends back whatever a client sends.
#[derive(Parser)]
struct Args {
    /// Where to listen; 0.0.0.0:8888 opens it to other computers
    #[arg(default_value = "127.0.0.1:8888")]
    address: String,

    #[command(flatten)]
    quiet: log::Quiet,
}

// One thread for every connection, like Node's event loop: an echo waits
// far more than it computes, so more threads would only add hand-overs.
#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let Args { address, quiet } = Args::parse();
    quiet.apply();
    let stop = shutdown::token();

    // 1. Listen. From here on the kernel queues clients, so whoever has
    //    read this line can connect.
    let bound = TcpListener::bind(&address).await;
    let listener = bound.with_context(|| format!("listen on {address}"))?;
    log::ready(format_args!("listening on {}", listener.local_addr()?));

    // 2. Take one connection after the other, each into a task of its own,
    //    until Ctrl-C. The task is to Rust what the callback is to Node.
    let connections = TaskTracker::new();
    while let Some(next) = stop.run_until_cancelled(listener.accept()).await {
        match next {
            Ok((socket, _)) => {
                connections.spawn(serve(socket, stop.clone()));
            }
            Err(error) => accept::failed(error).await,
        }
    }

    // 5. Stop: take no more clients, finish the answers.
    drop(listener);
    shutdown::finish(connections).await;
    Ok(())
}

/// 3. An error ends this connection, and no other.
async fn serve(socket: TcpStream, stop: CancellationToken) {
    log::line("socket connected");
    if let Err(error) = echo(socket, stop).await {
        log::error(format_args!("socket: {error}"));
    }
    log::line("socket disconnected");
}

/// 4. Sends back what arrives, until the client has no more to say.
async fn echo(
    mut socket: TcpStream,
    stop: CancellationToken,
) -> io::Result<()> {
    // Small answers leave at once instead of waiting for company.
    socket.set_nodelay(true)?;
    let mut decoder = log::Decoder::default();
    loop {
        let bytes = tokio::select! {
            biased; // what has arrived is answered, even after Ctrl-C
            bytes = receive(&mut socket) => bytes?,
            () = stop.cancelled() => return Ok(()),
        };
        if bytes.is_empty() {
            // The client has finished, perhaps within a character.
            decoder.finish(|rest| log::line(format_args!("receive: {rest}")));
            return Ok(());
        }
        // The decoder keeps a character whole that was cut in two; the
        // bytes go back as they came.
        let text = decoder.decode(&bytes);
        log::line(format_args!("receive: {text}"));

        // Waits while the client does not read. Until it does, nothing
        // more is read from it either, so it cannot fill our memory:
        // Node's write() would queue without end.
        socket.write_all(&bytes).await?;
        log::line(format_args!("send: {text}"));
    }
}

/// TCP carries bytes, not messages: one read may hold half a "hello", or
/// three. No byte at all means that the client has finished.
async fn receive(socket: &mut TcpStream) -> io::Result<Vec<u8>> {
    // Wait first, take a buffer then. Held while waiting, 32 KiB for each
    // of 10,000 quiet clients would be 320 MB.
    socket.readable().await?;

    // Smaller, and many messages take many calls; greater, and nothing goes
    // back while a long one is still coming in.
    let mut bytes = Vec::with_capacity(32 * 1024);
    socket.read_buf(&mut bytes).await.map(|_| bytes)
}
