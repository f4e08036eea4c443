#![doc = include_str!("../README.md")]

pub mod body;
pub mod history;
pub mod page;
pub mod parser;

#[cfg(test)]
#[path = "../tests/server_sent_events.rs"]
mod tests;

#[cfg(test)]
fn main() -> std::process::ExitCode {
    harness::testing::run(
        "server-sent-events",
        [tests::tests(), parser::tests::tests()],
    )
}
