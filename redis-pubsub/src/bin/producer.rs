//! Redis producer: publishes to a channel, and says how many received it.
//!
//! Node twin: `node/producer.js`. Other half: `consumer.rs`.
//!
//!     redis-server                                # in a first terminal
//!     cargo run -p redis-pubsub --bin consumer    # in a second
//!     cargo run -p redis-pubsub --bin producer    # in a third
//!
//! Try this: start two consumers, or none.

use anyhow::{Result, anyhow};
use clap::Parser;
use common::{log, pace::Pace, shutdown};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, AsyncTypedCommands, Client};
use redis_pubsub::{TIMEOUT, client_for, no_connection};

/// Publishes to a channel of Redis.
#[derive(Parser)]
struct Args {
    /// The channel to publish to
    #[arg(default_value = "channel")]
    channel: String,

    /// What to publish
    #[arg(long, value_name = "TEXT", default_value = "Hello from producer")]
    message: String,

    /// Where Redis is
    #[arg(long, value_name = "URL", default_value = "redis://127.0.0.1:6379")]
    redis: String,

    #[command(flatten)]
    pace: Pace,
}

// An error is printed in one line, and the program ends with status 1.
#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Connect.
    let client = client_for(&args.redis)?; // with timeouts; sends nothing yet
    let mut redis = connect(&client).await?;

    // 2. Publish at each tick, until the last one or Ctrl-C.
    let mut ticks = args.pace.ticks(stop);
    while ticks.next().await {
        // An error leaves open whether the message was delivered: perhaps
        // only the answer was lost. Do not publish it again, as it could
        // arrive twice.
        let receivers = publish(&mut redis, &args)
            .await
            .map_err(|e| anyhow!("publish: {e}; it may have arrived or not"))?;
        log::line(format_args!(
            "Sent to {}: {} ({})",
            log::shown(&args.channel),
            log::shown(&args.message),
            fate(receivers)
        ));
    }
    Ok(())
}

/// 3. Connects.
async fn connect(client: &Client) -> Result<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(TIMEOUT))
        .set_response_timeout(Some(TIMEOUT));
    client
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .map_err(|error| no_connection(client, &error))
}

/// 4. Publishes once. Returns how many subscribers Redis has passed it on to.
async fn publish(
    redis: &mut MultiplexedConnection,
    args: &Args,
) -> Result<usize> {
    let published = redis.publish(&args.channel, &args.message);
    // After Ctrl-C, wait for the answer for one second more.
    shutdown::answered(published).await
}

/// 5. Says what that number means. It counts the connections that Redis has
///    queued the message for. Nobody ever confirms that it was read.
fn fate(receivers: usize) -> String {
    match receivers {
        0 => "no subscriber: lost".to_owned(),
        1 => "queued for 1 subscriber".to_owned(),
        many => format!("queued for {many} subscribers"),
    }
}
