//! What a name, a room and a message are, and the limits of the server.
//!
//! Node twin: `node/chat.js`.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Error;
use common::log;
use serde::Deserialize;
use serde_json::{Value, json};
use socketioxide::adapter::Emitter;
use socketioxide::extract::{AckSender, SocketRef};
use socketioxide::operators::BroadcastOperators;
use socketioxide::service::SocketIoService;
use socketioxide::{ParserConfig, ParserError, SocketIo};
use socketioxide_redis::CustomRedisAdapter;

use crate::cluster::{self, Link};

/// Publishes to the other servers; alone, to nobody.
pub type Adapter = CustomRedisAdapter<Emitter, Link>;
/// The chat as a whole.
pub type Chat = SocketIo<Adapter>;
/// One client's connection.
pub type Socket = SocketRef<Adapter>;
/// Answers one event.
pub type Ack = AckSender<Adapter>;
/// Why something is refused, in words for the client's user.
pub type Refusal = &'static str;
/// What a client sent with an event, if it has the right type.
pub type Given<T> = Result<T, ParserError>;

/// The longest text, in characters.
const LONGEST_TEXT: usize = 2000;
/// The longest name of a person or a room, in characters.
const LONGEST_NAME: usize = 24;
/// The maximum number of rooms that a client can join.
const MAX_ROOMS: usize = 20;
/// The largest packet, in bytes, by WebSocket or long polling.
const MAX_PACKET: usize = 1_000_000;
/// The maximum number of binary attachments of a packet.
const MAX_ATTACHMENTS: usize = 10;
/// How many packets can wait for a client; beyond this, messages are dropped.
const MAX_WAITING: usize = 4096;

/// A Socket.IO server in front of `page`.
///
/// By itself, `max_payload` limits long polling only.
///
/// # Errors
/// When there is no Redis where one should be.
pub async fn open<S: Clone>(
    redis: Option<&str>,
    page: S,
) -> Result<(SocketIoService<S, Adapter>, Chat), Error> {
    let adapter = cluster::adapter(redis).await?;
    Ok(SocketIo::builder()
        .max_payload(MAX_PACKET as u64)
        .ws_max_message_size(MAX_PACKET)
        .ws_max_frame_size(MAX_PACKET)
        .max_buffer_size(MAX_WAITING)
        .with_parser(
            ParserConfig::common().max_incoming_binaries(MAX_ATTACHMENTS),
        )
        .with_adapter::<Adapter>(adapter)
        .build_with_inner_svc(page))
}

/// What a client sends on connecting.
#[derive(Deserialize)]
pub struct Auth {
    /// What the others call it.
    pub name: String,
}

/// What a client sends to a room.
#[derive(Deserialize)]
pub struct ToRoom {
    room: String,
    text: String,
}

/// The name that a socket was admitted with: each carries its own.
#[derive(Clone)]
pub struct Name(pub String);

/// The name that this socket was admitted with.
pub fn name_of(socket: &Socket) -> String {
    let name = socket.extensions.get::<Name>();
    name.map_or_else(|| "somebody".to_owned(), |name| name.0)
}

/// The name, if it is a good one.
///
/// # Errors
/// When it is not.
pub fn name(given: Given<String>) -> Result<String, Refusal> {
    visible(given).ok_or("a name has 1 to 24 visible characters")
}

/// The room's name, if it is a good one.
///
/// # Errors
/// When it is not.
pub fn room(given: Given<String>) -> Result<String, Refusal> {
    visible(given).ok_or("a room's name has 1 to 24 visible characters")
}

/// A name without spaces around it, in which nothing moves the cursor or
/// changes the direction of writing.
fn visible(given: Given<String>) -> Option<String> {
    let name = given.ok()?.trim().to_owned();
    let fits = (1..=LONGEST_NAME).contains(&name.chars().count());
    (fits && log::escaped(&name) == name).then_some(name)
}

/// A message of this socket, as it is sent to others.
///
/// # Errors
/// When the text is none, or too long.
pub fn message(socket: &Socket, text: Given<String>) -> Result<Value, Refusal> {
    let text = text
        .ok()
        .filter(|text| (1..=LONGEST_TEXT).contains(&text.chars().count()))
        .ok_or("a message has 1 to 2000 characters")?;
    // The id says whose connection it was: two windows may have the same name.
    Ok(json!({
        "id": socket.id,
        "name": name_of(socket),
        "text": text,
        "time": now(),
    }))
}

/// The parts of a message to a room.
///
/// # Errors
/// When one of them is missing, or the room's name is none.
pub fn room_and_text(
    given: Given<ToRoom>,
) -> Result<(String, String), Refusal> {
    let ToRoom { room: name, text } =
        given.map_err(|_| "a message needs a room and a text")?;
    Ok((room(Ok(name))?, text))
}

/// What Socket.IO calls a room. With this in front, no client can join the
/// room that a [`name_key`] stands for.
pub fn key(room: &str) -> String {
    format!("room:{room}")
}

/// The room of all who have this name.
pub fn name_key(name: &str) -> String {
    format!("name:{name}")
}

/// Is this socket in the room?
pub fn is_in(socket: &Socket, room: &str) -> bool {
    socket.rooms().contains(&key(room).into())
}

/// May this socket join one more room?
///
/// # Errors
/// When it is in too many.
pub fn check_rooms(socket: &Socket) -> Result<(), Refusal> {
    // One more, for the room that says its name.
    match socket.rooms().len() > MAX_ROOMS {
        true => Err("you are in 20 rooms already"),
        false => Ok(()),
    }
}

/// Tells those in a room that this socket has joined or left.
pub async fn tell_room(socket: &Socket, event: &str, room: &str) {
    let name = name_of(socket);
    let (shown, place) = (log::shown(&name), log::shown(room));
    log::line(format_args!("* {shown} {event} {place}"));
    let news = json!({ "name": name, "room": room });
    emit(socket.to(key(room)), event, news).await;
}

/// Prints a message that is sent on.
pub fn log_message(event: &str, message: &Value) {
    let text = |field: &str| message[field].as_str().unwrap_or_default();
    let name = log::shown(text("name"));
    let place = match text("room") {
        "" => String::new(),
        room => format!(" in {}", log::shown(room)),
    };
    let text = log::shown(text("text"));
    log::line(format_args!("{event} from {name}{place}: {text}"));
}

/// The names of those in `audience`, on every server.
pub async fn here(
    audience: impl Into<Option<BroadcastOperators<Adapter>>>,
) -> Value {
    // Everybody is in a room that says the name, and rooms are what servers
    // tell each other.
    let rooms = match audience.into() {
        Some(audience) => audience.rooms().await.unwrap_or_default(),
        None => Vec::new(),
    };
    let mut names: Vec<&str> = rooms
        .iter()
        .filter_map(|room| room.strip_prefix("name:"))
        .collect();
    names.sort_unstable();
    names.dedup();
    json!({ "here": names })
}

/// Sends an event to `audience`; to nobody once the chat is being closed.
pub async fn emit(
    audience: impl Into<Option<BroadcastOperators<Adapter>>>,
    event: &str,
    data: Value,
) {
    if let Some(audience) = audience.into() {
        // Fails for clients that are just leaving, or do not read.
        let _ = audience.emit(event, &data).await;
    }
}

/// Acknowledges an event: with its result, or with the reason of a refusal.
pub fn answer(ack: Ack, result: Result<Value, Refusal>) {
    let answer = result.unwrap_or_else(|reason| json!({ "error": reason }));
    // A client that is gone by now needs no answer.
    let _ = ack.send(&answer);
}

/// Milliseconds since 1970, as `Date.now()` counts them.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}
