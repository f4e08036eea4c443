#![doc = include_str!("../README.md")]

use std::net::SocketAddr;

use anyhow::{Context, Result};
use tokio::net::lookup_host;

/// No datagram is longer: received into this many bytes, none is cut. One that
/// is longer than a packet of the network, whose maximum (MTU) is about 1,500
/// bytes, travels in several pieces: fragmentation.
pub const MAX_DATAGRAM: usize = 65_536;

/// The address that `HOST:PORT` stands for. If a name has several, the first
/// IPv4 address: nobody would say that a datagram went to the wrong one, so
/// server and client must choose alike.
///
/// # Errors
/// When it is not `HOST:PORT`, or the name is unknown.
pub async fn resolve(address: &str) -> Result<SocketAddr> {
    let context = || format!("look up {address}");
    let found = lookup_host(address).await.with_context(context)?;
    found.min_by_key(SocketAddr::is_ipv6).with_context(context)
}

#[cfg(test)]
#[path = "../tests/udp_echo.rs"]
mod tests;

#[cfg(test)]
fn main() -> std::process::ExitCode {
    harness::testing::run("udp-echo", [tests::tests()])
}
