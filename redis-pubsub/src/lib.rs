#![doc = include_str!("../README.md")]

use std::io;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::TcpKeepalive;
use redis::{Client, ErrorKind, IntoConnectionInfo, RedisError, RedisResult};
use tokio::time::timeout;

/// How long a connection may take, and each answer. The redis crate's own half
/// a second is too short for a server that is writing to its disk.
pub const TIMEOUT: Duration = Duration::from_secs(5);

/// A client for the Redis at `url`. It does not connect yet.
///
/// # Errors
/// When this is no URL of a Redis.
pub fn client_for(url: &str) -> Result<Client> {
    common::url::check(url, &["redis", "unix"]).context("--redis")?;
    let tcp = TcpSettings::default()
        // Disable Nagle's algorithm, so that small messages are sent
        // immediately.
        .set_nodelay(true)
        // A consumer only reads, so it would never notice that its server was
        // unplugged. Keepalive probes find out.
        .set_keepalive(TcpKeepalive::new().with_time(TIMEOUT));
    let server = url.into_connection_info().context("--redis")?;
    Ok(Client::open(server.set_tcp_settings(tcp))?)
}

/// What Redis answers, if it does so within [`TIMEOUT`].
///
/// # Errors
/// Those of the answer, and when there is none in time.
pub async fn in_time<T>(
    answer: impl Future<Output = RedisResult<T>>,
) -> RedisResult<T> {
    match timeout(TIMEOUT, answer).await {
        Ok(answer) => answer,
        Err(elapsed) => Err(io::Error::from(elapsed).into()),
    }
}

/// The error for a connection that fails: the address without the password
/// that a URL may hold, and what to do.
pub fn no_connection(client: &Client, error: &RedisError) -> anyhow::Error {
    let address = client.get_connection_info().addr();
    if is_refusal(error) {
        return anyhow!("connect to {address}: {error}");
    }
    anyhow!("connect to {address}: {error}; start Redis first: redis-server")
}

/// Whether Redis answered that we may not do this. Trying again cannot help.
pub fn is_refusal(error: &RedisError) -> bool {
    error.kind() == ErrorKind::AuthenticationFailed
        || matches!(error.code(), Some("NOAUTH" | "NOPERM" | "WRONGPASS"))
}

#[cfg(test)]
#[path = "../tests/redis_pubsub.rs"]
mod tests;

#[cfg(test)]
fn main() -> std::process::ExitCode {
    harness::testing::run("redis-pubsub", [tests::tests()])
}
