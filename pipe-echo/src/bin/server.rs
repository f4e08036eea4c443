//! Pipe echo server: what a client sends, it gets back.
//!
//! Node twin: `node/server.js`. Other half: `client.rs`.
//!
//!     cargo run -p pipe-echo --bin server
//!     cargo run -p pipe-echo --bin client       # in a second terminal
//!
//! Try this: look at the pipe with `ls -l /tmp/unix.sock`, before and after.

use std::io;
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use common::pipe::{DEFAULT_PATH, Listener, ServerStream};
use common::{accept, log, shutdown};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Sends back whatever a client sends.
#[derive(Parser)]
struct Args {
    /// Where to listen: a path; on Windows a name like \\.\pipe\mypip
    #[arg(default_value = DEFAULT_PATH)]
    path: PathBuf,

    #[command(flatten)]
    quiet: log::Quiet,
}

// One thread for every connection, like Node's event loop: an echo waits
// far more than it computes, so more threads would only add hand-overs.
#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let Args { path, quiet } = Args::parse();
    quiet.apply();
    let stop = shutdown::token();

    // 1. Listen. A Unix socket is a file: one that a killed server left
    //    behind is replaced, and a living server's is not. Only this user
    //    may connect. From here on the kernel queues clients, so whoever
    //    has read this line can connect.
    let mut listener = Listener::bind(&path)
        .with_context(|| format!("listen on {}", path.display()))?;
    log::ready(format_args!("listening on {}", path.display()));

    // 2. Take one connection after the other, each into a task of its own,
    //    until Ctrl-C. The task is to Rust what the callback is to Node.
    let connections = TaskTracker::new();
    while let Some(next) = stop.run_until_cancelled(listener.accept()).await {
        match next {
            Ok(socket) => {
                connections.spawn(serve(socket, stop.clone()));
            }
            Err(error) => accept::failed(error).await,
        }
    }

    // 5. Stop: take no more clients, finish the answers. The socket's file
    //    goes with the listener.
    drop(listener);
    shutdown::finish(connections).await;
    Ok(())
}

/// 3. An error ends this connection, and no other.
async fn serve(socket: ServerStream, stop: CancellationToken) {
    log::line("socket connected");
    if let Err(error) = echo(socket, stop).await {
        log::error(format_args!("socket: {error}"));
    }
    log::line("socket disconnected");
}

/// 4. Sends back what arrives, until the client has no more to say.
async fn echo(
    mut socket: ServerStream,
    stop: CancellationToken,
) -> io::Result<()> {
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

/// A pipe carries bytes, not messages: one read may hold half a "hello", or
/// three. No byte at all means that the client has finished.
async fn receive(socket: &mut ServerStream) -> io::Result<Vec<u8>> {
    // Wait first, take a buffer then. Held while waiting, 32 KiB for each
    // of 10,000 quiet clients would be 320 MB.
    socket.readable().await?;
    let mut bytes = Vec::with_capacity(32 * 1024);
    socket.read_buf(&mut bytes).await.map(|_| bytes)
}
