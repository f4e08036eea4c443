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
use redis::aio::MultiplexedConnection;
use redis::streams::{
    StreamAutoClaimOptions, StreamAutoClaimReply, StreamId,
    StreamPendingCountReply, StreamReadOptions, StreamReadReply,
};
use redis::{AsyncCommands, RedisResult, pipe};
use work_queue::streams::{connect, reconnect};
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

/// What the Node twin keeps in variables of its module.
struct Worker {
    args: Args,
    redis: MultiplexedConnection,
    /// Our name in the group.
    name: String,
    /// How far we have searched for jobs that were not acknowledged.
    cursor: String,
}

/// A job that we have taken, and how often it was delivered to a worker, this
/// time included.
struct Job {
    entry: StreamId,
    tries: u64,
}

// An error is printed in one line, and the program ends with status 1.
#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Connect. This also warns when this Redis may lose jobs in a crash:
    //    see `streams.rs`.
    let redis = connect(&args.redis).await?;
    log::line(format_args!("listening on {}", log::shown(&args.queue)));
    let mut worker = Worker {
        args,
        redis,
        name: format!("worker-{}", process::id()),
        cursor: "0-0".to_owned(),
    };

    // 2. Work until Ctrl-C. When the connection breaks, the job in hand is
    //    not acknowledged, so it will come again, to us or to another worker.
    //    On Ctrl-C, work() returns Ok.
    let mut backoff = Backoff::default();
    while let Err(error) = worker.work(&mut backoff).await {
        let reconnecting = reconnect(&worker.args.redis, error, &mut backoff);
        match stop.run_until_cancelled(reconnecting).await {
            Some(connection) => worker.redis = connection?,
            None => break,
        }
        let queue = log::shown(&worker.args.queue);
        log::line(format_args!("listening on {queue} again"));
    }
    Ok(())
}

impl Worker {
    /// 3. Does one job after the other. Ctrl-C ends the wait for a job, but
    ///    not the work on one: that has 1.5 seconds until `shutdown` exits.
    async fn work(&mut self, backoff: &mut Backoff) -> RedisResult<()> {
        let stop = shutdown::token();
        self.join().await?;
        while let Some(job) = stop.run_until_cancelled(self.take()).await {
            self.handle(&job?).await?;
            backoff.reset();
        }
        Ok(())
    }

    /// 4. Joins the consumer group, which the first worker creates. It begins
    ///    at the start of the stream ("0"), so that the jobs that were added
    ///    before are done as well.
    async fn join(&mut self) -> RedisResult<()> {
        let queue = &self.args.queue;
        let created: RedisResult<()> =
            self.redis.xgroup_create_mkstream(queue, GROUP, "0").await;
        match created {
            Err(error) if error.code() != Some("BUSYGROUP") => Err(error),
            _ => Ok(()),
        }
    }

    /// 5. Takes a job: one that was not acknowledged in time, or a new one. It
    ///    stays in the stream, where it is pending from now on.
    async fn take(&mut self) -> RedisResult<Job> {
        // Wait for one new job, and not for long: perhaps another one has to
        // be taken over by then. Not for several: they are for the other
        // workers.
        let options = StreamReadOptions::default()
            .group(GROUP, &self.name)
            .count(1)
            .block((self.args.idle as usize / 2).min(1000));
        loop {
            if let Some(job) = self.take_over().await? {
                return Ok(job);
            }
            let queues = [&self.args.queue];
            // ">": what no worker was given yet.
            let new: Option<StreamReadReply> =
                self.redis.xread_options(&queues, &[">"], &options).await?;
            // One stream, and in it one job; or none in time.
            let stream = new.unwrap_or_default().keys.pop();
            if let Some(entry) = stream.and_then(|mut it| it.ids.pop()) {
                return Ok(Job { entry, tries: 1 });
            }
        }
    }

    /// 6. Takes over a job that another worker did not acknowledge within
    ///    `--idle`: the job failed, or the worker died. A worker that is only
    ///    slow will do it as well.
    async fn take_over(&mut self) -> RedisResult<Option<Job>> {
        let Args { queue, idle, .. } = &self.args;
        let one = StreamAutoClaimOptions::default().count(1);
        let (name, cursor) = (&self.name, &self.cursor);
        let mut found: StreamAutoClaimReply = self
            .redis
            .xautoclaim_options(queue, GROUP, name, *idle, cursor, one)
            .await?;
        self.cursor = found.next_stream_id; // "0-0" after the last one
        let Some(entry) = found.claimed.pop() else {
            return Ok(None);
        };
        // Only XPENDING says how often a job was delivered.
        let id = &entry.id;
        let pending: StreamPendingCountReply =
            self.redis.xpending_count(queue, GROUP, id, id, 1).await?;
        let tries = pending.ids.first().map_or(1, |it| it.times_delivered);
        let tries = tries as u64;
        Ok(Some(Job { entry, tries }))
    }

    /// 7. Does a job, and acknowledges it afterwards. A worker that dies in
    ///    between has done it, and it is done again: at-least-once delivery.
    ///    One that acknowledges first, and then dies, has lost it.
    async fn handle(&mut self, job: &Job) -> RedisResult<()> {
        let bytes: Vec<u8> = job.entry.get("job").unwrap_or_default();
        match self.args.work.perform(&bytes, job.tries).await {
            Outcome::Done => self.ack(&job.entry).await,
            // Requeue it by doing nothing: it is taken over after `--idle`.
            Outcome::Failed => Ok(()),
            // A poison message. Requeued each time, it would never end.
            Outcome::Poisonous => self.dead_letter(&job.entry, &bytes).await,
        }
    }

    /// 8. Acknowledges a job and deletes it, both or neither (MULTI). So the
    ///    stream holds what is still to be done. To limit its length (MAXLEN)
    ///    would delete jobs that nobody has done.
    async fn ack(&mut self, entry: &StreamId) -> RedisResult<()> {
        let mut multi = pipe();
        multi.atomic();
        multi.xack(&self.args.queue, GROUP, &[&entry.id]);
        multi.xdel(&self.args.queue, &[&entry.id]);
        multi.exec_async(&mut self.redis).await
    }

    /// 9. Adds a job to the dead letters, where somebody can look at it, and
    ///    only then removes it here. In one MULTI, the job would be lost when
    ///    XADD fails: Redis runs the other commands all the same.
    async fn dead_letter(
        &mut self,
        entry: &StreamId,
        bytes: &[u8],
    ) -> RedisResult<()> {
        let dead = format!("{}.dead", self.args.queue);
        let _: String = self.redis.xadd(dead, "*", &[("job", bytes)]).await?;
        self.ack(entry).await
    }
}
