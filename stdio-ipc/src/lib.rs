#![doc = include_str!("../README.md")]

mod exit;

pub use exit::ExitReason;

#[cfg(test)]
#[path = "../tests/stdio_ipc.rs"]
mod tests;

#[cfg(test)]
fn main() -> std::process::ExitCode {
    harness::testing::run("stdio-ipc", [tests::tests(), exit::tests()])
}
