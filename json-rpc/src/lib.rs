#![doc = include_str!("../README.md")]

pub mod framing;
pub mod methods;
pub mod process;

#[cfg(test)]
#[path = "../tests/json_rpc.rs"]
mod tests;

#[cfg(test)]
fn main() -> std::process::ExitCode {
    harness::testing::run("json-rpc", [tests::tests()])
}
