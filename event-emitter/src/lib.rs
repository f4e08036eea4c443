#![doc = include_str!("../README.md")]

mod emitter;

pub use emitter::{Emitter, Event, Listener, TooMany, Unhandled};

#[cfg(test)]
#[path = "../tests/event_emitter.rs"]
mod tests;

#[cfg(test)]
fn main() -> std::process::ExitCode {
    harness::testing::run("event-emitter", [tests::tests()])
}
