//! Redis consumer: prints what is published to a channel.
//!
//! Node twin: `node/consumer.js`. Other half: `producer.rs`.
//!
//!     redis-server                                # in a first terminal
//!     cargo run -p redis-pubsub --bin consumer    # in a second
//!     cargo run -p redis-pubsub --bin producer    # in a third
//!
//! Try this: stop the consumer, publish, and start it again.

use std::io;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use common::{log, shutdown};
use futures_util::StreamExt;
use redis::aio::PubSubStream;
use redis::{Client, RedisResult};
use redis_pubsub::{TIMEOUT, client_for, is_refusal, no_connection};
use tokio::time;

/// Prints what is published to a channel of Redis.
#[derive(Parser)]
struct Args {
    /// The channel to subscribe to
    #[arg(default_value = "channel")]
    channel: String,

    /// Subscribe to every channel that matches, like 'news.*'
    #[arg(long)]
    pattern: bool,

    /// Where Redis is
    #[arg(long, value_name = "URL", default_value = "redis://127.0.0.1:6379")]
    redis: String,

    /// Stop after this many messages; without it, go on until Ctrl-C
    #[arg(long, value_name = "N", default_value_t = u64::MAX)]
    #[arg(hide_default_value = true)]
    count: u64,
}

/// The pause before the first attempt to reconnect, and the longest one.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const MAX_PAUSE: Duration = Duration::from_secs(5);

// An error is printed in one line, and the program ends with status 1.
#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Connect and subscribe. Redis stores nothing for those who are not
    //    subscribed: what was published before this line is gone.
    let client = client_for(&args.redis)?; // with timeouts; sends nothing yet
    let messages = subscribe(&client, &args)
        .await
        // The error in words: where it was, and what to do.
        .map_err(|error| no_connection(&client, &error))?;
    log::line(format_args!("listening on {}", log::shown(&args.channel)));

    // 2. Receive until `--count` messages have come, or until Ctrl-C.
    let receiving = receive(&client, messages, &args);
    if let Some(received) = stop.run_until_cancelled(receiving).await {
        received?;
    } // None: Ctrl-C
    Ok(())
}

/// 3. Prints what arrives. When the connection ends, subscribes again.
async fn receive(
    client: &Client,
    mut messages: PubSubStream,
    args: &Args,
) -> Result<()> {
    let mut pause = FIRST_PAUSE;
    let mut left = args.count;
    while left > 0 {
        let Some(message) = messages.next().await else {
            log::line("disconnected");
            messages = subscribe_again(client, args, &mut pause).await?;
            log::line(format_args!(
                "listening on {} again; what was published meanwhile is lost",
                log::shown(&args.channel)
            ));
            continue;
        };
        // Redis carries bytes. That they are text is only our convention.
        let text = log::shown(message.get_payload_bytes());
        let channel = log::shown(message.get_channel_name());
        log::line(format_args!("Received from {channel}: {text}"));
        left -= 1;
        pause = FIRST_PAUSE; // it works again: a message has come
    }
    Ok(())
}

/// 4. Connects, and waits until Redis has confirmed the subscription.
async fn subscribe(client: &Client, args: &Args) -> RedisResult<PubSubStream> {
    let subscribing = async {
        let mut pubsub = client.get_async_pubsub().await?;
        if args.pattern {
            pubsub.psubscribe(&args.channel).await?;
        } else {
            pubsub.subscribe(&args.channel).await?;
        }
        Ok(pubsub.into_on_message())
    };
    match time::timeout(TIMEOUT, subscribing).await {
        Ok(result) => result, // in time: a stream, or Redis' error
        Err(elapsed) => Err(io::Error::from(elapsed).into()), // too late
    }
}

/// 5. Subscribes again, with exponential backoff: each pause is twice as long.
///
/// A server that is just starting has enough to do. Random jitter keeps a
/// thousand consumers from reconnecting at the same moment.
async fn subscribe_again(
    client: &Client,
    args: &Args,
    pause: &mut Duration,
) -> Result<PubSubStream> {
    loop {
        let wait = pause.mul_f64(0.5 + fastrand::f64() / 2.0);
        *pause = (2 * *pause).min(MAX_PAUSE);
        log::error(format_args!("next try in {} ms", wait.as_millis()));
        time::sleep(wait).await;
        match subscribe(client, args).await {
            Ok(messages) => return Ok(messages),
            // "Not allowed": waiting cannot help.
            Err(error) if is_refusal(&error) => {
                return Err(no_connection(client, &error));
            }
            Err(error) => log::error(no_connection(client, &error)),
        }
    }
}
