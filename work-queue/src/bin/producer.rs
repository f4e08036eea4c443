//! Producer: adds jobs to a queue, and knows of each when it is safe there.
//!
//! Node twin: `node/producer.js`. Other half: `worker.rs`.
//!
//!     cargo run -p work-queue --bin worker        # in a second terminal
//!     cargo run -p work-queue --bin producer
//!
//! Try this: start the producer alone, stop it, and start a worker then.

use anyhow::bail;
use clap::Parser;
use common::{log, pace::Pace};
use work_queue::{Broker, Place, Taking, advise};

/// Adds numbered jobs to a queue.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    place: Place,

    /// What the jobs are called; each has its number behind it
    #[arg(long, value_name = "TEXT", default_value = "job")]
    message: String,

    /// How many jobs to add at a time
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=10_000))]
    batch: u64,

    #[command(flatten)]
    pace: Pace,

    #[command(flatten)]
    quiet: log::Quiet,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    args.quiet.apply();

    // 1. Find the broker, and connect.
    let broker = Broker::find(args.place, Taking::default())?;
    let mut queue = broker.connect().await.map_err(advise)?;

    // 2. Make jobs, now and at every tick, until that was all or Ctrl-C.
    let mut ticks = args.pace.start();
    let mut last = 0;
    while ticks.next().await {
        let numbers = last + 1..=last + args.batch;
        let jobs = numbers.map(|number| format!("{} {number}", args.message));
        let jobs: Vec<String> = jobs.collect();
        last += args.batch;

        // 3. Add them. Until the broker says that they are on its disk,
        //    they are ours. When the connection breaks before that, nobody
        //    knows whether it has them: so once more. Done twice is better
        //    than never, and a job that must not be done twice has to look
        //    at its number.
        while let Err(error) = queue.add(&jobs).await {
            match broker.connect_again(error).await {
                Some(connected) => queue = connected,
                None => bail_out(&jobs)?,
            }
        }

        // 4. Now they are safe, and only now may we forget them.
        for job in &jobs {
            log::line(format_args!("stored: {}", log::shown(job)));
        }
    }
    Ok(())
}

/// Stopped while the broker was away, or gave no answer.
fn bail_out(jobs: &[String]) -> anyhow::Result<()> {
    bail!("perhaps not stored: {}", jobs.join(", "))
}
