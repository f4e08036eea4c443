//! Worker: takes jobs from a queue in RabbitMQ, and acknowledges each once it
//! is done.
//!
//! Node twin: `node/amqp-worker.js`. Other half: `amqp-producer.rs`.
//!
//!     sudo service rabbitmq-server start
//!     cargo run -p work-queue --bin amqp-worker
//!     cargo run -p work-queue --bin amqp-producer  # in a second terminal
//!
//! Try this: `--work 5000`, kill the worker while it works, start another.

use anyhow::{Context, Result};
use clap::Parser;
use common::{log, shutdown};
use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
};
use lapin::types::{FieldTable, ShortString};
use work_queue::amqp::{Broker, Place, connect, reconnect};
use work_queue::amqp_retry::{dead_letter, tries};
use work_queue::{Backoff, Outcome, Work};

/// Takes jobs from a queue in RabbitMQ and does them.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    place: Place,

    /// How many jobs to hold at a time; no other worker gets them
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    prefetch: u16,

    #[command(flatten)]
    work: Work,
}

// An error is printed in one line, and the program ends with status 1.
#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM
    let queue = log::shown(&args.place.queue);

    // 1. Connect.
    let mut broker = connect(&args.place).await?;
    log::line(format_args!("listening on {queue}"));

    // 2. Work until Ctrl-C. When the connection breaks, the job in hand is
    //    not acknowledged, so it will come again, to us or to another worker.
    //    On Ctrl-C, work() returns Ok.
    let mut backoff = Backoff::default(); // exponential: each pause is longer
    while let Err(error) = work(&broker, &args, &mut backoff).await {
        let reconnecting = reconnect(&args.place, error, &mut backoff);
        match stop.run_until_cancelled(reconnecting).await {
            Some(connected) => broker = connected?,
            None => return Ok(()), // Ctrl-C
        }
        log::line(format_args!("listening on {queue} again"));
    }
    broker.close().await;
    Ok(())
}

/// 3. Does one job after the other. Ctrl-C ends the wait for a job, but not
///    the work on one: that has 1.5 seconds until `shutdown` exits.
async fn work(
    broker: &Broker,
    args: &Args,
    backoff: &mut Backoff,
) -> Result<()> {
    let stop = shutdown::token();
    let channel = &broker.channel;
    // Back-pressure: the broker pushes jobs to us, at most `--prefetch` that
    // are not acknowledged. Without a limit it would send all it has.
    let options = BasicQosOptions::default();
    channel.basic_qos(args.prefetch, options).await?;
    let mut jobs = channel
        .basic_consume(
            broker.queue.clone(),
            ShortString::default(), // the broker invents a name for us
            BasicConsumeOptions::default(), // with acknowledgements
            FieldTable::default(),  // no further options
        )
        .await?;
    while let Some(next) = stop.run_until_cancelled(jobs.next()).await {
        let job = next.context("the connection ended")?; // it was None
        handle(broker, args, job?).await?; // a job, or an error of the broker
        backoff.reset(); // only now: a job is done
    }
    Ok(())
}

/// 4. Does a job, and acknowledges it afterwards. A worker that dies in
///    between has done it, and it is done again: at-least-once delivery. One
///    that acknowledges first, and then dies, has lost it.
async fn handle(broker: &Broker, args: &Args, job: Delivery) -> Result<()> {
    // Prints `taken` and `done`. The work is only a pause here: see `--work`.
    match args.work.perform(&job.data, tries(&job)).await {
        Outcome::Done => ack(&job).await,
        Outcome::Failed => requeue(&job).await,
        // A poison message. Requeued each time, it would never end.
        Outcome::Poisonous => {
            dead_letter(broker, &job).await?;
            ack(&job).await
        }
    }
}

/// 5. Acknowledges a job: the broker deletes it.
async fn ack(job: &Delivery) -> Result<()> {
    job.ack(BasicAckOptions::default()).await?;
    Ok(())
}

/// 6. Puts a job back into the queue: the broker delivers it at once.
async fn requeue(job: &Delivery) -> Result<()> {
    let options = BasicNackOptions {
        requeue: true, // otherwise the broker deletes it
        ..BasicNackOptions::default()
    };
    job.nack(options).await?;
    Ok(())
}
