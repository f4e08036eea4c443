#![doc = include_str!("../README.md")]

#[cfg(all(test, unix))]
#[path = "../tests/fork_ipc.rs"]
mod tests;

#[cfg(all(test, unix))]
fn main() -> std::process::ExitCode {
    harness::testing::run("fork-ipc", [tests::tests()])
}

// The channel is not there on other systems, and neither are its tests.
#[cfg(all(test, not(unix)))]
fn main() -> std::process::ExitCode {
    harness::testing::run_tests([])
}
