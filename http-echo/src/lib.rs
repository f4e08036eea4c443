#![doc = include_str!("../README.md")]

pub mod agent;
pub mod body;
pub mod certs;
pub mod connection;
pub mod limits;
pub mod reply;
pub mod socket;
pub mod target;
pub mod timer;
pub mod tls;
pub mod url;

#[cfg(test)]
#[path = "../tests/http_echo.rs"]
mod tests;

#[cfg(test)]
fn main() -> std::process::ExitCode {
    harness::testing::run("http-echo", [tests::tests(), target::tests::tests()])
}
