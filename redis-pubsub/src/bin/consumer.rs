//! Redis consumer: prints what is published to a channel while it listens.
//!
//! Node twin: `node/consumer.js`. Other half: `producer.rs`.
//!
//!     cargo run -p redis-pubsub --bin consumer
//!     cargo run -p redis-pubsub --bin producer    # in a second terminal
//!
//! Try this: stop the consumer, publish, and start it again.

use std::time::Duration;

use clap::Parser;
use common::{broker::Redis, log, shutdown};
use futures_util::StreamExt;
use redis::{Client, aio::PubSub};
use redis_pubsub::{Topic, advise, client, subscribe};
use tokio::time;

/// Prints what is published to a channel of Redis.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    topic: Topic,

    /// Stop after this many messages; without it, go on until Ctrl-C
    #[arg(long, value_name = "N")]
    count: Option<u64>,

    #[command(flatten)]
    quiet: log::Quiet,
}

const LOST: &str = "what was published meanwhile is lost";

#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let Args {
        topic,
        count,
        quiet,
    } = Args::parse();
    quiet.apply();
    let stop = shutdown::token();

    // 1. Find Redis: REDIS_URL, or one of our own that ends with us.
    let redis = Redis::find("redis-pubsub", &[])?;
    let client = client(&redis.url)?;

    // 2. Subscribe. Redis keeps nothing for those who do not listen: what
    //    was published before this line is gone.
    let mut messages = subscribe(&client, &topic).await.map_err(advise)?;
    log::ready(format_args!("listening on {topic}"));

    let mut left = count.unwrap_or(u64::MAX);
    let listen = async {
        while !hear(messages, &mut left).await {
            // 4. Redis went away. For us it keeps nothing either.
            log::line("disconnected");
            messages = subscribe_again(&client, &topic).await;
            log::line(format_args!("listening on {topic} again; {LOST}"));
        }
    };
    stop.run_until_cancelled(listen).await;
    Ok(())
}

/// 3. Prints what arrives. False when Redis went away before that was all.
async fn hear(mut connection: PubSub, left: &mut u64) -> bool {
    let mut messages = connection.on_message();
    while *left > 0 {
        let Some(message) = messages.next().await else {
            return false;
        };
        // Redis carries bytes. That they are text is only our custom.
        let text = String::from_utf8_lossy(message.get_payload_bytes());
        let channel = log::shown(message.get_channel_name());
        let text = log::shown(&text);
        log::line(format_args!("Received from {channel}: {text}"));
        *left -= 1;
    }
    true
}

/// 5. Tries until it works, and waits twice as long each time.
async fn subscribe_again(client: &Client, topic: &Topic) -> PubSub {
    let mut pause = Duration::from_millis(100);
    loop {
        let error = match subscribe(client, topic).await {
            Ok(messages) => return messages,
            Err(error) => error,
        };
        // A server that is just starting has better things to do than to
        // turn us away, and we are perhaps not the only ones.
        log::error(format_args!("{error}; next try in {pause:?}"));
        time::sleep(pause).await;
        pause = (2 * pause).min(Duration::from_secs(5));
    }
}
