//! Producer: adds jobs to a queue in RabbitMQ, and knows when each is stored.
//!
//! Node twin: `node/amqp-producer.js`. Other half: `amqp-worker.rs`.
//!
//!     sudo service rabbitmq-server start
//!     cargo run -p work-queue --bin amqp-worker
//!     cargo run -p work-queue --bin amqp-producer  # in a second terminal
//!
//! Try this: stop RabbitMQ for a while, and start it again.

use anyhow::{Result, anyhow, bail};
use clap::Parser;
use common::{log, pace::Pace, shutdown};
use lapin::options::BasicPublishOptions;
use lapin::types::ShortString;
use lapin::{BasicProperties, Confirmation};
use work_queue::Backoff;
use work_queue::amqp::{Broker, Place, connect, reconnect};

/// Adds numbered jobs to a queue in RabbitMQ.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    place: Place,

    /// What the jobs are called; each has its number after it
    #[arg(long, value_name = "TEXT", default_value = "job")]
    message: String,

    /// How many jobs to add at a time
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=10_000))]
    batch: u64,

    #[command(flatten)]
    pace: Pace,
}

// An error is printed in one line, and the program ends with status 1.
#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Connect.
    let mut broker = connect(&args.place).await?;

    // 2. Make jobs at each tick, until the last one or Ctrl-C.
    let mut ticks = args.pace.ticks(stop);
    let mut last = 0;
    while ticks.next().await {
        let mut jobs = Vec::new();
        for _ in 0..args.batch {
            last += 1;
            jobs.push(format!("{} {last}", args.message));
        }
        // After Ctrl-C, wait for the answer for one second more.
        let added = add(&mut broker, &args.place, &jobs);
        shutdown::answered(added).await.map_err(|error| {
            anyhow!("perhaps not stored: {}: {error}", jobs.join(", "))
        })?;
        for job in &jobs {
            log::line(format_args!("stored: {}", log::shown(job)));
        }
    }
    Ok(())
}

/// 3. Adds the jobs. Until the broker confirms that they are on its disk, this
///    program has to keep them.
///
/// When the connection breaks before that, nobody knows whether the broker has
/// them, so they are added again. This is at-least-once delivery: a job may be
/// done twice, but none is lost.
async fn add(
    broker: &mut Broker,
    place: &Place,
    jobs: &[String],
) -> Result<()> {
    let mut backoff = Backoff::default();
    while let Err(error) = publish(broker, jobs).await {
        *broker = reconnect(place, error, &mut backoff).await?;
    }
    Ok(())
}

/// 4. Publishes the jobs, and waits until the broker has confirmed each.
async fn publish(broker: &Broker, jobs: &[String]) -> Result<()> {
    let options = BasicPublishOptions {
        mandatory: true, // without such a queue, return the job to us
        ..BasicPublishOptions::default()
    };
    // 2: on the disk, not only in memory.
    let persistent = BasicProperties::default().with_delivery_mode(2);
    let mut confirms = Vec::new();
    for job in jobs {
        let confirm = broker
            .channel
            .basic_publish(
                ShortString::default(), // the default exchange, to a queue
                broker.queue.clone(),
                options,
                job.as_bytes(),
                persistent.clone(),
            )
            .await?;
        confirms.push(confirm);
    }
    for confirm in confirms {
        match confirm.await? {
            Confirmation::Ack(None) => {} // stored; Some: returned to us
            refused => bail!("publish: the broker answers {refused:?}"),
        }
    }
    Ok(())
}
