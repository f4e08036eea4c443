//! Producer: appends events to a topic, and knows when each is stored.
//!
//! Node twin: `node/producer.js`. Other half: `consumer.rs`.
//!
//!     tansu                                       # or another Kafka
//!     cargo run -p event-log --bin consumer --features kafka
//!     cargo run -p event-log --bin producer --features kafka
//!
//! Try this: `--keys cart-1`, so that all events go to one partition.

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use common::{log, pace::Pace, shutdown};
use event_log::{Place, create_topic};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::future_producer::Delivery;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;

/// Appends numbered events to a topic.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    place: Place,

    /// What the events are called; each has its number after it
    #[arg(long, value_name = "TEXT", default_value = "event")]
    message: String,

    /// The keys of the events, in turn
    #[arg(long, value_name = "LIST", default_value = "cart-1,cart-2,cart-3")]
    #[arg(value_delimiter = ',')]
    keys: Vec<String>,

    #[command(flatten)]
    pace: Pace, // --every and --count
}

// An error is printed in one line, and the program ends with status 1.
#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Create the topic, unless it exists.
    create_topic(&args.place).await?;
    let producer = connect(&args)?;

    // 2. Make an event at each tick, until the last one or Ctrl-C.
    let mut keys = args.keys.iter().cycle();
    let mut ticks = args.pace.ticks(stop);
    let mut number = 0;
    while ticks.next().await {
        number += 1;
        let key = keys.next().context("no key")?;
        let value = format!("{} {number}", args.message);
        // A future: unlike Node's promise, it does nothing until it is awaited,
        // here by `answered`. After Ctrl-C, that waits one second more.
        let appended = append(&producer, &args.place.topic, key, &value);
        let stored = shutdown::answered(appended).await.map_err(|error| {
            anyhow!("perhaps not stored: {key}: {value}: {error}")
        })?;
        log::line(format_args!(
            "stored: {}: {} (partition {}, offset {})",
            log::shown(key),
            log::shown(&value),
            stored.partition,
            stored.offset
        ));
    }
    Ok(())
}

/// How librdkafka says that no broker has answered in time.
const NO_ANSWER: KafkaError =
    KafkaError::MessageProduction(RDKafkaErrorCode::MessageTimedOut);

/// 3. Makes a producer. It connects in the background; Node's does it now.
fn connect(args: &Args) -> Result<FutureProducer> {
    let producer = ClientConfig::new()
        .set("bootstrap.servers", &args.place.bootstrap)
        // The producer chooses the partition, by a hash of the key. With this
        // one the choice is the same as Java's and Node's.
        .set("partitioner", "murmur2_random")
        // How long librdkafka itself tries again: five minutes by default.
        .set("message.timeout.ms", "5000")
        .create()?;
    Ok(producer)
}

/// 4. Appends an event to its key's partition, and waits until the broker has
///    confirmed it. All events of one key are in one partition, in order.
///
/// Without an answer, nobody knows whether the broker has the event, so it is
/// appended again. It may be in the log twice, but it is not lost.
async fn append(
    producer: &FutureProducer,
    topic: &str,
    key: &str,
    value: &str,
) -> Result<Delivery> {
    loop {
        let event = FutureRecord::to(topic).key(key).payload(value);
        // How long to wait for room in the queue, if librdkafka's is full.
        let wait = Timeout::Never;
        match producer.send(event, wait).await {
            Ok(stored) => return Ok(stored),
            // Each error comes with the event that was not sent.
            Err((error, _event)) if error == NO_ANSWER => {
                log::error(format_args!("{error}; trying again"));
            }
            Err((error, _event)) => return Err(error.into()),
        }
    }
}
