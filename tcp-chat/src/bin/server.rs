//! TCP chat server: sends each client's lines to all clients.
//!
//! Node twin: `node/server.js`. Other half: `client.rs`.
//!
//!     cargo run -p tcp-chat --bin server
//!     cargo run -p tcp-chat --bin client -- --name Ada   # in a second one
//!
//! Try this: talk to it with `nc 127.0.0.1 8000` from a third terminal.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use common::{log, shutdown};
use tcp_chat::room::{Queue, Room};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

/// Sends each client's lines to all clients.
#[derive(Parser)]
struct Args {
    /// Where to listen; 0.0.0.0:8000 opens it to other computers
    #[arg(default_value = "127.0.0.1:8000")]
    address: String,
}

/// The longest line, in bytes, with its line feed. A longer one is cut.
const MAX_LINE: u64 = 4096;

/// How long a client may stop reading while something waits for it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

// An error becomes one line on stderr, and status 1.
#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let Args { address } = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Listen.
    let listener = TcpListener::bind(&address)
        .await
        .with_context(|| format!("listen on {address}"))?;
    log::line(format_args!("listening on {}", listener.local_addr()?));

    // 2. Accept clients until Ctrl-C. Each gets a task of its own; what they
    //    share is the room: it knows all clients, and the order of all lines.
    let room = Arc::new(Room::default());
    let clients = TaskTracker::new(); // knows which tasks still run
    while let Some(client) = stop.run_until_cancelled(listener.accept()).await {
        match client {
            Ok((socket, address)) => {
                let room = Arc::clone(&room); // another pointer to the same
                clients.spawn(serve(socket, address, room));
            }
            // Out of file descriptors, say: other connections may close soon.
            Err(error) => {
                log::error(format_args!("accept: {error}"));
                sleep(Duration::from_millis(100)).await;
            }
        }
    }

    // 3. Stop: accept nobody else, and let the clients read what was sent.
    //    After 1.5 seconds `shutdown` ends the program in any case.
    drop(listener);
    room.close(); // ends each client's queue, and so its send()
    clients.close(); // no task will be added: now wait() can return
    clients.wait().await;
    Ok(())
}

/// 4. Serve one client: receive and send at the same time, so that it gets
///    the others' lines also while it is silent itself.
async fn serve(socket: TcpStream, address: SocketAddr, room: Arc<Room>) {
    let queue = room.join(address); // the lines that wait for this client
    let (reader, writer) = socket.into_split();
    let receiving = receive(reader, address, &room);
    let sending = send(writer, queue);
    // Unlike promises, futures do nothing by themselves: try_join! runs both.
    // An error ends this connection and no other.
    if let Err(error) = tokio::try_join!(receiving, sending) {
        log::error(format_args!("{address}: {error}"));
        room.leave(address);
    }
}

/// 5. Receive lines, until the client half-closes: it will send nothing more.
async fn receive(
    reader: OwnedReadHalf,
    address: SocketAddr,
    room: &Room,
) -> io::Result<()> {
    let mut reader = BufReader::new(reader);
    while let Some(line) = read_line(&mut reader).await? {
        // Back-pressure: while half of this client's own queue waits for it,
        // we read nothing from it. So it cannot flood the others.
        room.wait_for_space(address).await;
        let text = String::from_utf8_lossy(&line);
        // A new name, or text for everybody. Some end lines with CR LF.
        room.handle(address, text.trim_end_matches(['\r', '\n']));
    }
    room.leave(address); // ends its queue, and so send()
    Ok(())
}

/// 6. Framing: TCP has none, so one read may return half a line, or ten of
///    them. Collect bytes up to the next line feed, and not more than a line
///    may have: one that never ends would fill the memory. `None` at the end.
async fn read_line(
    reader: &mut BufReader<OwnedReadHalf>,
) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    reader.take(MAX_LINE).read_until(b'\n', &mut line).await?;
    if line.is_empty() {
        return Ok(None);
    }
    Ok(Some(line))
}

/// 7. Send what waits in this client's queue. While the client does not read,
///    only this waits: the queue fills, and the room drops a slow consumer.
async fn send(mut writer: OwnedWriteHalf, mut queue: Queue) -> io::Result<()> {
    // Disable Nagle's algorithm, so that small writes are sent immediately.
    writer.as_ref().set_nodelay(true)?;
    while let Some(lines) = queue.next().await {
        // The first `?` is for too late, the second for an error of the write.
        timeout(WRITE_TIMEOUT, writer.write_all(&lines)).await??;
    }
    // 8. Close our direction only: closing both with something unread would
    //    be a reset, which can overtake the last line.
    writer.shutdown().await
}
