//! What a name, a room's name and a message are, and how each event is
//! acknowledged.
//!
//! Node twin: `node/chat.js`.

use std::fmt::{self, Display};
use std::pin::Pin;
use std::time::{SystemTime, UNIX_EPOCH};

use common::log;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use socketioxide::ParserError;
use socketioxide::adapter::Emitter;
use socketioxide::extract::{AckSender, TryData};
use socketioxide::socket::Sid;
use socketioxide_redis::CustomRedisAdapter;

use crate::cluster::Link;

/// Publishes to the other servers; alone, to nobody.
pub type Adapter = CustomRedisAdapter<Emitter, Link>;
/// All clients of this chat.
pub type SocketIo = socketioxide::SocketIo<Adapter>;
/// One client's connection.
pub type SocketRef = socketioxide::extract::SocketRef<Adapter>;
/// What a client sent with an event, if it has the right type.
pub type Given<T> = Result<T, ParserError>;
/// What a client sent with an event, if it is text.
pub type Text = Given<String>;
/// Why something is refused, in words for the client's user.
pub type Refusal = &'static str;
/// What an event's handler returns: the acknowledgement.
pub type Answer = Result<Value, Refusal>;

/// The longest text, in characters.
const LONGEST_TEXT: usize = 2000;
/// The longest name of a person or a room, in characters.
const LONGEST_NAME: usize = 24;

/// What a client sends on connecting.
#[derive(Deserialize)]
pub struct Auth {
    /// What the others call it.
    name: String,
}

/// What the others call a client: see [`name_of`].
#[derive(Clone)]
pub struct Name(String);

/// The name that this socket was admitted with.
pub fn name_of(socket: &SocketRef) -> String {
    let name = socket.extensions.get::<Name>();
    name.map_or_else(|| "somebody".to_owned(), |name| name.0)
}

/// The client's name, if it is a good one.
///
/// # Errors
/// When it is not.
pub fn name(given: Given<Auth>) -> Result<Name, Refusal> {
    let name = visible(given.map(|auth| auth.name));
    Ok(Name(name.ok_or("a name has 1 to 24 visible characters")?))
}

/// The room's name, if it is a good one.
///
/// # Errors
/// When it is not.
pub fn room(given: Text) -> Result<String, Refusal> {
    visible(given).ok_or("a room's name has 1 to 24 visible characters")
}

/// A name without spaces around it, in which nothing moves the cursor or
/// changes the direction of writing.
fn visible(given: Text) -> Option<String> {
    let name = given.ok()?.trim().to_owned();
    let fits = (1..=LONGEST_NAME).contains(&name.chars().count());
    (fits && log::escaped(&name) == name).then_some(name)
}

/// A message, as it is sent to other clients.
#[derive(Debug, Serialize)]
pub struct Message {
    /// The sender's connection: two windows may have the same name.
    id: Sid,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<String>,
    text: String,
    /// Milliseconds since 1970, by the server's clock.
    time: u64,
}

impl Message {
    /// A message of this socket.
    ///
    /// # Errors
    /// When the text is none, or too long.
    pub fn new(socket: &SocketRef, text: Text) -> Result<Self, Refusal> {
        let text = text
            .ok()
            .filter(|text| (1..=LONGEST_TEXT).contains(&text.chars().count()));
        Ok(Self {
            id: socket.id,
            name: name_of(socket),
            room: None,
            text: text.ok_or("a message has 1 to 2000 characters")?,
            time: now(),
        })
    }

    /// The same message, to the clients in this room.
    pub fn to_room(self, room: String) -> Self {
        let room = Some(room);
        Self { room, ..self }
    }
}

impl Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if let Some(room) = &self.room {
            write!(f, " in {room}")?;
        }
        write!(f, ": {}", log::shown(&self.text))
    }
}

/// A handler for `SocketRef::on` that calls `handle`, and acknowledges the
/// event with what that returns: with a value, or with the reason of a refusal.
///
/// `handle` is given what the client sent, whatever its type. Without that, an
/// event whose data have another type would be dropped without a word.
pub fn acknowledged<T, F>(
    handle: fn(SocketIo, SocketRef, Given<T>) -> F,
) -> impl FnOnce(SocketIo, SocketRef, TryData<T>, Ack) -> Handled + Clone
where
    T: DeserializeOwned + Send + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    move |io, socket, TryData(given), ack| {
        Box::pin(async move {
            let answer = handle(io, socket, given).await;
            let answer =
                answer.unwrap_or_else(|reason| json!({ "error": reason }));
            // A client that is gone by now needs no answer.
            let _ = ack.send(&answer);
        })
    }
}

type Ack = AckSender<Adapter>;
type Handled = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Sends an event to all clients. An error means that one is just leaving, or
/// is too slow; it is ignored.
pub async fn emit_to_all(io: &SocketIo, event: &str, data: &impl Serialize) {
    // `None`: the server has closed all connections.
    if let Some(all) = io.of("/") {
        let _ = all.emit(event, data).await;
    }
}

/// Milliseconds since 1970, as `Date.now()` counts them.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}
