#![doc = include_str!("../README.md")]

#[cfg(test)]
#[path = "../tests/http_echo.rs"]
mod tests;

#[cfg(test)]
fn main() -> std::process::ExitCode {
    harness::testing::run("http-echo", [tests::tests()])
}
