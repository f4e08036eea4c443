//! Pipe echo server: sends back whatever a client sends.
//!
//! Node twin: `node/server.js`. Other half: `client.rs`.
//!
//!     cargo run -p pipe-echo --bin server
//!     cargo run -p pipe-echo --bin client       # in a second terminal
//!
//! Try this: `ls -l /tmp/unix.sock`, while the server runs and afterwards.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use common::{log, shutdown};
use pipe_echo::DEFAULT_PATH;
#[cfg(unix)]
use pipe_echo::stale_file::remove_stale_file;
#[cfg(windows)] // named pipes, with the calls of a Unix socket
use pipe_echo::windows::server::{UnixStream, listen, remove_stale_file};
use tokio::io::AsyncWriteExt;
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Sends back whatever a client sends.
#[derive(Parser)]
struct Args {
    /// Where to listen: a path; on Windows a name like \\.\pipe\echo
    #[arg(default_value = DEFAULT_PATH)]
    path: PathBuf,
}

// A single thread serves all connections, like Node's event loop: an echo
// server waits far more than it computes. An error becomes one line on stderr,
// and status 1.
#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let Args { path } = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Listen. From here on the kernel queues clients, so anybody who has
    //    read this line can connect.
    let listener = listen(&path)
        .with_context(|| format!("listen on {}", path.display()))?;
    log::line(format_args!("listening on {}", path.display()));

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

    // 3. Stop: accept nobody else, remove our file, and let each task finish
    //    its answer. After 1.5 seconds `shutdown` ends the program in any case,
    //    with status 0.
    drop(listener);
    // This fails when another server listens there by now: then the file
    // belongs to that one.
    let _ = remove_stale_file(&path);
    connections.close(); // no task will be added: now wait() can return
    connections.wait().await;
    Ok(())
}

/// 4. Listens at the path. On Unix it is a file, and file permissions decide
///    who may connect. Named pipes of Windows are in `src/windows.rs`.
#[cfg(unix)]
fn listen(path: &std::path::Path) -> Result<UnixListener> {
    use rustix::fs::Mode;
    use rustix::process::umask;

    // Of a server that was killed: the file stays, and bind() would fail.
    remove_stale_file(path)?;
    // Before bind(), not a chmod() after it: until then, others could connect.
    let before = umask(Mode::from_raw_mode(0o177)); // leaves rw------- (0600)
    let listener = UnixListener::bind(path);
    umask(before);
    Ok(listener?)
}

/// 5. Serves one client. An error ends this connection and no other.
async fn serve(socket: UnixStream, stop: CancellationToken) {
    log::line("socket connected");
    if let Err(error) = echo(socket, stop).await {
        log::error(format_args!("socket: {error}"));
    }
    log::line("socket disconnected");
}

/// Sends back what arrives until the client half-closes, or until Ctrl-C.
async fn echo(mut socket: UnixStream, stop: CancellationToken) -> Result<()> {
    let mut decoder = log::Decoder::default();
    loop {
        // 6. Receive. A pipe has no framing: one read may return half a
        //    "hello", or three. First wait until there is something to read,
        //    and only then allocate: 32 KiB for each of 10,000 idle clients
        //    would be 320 MB.
        tokio::select! {
            // From top to bottom: what has arrived is answered, even after
            // Ctrl-C. Node drops it.
            biased;
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

        // 7. Send. Back-pressure: this waits while the client does not read,
        //    and meanwhile we read nothing from it. Our memory stays bounded.
        socket.write_all(&bytes).await?;
        log::line(format_args!("send: {text}"));
    }
    // 8. Close our direction as well: `socket` is dropped, and so closed.
    Ok(())
}
