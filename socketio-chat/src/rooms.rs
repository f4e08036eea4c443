//! Rooms: groups of clients, which a client joins and leaves.
//!
//! Node twin: `node/rooms.js`. For Socket.IO a room is only a name. `key` puts
//! "room:" in front, so that no client can choose the name of another kind of
//! room.

use common::log;
use serde::Deserialize;
use serde_json::{Value, json};
use socketioxide::operators::BroadcastOperators;

use crate::chat::{
    self, Adapter, Answer, Given, Message, SocketIo, SocketRef, Text,
    acknowledged,
};

/// The maximum number of rooms that a client can join.
const MAX_ROOMS: usize = 20;

/// Says what is to be done with this socket's events that concern rooms.
pub fn register(socket: &SocketRef) {
    socket.on("join room", acknowledged(join_room));
    socket.on("leave room", acknowledged(leave_room));
    socket.on("message", acknowledged(send_to_room));
    socket.on("who is here", acknowledged(who_is_here));
    // Several servers tell each other only of rooms. So each name is a room,
    // too, and `here` lists those; Node asks for the sockets instead.
    socket.join(format!("name:{}", chat::name_of(socket)));
}

/// Joins a room. The answer says who is there. To join twice is no error: a
/// client does so after reconnecting, and to ask who is there.
async fn join_room(_: SocketIo, socket: SocketRef, room: Text) -> Answer {
    let room = chat::room(room)?;
    let key = key(&room);
    if !is_in(&socket, &key) {
        // One more, for the room that says its name.
        if socket.rooms().len() > MAX_ROOMS {
            return Err("you are in 20 rooms already");
        }
        socket.join(key.clone());
        tell_room(&socket, "joined", &room).await;
    }
    Ok(here(socket.within(key)).await)
}

/// Leaves a room.
async fn leave_room(_: SocketIo, socket: SocketRef, room: Text) -> Answer {
    let room = chat::room(room)?;
    let key = key(&room);
    if is_in(&socket, &key) {
        socket.leave(key);
        tell_room(&socket, "left", &room).await;
    }
    Ok(json!({}))
}

/// Message to the clients in a room, if the sender is in there.
async fn send_to_room(
    _: SocketIo,
    socket: SocketRef,
    given: Given<ToRoom>,
) -> Answer {
    let given = given.map_err(|_| "a message needs a room and a text")?;
    let room = chat::room(Ok(given.room))?;
    let key = key(&room);
    if !is_in(&socket, &key) {
        return Err("you are not in this room");
    }
    let message = Message::new(&socket, Ok(given.text))?.to_room(room);
    log::line(format_args!("message from {message}"));
    let _ = socket.within(key).emit("message", &message).await;
    Ok(json!({}))
}

/// Answers who is in the chat.
async fn who_is_here(io: SocketIo, _: SocketRef, _: Given<Value>) -> Answer {
    match io.of("/") {
        Some(all) => Ok(here(all).await),
        None => Ok(json!({ "here": [] })),
    }
}

/// What a client sends to a room.
#[derive(Deserialize)]
struct ToRoom {
    room: String,
    text: String,
}

fn key(room: &str) -> String {
    format!("room:{room}")
}

fn is_in(socket: &SocketRef, key: &str) -> bool {
    socket.rooms().iter().any(|room| room == key)
}

/// Tells those in a room that this socket has joined or left.
async fn tell_room(socket: &SocketRef, event: &str, room: &str) {
    let name = chat::name_of(socket);
    log::line(format_args!("* {name} {event} {room}"));
    let news = json!({ "name": name, "room": room });
    let _ = socket.to(key(room)).emit(event, &news).await;
}

/// The names of those in `audience`, on every server.
async fn here(audience: BroadcastOperators<Adapter>) -> Value {
    let rooms = audience.rooms().await.unwrap_or_default();
    let mut names: Vec<&str> = rooms
        .iter()
        .filter_map(|room| room.strip_prefix("name:"))
        .collect();
    names.sort_unstable();
    names.dedup();
    json!({ "here": names })
}
