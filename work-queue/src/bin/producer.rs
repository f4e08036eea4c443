//! Producer: adds jobs to a queue in Redis, and knows when each is stored.
//!
//! Node twin: `node/producer.js`. Other half: `worker.rs`.
//!
//!     redis-server --appendonly yes --appendfsync always
//!     cargo run -p work-queue --bin worker        # in a second terminal
//!     cargo run -p work-queue --bin producer      # in a third
//!
//! Try this: stop Redis for a while, and start it again.

use anyhow::{Result, anyhow};
use clap::Parser;
use common::{log, pace::Pace, shutdown};
use redis::aio::MultiplexedConnection;
use redis::pipe;
use work_queue::Backoff;
use work_queue::streams::{connect, reconnect};

/// Adds numbered jobs to a queue in Redis.
#[derive(Parser)]
struct Args {
    /// The queue's name: the key of a stream
    #[arg(default_value = "jobs")]
    queue: String,

    /// Where Redis is
    #[arg(long, value_name = "URL", default_value = "redis://127.0.0.1:6379")]
    redis: String,

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

    // 1. Connect. This also warns when this Redis may lose jobs in a crash:
    //    see `streams.rs`.
    let mut redis = connect(&args.redis).await?;

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
        let added = add(&mut redis, &args, &jobs);
        shutdown::answered(added).await.map_err(|error| {
            anyhow!("perhaps not stored: {}: {error}", jobs.join(", "))
        })?;
        for job in &jobs {
            log::line(format_args!("stored: {}", log::shown(job)));
        }
    }
    Ok(())
}

/// 3. Adds the jobs. Until Redis confirms that they are on its disk, this
///    program has to keep them.
///
/// When the connection breaks before that, nobody knows whether Redis has
/// them, so they are added again. This is at-least-once delivery: a job may
/// be done twice, but none is lost.
async fn add(
    redis: &mut MultiplexedConnection,
    args: &Args,
    jobs: &[String],
) -> Result<()> {
    let mut backoff = Backoff::default();
    loop {
        // One round trip, and one write to the disk, for all of them. "*": let
        // Redis choose the id. ignore(): we do not need it (errors come all the
        // same).
        let mut commands = pipe();
        for job in jobs {
            commands.xadd(&args.queue, "*", &[("job", job)]).ignore();
        }
        match commands.exec_async(redis).await {
            Ok(()) => return Ok(()),
            Err(error) => {
                *redis = reconnect(&args.redis, error, &mut backoff).await?
            }
        }
    }
}
