#![doc = include_str!("../README.md")]

#[cfg(all(test, unix))]
#[path = "../tests/node_cluster.rs"]
mod tests;

#[cfg(all(test, unix))]
fn main() -> std::process::ExitCode {
    harness::testing::run("node-cluster", [tests::tests()])
}

// A cluster was not tried on other systems.
#[cfg(all(test, not(unix)))]
fn main() -> std::process::ExitCode {
    harness::testing::run_tests([])
}
