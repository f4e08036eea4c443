//! What a Socket.IO client sends and receives, as text.
//!
//! Two protocols in one message. Engine.IO, the outer one, is a digit: it
//! opens a session, asks now and then whether the other side still lives
//! (ping and pong), and carries messages. Socket.IO, the inner one, is a
//! digit and JSON: `42["chat message","hello"]` is a message (4) that is an
//! event (2). <https://socket.io/docs/v4/socket-io-protocol/>

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::{Value, json};

/// What a server sends.
#[derive(Clone, Debug, PartialEq)]
pub enum Packet {
    /// The session is open; the server asks so often whether we live.
    Open(Heartbeat),
    /// The server ends the session.
    Close,
    /// Do you still live? The answer is [`PONG`].
    Ping,
    /// Nothing.
    Noop,
    /// We are in.
    Connected,
    /// We are not let in, because of this.
    Refused(String),
    /// The server ends our part in the session.
    Disconnected,
    /// An event's name and what came with it.
    Event(String, Vec<Value>),
    /// The answer to the event that we gave this number.
    Ack(u64, Vec<Value>),
}

/// The answer to [`Packet::Ping`].
pub const PONG: &str = "3";

/// We leave.
pub const DISCONNECT: &str = "41";

/// The heartbeat: how long silence may last.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
pub struct Heartbeat {
    #[serde(rename = "pingInterval")]
    interval: u64,
    #[serde(rename = "pingTimeout")]
    timeout: u64,
}

impl Heartbeat {
    /// After this much silence, the server is gone.
    pub fn longest_silence(self) -> Duration {
        Duration::from_millis(self.interval.saturating_add(self.timeout))
    }
}

/// Connects, with what the server wants to know about us.
pub fn connect(auth: &Value) -> String {
    format!("40{auth}")
}

/// An event that the server is to answer with this number.
pub fn event(number: u64, name: &str, data: &Value) -> String {
    format!("42{number}{}", json!([name, data]))
}

/// Understands one message of the server.
///
/// # Errors
/// When it is none, and when it is one that this client cannot take: binary
/// data, or another namespace than the main one.
pub fn parse(text: &str) -> Result<Packet> {
    let (kind, rest) = head(text).context("an empty message")?;
    Ok(match kind {
        '0' => Packet::Open(serde_json::from_str(rest).context(OPENING)?),
        '1' => Packet::Close,
        '2' => Packet::Ping,
        '4' => message(rest)?,
        '6' => Packet::Noop,
        _ => bail!("a message of the unknown kind {kind:?}"),
    })
}

const OPENING: &str = "understand the opening";

fn message(text: &str) -> Result<Packet> {
    let (kind, rest) = head(text).context("an empty message")?;
    if rest.starts_with('/') {
        bail!("a message of another namespace");
    }
    let digits = rest.find(|c: char| !c.is_ascii_digit());
    let (number, data) = rest.split_at(digits.unwrap_or(rest.len()));
    Ok(match kind {
        '0' => Packet::Connected,
        '1' => Packet::Disconnected,
        '2' => {
            let mut data = list(data)?;
            if data.is_empty() {
                bail!("an event without a name");
            }
            match data.remove(0) {
                Value::String(name) => Packet::Event(name, data),
                _ => bail!("an event whose name is no text"),
            }
        }
        '3' => Packet::Ack(number.parse().context("an answer to what?")?, {
            list(data)?
        }),
        '4' => {
            let data: Value = serde_json::from_str(data).unwrap_or_default();
            let why = data["message"].as_str().unwrap_or("it does not say why");
            Packet::Refused(why.to_owned())
        }
        '5' | '6' => bail!("binary data, which this client cannot take"),
        _ => bail!("a packet of the unknown kind {kind:?}"),
    })
}

fn list(text: &str) -> Result<Vec<Value>> {
    serde_json::from_str(text).context("understand what the server sent")
}

fn head(text: &str) -> Option<(char, &str)> {
    let kind = text.chars().next()?;
    Some((kind, &text[kind.len_utf8()..]))
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    pub(crate) fn tests() -> Vec<harness::testing::Test> {
        harness::unit_tests![
            each_packet_of_a_server_is_understood,
            what_is_no_packet_is_an_error_and_no_panic,
            what_we_send_is_what_the_protocol_says,
        ]
    }

    fn each_packet_of_a_server_is_understood() {
        let open = r#"0{"sid":"x","upgrades":[],"pingInterval":25000,
            "pingTimeout":20000,"maxPayload":1000000}"#;
        let Packet::Open(heartbeat) = parse(open).unwrap() else {
            panic!("no opening");
        };
        assert_eq!(heartbeat.longest_silence(), Duration::from_secs(45));
        for (text, packet) in [
            ("1", Packet::Close),
            ("2", Packet::Ping),
            ("6", Packet::Noop),
            (r#"40{"sid":"y"}"#, Packet::Connected),
            ("41", Packet::Disconnected),
            (
                r#"42["chat message",{"text":"中"}]"#,
                Packet::Event(
                    "chat message".into(),
                    vec![json!({ "text": "中" })],
                ),
            ),
            (
                r#"4217["ask",1]"#,
                Packet::Event("ask".into(), vec![json!(1)]),
            ),
            ("4312[{}]", Packet::Ack(12, vec![json!({})])),
            ("430[]", Packet::Ack(0, vec![])),
            (r#"44{"message":"no"}"#, Packet::Refused("no".into())),
            ("44", Packet::Refused("it does not say why".into())),
        ] {
            assert_eq!(parse(text).unwrap(), packet, "{text}");
        }
    }

    fn what_is_no_packet_is_an_error_and_no_panic() {
        for text in [
            "",
            "4",
            "9",
            "中",
            "4中",
            "0",
            "0{}",
            "42",
            "42[",
            "42[]",
            "42[7]",
            "42{}",
            "43[]",
            "4399999999999999999999[]",
            "49[]",
            r#"451-["image",{"_placeholder":true,"num":0}]"#,
            r#"42/admin,["hello"]"#,
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    fn what_we_send_is_what_the_protocol_says() {
        assert_eq!(connect(&json!({ "name": "A" })), r#"40{"name":"A"}"#);
        assert_eq!(
            event(3, "chat message", &json!("a\"b")),
            r#"423["chat message","a\"b"]"#
        );
    }
}
