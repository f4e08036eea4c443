//! Chat server: passes on what people send, in a browser or in a terminal.
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
use serde_json::{Value, json};
use socketio_chat::chat::{self, Ack, Chat, Given, Message, Refusal, Socket};
use socketio_chat::{page, web};
use socketioxide::extract::TryData;
use socketioxide::handler::ConnectHandler;
use tokio::net::TcpListener;
use tokio::time;

/// Lets people chat: shows them a page, and passes on what they send.
#[derive(Parser)]
struct Args {
    /// Where to listen; 0.0.0.0:3000 opens it to other computers
    #[arg(default_value = "127.0.0.1:3000")]
    address: String,

    /// Milliseconds between two notifications of the time
    #[arg(long, value_name = "MS", default_value_t = 5000,
        value_parser = clap::value_parser!(u64).range(1..=86_400_000))]
    every: u64,

    /// A Redis that joins this server with others
    #[arg(long, value_name = "URL")]
    redis: Option<String>,

    #[command(flatten)]
    origins: web::Origins,
}

/// The maximum number of rooms that a client can join.
const MAX_ROOMS: usize = 20;

// One thread, and not only because Node has one: each event is a task, and on
// several threads two messages could overtake each other.
#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Listen. Socket.IO takes the requests below /socket.io/, the page has
    //    the others. Before a client is in, admit() is asked.
    let listener = TcpListener::bind(&args.address)
        .await
        .with_context(|| format!("listen on {}", args.address))?;
    let page = service_fn(page::answer);
    let (service, io) = chat::open(args.redis.as_deref(), page).await?;
    io.ns("/", connected.with(admit)).await?;
    log::line(format_args!("listening on {}", listener.local_addr()?));

    // 2. Serve until Ctrl-C, and tell everybody the time.
    tokio::spawn(send_time(io.clone(), Duration::from_millis(args.every)));
    let connections = web::serve(listener, service, args.origins, &stop).await;

    // 3. Stop: disconnect all clients. They will try to reconnect.
    let _ = time::timeout(Duration::from_millis(500), io.close()).await;
    connections.close();
    connections.wait().await;
    Ok(())
}

/// 4. Admit a client that gives a good name. It comes with the connection.
async fn admit(
    socket: Socket,
    TryData(auth): TryData<chat::Auth>,
) -> Result<(), Refusal> {
    let name = chat::name(auth.map(|auth| auth.name))?;
    socket.extensions.insert(chat::Name(name));
    Ok(())
}

/// 5. Connection: say what is to be done with each event, and greet.
async fn connected(socket: Socket) {
    // Each handler's result is the acknowledgement. TryData, and not Data:
    // an event whose data have another type would be dropped without a word.
    socket.on(
        "chat message",
        async |io, socket, TryData(text), ack: Ack| {
            chat::answer(ack, send_to_all(io, socket, text).await);
        },
    );
    socket.on("clientmessage", async |socket, TryData(text), ack: Ack| {
        chat::answer(ack, send_to_others(socket, text).await);
    });
    socket.on("message", async |socket, TryData(message), ack: Ack| {
        chat::answer(ack, send_to_room(socket, message).await);
    });
    socket.on("join room", async |socket, TryData(room), ack: Ack| {
        chat::answer(ack, join_room(socket, room).await);
    });
    socket.on("leave room", async |socket, TryData(room), ack: Ack| {
        chat::answer(ack, leave_room(socket, room).await);
    });
    socket.on("who is here", async |io: Chat, ack: Ack| {
        chat::answer(ack, Ok(chat::here(io.of("/")).await));
    });
    socket.on_disconnect(disconnected);

    // The greeting goes to this socket, `joined` to all others.
    let name = chat::name_of(&socket);
    // Several servers tell each other only of rooms. So each name is a room,
    // too, and `chat::here` lists those; Node asks for the sockets instead.
    socket.join(chat::name_key(&name));
    let welcome = json!({ "text": format!("Welcome, {name}!") });
    let _ = socket.emit("greeting", &welcome);
    log::line(format_args!("* {} joined", log::shown(&name)));
    let news = json!({ "name": name });
    let _ = socket.broadcast().emit("joined", &news).await;
}

/// 6. Message to all clients, also to its sender: so all have the same order.
async fn send_to_all(
    io: Chat,
    socket: Socket,
    text: Given<String>,
) -> Result<Value, Refusal> {
    let message = Message::new(&socket, None, text)?; // checks the text
    log::line(format_args!("chat message from {message}"));
    if let Some(all) = io.of("/") {
        // Fails for clients that are just leaving, or do not read.
        let _ = all.emit("chat message", &message).await;
    }
    Ok(json!({})) // the acknowledgement: the server has it
}

/// 7. Message to all clients but its sender.
async fn send_to_others(
    socket: Socket,
    text: Given<String>,
) -> Result<Value, Refusal> {
    let message = Message::new(&socket, None, text)?;
    log::line(format_args!("clientmessage from {message}"));
    let _ = socket.broadcast().emit("message", &message).await;
    Ok(json!({}))
}

/// 8. Message to the clients in a room, if the sender is in there. For
///    Socket.IO a room is only a name; key() puts "room:" in front, so that no
///    client can choose the name of another kind of room.
async fn send_to_room(
    socket: Socket,
    given: Given<chat::ToRoom>,
) -> Result<Value, Refusal> {
    let (room, text) = chat::room_and_text(given)?;
    let key = chat::key(&room);
    if !socket.rooms().contains(&key.as_str().into()) {
        return Err("you are not in this room");
    }
    let message = Message::new(&socket, Some(room), Ok(text))?;
    log::line(format_args!("message from {message}"));
    let _ = socket.within(key).emit("message", &message).await;
    Ok(json!({}))
}

/// 9. Join a room. The answer says who is there. To join twice is no error:
///    a client does so after reconnecting, and to ask who is there.
async fn join_room(
    socket: Socket,
    room: Given<String>,
) -> Result<Value, Refusal> {
    let room = chat::room(room)?;
    let key = chat::key(&room);
    if !socket.rooms().contains(&key.as_str().into()) {
        // One more, for the room that says its name.
        if socket.rooms().len() > MAX_ROOMS {
            return Err("you are in 20 rooms already");
        }
        socket.join(key.clone());
        tell_room(&socket, "joined", &room).await;
    }
    Ok(chat::here(socket.within(key)).await)
}

/// 10. Leave a room.
async fn leave_room(
    socket: Socket,
    room: Given<String>,
) -> Result<Value, Refusal> {
    let room = chat::room(room)?;
    let key = chat::key(&room);
    if socket.rooms().contains(&key.as_str().into()) {
        socket.leave(key);
        tell_room(&socket, "left", &room).await;
    }
    Ok(json!({}))
}

/// Tells those in a room that this socket has joined or left.
async fn tell_room(socket: &Socket, event: &str, room: &str) {
    let name = chat::name_of(socket);
    let (shown_name, shown_room) = (log::shown(&name), log::shown(room));
    log::line(format_args!("* {shown_name} {event} {shown_room}"));
    let news = json!({ "name": name, "room": room });
    let _ = socket.to(chat::key(room)).emit(event, &news).await;
}

/// 11. Disconnect, for whatever reason: a goodbye, a closed tab, or a missing
///     answer to the heartbeat. Socket.IO has left all rooms already.
async fn disconnected(socket: Socket) {
    let name = chat::name_of(&socket);
    log::line(format_args!("* {} left", log::shown(&name)));
    let news = json!({ "name": name });
    let _ = socket.broadcast().emit("left", &news).await;
}

/// 12. Send the time to everybody, again and again.
async fn send_time(io: Chat, every: Duration) {
    let mut clock = time::interval_at(time::Instant::now() + every, every);
    clock.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        let time = json!({ "time": chat::now() });
        if let Some(all) = io.of("/") {
            let _ = all.emit("notification", &time).await;
        }
    }
}
