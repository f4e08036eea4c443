//! Redis producer: publishes to a channel, and says how many listened.
//!
//! Node twin: `node/producer.js`. Other half: `consumer.rs`.
//!
//!     cargo run -p redis-pubsub --bin consumer    # in a second terminal
//!     cargo run -p redis-pubsub --bin producer
//!
//! Try this: start two consumers, or none.

use std::fmt::Display;

use anyhow::{Error, anyhow};
use clap::Parser;
use common::{broker::Redis, log, pace::Pace, shutdown};
use redis::AsyncTypedCommands;
use redis_pubsub::{advise, client, connect};

/// Publishes to a channel of Redis.
#[derive(Parser)]
struct Args {
    /// The channel to publish to
    #[arg(default_value = "channel")]
    channel: String,

    /// What to publish
    #[arg(long, value_name = "TEXT", default_value = "Hello from producer")]
    message: String,

    #[command(flatten)]
    pace: Pace,

    #[command(flatten)]
    quiet: log::Quiet,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    args.quiet.apply();

    // 1. Find Redis: REDIS_URL, or the one that the consumer has started.
    let redis = Redis::find("redis-pubsub", &[])?;
    let client = client(&redis.url)?;

    // 2. Connect.
    let mut connection = connect(&client).await.map_err(advise)?;

    // 3. Publish, now and at every tick, until that was all or Ctrl-C.
    let mut ticks = args.pace.start();
    while ticks.next().await {
        // An error leaves open whether the message was passed on: the
        // answer may be what got lost. Sent again, it could arrive twice.
        let published = connection.publish(&args.channel, &args.message);
        let subscribers = match shutdown::unless_overdue(published).await {
            Some(Ok(subscribers)) => subscribers,
            Some(Err(error)) => Err(unknown(&error))?,
            None => Err(unknown(&"no answer"))?,
        };

        // 4. Say who got it. The number counts the connections that Redis
        //    has put it into the queue of; nobody ever answers that it was
        //    read, so it promises nothing.
        log::line(format_args!(
            "Sent to {}: {} ({})",
            log::shown(&args.channel),
            log::shown(&args.message),
            match subscribers {
                0 => "nobody listens: lost".to_owned(),
                1 => "1 listens, read or not".to_owned(),
                many => format!("{many} listen, read or not"),
            }
        ));
    }
    Ok(())
}

fn unknown(why: &dyn Display) -> Error {
    anyhow!("publish: {why}; it may have arrived or not")
}
