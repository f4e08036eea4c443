#![doc = include_str!("../README.md")]

use std::fmt::{self, Display};
use std::time::Duration;

use anyhow::{Error, Result, anyhow};
use redis::aio::{MultiplexedConnection, PubSub};
use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::TcpKeepalive;
use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo, RedisError};
use tokio::time;

/// How long a server may take to answer. The redis crate's own half a second
/// is too short for a server that is writing to its disk.
const PATIENCE: Duration = Duration::from_secs(5);

/// A client for the server at `url`; it does not connect yet.
///
/// # Errors
/// When this is no URL of a Redis.
pub fn client(url: &str) -> Result<Client> {
    let tcp = TcpSettings::default()
        // Small messages leave at once instead of waiting for company.
        .set_nodelay(true)
        // A subscriber only reads. Without these probes, one whose server
        // was unplugged would listen to a dead connection for ever.
        .set_keepalive(TcpKeepalive::new().with_time(PATIENCE));
    let server = url.into_connection_info()?.set_tcp_settings(tcp);
    Ok(Client::open(server)?)
}

/// A connection that sends commands, like `PUBLISH`.
///
/// # Errors
/// When the server cannot be reached, or takes too long.
pub async fn connect(client: &Client) -> Result<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    client
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .map_err(|error| failed(client, &error))
}

/// A connection that listens, with its subscription confirmed: what is
/// published from now on arrives.
///
/// # Errors
/// When the server cannot be reached, or takes too long.
pub async fn subscribe(client: &Client, to: &Topic) -> Result<PubSub> {
    let subscribed = async {
        let mut pubsub = client.get_async_pubsub().await?;
        if to.pattern {
            pubsub.psubscribe(&to.channel).await?;
        } else {
            pubsub.subscribe(&to.channel).await?;
        }
        Ok(pubsub)
    };
    time::timeout(PATIENCE, subscribed)
        .await
        .map_err(|_| failed(client, &"it takes too long"))?
        .map_err(|error: RedisError| failed(client, &error))
}

/// The address without the password that a URL may hold.
fn failed(client: &Client, why: &dyn Display) -> Error {
    anyhow!("connect to {}: {why}", client.get_connection_info().addr())
}

/// For who cannot connect at all.
pub fn advise(error: Error) -> Error {
    anyhow!("{error}; is that a running Redis?")
}

/// What to listen on.
#[derive(clap::Args, Clone, Debug)]
pub struct Topic {
    /// The channel to listen on
    #[arg(default_value = "channel")]
    channel: String,

    /// Listen on every channel that matches it, like 'news.*'
    #[arg(long)]
    pattern: bool,
}

impl Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        common::log::Escaped(&self.channel).fmt(f)
    }
}

#[cfg(test)]
#[path = "../tests/redis_pubsub.rs"]
mod tests;

#[cfg(test)]
fn main() -> std::process::ExitCode {
    harness::testing::run("redis-pubsub", [tests::tests()])
}
