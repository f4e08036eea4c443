//! Chat server: what one says, the others hear, in a browser or a terminal.
//!
//! Node twin: `node/server.js`. Other half: `client.rs`, or the page.
//!
//!     cargo run -p socketio-chat --bin server
//!     cargo run -p socketio-chat --bin client     # in a second terminal
//!
//! Try this: open <http://127.0.0.1:3000> in two windows.

use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use common::{log, shutdown};
use hyper::service::service_fn;
use serde_json::json;
use socketio_chat::chat::{self, Ack, Answer, Chat, Name, Said, Socket};
use socketio_chat::{page, web};
use socketioxide::extract::TryData;
use socketioxide::handler::ConnectHandler;
use tokio::{net::TcpListener, time};

/// Lets people chat: shows them a page, and passes on what they say.
#[derive(Parser)]
struct Args {
    /// Where to listen; 0.0.0.0:3000 opens it to other computers
    #[arg(default_value = "127.0.0.1:3000")]
    address: String,

    #[command(flatten)]
    settings: chat::Settings,

    #[command(flatten)]
    quiet: log::Quiet,
}

// One thread, and not only because Node has one: each event is a task of its
// own, and on several threads two messages could overtake each other.
#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    args.quiet.apply();
    let stop = shutdown::token();

    // 1. Listen. Socket.IO takes what is for it, the page has the rest.
    let listener = TcpListener::bind(&args.address)
        .await
        .with_context(|| format!("listen on {}", args.address))?;
    let page = service_fn(page::answer);
    let (service, io) = chat::open(&args.settings, page).await?;
    // Before anybody is in, it is asked for the name.
    io.ns("/", enter.with(chat::introduce)).await?;
    log::ready(format_args!("listening on {}", listener.local_addr()?));

    // 2. Tell everybody the time, and serve until Ctrl-C.
    tokio::spawn(chat::tell_the_time(io.clone(), args.settings.clone()));
    let connections =
        web::serve(listener, service, args.settings.origins, &stop).await;

    // 6. Stop: say goodbye to all. They will try to come back.
    let _ = time::timeout(Duration::from_millis(500), io.close()).await;
    shutdown::finish(connections).await;
    Ok(())
}

/// 3. Somebody is in: says what is to be done with each event.
async fn enter(me: Socket) {
    // TryData, and not Data: what does not fit that is dropped unseen, and
    // whoever sent it waits for an answer. Here it is refused in words.
    me.on("chat message", async |io: Chat, me, TryData(text), ack| {
        let all = io.of("/"); // also who says it
        let said = chat::say("chat message", Said::new(&me, text), all);
        chat::answer(ack, said).await;
    });
    me.on("clientmessage", async |me: Socket, TryData(text), ack| {
        let others = me.broadcast(); // all but who says it
        let said = chat::say("clientmessage", Said::new(&me, text), others);
        chat::answer(ack, said).await;
    });
    me.on("message", async |me: Socket, TryData(said), ack| {
        let said = Said::in_room(&me, said);
        let room = chat::room_of(&said, &me);
        chat::answer(ack, chat::say("message", said, room)).await;
    });
    me.on("join room", async |me: Socket, TryData(room), ack| {
        chat::answer(ack, chat::join(&me, room)).await;
    });
    me.on("leave room", async |me: Socket, TryData(room), ack| {
        chat::answer(ack, chat::leave(&me, room)).await;
    });
    me.on("who is here", async |io: Chat, ack: Ack| {
        let _ = ack.send(&Answer::here(io.of("/")).await);
    });

    // 4. Somebody is gone, for whatever reason.
    me.on_disconnect(async |me: Socket| Name::of(&me).tell("left", &me).await);

    // 5. Greet who is in, and tell the others.
    let name = Name::of(&me);
    me.join(name.room());
    let _ = me.emit("greeting", &json!({ "text": name.welcome() }));
    name.tell("joined", &me).await;
}
