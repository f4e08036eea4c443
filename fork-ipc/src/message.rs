//! A message: what one side gave to `send`, and what the other side gets.

use std::borrow::Cow;
use std::fmt;

use memchr::memmem;
use serde::Serialize;
use serde::de::{
    DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Visitor,
};
use serde_json::value::RawValue;

use crate::handle::Handle;
use crate::text;
use crate::v8::{self, Value};
use crate::{Error, Serialization};

/// A message from the peer, kept as the bytes that came. Nothing that a Node
/// process can send is lost, also where Rust has no value for it: half a
/// surrogate pair, 100,000 nested arrays, `1e999`.
pub struct Message {
    serialization: Serialization,
    bytes: Vec<u8>,
    /// The socket that came with it. Whoever does not take it closes it.
    pub handle: Option<Handle>,
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
        read(serialization, bytes).map(|(_, message)| message)
    }

    /// The message as it came: JSON text, or V8's format.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The message as it came, to be kept or sent on.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// What [`Self::bytes`] holds.
    pub fn serialization(&self) -> Serialization {
        self.serialization
    }

    /// The message as a value of yours.
    ///
    /// # Errors
    /// When it is not of that type, or no Rust value can hold it. The message
    /// is still there, as [`Self::bytes`].
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        match self.serialization {
            Serialization::Json => serde_json::from_slice(&self.bytes)
                .map_err(|error| Error::Value(error.to_string())),
            Serialization::Advanced => Ok(v8::from_slice(&self.bytes)?),
        }
    }

    /// The message as a value of JavaScript, in advanced mode.
    ///
    /// # Errors
    /// When the bytes are not a value, or are JSON.
    pub fn value(&self) -> Result<Value, Error> {
        Ok(Value::read(&self.bytes)?)
    }
}

/// To be shown: the text of a string, and JSON for everything else; in
/// advanced mode [`Value`]'s Debug form, where JSON has no word for it.
impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.serialization == Serialization::Advanced {
            return match Value::read(&self.bytes) {
                Ok(Value::String(text)) => f.write_str(&text),
                Ok(Value::Utf16(units)) => {
                    f.write_str(&String::from_utf16_lossy(&units))
                }
                Ok(value) => {
                    match v8::from_value::<serde_json::Value>(&value) {
                        Ok(json) => json.fmt(f),
                        Err(_) => fmt::Debug::fmt(&value, f),
                    }
                }
                Err(error) => write!(f, "({error})"),
            };
        }
        f.write_str(&match string(&self.bytes) {
            Some(text) => Cow::Owned(text),
            None => String::from_utf8_lossy(&self.bytes),
        })
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
pub(crate) fn inspect(bytes: &[u8]) -> Result<Kind, serde_json::Error> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let cmd = match bytes.trim_ascii_start().first() {
        Some(b'{') => json.deserialize_map(Command)?,
        _ => {
            json.deserialize_ignored_any(IgnoredAny)?;
            None
        }
    };
    json.end()?;
    Ok(match cmd {
        Some(cmd) => Kind::of(&cmd),
        None => Kind::User,
    })
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

impl<'de> serde::Deserialize<'de> for IsCmd {
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

/// The message in a frame's bytes, sorted.
pub(crate) fn read(
    serialization: Serialization,
    bytes: Vec<u8>,
) -> Result<(Kind, Message), Error> {
    let (kind, bytes) = match serialization {
        Serialization::Json => read_json(bytes)?,
        Serialization::Advanced => {
            if let Err(error) = v8::check(&bytes) {
                return Err(Error::malformed(error, bytes));
            }
            (kind_of_value(&bytes), bytes)
        }
    };
    let message = Message {
        serialization,
        bytes,
        handle: None,
    };
    Ok((kind, message))
}

fn read_json(bytes: Vec<u8>) -> Result<(Kind, Vec<u8>), Error> {
    // What is not UTF-8 becomes U+FFFD, as in Node.
    let bytes = match std::str::from_utf8(&bytes) {
        Ok(_) => bytes,
        Err(_) => String::from_utf8_lossy(&bytes).into_owned().into_bytes(),
    };
    match inspect(&bytes) {
        Ok(kind) => Ok((kind, bytes)),
        Err(error) => {
            let why = format!("not JSON ({error})");
            Err(Error::malformed(why, bytes))
        }
    }
}

/// As [`inspect`], for advanced mode. Only an object that holds Node's mark
/// somewhere is looked at closely.
fn kind_of_value(bytes: &[u8]) -> Kind {
    // After the header, and padding. `?` may stand before any value.
    let tag = bytes.iter().skip(2).find(|byte| **byte != 0);
    if !matches!(tag, Some(b'o' | b'?')) {
        return Kind::User;
    }
    const WIDE: &[u8] = b"N\0O\0D\0E\0_\0";
    let marked = [b"NODE_", WIDE]
        .iter()
        .any(|mark| memmem::find(bytes, mark).is_some());
    if !marked {
        return Kind::User;
    }
    let value = Value::read(bytes).ok();
    match value.as_ref().and_then(|value| value.get("cmd")) {
        Some(Value::String(cmd)) => Kind::of(cmd),
        _ => Kind::User,
    }
}

impl Kind {
    fn of(cmd: &str) -> Self {
        match cmd.len() > 5 && cmd.starts_with("NODE_") {
            true => Self::Internal(cmd.to_owned()),
            false => Self::User,
        }
    }
}

/// Node's envelope of a message that a socket comes with.
#[derive(Debug)]
pub(crate) struct Envelope {
    /// The message within.
    pub(crate) message: Vec<u8>,
    /// The server that the connection came from, if Node counts those.
    pub(crate) key: Option<String>,
}

/// Opens an envelope of the command `NODE_HANDLE`.
pub(crate) fn open(message: &Message) -> Result<Envelope, Error> {
    match message.serialization {
        Serialization::Json => open_json(&message.bytes),
        Serialization::Advanced => {
            let value = Value::read(&message.bytes)?;
            let key = value.get("key").and_then(Value::as_str);
            let key = key.map(str::to_owned);
            let message = value.within("msg").unwrap_or(Value::Undefined);
            Ok(Envelope {
                message: message.write()?,
                key,
            })
        }
    }
}

fn open_json(bytes: &[u8]) -> Result<Envelope, Error> {
    #[derive(serde::Deserialize)]
    struct Parts<'a> {
        #[serde(borrow)]
        msg: Option<&'a RawValue>,
        #[serde(borrow)]
        key: Option<Cow<'a, str>>,
    }
    let parts: Parts<'_> = serde_json::from_slice(bytes)
        .map_err(|error| Error::malformed(error, bytes.to_vec()))?;
    let message = parts.msg.map_or("null", RawValue::get);
    Ok(Envelope {
        message: message.as_bytes().to_vec(),
        key: parts.key.map(Cow::into_owned),
    })
}

/// A message in Node's envelope, as it goes with a socket.
#[derive(Serialize)]
pub(crate) struct Enveloped<'a, T: ?Sized> {
    pub(crate) cmd: &'static str,
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) msg: &'a T,
    #[serde(rename = "dgramType", skip_serializing_if = "Option::is_none")]
    pub(crate) datagrams: Option<&'static str>,
}

/// The bytes that carry `value`.
pub(crate) fn write<T: Serialize + ?Sized>(
    serialization: Serialization,
    value: &T,
) -> Result<Vec<u8>, Error> {
    match serialization {
        Serialization::Json => match text::plain(value) {
            Some(json) => Ok(json),
            None => serde_json::to_vec(value)
                .map_err(|error| Error::Value(error.to_string())),
        },
        Serialization::Advanced => Ok(v8::to_vec(value)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(json: &str) -> String {
        let (_, message) =
            read(Serialization::Json, json.as_bytes().to_vec()).unwrap();
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
            let (_, message) = read(Serialization::Json, bytes).unwrap();
            assert_eq!(message.bytes(), json.as_bytes());
            assert!(message.parse::<serde_json::Value>().is_err());
        }
    }

    #[test]
    fn what_json_parse_refuses_is_refused() {
        for json in ["", " ", "undefined", "NaN", "1 2", "\u{feff}1", "'a'"] {
            let bytes = json.as_bytes().to_vec();
            assert!(read(Serialization::Json, bytes).is_err(), "{json:?}");
        }
        assert!(inspect(b"\"\0\"").is_err());
        assert!(inspect(b"{\"a\":\"\x01\"}").is_err());
    }
}
