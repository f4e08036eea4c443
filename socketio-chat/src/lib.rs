#![doc = include_str!("../README.md")]

pub mod chat;
pub mod cluster;
pub mod packet;
pub mod page;
pub mod rooms;
pub mod session;
pub mod show;
pub mod texts;
pub mod web;

#[cfg(test)]
#[path = "../tests/socketio_chat.rs"]
mod tests;

#[cfg(test)]
fn main() -> std::process::ExitCode {
    harness::testing::run(
        "socketio-chat",
        [
            tests::tests(),
            packet::tests::tests(),
            session::tests::tests(),
        ],
    )
}
