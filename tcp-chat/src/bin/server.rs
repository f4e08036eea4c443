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
use tokio::sync::Notify;
use tokio::task;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Sends each client's lines to all clients.
#[derive(Parser)]
struct Args {
    /// Where to listen; 0.0.0.0:8000 opens it to other computers
    #[arg(default_value = "127.0.0.1:8000")]
    address: String,
}

/// The longest line, in bytes, without its line feed.
const LONGEST: usize = 4096;
const TOO_LONG: &str = "* not sent: a line may have 4096 bytes";
const NOT_UTF8: &str = "* not sent: a line must be UTF-8";
/// telnet and Windows end lines with CR LF.
const END: [char; 2] = ['\r', '\n'];

/// How long a client may stop reading while something waits for it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

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
                let serving =
                    serve(socket, address, Arc::clone(&room), stop.clone());
                clients.spawn(serving);
            }
            // Out of file descriptors, say: other connections may close soon.
            Err(error) => {
                log::error(format_args!("accept: {error}"));
                sleep(Duration::from_millis(100)).await;
            }
        }
    }

    // 3. Stop: accept nobody else, and let the clients read what was sent.
    drop(listener);
    clients.close();
    clients.wait().await;
    Ok(())
}

/// 4. Serve one client: receive and send at the same time, so that it gets
///    the others' lines also while it is silent itself.
async fn serve(
    socket: TcpStream,
    address: SocketAddr,
    room: Arc<Room>,
    stop: CancellationToken,
) {
    let (reader, writer) = socket.into_split();
    let queue = room.join(address);
    let written = Notify::new(); // wakes receive() when send() has written
    let receiving = async {
        let received = receive(reader, address, &room, &written);
        let result = stop.run_until_cancelled(received).await;
        room.leave(address); // ends the queue, and so send()
        result.unwrap_or(Ok(()))
    };
    let sending = send(writer, queue, &written);

    // An error ends this connection and no other.
    if let Err(error) = tokio::try_join!(receiving, sending) {
        log::error(format_args!("{address}: {error}"));
    }
    room.leave(address);
}

/// 5. Receive lines. TCP has no framing: one read may return half a line, or
///    ten of them. So collect bytes up to each line feed, and not more than a
///    line may have: one that never ends would fill the memory.
async fn receive(
    reader: OwnedReadHalf,
    address: SocketAddr,
    room: &Room,
    written: &Notify,
) -> io::Result<()> {
    let mut reader = BufReader::with_capacity(LONGEST, reader);
    // What is read next is the rest of a line that was too long: skip it.
    let mut is_rest = false;
    loop {
        let mut line = Vec::new();
        let mut limited = (&mut reader).take(LONGEST as u64 + 1);
        if limited.read_until(b'\n', &mut line).await? == 0 {
            return Ok(()); // half-close: the client will send nothing more
        }
        // The last line of a stream may lack its line feed.
        let is_whole = line.ends_with(b"\n") || line.len() <= LONGEST;
        if !is_rest {
            // Back-pressure: from a client that does not read what it is
            // sent, we read nothing either. So it cannot flood the others.
            while room.is_behind(address) {
                written.notified().await;
            }
            if is_whole {
                match String::from_utf8(line) {
                    Ok(text) => {
                        room.handle(address, text.trim_end_matches(END));
                    }
                    Err(_) => room.tell(address, NOT_UTF8),
                }
            } else {
                room.tell(address, TOO_LONG);
            }
            // Whatever has arrived at once: let the others' tasks run now.
            task::yield_now().await;
        }
        is_rest = !is_whole;
    }
}

/// 6. Send what waits in this client's queue. While the client does not read,
///    only this waits: the queue fills, and the room drops a slow consumer.
async fn send(
    mut writer: OwnedWriteHalf,
    mut queue: Queue,
    written: &Notify,
) -> io::Result<()> {
    // Disable Nagle's algorithm, so that small writes are sent immediately.
    writer.as_ref().set_nodelay(true)?;
    while let Some(lines) = queue.next().await {
        timeout(WRITE_TIMEOUT, writer.write_all(&lines)).await??;
        written.notify_one();
    }
    // 7. Close our direction only: closing both with something unread would
    //    be a reset, which can overtake the last line.
    writer.shutdown().await
}
