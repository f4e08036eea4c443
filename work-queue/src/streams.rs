//! Connecting to Redis, and connecting again.

use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow};
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

/// Connects to the Redis at `url`. Warns when it may lose jobs in a crash.
///
/// # Errors
/// When this is no URL of a Redis, and when it cannot be reached, with its
/// address. A URL may hold a password, and is not repeated.
pub async fn connect(url: &str) -> Result<MultiplexedConnection> {
    common::url::check(url, &["redis", "unix"]).context("--redis")?;
    // Disable Nagle's algorithm, so that small commands are sent immediately.
    let tcp = TcpSettings::default().set_nodelay(true);
    let server = url.into_connection_info().context("--redis")?;
    let client = Client::open(server.set_tcp_settings(tcp))?;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(TIMEOUT))
        .set_response_timeout(Some(TIMEOUT));
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .map_err(|error| {
            let address = client.get_connection_info().addr();
            let error = anyhow!("connect to {address}: {error}");
            if is_refusal(&error) {
                return error;
            }
            anyhow!("{error}; start Redis first: redis-server")
        })?;
    warn_of_forgetting(&mut connection).await;
    Ok(connection)
}

/// Connects again after `error`, with exponential backoff.
///
/// # Errors
/// When Redis answers that we may not do this: waiting cannot help.
pub async fn reconnect(
    url: &str,
    error: RedisError,
    backoff: &mut Backoff,
) -> Result<MultiplexedConnection> {
    let mut error = anyhow!("{error}");
    loop {
        if is_refusal(&error) {
            return Err(error);
        }
        backoff.wait(&error).await;
        match connect(url).await {
            Ok(connection) => return Ok(connection),
            Err(failure) => error = failure,
        }
    }
}

/// Whether Redis answered that this is not allowed, or that the key is of
/// another type.
fn is_refusal(error: &Error) -> bool {
    let text = error.to_string();
    ["AuthenticationFailed", "NOAUTH", "NoPerm", "WRONGTYPE"]
        .iter()
        .any(|code| text.contains(code))
}

/// Warns when this Redis may lose jobs in a crash. One that does not let us
/// ask is trusted.
async fn warn_of_forgetting(connection: &mut MultiplexedConnection) {
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
