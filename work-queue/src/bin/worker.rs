//! Worker: takes jobs from a queue in Redis, and acknowledges each once it is
//! done.
//!
//! Node twin: `node/worker.js`. Other half: `producer.rs`.
//!
//!     redis-server --appendonly yes --appendfsync always
//!     cargo run -p work-queue --bin worker        # in a second terminal
//!     cargo run -p work-queue --bin producer      # in a third
//!
//! Try this: `--work 5000`, kill the worker while it works, start another.

use std::process;

use clap::Parser;
use common::{log, shutdown};
use redis::aio::MultiplexedConnection as Redis;
use redis::streams::{StreamReadOptions, StreamReadReply};
use redis::{AsyncCommands, RedisResult, pipe};
use work_queue::streams::{connect, reconnect};
use work_queue::streams_retry::{Job, dead_letter, take_over};
use work_queue::{Backoff, Outcome, Work};

/// Takes jobs from a queue in Redis and does them.
#[derive(Parser)]
struct Args {
    /// The queue's name: the key of a stream
    #[arg(default_value = "jobs")]
    queue: String,

    /// Where Redis is
    #[arg(long, value_name = "URL", default_value = "redis://127.0.0.1:6379")]
    redis: String,

    /// Milliseconds after which a job that is not acknowledged goes to
    /// another worker
    #[arg(long, value_name = "MS", default_value_t = 30_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(10..))]
    idle: u32,

    #[command(flatten)]
    work: Work,
}

/// All workers are one consumer group: each job goes to one of them.
const GROUP: &str = "workers";

/// For how many milliseconds to wait for a new job, before we look again for
/// one that was not acknowledged in time.
const WAIT: usize = 500;

// An error is printed in one line, and the program ends with status 1.
#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM
    let shown_queue = log::shown(&args.queue);

    // 1. Connect. This also warns when this Redis may lose jobs in a crash.
    let mut redis = connect(&args.redis).await?;
    log::line(format_args!("listening on {shown_queue}"));

    // 2. Work until Ctrl-C. When the connection breaks, the job in hand is
    //    not acknowledged, so it will come again, to us or to another worker.
    //    On Ctrl-C, work() returns Ok.
    let mut backoff = Backoff::default(); // exponential: each pause is longer
    while let Err(error) = work(&mut redis, &args, &mut backoff).await {
        let reconnecting = reconnect(&args.redis, error, &mut backoff);
        match stop.run_until_cancelled(reconnecting).await {
            Some(connection) => redis = connection?,
            None => break, // Ctrl-C
        }
        log::line(format_args!("listening on {shown_queue} again"));
    }
    Ok(())
}

/// 3. Does one job after the other. Ctrl-C ends the wait for a job, but not
///    the work on one: that has 1.5 seconds until `shutdown` exits.
async fn work(
    redis: &mut Redis,
    args: &Args,
    backoff: &mut Backoff,
) -> RedisResult<()> {
    let stop = shutdown::token();
    join(redis, &args.queue).await?;
    while let Some(job) = stop.run_until_cancelled(take(redis, args)).await {
        handle(redis, args, &job?).await?;
        backoff.reset(); // only now: a job is done
    }
    Ok(())
}

/// 4. Joins the consumer group, which the first worker creates. It begins at
///    the start of the stream ("0"), so that the jobs that were added before
///    are done as well.
async fn join(redis: &mut Redis, queue: &str) -> RedisResult<()> {
    let created: RedisResult<()> =
        redis.xgroup_create_mkstream(queue, GROUP, "0").await;
    match created {
        Err(error) if error.code() != Some("BUSYGROUP") => Err(error),
        _ => Ok(()), // created, or it exists
    }
}

/// 5. Takes a job: one that another worker did not acknowledge within
///    `--idle`, as it failed or died; or a new one. The job stays in the
///    stream, where it is pending from now on.
async fn take(redis: &mut Redis, args: &Args) -> RedisResult<Job> {
    let name = format!("worker-{}", process::id()); // ours in the group
    let queue = &args.queue;
    // One job and no more: the next ones are for the other workers.
    let options = StreamReadOptions::default().group(GROUP, &name);
    let options = options.count(1).block(WAIT);
    loop {
        let taking_over = take_over(redis, queue, GROUP, &name, args.idle);
        if let Some(job) = taking_over.await? {
            return Ok(job);
        }
        // ">": what no worker was given yet.
        let new: Option<StreamReadReply> =
            redis.xread_options(&[queue], &[">"], &options).await?;
        // One stream, and in it one job; or none in time. In this crate, the
        // streams are `keys`, and their entries `ids`.
        let stream = new.unwrap_or_default().keys.pop();
        if let Some(entry) = stream.and_then(|mut stream| stream.ids.pop()) {
            return Ok(Job::new(entry, 1)); // its first delivery
        }
    }
}

/// 6. Does a job, and acknowledges it afterwards. A worker that dies in
///    between has done it, and it is done again: at-least-once delivery. One
///    that acknowledges first, and then dies, has lost it.
async fn handle(redis: &mut Redis, args: &Args, job: &Job) -> RedisResult<()> {
    let queue = &args.queue;
    // Prints `taken` and `done`. The work is only a pause here: see `--work`.
    match args.work.perform(&job.bytes, job.tries).await {
        Outcome::Done => ack(redis, queue, job).await,
        // Requeue it by doing nothing: it is taken over after `--idle`.
        Outcome::Failed => Ok(()),
        // A poison message. Requeued each time, it would never end.
        Outcome::Poisonous => {
            dead_letter(redis, queue, job).await?;
            ack(redis, queue, job).await
        }
    }
}

/// 7. Acknowledges a job and deletes it, both or neither (MULTI). So the
///    stream holds what is still to be done. To limit its length (MAXLEN)
///    would delete jobs that nobody has done.
async fn ack(redis: &mut Redis, queue: &str, job: &Job) -> RedisResult<()> {
    let mut multi = pipe();
    multi.atomic();
    multi.xack(queue, GROUP, &[&job.id]);
    multi.xdel(queue, &[&job.id]);
    multi.exec_async(redis).await
}
