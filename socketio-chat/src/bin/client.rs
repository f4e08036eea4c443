//! Chat client for a terminal: sends what you type, shows what others send.
//!
//! Node twin: `node/client.js`. Other half: `server.rs`.
//!
//!     cargo run -p socketio-chat --bin server     # in a first terminal
//!     cargo run -p socketio-chat --bin client -- --name Ada --room lobby
//!
//! Try this: stop the server while the client runs, and start it again.

use std::time::Duration;

use anyhow::{Result, anyhow};
use clap::Parser;
use common::{log, shutdown};
use serde_json::json;
use socketio_chat::session::{Refusal, Session};
use socketio_chat::show;
use socketio_chat::texts::{self, Texts};
use tokio::time::sleep;

/// Sends what you type to a chat, and shows what the others send.
#[derive(Parser)]
struct Args {
    /// Where the server listens
    #[arg(default_value = "http://127.0.0.1:3000")]
    url: String,

    /// What the others call you
    #[arg(long, default_value = "somebody")]
    name: String,

    /// A room to join, and to send to; without it, you send to everybody
    #[arg(long)]
    room: Option<String>,

    /// Show the server's notifications of the time too
    #[arg(long)]
    time: bool,

    #[command(flatten)]
    texts: texts::Choice,
}

#[tokio::main(flavor = "current_thread")]
// An error becomes one line on stderr, and status 1.
async fn main() -> common::Result {
    let args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM
    let mut texts = Texts::new(&args.texts); // typed, or --message at a pace
    let mut pending = 0; // texts that were not acknowledged

    // 1. Enter the chat. The first time, it is an error when nobody is there:
    //    then no server was started.
    let mut session = enter(&args).await?;

    // 2. Send until that was all, or Ctrl-C. When the connection is lost,
    //    reconnect. What was not acknowledged may be lost, too.
    loop {
        let sent = send(&args, &mut session, &mut texts, &mut pending).await;
        if sent.is_ok() {
            break; // that was all; Ctrl-C ends the texts, too
        }
        log::line("disconnected: trying again");
        match stop.run_until_cancelled(reconnect(&args)).await {
            Some(next) => session = next?,
            None => break, // Ctrl-C
        }
    }

    // 3. Leave.
    session.leave().await;
    log::line("disconnected.");
    if pending > 0 {
        return Err(anyhow!("something on its way was lost").into());
    }
    Ok(())
}

/// 4. Enter: connect, wait for the greeting, and join the room. Each time: for
///    the server, a client that reconnects is a new one, and in no room.
async fn enter(args: &Args) -> Result<Session> {
    let show_event = show::events(args.time); // called for each that arrives
    let mut session = Session::open(&args.url, &args.name, show_event).await?;
    log::line("connected.");
    session.wait_for("greeting").await?;
    if let Some(room) = &args.room {
        // ask() sends an event, and waits for its acknowledgement.
        let answer = session.ask("join room", room).await?;
        show::joined(room, &answer)?;
    }
    Ok(session)
}

/// 5. Reconnect with exponential backoff: twice the pause each time, up to
///    five seconds; and with random jitter, so that clients do not all
///    reconnect at the same moment. A refusal ends it: waiting cannot help.
async fn reconnect(args: &Args) -> Result<Session> {
    let mut pause = Duration::from_secs(1);
    loop {
        sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        match enter(args).await {
            Ok(session) => return Ok(session),
            Err(error) if error.is::<Refusal>() => return Err(error),
            Err(_) => pause = (2 * pause).min(Duration::from_secs(5)),
        }
    }
}

/// 6. Send each text, and wait for its acknowledgement: until then, the
///    connection may still be lost, and the text with it. While this waits,
///    for a text or for an answer, events arrive and are shown.
async fn send(
    args: &Args,
    session: &mut Session,
    texts: &mut Texts,
    pending: &mut u64,
) -> Result<()> {
    // until() waits for a text, and answers the server's heartbeat meanwhile.
    while let Some(text) = session.until(texts.next()).await? {
        log::line(format_args!("send: {}", log::shown(&text)));
        *pending += 1; // until its answer is here
        let answer = match &args.room {
            Some(room) => {
                let message = json!({ "room": room, "text": text });
                session.ask("message", message).await?
            }
            None => session.ask("chat message", text).await?,
        };
        *pending -= 1;
        show::answer(&answer);
    }
    Ok(())
}
