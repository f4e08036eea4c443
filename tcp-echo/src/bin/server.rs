//! TCP echo server: sends back whatever a client sends.
//!
//! Node twin: `node/server.js`. Other half: `client.rs`.
//!
//!     cargo run -p tcp-echo --bin server
//!     cargo run -p tcp-echo --bin client        # in a second terminal
//!
//! Try this: start a second client. One thread serves both.

use std::io::ErrorKind;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use common::{log, shutdown};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Sends back whatever a client sends.
#[derive(Parser)]
struct Args {
    /// Where to listen; 0.0.0.0:8888 opens it to other computers
    #[arg(default_value = "127.0.0.1:8888")]
    address: String,
}

// A single thread serves all connections, like Node's event loop: an echo
// server waits far more than it computes. An error becomes one line on stderr,
// and status 1.
#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let Args { address } = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Listen. From here on the kernel queues clients, so anybody who has
    //    read this line can connect.
    let listener = TcpListener::bind(&address)
        .await
        .with_context(|| format!("listen on {address}"))?;
    log::line(format_args!("listening on {}", listener.local_addr()?));

    // 2. Accept clients until Ctrl-C: then run_until_cancelled returns None. A
    //    task is spawned for each, where Node calls a function. The tracker
    //    knows which tasks still run.
    let connections = TaskTracker::new();
    while let Some(client) = stop.run_until_cancelled(listener.accept()).await {
        match client {
            Ok((socket, _)) => {
                connections.spawn(serve(socket, stop.clone()));
            }
            // Out of file descriptors, say: other connections may close soon.
            Err(error) => {
                log::error(format_args!("accept: {error}"));
                sleep(Duration::from_millis(100)).await;
            }
        }
    }

    // 3. Stop: accept nobody else, and let each task finish its answer. After
    //    1.5 seconds `shutdown` ends the program in any case, with status 0.
    drop(listener);
    connections.close(); // no task will be added: now wait() can return
    connections.wait().await;
    Ok(())
}

/// 4. Serves one client. An error ends this connection and no other.
async fn serve(socket: TcpStream, stop: CancellationToken) {
    log::line("socket connected");
    if let Err(error) = echo(socket, stop).await {
        log::error(format_args!("socket: {error}"));
    }
    log::line("socket disconnected");
}

/// Sends back what arrives until the client half-closes, or until Ctrl-C.
async fn echo(mut socket: TcpStream, stop: CancellationToken) -> Result<()> {
    // Disable Nagle's algorithm, so that small writes are sent immediately.
    socket.set_nodelay(true)?;
    let mut decoder = log::Decoder::default();
    loop {
        // 5. Receive. TCP has no framing: one read may return half a "hello",
        //    or three. First wait until there is something to read, and only
        //    then allocate: 32 KiB for each of 10,000 idle clients would be
        //    320 MB.
        tokio::select! {
            biased; // what has arrived is answered, even after Ctrl-C
            result = socket.readable() => result?, // go on, unless it failed
            () = stop.cancelled() => break,
        }
        let mut bytes = Vec::with_capacity(32 * 1024);
        match socket.try_read_buf(&mut bytes) {
            Ok(0) => break, // half-close: the client will send nothing more
            Ok(_) => {}
            // A false alarm: there is nothing to read yet.
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error.into()),
        }
        // For the log, the decoder keeps a character whole that was split
        // over two reads; the bytes themselves go back as they came.
        let text = decoder.decode(&bytes);
        log::line(format_args!("receive: {text}"));

        // 6. Send. Back-pressure: this waits while the client does not read,
        //    and meanwhile we read nothing from it. Our memory stays bounded.
        socket.write_all(&bytes).await?;
        log::line(format_args!("send: {text}"));
    }
    // 7. Close our direction as well: `socket` is dropped, and so closed.
    Ok(())
}
