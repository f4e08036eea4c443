//! A message: what one side gave to `send`, and what the other side gets.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Mutex, Weak};

use serde::Serialize;
use serde::de::{
    Deserialize, DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor,
};
use serde_json::value::RawValue;

use crate::frames::Frame;
use crate::handle::{Connections, Handle};
use crate::text;
use crate::v8::{self, Value};
use crate::{Error, Serialization};

/// A message from the peer, kept as the bytes that came. Nothing that a Node
/// process can send is lost, also where Rust has no value for it: half a
/// surrogate pair, 100,000 nested arrays, `1e999`.
pub struct Message {
    body: Body,
    /// The socket that came with it. It is closed with the message, unless it
    /// is taken.
    pub handle: Option<Handle>,
    /// What Node's envelope says of the socket.
    label: Option<Label>,
}

/// What Node's envelope says of a socket.
#[derive(Clone, Debug, Default)]
pub(crate) struct Label {
    /// `net.Socket` and the like.
    kind: String,
    /// The server that the connection came from, if Node counts those.
    pub(crate) key: Option<String>,
    /// Those that the connection is counted among.
    pub(crate) counted: Weak<Mutex<Connections>>,
}

/// What came, checked.
enum Body {
    Json {
        text: String,
        /// It is a string in which nothing is escaped.
        plain: bool,
    },
    Advanced(Frame),
}

impl Message {
    /// Reads a message that came some other way than over a channel.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the bytes are not what the serialization
    /// demands.
    pub fn from_bytes(
        serialization: Serialization,
        bytes: Vec<u8>,
    ) -> Result<Self, Error> {
        read(serialization, bytes.into()).map(|(_, message)| message)
    }

    /// The message as it came: JSON text, where U+FFFD stands for what was not
    /// UTF-8, or V8's format. Without the envelope of a socket.
    pub fn bytes(&self) -> &[u8] {
        match &self.body {
            Body::Json { text, .. } => text.as_bytes(),
            Body::Advanced(frame) => frame.bytes(),
        }
    }

    /// The message as it came, to be kept. To send it on, give the message
    /// itself to [`Sender::send_raw`](crate::Sender::send_raw).
    pub fn into_bytes(self) -> Vec<u8> {
        Frame::from(self).into_bytes()
    }

    /// What [`Self::bytes`] holds.
    pub fn serialization(&self) -> Serialization {
        match &self.body {
            Body::Json { .. } => Serialization::Json,
            Body::Advanced(_) => Serialization::Advanced,
        }
    }

    /// What the peer calls the socket that came with the message: `net.Socket`,
    /// `net.Server`, `net.Native`, `dgram.Socket` or `dgram.Native`.
    pub fn handle_kind(&self) -> Option<&str> {
        self.label.as_ref().map(|label| &*label.kind)
    }

    /// The server that the connection came from, where Node wants to know how
    /// many of these are open: an address and a port in its notation.
    pub fn handle_key(&self) -> Option<&str> {
        self.label.as_ref()?.key.as_deref()
    }

    /// The message, the socket that came with it, and what its envelope said.
    pub(crate) fn received(self, handle: Handle, label: Label) -> Self {
        Self {
            handle: Some(handle),
            label: Some(label),
            ..self
        }
    }

    pub(crate) fn take_label(&mut self) -> Label {
        self.label.take().unwrap_or_default()
    }

    /// The message as a value of yours.
    ///
    /// # Errors
    /// When it is not of that type, or no Rust value can hold it. The message
    /// is still there, as [`Self::bytes`].
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let parsed = match &self.body {
            Body::Json { text, plain } => parse_json(text, *plain),
            Body::Advanced(frame) => return Ok(v8::from_slice(frame.bytes())?),
        };
        parsed.map_err(|error| Error::Value(error.to_string()))
    }

    /// To be shown: the text of a string, and JSON for everything else; in
    /// advanced mode [`Value`]'s Debug form, where JSON has no word for it.
    pub fn text(&self) -> Cow<'_, str> {
        let frame = match &self.body {
            Body::Json { text, plain: true } => {
                return text::within(text).unwrap_or_default().into();
            }
            Body::Json { text, .. } => {
                let string = string(text.as_bytes());
                return string.map_or(text.into(), Cow::Owned);
            }
            Body::Advanced(frame) => frame,
        };
        match Value::read(frame.bytes()) {
            Ok(Value::String(text)) => text.into(),
            Ok(Value::Utf16(units)) => String::from_utf16_lossy(&units).into(),
            Ok(value) => match v8::from_value::<serde_json::Value>(&value) {
                Ok(json) => json.to_string().into(),
                Err(_) => format!("{value:?}").into(),
            },
            Err(error) => format!("({error})").into(),
        }
    }

    /// The message as a value of JavaScript, in advanced mode.
    ///
    /// # Errors
    /// When the bytes are not a value, or are JSON.
    pub fn value(&self) -> Result<Value, Error> {
        Ok(Value::read(self.bytes())?)
    }
}

impl From<Message> for Frame {
    /// Without the socket.
    fn from(message: Message) -> Self {
        match message.body {
            Body::Json { text, .. } => text.into_bytes().into(),
            Body::Advanced(frame) => frame,
        }
    }
}

/// The bytes and what is known of them. A socket cannot be in two messages: it
/// stays with the one that is cloned.
impl Clone for Message {
    fn clone(&self) -> Self {
        let body = match &self.body {
            Body::Json { text, plain } => Body::Json {
                text: text.clone(),
                plain: *plain,
            },
            Body::Advanced(frame) => {
                Body::Advanced(frame.bytes().to_vec().into())
            }
        };
        Self {
            body,
            handle: None,
            label: self.label.clone(),
        }
    }
}

/// [`Message::text`].
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({self})")
    }
}

/// The text of a JSON string, with U+FFFD for half a surrogate pair.
fn string(json: &[u8]) -> Option<String> {
    if json.trim_ascii_start().first() != Some(&b'"') {
        return None;
    }
    struct Text;
    impl Visitor<'_> for Text {
        type Value = String;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        // serde_json hands a string out as bytes without complaint.
        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<String, E> {
            Ok(lossy(bytes))
        }
    }
    let mut json = serde_json::Deserializer::from_slice(json);
    json.deserialize_bytes(Text).ok()
}

/// UTF-8 with U+FFFD for each half of a surrogate pair, as Node prints it.
fn lossy(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(at) = memchr::memchr(0xED, rest) {
        // Half a pair is ED A0..BF xx: one character, not three mistakes.
        if rest.get(at + 1).is_some_and(|byte| *byte >= 0xA0) {
            text.push_str(&String::from_utf8_lossy(&rest[..at]));
            text.push('\u{FFFD}');
            rest = rest.get(at + 3..).unwrap_or_default();
        } else {
            let after = (at + 3).min(rest.len());
            text.push_str(&String::from_utf8_lossy(&rest[..after]));
            rest = &rest[after..];
        }
    }
    text.push_str(&String::from_utf8_lossy(rest));
    text
}

/// What the channel itself needs to know about a message.
#[derive(Debug)]
pub(crate) enum Kind {
    /// It is the user's.
    User,
    /// It is Node's own, with this `cmd`.
    Internal(String),
}

/// Checks that `bytes` are one JSON text, and looks for Node's mark: a `cmd`
/// that begins with `NODE_`. In one pass, without recursion.
fn inspect(bytes: &[u8]) -> Result<Kind, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let cmd = match may_be_internal(Serialization::Json, bytes) {
        true => json.deserialize_map(Command)?,
        false => {
            json.deserialize_ignored_any(IgnoredAny)?;
            None
        }
    };
    json.end()?;
    Ok(Kind::of(cmd.as_deref()))
}

/// Finds the string `cmd` of an object; of several the last one counts.
struct Command;

impl<'de> Visitor<'de> for Command {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(
        self,
        mut map: A,
    ) -> Result<Self::Value, A::Error> {
        let mut cmd = None;
        while let Some(IsCmd(found)) = map.next_key()? {
            if found {
                cmd = string(map.next_value::<&RawValue>()?.get().as_bytes());
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(cmd)
    }
}

/// Whether a key is `cmd`. Taken as bytes: a key may hold half a pair.
struct IsCmd(bool);

impl<'de> Deserialize<'de> for IsCmd {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Key;
        impl Visitor<'_> for Key {
            type Value = IsCmd;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_bytes<E>(self, key: &[u8]) -> Result<IsCmd, E> {
                Ok(IsCmd(key == b"cmd"))
            }
        }
        from.deserialize_bytes(Key)
    }
}

/// A value of yours of a message's bytes, in one pass, if they are the user's
/// and it can be made of them. If not, [`read`] says what they are.
pub(crate) fn read_as<T: DeserializeOwned>(
    serialization: Serialization,
    bytes: &[u8],
) -> Option<T> {
    if may_be_internal(serialization, bytes) {
        return None;
    }
    match serialization {
        Serialization::Json => {
            let text = str::from_utf8(bytes).ok()?;
            parse_json(text, text::is_plain_string(text)).ok()
        }
        Serialization::Advanced => v8::from_slice(bytes).ok(),
    }
}

/// Whether the bytes may be one of Node's own messages, by a look for its
/// mark, `NODE_`, which is much quicker than to read them.
fn may_be_internal(serialization: Serialization, bytes: &[u8]) -> bool {
    match serialization {
        Serialization::Json => {
            let is_object = bytes.trim_ascii_start().first() == Some(&b'{');
            // An escape may stand for one of its letters.
            is_object
                && memchr::memchr2_iter(b'_', b'\\', bytes).any(|at| {
                    bytes[..at].ends_with(b"NODE")
                        || bytes[at..].starts_with(b"\\u")
                })
        }
        Serialization::Advanced => {
            // What may stand before the tag of an object counts as one.
            let is_object = matches!(bytes.get(2), Some(b'o' | b'?' | 0));
            is_object
                && memchr::memchr_iter(b'_', bytes).any(|at| {
                    bytes[..at].ends_with(b"NODE")
                        || bytes[..at].ends_with(b"N\0O\0D\0E\0")
                })
        }
    }
}

fn parse_json<'a, T: Deserialize<'a>>(
    text: &'a str,
    plain: bool,
) -> Result<T, serde_json::Error> {
    match plain {
        true => text::parse(text),
        false => serde_json::from_str(text),
    }
}

/// The message in a frame, sorted. All of it is checked, so that a bad one is
/// known to be bad when it is received.
pub(crate) fn read(
    serialization: Serialization,
    frame: Frame,
) -> Result<(Kind, Message), Error> {
    let (kind, body) = match serialization {
        Serialization::Json => read_json(frame.into_bytes())?,
        Serialization::Advanced => {
            let kind = match v8::find_text(frame.bytes(), "cmd") {
                // With half a surrogate pair it is Node's own all the same.
                Ok(Some(Value::Utf16(units))) => {
                    Kind::of(Some(&String::from_utf16_lossy(&units)))
                }
                Ok(cmd) => Kind::of(cmd.as_ref().and_then(Value::as_str)),
                Err(error) => {
                    return Err(Error::malformed(error, frame.into_bytes()));
                }
            };
            (kind, Body::Advanced(frame))
        }
    };
    let message = Message {
        body,
        handle: None,
        label: None,
    };
    Ok((kind, message))
}

fn read_json(bytes: Vec<u8>) -> Result<(Kind, Body), Error> {
    // What is not UTF-8 becomes U+FFFD, as in Node.
    let text = String::from_utf8(bytes).unwrap_or_else(|error| {
        String::from_utf8_lossy(error.as_bytes()).into_owned()
    });
    // Long messages are mostly strings, and this is the quick way.
    let plain = text::is_plain_string(&text);
    if plain {
        return Ok((Kind::User, Body::Json { text, plain }));
    }
    match inspect(text.as_bytes()) {
        Ok(kind) => Ok((kind, Body::Json { text, plain })),
        Err(error) => {
            let why = format!("not JSON ({error})");
            Err(Error::malformed(why, text.into_bytes()))
        }
    }
}

impl Kind {
    /// By the string `cmd` of an object.
    fn of(cmd: Option<&str>) -> Self {
        match cmd {
            Some(cmd) if cmd.len() > 5 && cmd.starts_with("NODE_") => {
                Self::Internal(cmd.to_owned())
            }
            _ => Self::User,
        }
    }
}

/// Node's envelope of a message that a socket comes with.
#[derive(Debug)]
pub(crate) struct Envelope {
    /// The message within.
    pub(crate) message: Vec<u8>,
    pub(crate) label: Label,
}

/// Opens an envelope of the command `NODE_HANDLE`.
pub(crate) fn open(message: &Message) -> Result<Envelope, Error> {
    let frame = match &message.body {
        Body::Json { text, .. } => return open_json(text),
        Body::Advanced(frame) => frame,
    };
    let bytes = frame.bytes();
    let malformed = |error| Error::malformed(error, bytes.to_vec());
    let text = |name| -> Result<Option<String>, Error> {
        let found = v8::find_text(bytes, name).map_err(malformed)?;
        Ok(found.as_ref().and_then(Value::as_str).map(str::to_owned))
    };
    let label = Label {
        kind: text("type")?.unwrap_or_default(),
        key: text("key")?,
        counted: Weak::new(),
    };
    let message = match v8::cut_out(bytes, "msg").map_err(malformed)? {
        Some(message) => message,
        None => Value::Undefined.write()?,
    };
    Ok(Envelope { message, label })
}

fn open_json(text: &str) -> Result<Envelope, Error> {
    #[derive(serde::Deserialize)]
    struct Parts<'a> {
        #[serde(borrow)]
        msg: Option<&'a RawValue>,
        #[serde(borrow, rename = "type")]
        kind: Option<Cow<'a, str>>,
        #[serde(borrow)]
        key: Option<Cow<'a, str>>,
    }
    let parts: Parts<'_> = serde_json::from_str(text)
        .map_err(|error| Error::malformed(error, text.into()))?;
    let message = parts.msg.map_or("null", RawValue::get);
    Ok(Envelope {
        message: message.as_bytes().to_vec(),
        label: Label {
            kind: parts.kind.unwrap_or_default().into_owned(),
            key: parts.key.map(Cow::into_owned),
            counted: Weak::new(),
        },
    })
}

/// A message in Node's envelope, as it goes with a socket.
#[derive(Serialize)]
pub(crate) struct Enveloped<'a, T: ?Sized> {
    pub(crate) cmd: &'static str,
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
    pub(crate) msg: &'a T,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<&'a str>,
    #[serde(rename = "dgramType", skip_serializing_if = "Option::is_none")]
    pub(crate) datagrams: Option<&'static str>,
}

/// The bytes that carry a value of JavaScript's.
pub(crate) fn write_value(
    serialization: Serialization,
    value: &Value,
) -> Result<Vec<u8>, Error> {
    match serialization {
        Serialization::Json => {
            let why = "a JavaScript value needs the advanced serialization";
            Err(Error::Value(why.to_owned()))
        }
        Serialization::Advanced => Ok(value.write()?),
    }
}

/// Bytes that are a message already, in the envelope of [`Enveloped`].
pub(crate) fn envelop_raw(
    serialization: Serialization,
    bytes: &[u8],
    handle: &Handle,
    label: &Label,
) -> Result<Vec<u8>, Error> {
    if serialization == Serialization::Advanced {
        let value = Value::read(bytes)?;
        return envelop_value(serialization, &value, handle, label);
    }
    let message: &RawValue = serde_json::from_slice(bytes)
        .map_err(|error| Error::Value(error.to_string()))?;
    let envelope = Enveloped {
        cmd: "NODE_HANDLE",
        kind: label.kind_of(handle),
        msg: message,
        key: label.key.as_deref(),
        datagrams: handle.datagrams(),
    };
    write(serialization, &envelope, Vec::new())
}

impl Label {
    /// What it was called when it came, or else what it is.
    fn kind_of<'a>(&'a self, handle: &'a Handle) -> &'a str {
        match &*self.kind {
            "" => handle.kind(),
            kind => kind,
        }
    }
}

/// As [`write_value`], in the envelope of [`Enveloped`].
pub(crate) fn envelop_value(
    serialization: Serialization,
    value: &Value,
    handle: &Handle,
    label: &Label,
) -> Result<Vec<u8>, Error> {
    // The envelope itself has begun before.
    let value = value.behind(1);
    let value = value.ok_or_else(|| Error::Value("too long".to_owned()))?;
    let mut entries = vec![
        ("cmd".into(), "NODE_HANDLE".into()),
        ("type".into(), label.kind_of(handle).into()),
        ("msg".into(), value),
    ];
    if let Some(key) = label.key.as_deref() {
        entries.push(("key".into(), key.into()));
    }
    if let Some(datagrams) = handle.datagrams() {
        entries.push(("dgramType".into(), datagrams.into()));
    }
    write_value(serialization, &Value::Object(entries))
}

/// The bytes that carry `value`, in a buffer that is empty.
pub(crate) fn write<T: Serialize + ?Sized>(
    serialization: Serialization,
    value: &T,
    mut buffer: Vec<u8>,
) -> Result<Vec<u8>, Error> {
    match serialization {
        Serialization::Json => {
            if !text::write_plain(value, &mut buffer) {
                // Room for most messages, so that it need not grow.
                buffer.reserve(1024);
                serde_json::to_writer(&mut buffer, value)
                    .map_err(|error| Error::Value(error.to_string()))?;
            }
            Ok(buffer)
        }
        Serialization::Advanced => Ok(v8::write(value, buffer)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(json: &str) -> String {
        let (_, message) =
            read(Serialization::Json, json.as_bytes().to_vec().into()).unwrap();
        message.to_string()
    }

    #[test]
    fn a_string_is_shown_as_its_text_and_all_else_as_json() {
        assert_eq!(shown(r#""a\u00e9\n""#), "aé\n");
        assert_eq!(shown(r#" {"a":[1,null]}"#), r#" {"a":[1,null]}"#);
        assert_eq!(
            shown(r#""\ud800x\ud83d\ude00\udc00""#),
            "\u{FFFD}x😀\u{FFFD}"
        );
        assert_eq!(shown("\"한\u{FFFD}\""), "한\u{FFFD}");
    }

    #[test]
    fn only_an_objects_string_cmd_that_begins_with_node_is_internal() {
        let internal = |json: &str| match inspect(json.as_bytes()).unwrap() {
            Kind::Internal(cmd) => Some(cmd),
            Kind::User => None,
        };
        assert_eq!(internal(r#"{"cmd":"NODE_X"}"#).as_deref(), Some("NODE_X"));
        let escaped = r#" {"a":{},"\u0063md":"\u004eODE_X","b":1} "#;
        assert_eq!(internal(escaped).as_deref(), Some("NODE_X"));
        for user in [
            r#"{"cmd":"NODE_"}"#,
            r#"{"cmd":"node_x"}"#,
            r#"{"cmd":["NODE_X"]}"#,
            r#"{"cmd":"NODE_X","cmd":1}"#,
            r#"{"a":{"cmd":"NODE_X"}}"#,
            r#"[{"cmd":"NODE_X"}]"#,
            r#""NODE_X""#,
            r#"{"\ud800":"\udfff","cmd":"\ud800"}"#,
        ] {
            assert_eq!(internal(user), None, "{user}");
        }
    }

    #[test]
    fn what_serde_cannot_hold_is_a_message_all_the_same() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let object =
            format!("{}1{}", r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
        for json in [r#""\ud800""#, "1e999", &deep, &object] {
            let bytes = json.as_bytes().to_vec();
            let (_, message) = read(Serialization::Json, bytes.into()).unwrap();
            assert_eq!(message.bytes(), json.as_bytes());
            assert!(message.parse::<serde_json::Value>().is_err());
        }
    }

    #[test]
    fn what_json_parse_refuses_is_refused() {
        for json in ["", " ", "undefined", "NaN", "1 2", "\u{feff}1", "'a'"] {
            let bytes = json.as_bytes().to_vec();
            let read = read(Serialization::Json, bytes.into());
            assert!(read.is_err(), "{json:?}");
        }
        assert!(inspect(b"\"\0\"").is_err());
        assert!(inspect(b"{\"a\":\"\x01\"}").is_err());
    }
}
