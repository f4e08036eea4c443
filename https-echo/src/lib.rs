#![doc = include_str!("../README.md")]

pub mod answer;
pub mod certs;

#[cfg(test)]
#[path = "../tests/https_echo.rs"]
mod tests;

#[cfg(test)]
fn main() -> std::process::ExitCode {
    harness::testing::run("https-echo", [tests::tests()])
}
