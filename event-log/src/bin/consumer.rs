//! Consumer: reads the events of a topic as a member of a group, and commits
//! each once it is done.
//!
//! Node twin: `node/consumer.js`. Other half: `producer.rs`.
//!
//!     tansu                                       # or another Kafka
//!     cargo run -p event-log --bin consumer --features kafka
//!     cargo run -p event-log --bin producer --features kafka
//!
//! Try this: start a second consumer, and kill the first one.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use common::{log, shutdown};
use event_log::{Place, create_topic, shown};
use rdkafka::consumer::{
    BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance,
    StreamConsumer,
};
use rdkafka::message::{BorrowedMessage, Message};
use rdkafka::{ClientConfig, ClientContext};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// Reads the events of a topic as a member of a group.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    place: Place,

    /// The group: each group gets all events, each event goes to one member
    #[arg(long, value_name = "NAME", default_value = "readers")]
    group: String,

    /// Milliseconds without a heartbeat after which a member counts as dead
    #[arg(long, value_name = "MS", default_value_t = 6000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1000..=1_800_000))]
    session: u64,

    /// Milliseconds of work for each event
    #[arg(long, value_name = "MS", default_value_t = 0)]
    work: u64,
}

// An error is printed in one line, and the program ends with status 1.
#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Create the topic, unless it exists.
    create_topic(&args.place).await?;

    // 2. Join the group.
    let consumer = join(&args)?;

    // 3. Work until Ctrl-C, which ends the wait for an event, but not the work
    //    on one: that has 1.5 seconds until `shutdown` exits.
    let mut last_error = String::new();
    while let Some(event) = stop.run_until_cancelled(consumer.recv()).await {
        match event {
            Ok(event) => {
                last_error.clear();
                work(&consumer, &event, &args).await?;
            }
            // No connection, say: librdkafka connects again by itself. Until
            // then it repeats the error many times a second: print it once.
            Err(error) => {
                let error = format!("receive: {error}");
                if error != last_error {
                    log::error(&error);
                }
                last_error = error;
            }
        }
    }

    // 4. Leave the group, so that the other members get our partitions at once
    //    and not only after `--session`. To drop a consumer is to leave. That
    //    waits for the broker's answer, so it is done in another thread: else
    //    `shutdown` could not exit when there is none.
    spawn_blocking(move || drop(consumer)).await?;
    Ok(())
}

/// 5. Joins the group. Each partition of the topic is read by one member of it.
fn join(args: &Args) -> Result<StreamConsumer<Member>> {
    let heartbeat = args.session / 3;
    let consumer: StreamConsumer<Member> = ClientConfig::new()
        .set("bootstrap.servers", &args.place.bootstrap)
        .set("group.id", &args.group)
        .set("session.timeout.ms", args.session.to_string())
        .set("heartbeat.interval.ms", heartbeat.to_string())
        // How partitions are shared out: all members must agree on it, and
        // Node's client knows no other way.
        .set("partition.assignment.strategy", "roundrobin")
        // A new group begins with the oldest event.
        .set("auto.offset.reset", "earliest")
        // We commit by ourselves, when the work is done. By default librdkafka
        // does it every five seconds, also for an event still being worked on.
        .set("enable.auto.commit", "false")
        .create_with_context(Member)
        .context("join the group")?;
    consumer.subscribe(&[&args.place.topic])?;
    Ok(consumer)
}

/// What librdkafka calls when something happens in the group, as it calls
/// `consumer.on(..)` in Node. A trait is a list of functions that have
/// defaults here: we replace one of the second, and none of the first.
struct Member;

impl ClientContext for Member {}

impl ConsumerContext for Member {
    /// 6. After a rebalance, prints which partitions are ours now. The group
    ///    makes one whenever a member joins, leaves or dies.
    fn post_rebalance(&self, _: &BaseConsumer<Self>, event: &Rebalance) {
        if let Rebalance::Assign(assigned) = event {
            let mut ours = Vec::new();
            for element in assigned.elements() {
                ours.push(element.partition());
            }
            log::line(format_args!("listening on partitions {ours:?}"));
        }
    }
}

/// 7. Works on an event, and commits it afterwards: the group remembers the
///    offset of the next one. A member that dies in between has done the work,
///    and another member does it again: at-least-once delivery.
async fn work(
    consumer: &StreamConsumer<Member>,
    event: &BorrowedMessage<'_>,
    args: &Args,
) -> Result<()> {
    let text = format!(
        "{}: {} (partition {}, offset {})",
        shown(event.key()),
        shown(event.payload()),
        event.partition(),
        event.offset()
    );
    log::line(format_args!("taken: {text}"));
    if args.work > 0 {
        // Meanwhile a thread of librdkafka sends the heartbeats.
        sleep(Duration::from_millis(args.work)).await;
    }
    log::line(format_args!("done: {text}"));
    // Commits this offset plus one. Async: does not wait for the broker's
    // answer, as Node does. If it says no, the next commit covers this event,
    // or it comes again. (`?`: the commit could not even be asked for.)
    consumer.commit_message(event, CommitMode::Async)?;
    Ok(())
}
