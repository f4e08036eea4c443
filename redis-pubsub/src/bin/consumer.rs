//! Redis consumer: prints what is published to a channel.
//!
//! Node twin: `node/consumer.js`. Other half: `producer.rs`.
//!
//!     redis-server                                # in a first terminal
//!     cargo run -p redis-pubsub --bin consumer    # in a second
//!     cargo run -p redis-pubsub --bin producer    # in a third
//!
//! Try this: stop the consumer, publish, and start it again.

use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use common::{log, shutdown};
use futures_util::StreamExt;
use redis::aio::PubSubStream;
use redis::{Client, RedisResult};
use redis_pubsub::{client_for, in_time, is_refusal, no_connection};
use tokio::time::sleep;

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
    tokio::select! {
        received = receive(&client, messages, &args) => received?,
        () = stop.cancelled() => {} // Ctrl-C
    }
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
        if let Some(message) = messages.next().await {
            // Redis carries bytes. That they are text is only our convention.
            let text = log::shown(message.get_payload_bytes());
            let from = log::shown(message.get_channel_name());
            log::line(format_args!("Received from {from}: {text}"));
            left -= 1;
            pause = FIRST_PAUSE; // only now: it works again
        } else {
            log::line("disconnected");
            messages = subscribe_again(client, args, &mut pause).await?;
            let channel = log::shown(&args.channel);
            log::line(format_args!(
                "listening on {channel} again; \
                 what was published meanwhile is lost"
            ));
        }
    }
    Ok(())
}

/// 4. Connects, and waits until Redis has confirmed the subscription.
async fn subscribe(client: &Client, args: &Args) -> RedisResult<PubSubStream> {
    // in_time() turns an answer that comes too late into an error.
    let mut pubsub = in_time(client.get_async_pubsub()).await?;
    if args.pattern {
        in_time(pubsub.psubscribe(&args.channel)).await?;
    } else {
        in_time(pubsub.subscribe(&args.channel)).await?;
    }
    Ok(pubsub.into_on_message())
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
        sleep(wait).await;
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
