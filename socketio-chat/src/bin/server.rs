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
use serde_json::json;
use socketio_chat::chat::{
    self, Answer, Auth, Message, Refusal, SocketIo, SocketRef, Text,
    acknowledged,
};
use socketio_chat::{rooms, web};
use socketioxide::extract::TryData;
use socketioxide::handler::ConnectHandler; // for connected.with()
use tokio::net::TcpListener;
use tokio::time::sleep;

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

// One thread, and not only because Node has one: each event is a task, and on
// several threads two messages could overtake each other.
#[tokio::main(flavor = "current_thread")]
// An error becomes one line on stderr, and status 1.
async fn main() -> common::Result {
    let args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Listen. Socket.IO takes the requests below /socket.io/, the page has
    //    the others. Before a client is in, admit() is asked.
    let listener = TcpListener::bind(&args.address)
        .await
        .with_context(|| format!("listen on {}", args.address))?;
    let (service, io) = web::open(args.redis.as_deref()).await?;
    // For each new client, first admit(), and if that is Ok, connected(). In
    // Node: io.use(admit) and io.on('connection', connected).
    io.ns("/", connected.with(admit)).await?;
    log::line(format_args!("listening on {}", listener.local_addr()?));

    // 2. Serve until Ctrl-C, and tell everybody the time. web.rs accepts the
    //    connections, and decides which sites' pages may connect.
    tokio::spawn(send_time(io.clone(), args.every));
    let connections = web::serve(listener, service, args.origins, &stop).await;

    // 3. Stop: disconnect all clients. They will try to reconnect. After 1.5
    //    seconds `shutdown` ends the program in any case, with status 0.
    io.close().await;
    connections.wait().await;
    Ok(())
}

/// 4. Admit a client that gives a good name. It comes with the connection. The
///    `SocketRef` is that connection, a `Refusal` a text that says why not.
async fn admit(socket: SocketRef, auth: TryData<Auth>) -> Result<(), Refusal> {
    let name = chat::name(auth.0)?; // checks it
    socket.extensions.insert(name); // by its type; chat::name_of() gets it
    Ok(())
}

/// 5. Connection: say what is to be done with each event, and greet.
async fn connected(socket: SocketRef) {
    // What a handler returns is sent back, as the event's acknowledgement. The
    // library calls it with what its parameters ask for by their types; in Node
    // we pass that ourselves.
    socket.on("chat message", acknowledged(send_to_all));
    socket.on("clientmessage", acknowledged(send_to_others));
    rooms::register(&socket); // "join room" and others: see rooms.rs
    socket.on_disconnect(disconnected);

    // The greeting goes to this socket, `joined` to all others. An error, as
    // `let _` ignores it, means that a client is just leaving, or is too slow.
    let name = chat::name_of(&socket);
    let welcome = json!({ "text": format!("Welcome, {name}!") });
    let _ = socket.emit("greeting", &welcome);
    log::line(format_args!("* {name} joined"));
    let news = json!({ "name": name });
    let _ = socket.broadcast().emit("joined", &news).await;
}

/// 6. Message to all clients, also to its sender: so all have the same order.
///    `io` has the connections of all, `socket` is the sender's. `text` is an
///    error if it sent something else; we return one if we refuse it.
async fn send_to_all(io: SocketIo, socket: SocketRef, text: Text) -> Answer {
    let message = Message::new(&socket, text)?; // checks the text
    log::line(format_args!("chat message from {message}"));
    chat::emit_to_all(&io, "chat message", &message).await; // Node: io.emit()
    Ok(json!({})) // the acknowledgement: the server has it
}

/// 7. Message to all clients but its sender.
async fn send_to_others(_: SocketIo, socket: SocketRef, text: Text) -> Answer {
    let message = Message::new(&socket, text)?;
    log::line(format_args!("clientmessage from {message}"));
    let _ = socket.broadcast().emit("message", &message).await;
    Ok(json!({}))
}

/// 8. Disconnect, for whatever reason: a goodbye, a closed tab, or a missing
///    answer to the heartbeat.
async fn disconnected(socket: SocketRef) {
    let name = chat::name_of(&socket);
    log::line(format_args!("* {name} left"));
    let news = json!({ "name": name });
    let _ = socket.broadcast().emit("left", &news).await;
}

/// 9. Send the time to everybody, again and again.
async fn send_time(io: SocketIo, every: u64) {
    loop {
        sleep(Duration::from_millis(every)).await;
        let time = json!({ "time": chat::now() });
        chat::emit_to_all(&io, "notification", &time).await;
    }
}
