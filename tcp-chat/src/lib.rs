#![doc = include_str!("../README.md")]

pub mod room;
pub mod terminal;

#[cfg(test)]
#[path = "../tests/tcp_chat.rs"]
mod tests;

#[cfg(test)]
fn main() -> std::process::ExitCode {
    harness::testing::run("tcp-chat", [tests::tests()])
}
