//! Worker: takes jobs from a queue, and acknowledges each once it is done.
//!
//! Node twin: `node/worker.js`. Other half: `producer.rs`.
//!
//!     cargo run -p work-queue --bin worker
//!     cargo run -p work-queue --bin producer      # in a second terminal
//!
//! Try this: `--work 5000`, kill the worker at its work, and start another.

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Parser;
use common::{log, shutdown};
use tokio::time;
use work_queue::{Broker, Job, Place, Queue, Taking, advise};

/// Takes jobs from a queue and does them.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    place: Place,

    #[command(flatten)]
    taking: Taking,

    /// Milliseconds of work that each job is
    #[arg(long, value_name = "MS", default_value_t = 0)]
    work: u64,

    /// Fail at jobs that contain this
    #[arg(long, value_name = "TEXT")]
    fail: Option<String>,

    /// After how many failures a job becomes a dead letter
    #[arg(long, value_name = "N", default_value_t = 3)]
    tries: u64,

    #[command(flatten)]
    quiet: log::Quiet,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    args.quiet.apply();
    let name = log::Escaped(&args.place.queue);

    // 1. Find the broker, and connect.
    let broker = Broker::find(args.place.clone(), args.taking.clone())?;
    let mut queue = broker.connect().await.map_err(advise)?;
    log::ready(format_args!("listening on {name}"));

    // 2. Work until Ctrl-C. When the broker goes away, the job in hand is
    //    not acknowledged and will come again, to us or to another worker.
    while let Err(error) = serve(&mut queue, &args).await {
        match broker.connect_again(error).await {
            Some(connected) => queue = connected,
            None => return Ok(()),
        }
        log::line(format_args!("listening on {name} again"));
    }
    queue.close().await;
    Ok(())
}

async fn serve(queue: &mut Queue, args: &Args) -> Result<()> {
    let stop = shutdown::token();
    // 3. Take a job. Ctrl-C ends the wait for one, and not the work; but
    //    after a second and a half it is cut, and the job comes again.
    while let Some(job) = stop.run_until_cancelled(queue.next()).await {
        let job = job?;
        let text = log::shown(&job.text);
        log::line(format_args!("taken: {text}"));

        // 4. Do it, and only then acknowledge it. A worker that dies in
        //    between has done it, and it is done twice; one that would
        //    acknowledge first and die, would have lost it.
        match perform(&job, args).await {
            Ok(()) => {
                log::line(format_args!("done: {text}"));
                queue.done().await?;
            }
            Err(error) if job.tries < args.tries => {
                log::line(format_args!("failed: {text} ({error})"));
                queue.again().await?;
            }
            // 5. It fails over and over. Tried for ever, it would keep all
            //    workers busy; thrown away, nobody could find out why.
            Err(error) => {
                log::line(format_args!("dead letter: {text} ({error})"));
                queue.bury().await?;
            }
        }
    }
    Ok(())
}

/// The work itself: here a pause, or a failure.
async fn perform(job: &Job, args: &Args) -> Result<()> {
    // A job may also be handed out that often because each worker dies of
    // it. That one is not even begun.
    ensure!(job.tries <= args.tries, "given up");
    if args.work > 0 {
        // Not for 0: tokio's timer would make a whole millisecond of it.
        time::sleep(Duration::from_millis(args.work)).await;
    }
    let fails = args.fail.as_ref().is_some_and(|t| job.text.contains(t));
    ensure!(!fails, "try {} of {}", job.tries, args.tries);
    Ok(())
}
