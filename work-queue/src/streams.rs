//! Connecting to Redis, and connecting again.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use common::log;
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, IntoConnectionInfo, RedisError, RedisResult,
};

use crate::Backoff;

/// How long Redis may take to answer: longer than a worker waits for a job.
/// The redis crate's own half a second would end each such wait in an error.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A client for the Redis at `url`. It does not connect yet.
///
/// # Errors
/// When this is no URL of a Redis.
pub fn client(url: &str) -> Result<Client> {
    common::url::check(url, &["redis", "unix"]).context("--redis")?;
    // Disable Nagle's algorithm, so that small commands are sent immediately.
    let tcp = TcpSettings::default().set_nodelay(true);
    let server = url.into_connection_info().context("--redis")?;
    Ok(Client::open(server.set_tcp_settings(tcp))?)
}

/// Connects. Warns when this Redis may lose jobs in a crash.
///
/// # Errors
/// When Redis cannot be reached, or refuses us.
pub async fn connect(client: &Client) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(TIMEOUT))
        .set_response_timeout(Some(TIMEOUT));
    client
        .get_multiplexed_async_connection_with_config(&config)
        .await
}

/// Connects again after `error`, with exponential backoff.
///
/// # Errors
/// When Redis answers that we may not do this: waiting cannot help.
pub async fn reconnect(
    client: &Client,
    mut error: RedisError,
    backoff: &mut Backoff,
) -> Result<MultiplexedConnection> {
    let mut why = anyhow!("{error}");
    loop {
        if is_refusal(&error) {
            return Err(why);
        }
        backoff.wait(&why).await;
        match connect(client).await {
            Ok(connection) => return Ok(connection),
            Err(failure) => error = failure,
        }
        why = no_connection(client, &error);
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

/// Whether Redis answered that this is not allowed, or that the key is of
/// another type.
fn is_refusal(error: &RedisError) -> bool {
    let text = error.to_string();
    ["AuthenticationFailed", "NOAUTH", "NoPerm", "WRONGTYPE"]
        .iter()
        .any(|code| text.contains(code))
}

/// Warns when this Redis may lose jobs in a crash. One that does not let us
/// ask is trusted.
pub async fn warn_of_forgetting(connection: &mut MultiplexedConnection) {
    let asked: RedisResult<Vec<String>> = redis::cmd("CONFIG")
        .arg(&["GET", "append*"])
        .query_async(connection)
        .await;
    let Ok(settings) = asked else { return };
    let has = |setting: [&str; 2]| settings.chunks(2).any(|it| it == setting);
    if !has(["appendonly", "yes"]) || !has(["appendfsync", "always"]) {
        log::error(
            "this Redis forgets jobs in a crash; \
             it needs appendonly yes, appendfsync always",
        );
    }
}
