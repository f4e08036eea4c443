//! What is said in the chat, and what is refused.

use std::fmt::{self, Display};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Error;
use common::log;
use serde::{Deserialize, Serialize};
use serde_json::json;
use socketioxide::adapter::Emitter;
use socketioxide::extract::{AckSender, SocketRef, TryData};
use socketioxide::operators::BroadcastOperators;
use socketioxide::service::SocketIoService;
use socketioxide::socket::Sid;
use socketioxide::{ParserConfig, ParserError, SocketIo};
use socketioxide_redis::CustomRedisAdapter;
use tokio::time::{self, MissedTickBehavior};

use crate::cluster::{self, Link};
use crate::web::Origins;

/// What tells the other servers. Alone, it tells nobody.
pub type Adapter = CustomRedisAdapter<Emitter, Link>;
/// The chat as a whole.
pub type Chat = SocketIo<Adapter>;
/// One client's connection.
pub type Socket = SocketRef<Adapter>;
/// Answers one event.
pub type Ack = AckSender<Adapter>;
/// Whom an event is for.
pub type Audience = BroadcastOperators<Adapter>;

/// The longest text, in characters. What waits for a client that does not
/// read takes memory here.
const LONGEST_TEXT: usize = 2000;
/// The longest name of a person or a room, in characters.
const LONGEST_NAME: usize = 24;
/// In so many rooms can a client be.
const MOST_ROOMS: usize = 20;

/// The largest packet, in bytes, whatever carries it.
const LARGEST: usize = 1_000_000;
/// So many binary attachments can a packet have.
const MOST_ATTACHMENTS: usize = 10;
/// So many packets wait for a client; while there are more, it misses what
/// is said. The crate's 128 is less than one burst.
const MOST_WAITING: usize = 4096;

/// How often, with whom, for which pages.
#[derive(clap::Args, Clone, Debug)]
pub struct Settings {
    /// Milliseconds between two notifications of the time
    #[arg(
        long,
        value_name = "MS",
        default_value_t = 5000,
        value_parser = clap::value_parser!(u64).range(1..=86_400_000),
    )]
    every: u64,

    /// A Redis that joins this server with others
    #[arg(long, value_name = "URL")]
    redis: Option<String>,

    /// Whose pages may use this server
    #[command(flatten)]
    pub origins: Origins,
}

/// A Socket.IO server in front of `page`.
///
/// It takes no more over WebSocket than over long polling: by itself,
/// `max_payload` limits only the latter.
///
/// # Errors
/// When there is no Redis where one should be.
pub async fn open<S: Clone>(
    settings: &Settings,
    page: S,
) -> Result<(SocketIoService<S, Adapter>, Chat), Error> {
    let adapter = cluster::adapter(settings.redis.as_deref()).await?;
    Ok(SocketIo::builder()
        .max_payload(LARGEST as u64)
        .ws_max_message_size(LARGEST)
        .ws_max_frame_size(LARGEST)
        .max_buffer_size(MOST_WAITING)
        .with_parser(
            ParserConfig::common().max_incoming_binaries(MOST_ATTACHMENTS),
        )
        .with_adapter::<Adapter>(adapter)
        .build_with_inner_svc(page))
}

/// Why something is refused, in words for the one who tried.
pub type Refusal = &'static str;

/// What a client sends on connecting.
#[derive(Deserialize)]
pub struct Auth {
    name: String,
}

impl Auth {
    /// The name, if it is one.
    fn name(given: Result<Self, ParserError>) -> Result<Name, Refusal> {
        let name = given.ok().and_then(|auth| name_of(&auth.name));
        Ok(Name(name.ok_or("a name has 1 to 24 visible characters")?))
    }
}

/// Lets somebody in who says a name.
///
/// # Errors
/// When it is none.
pub async fn introduce(
    socket: Socket,
    TryData(auth): TryData<Auth>,
) -> Result<(), Refusal> {
    socket.extensions.insert(Auth::name(auth)?);
    Ok(())
}

/// Who somebody is. Each socket carries its own.
#[derive(Clone, Debug)]
pub struct Name(pub String);

impl Name {
    /// The name that this socket was let in with.
    pub fn of(socket: &Socket) -> Self {
        let anonymous = || Self("somebody".to_owned());
        socket.extensions.get().unwrap_or_else(anonymous)
    }

    /// What whoever has this name is greeted with.
    pub fn welcome(&self) -> String {
        format!("Welcome, {}!", self.0)
    }

    /// Tells all others that this socket comes or goes.
    pub async fn tell(&self, event: &str, by: &Socket) {
        log::line(format_args!("* {self} {event}"));
        tell(by.broadcast(), event, &json!({ "name": self.0 })).await;
    }

    /// The room of all who have this name.
    pub fn room(&self) -> String {
        format!("name:{}", self.0)
    }
}

impl Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        log::shown(&self.0).fmt(f)
    }
}

/// A room that clients can join, under a name that cannot be mistaken for
/// [`Name::room`].
#[derive(Clone, Debug, Serialize)]
pub struct Room(String);

impl Room {
    /// The room of this name, if it is one.
    ///
    /// # Errors
    /// When it is not.
    fn new(given: Result<String, ParserError>) -> Result<Self, Refusal> {
        let room = given.ok().and_then(|name| name_of(&name));
        Ok(Self(
            room.ok_or("a room's name has 1 to 24 visible characters")?,
        ))
    }

    /// What Socket.IO calls it.
    fn key(&self) -> String {
        format!("room:{}", self.0)
    }

    /// Is this socket in it?
    fn has(&self, socket: &Socket) -> bool {
        socket.rooms().contains(&self.key().into())
    }

    /// Tells those in the room that this socket comes or goes.
    async fn tell(&self, event: &str, by: &Socket) {
        let name = Name::of(by);
        log::line(format_args!("* {name} {event} {self}"));
        let news = json!({ "name": name.0, "room": self });
        tell(by.to(self.key()), event, &news).await;
    }

    /// Lets this socket in. False when it was in there already.
    ///
    /// # Errors
    /// When it is in many rooms already.
    fn admit(&self, socket: &Socket) -> Result<bool, Refusal> {
        if self.has(socket) {
            return Ok(false);
        }
        // One more, for the room that says its name.
        if socket.rooms().len() > MOST_ROOMS {
            return Err("you are in 20 rooms already");
        }
        socket.join(self.key());
        Ok(true)
    }
}

impl Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        log::shown(&self.0).fmt(f)
    }
}

/// What somebody wants to say in a room.
#[derive(Deserialize)]
pub struct ToRoom {
    room: String,
    text: String,
}

/// Something that somebody said.
#[derive(Debug, Serialize)]
pub struct Said {
    /// Whose connection it was: two windows may have the same name.
    id: Sid,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<Room>,
    text: String,
    /// Milliseconds since 1970, by the server's clock.
    time: u64,
}

impl Said {
    /// To whoever is to hear it.
    ///
    /// # Errors
    /// When it is no text, or one that is too long.
    pub fn new(
        by: &Socket,
        text: Result<String, ParserError>,
    ) -> Result<Self, Refusal> {
        let text = text
            .ok()
            .filter(|text| (1..=LONGEST_TEXT).contains(&text.chars().count()));
        Ok(Self {
            id: by.id,
            name: Name::of(by).0,
            room: None,
            text: text.ok_or("a message has 1 to 2000 characters")?,
            time: now(),
        })
    }

    /// To those in a room, among them who says it.
    ///
    /// # Errors
    /// As [`Said::new`], and when who says it is not in there.
    pub fn in_room(
        by: &Socket,
        said: Result<ToRoom, ParserError>,
    ) -> Result<Self, Refusal> {
        let ToRoom { room, text } =
            said.map_err(|_| "a message needs a room and a text")?;
        let room = Room::new(Ok(room))?;
        if !room.has(by) {
            return Err("you are not in this room");
        }
        let mut said = Self::new(by, Ok(text))?;
        said.room = Some(room);
        Ok(said)
    }
}

impl Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        log::shown(&self.name).fmt(f)?;
        if let Some(room) = &self.room {
            write!(f, " in {room}")?;
        }
        write!(f, ": {}", log::shown(&self.text))
    }
}

/// The answer to an event: it was done, and these are there. Or it was not.
#[derive(Debug, Default, Serialize)]
pub struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Refusal>,
    #[serde(skip_serializing_if = "Option::is_none")]
    here: Option<Vec<String>>,
}

impl Answer {
    /// With the names of those who are in `audience`, on every server.
    pub async fn here(audience: impl Into<Option<Audience>>) -> Self {
        // Everybody is in a room that says the name, and rooms are what
        // servers tell each other.
        let rooms = match audience.into() {
            Some(audience) => audience.rooms().await.unwrap_or_default(),
            None => Vec::new(),
        };
        let mut names: Vec<String> = rooms
            .iter()
            .filter_map(|room| room.strip_prefix("name:"))
            .map(str::to_owned)
            .collect();
        names.sort_unstable();
        names.dedup();
        Self {
            error: None,
            here: Some(names),
        }
    }
}

/// Tells `audience` what was said, unless it is refused.
///
/// # Errors
/// When it is.
pub async fn say(
    event: &str,
    said: Result<Said, Refusal>,
    audience: impl Into<Option<Audience>>,
) -> Result<Answer, Refusal> {
    let said = said?;
    log::line(format_args!("{event} from {said}"));
    // What others call "clientmessage" arrives as a message.
    let as_what = match event {
        "clientmessage" => "message",
        other => other,
    };
    tell(audience, as_what, &said).await;
    Ok(Answer::default())
}

/// Lets somebody into a room; the answer says who is there.
///
/// # Errors
/// When the room is none, or one too many.
pub async fn join(
    me: &Socket,
    room: Result<String, ParserError>,
) -> Result<Answer, Refusal> {
    let room = Room::new(room)?;
    if room.admit(me)? {
        room.tell("joined", me).await;
    }
    Ok(Answer::here(me.within(room.key())).await)
}

/// Somebody leaves a room.
///
/// # Errors
/// When the room is none.
pub async fn leave(
    me: &Socket,
    room: Result<String, ParserError>,
) -> Result<Answer, Refusal> {
    let room = Room::new(room)?;
    if room.has(me) {
        me.leave(room.key());
        room.tell("left", me).await;
    }
    Ok(Answer::default())
}

/// Those who are in the room for which something is said.
pub fn room_of(said: &Result<Said, Refusal>, by: &Socket) -> Option<Audience> {
    let room = said.as_ref().ok()?.room.as_ref()?;
    Some(by.within(room.key()))
}

/// Does what an event asks for, and tells who asked what came of it.
pub async fn answer(
    ack: Ack,
    outcome: impl Future<Output = Result<Answer, Refusal>>,
) {
    let answer = outcome.await.unwrap_or_else(|why| Answer {
        error: Some(why),
        here: None,
    });
    // Who is gone by now needs no answer.
    let _ = ack.send(&answer);
}

/// Sends an event to all who are in `audience`; to nobody once the chat is
/// being closed.
pub async fn tell(
    audience: impl Into<Option<Audience>>,
    event: &str,
    data: &impl Serialize,
) {
    if let Some(audience) = audience.into() {
        // Fails for those who are just leaving, or do not read.
        let _ = audience.emit(event, data).await;
    }
}

/// Tells everybody the time, for as long as there is a chat.
pub async fn tell_the_time(chat: Chat, settings: Settings) {
    let mut clock = time::interval(Duration::from_millis(settings.every));
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    clock.tick().await; // the first one is at once
    loop {
        clock.tick().await;
        tell(chat.of("/"), "notification", &json!({ "time": now() })).await;
    }
}

/// Milliseconds since 1970, as `Date.now()` counts them.
pub fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}

/// A name without spaces around it, if it is one: nothing in it moves the
/// cursor or turns the direction of writing round.
fn name_of(text: &str) -> Option<String> {
    let name = log::trimmed(text);
    let fits = (1..=LONGEST_NAME).contains(&name.chars().count());
    let plain = log::Escaped(name).to_string() == name;
    (fits && plain).then(|| name.to_owned())
}
