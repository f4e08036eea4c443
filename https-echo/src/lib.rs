#![doc = include_str!("../README.md")]

pub mod answer;
pub mod certs;
pub mod limits;

use anyhow::{Result, ensure};
use url::Url;

/// The text as a URL of HTTPS.
///
/// # Errors
/// When it is none, or a part of it would be ignored.
pub fn https_url(text: &str) -> Result<Url> {
    let url: Url = text.parse()?;
    ensure!(
        url.scheme() == "https" && !url.authority().contains('@'),
        "expected https://HOST:PORT/PATH"
    );
    Ok(url)
}

#[cfg(test)]
#[path = "../tests/https_echo.rs"]
mod tests;

#[cfg(test)]
fn main() -> std::process::ExitCode {
    harness::testing::run("https-echo", [tests::tests()])
}
