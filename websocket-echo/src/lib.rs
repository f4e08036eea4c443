#![doc = include_str!("../README.md")]

use common::log;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

pub mod access;

/// The limits of a connection, for either side: messages have at most `limit`
/// bytes. Twin: `node/limits.js`.
pub fn limits(limit: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        // A message may come in any number of fragments, each in a frame.
        .max_message_size(Some(limit))
        .max_frame_size(Some(limit))
        // Each connection holds one: by default 128 KiB.
        .read_buffer_size(8 * 1024)
}

/// The close code that tells the other side what it did wrong. 1006, which
/// is never sent, where that was nothing: the connection is simply lost. In
/// Node, `ws` finds and sends the code.
pub fn close_code(error: &anyhow::Error) -> CloseCode {
    match error.downcast_ref() {
        Some(Error::Capacity(_)) => CloseCode::Size, // 1009
        Some(Error::Utf8(_)) => CloseCode::Invalid,  // 1007
        // The other side was killed.
        Some(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
            CloseCode::Abnormal // 1006
        }
        Some(Error::Protocol(_)) => CloseCode::Protocol, // 1002
        _ => CloseCode::Abnormal,
    }
}

/// A Close frame with this code, and no reason in words.
pub fn close_frame(code: CloseCode) -> Message {
    let reason = "".into();
    Message::Close(Some(CloseFrame { code, reason }))
}

/// A message, ready to be printed.
pub fn shown(message: &Message) -> String {
    match message {
        Message::Text(text) => log::shown(text),
        other => format!("{} bytes", other.len()),
    }
}

#[cfg(test)]
#[path = "../tests/websocket_echo.rs"]
mod tests;

#[cfg(test)]
fn main() -> std::process::ExitCode {
    harness::testing::run("websocket-echo", [tests::tests()])
}
