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
use socketio_chat::session::{self, Received, Session};
use socketio_chat::show;
use socketio_chat::texts::{self, Texts};
use tokio::time;

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

const ADVICE: &str =
    "start the server first: cargo run -p socketio-chat --bin server";

#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM
    let advise = |error| session::advise(error, &args.url, ADVICE);

    // 1. Connect. The first time, it is an error when nobody is there: then
    //    no server was started.
    let mut session = enter(&args).await.map_err(advise)?;

    // 2. Talk until all is sent and acknowledged, or Ctrl-C.
    let mut texts = Texts::new(&args.texts); // typed, or --message at a pace
    let mut is_lost = false;
    while talk(&args, &mut session, &mut texts).await.is_err() {
        // 3. Lost: what was not acknowledged may be lost, too. Reconnect,
        //    unless there is nothing more to send.
        is_lost |= session.unanswered() > 0;
        if texts.ended() {
            break;
        }
        log::line("disconnected: trying again");
        match stop.run_until_cancelled(reconnect(&args)).await {
            Some(reconnected) => session = reconnected.map_err(advise)?,
            None => break, // Ctrl-C
        }
    }

    // 4. Leave.
    session.leave().await;
    log::line("disconnected.");
    if is_lost {
        return Err(anyhow!("something on its way was lost").into());
    }
    Ok(())
}

/// 5. Enter: wait for the greeting, and join the room. Each time: for the
///    server, a client that reconnects is a new one, and in no room.
async fn enter(args: &Args) -> Result<Session> {
    let auth = json!({ "name": args.name });
    let mut session = Session::open(&args.url, &auth).await?;
    log::line("connected.");
    loop {
        match session.next().await? {
            Received::Event(event, data) => {
                show::event(&event, &data, args.time);
                if event == "greeting" {
                    match &args.room {
                        Some(room) => session.emit("join room", room).await?,
                        None => return Ok(session),
                    }
                }
            }
            // The server's answer to "join room".
            Received::Answer(answer) => {
                let room = args.room.as_deref().unwrap_or_default();
                show::joined(room, &answer)?;
                return Ok(session);
            }
        }
    }
}

/// 6. Reconnect with exponential backoff: twice the pause each time, up to
///    five seconds; and with random jitter, so that clients do not all
///    reconnect at the same moment. It ends where waiting cannot help.
async fn reconnect(args: &Args) -> Result<Session> {
    let mut pause = Duration::from_secs(1);
    loop {
        time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
        match enter(args).await {
            Err(error) if !session::is_final(&error) => {}
            entered => return entered,
        }
        pause = (2 * pause).min(Duration::from_secs(5));
    }
}

/// 7. Talk: send and receive at the same time. The server acknowledges each
///    text; until then, the connection may still be lost.
async fn talk(
    args: &Args,
    session: &mut Session,
    texts: &mut Texts,
) -> Result<()> {
    while !texts.ended() || session.unanswered() > 0 {
        tokio::select! {
            received = session.next() => match received? {
                Received::Event(event, data) => {
                    show::event(&event, &data, args.time);
                }
                Received::Answer(answer) => show::answer(&answer),
            },
            text = texts.next(), if !texts.ended() => {
                let Some(text) = text else { continue };
                log::line(format_args!("send: {}", log::shown(&text)));
                match &args.room {
                    Some(room) => {
                        let message = json!({ "room": room, "text": text });
                        session.emit("message", message).await?;
                    }
                    None => session.emit("chat message", text).await?,
                }
            }
        }
    }
    Ok(())
}
