//! TCP chat server: what one client says, all clients hear.
//!
//! Node twin: `node/server.js`. Other half: `client.rs`.
//!
//!     cargo run -p tcp-chat --bin server
//!     cargo run -p tcp-chat --bin client -- --name Ada   # in a second one
//!
//! Try this: talk to it with `nc 127.0.0.1 8000` from a third terminal.

use std::io;

use anyhow::Context;
use clap::Parser;
use common::{accept, log, shutdown};
use tcp_chat::lines::{Incoming, LONGEST};
use tcp_chat::room::{Member, Room};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Sends what each client says to all of them.
#[derive(Parser)]
struct Args {
    /// Where to listen; 0.0.0.0:8000 opens it to other computers
    #[arg(default_value = "127.0.0.1:8000")]
    address: String,

    #[command(flatten)]
    quiet: log::Quiet,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let Args { address, quiet } = Args::parse();
    quiet.apply();
    let stop = shutdown::token();

    // 1. Listen.
    let listener = TcpListener::bind(&address)
        .await
        .with_context(|| format!("listen on {address}"))?;
    log::ready(format_args!("listening on {}", listener.local_addr()?));

    // 2. Take one client after the other, each into a task of its own. What
    //    they share is the room: who is there, and the order of all lines.
    let room = Room::default();
    let clients = TaskTracker::new();
    while let Some(next) = stop.run_until_cancelled(listener.accept()).await {
        match next {
            Ok((socket, address)) => {
                let member = room.join(address);
                clients.spawn(serve(socket, member, stop.clone()));
            }
            Err(error) => accept::failed(error).await,
        }
    }

    // 6. Stop: take no more clients, let them read what was said.
    drop(listener);
    shutdown::finish(clients).await;
    Ok(())
}

/// 3. Listens to a client and tells it what is said, both at once: it hears
///    the others also while it is silent itself.
async fn serve(socket: TcpStream, member: Member, stop: CancellationToken) {
    let (reader, writer) = socket.into_split();
    let hearing = async {
        let heard = stop.run_until_cancelled(hear(reader, &member)).await;
        member.leave();
        heard.unwrap_or(Ok(()))
    };
    let both = async { tokio::try_join!(hearing, tell(writer, &member)) };

    // Whoever has left, or was dropped for not reading, may read the rest.
    // But whoever holds on to a connection for ever costs us one.
    if let Err(error) = member.unless_overdue(both).await {
        // It ends this connection, and no other.
        log::error(format_args!("{}: {error}", member.address()));
    }
}

/// 4. Takes the lines that arrive, until the client has no more to say.
async fn hear(reader: OwnedReadHalf, member: &Member) -> io::Result<()> {
    // TCP carries bytes. `lines.rs` makes lines of them: this lesson's
    // heart.
    let mut lines = Incoming::new(reader, LONGEST);
    while let Some(line) = lines.next().await? {
        member.say(line).await;
    }
    Ok(())
}

/// 5. Writes what is said. While this client does not read, it waits here,
///    and only here: its queue fills, and nobody else notices.
async fn tell(mut writer: OwnedWriteHalf, member: &Member) -> io::Result<()> {
    writer.as_ref().set_nodelay(true)?;
    while let Some(lines) = member.next().await {
        writer.write_all(&lines).await?;
    }
    // Says "that was all", but goes on reading. To close with something
    // unread would be a reset, and might overtake the last word.
    writer.shutdown().await
}
