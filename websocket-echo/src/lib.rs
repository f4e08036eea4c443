#![doc = include_str!("../README.md")]

use common::log;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

pub mod access;
pub mod closing;
pub mod heartbeat;

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
