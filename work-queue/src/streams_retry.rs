//! Jobs in Redis that were not acknowledged: another worker takes them over,
//! and what fails each time becomes a dead letter.

use redis::aio::MultiplexedConnection;
use redis::streams::{StreamClaimReply, StreamId, StreamPendingCountReply};
use redis::{AsyncCommands, RedisResult, cmd};

/// A job that we have taken.
#[derive(Debug)]
pub struct Job {
    /// Its number in the stream.
    pub id: String,
    /// What is to be done.
    pub bytes: Vec<u8>,
    /// How often it was delivered to a worker, this time included.
    pub tries: u64,
}

impl Job {
    /// The job in an entry of the stream.
    pub fn new(entry: StreamId, tries: u64) -> Self {
        let bytes = entry.get("job").unwrap_or_default();
        let id = entry.id;
        Self { id, bytes, tries }
    }
}

/// Takes over a job that another worker did not acknowledge within `idle`
/// milliseconds: the job failed, or the worker died. A worker that is only slow
/// will do it as well.
///
/// # Errors
/// When the connection breaks, or Redis refuses.
pub async fn take_over(
    redis: &mut MultiplexedConnection,
    queue: &str,
    group: &str,
    name: &str,
    idle: u32,
) -> RedisResult<Option<Job>> {
    // The first one, from the lowest id ("-") to the highest ("+").
    let found: StreamPendingCountReply = cmd("XPENDING")
        .arg(&[queue, group])
        .arg("IDLE")
        .arg(idle)
        .arg(&["-", "+", "1"])
        .query_async(redis)
        .await?;
    let Some(pending) = found.ids.first() else {
        return Ok(None);
    };
    // Nothing, if another worker was quicker: then it is no longer idle.
    let ids = [&pending.id];
    let mut claimed: StreamClaimReply =
        redis.xclaim(queue, group, name, idle, &ids).await?;
    let tries = pending.times_delivered as u64 + 1;
    Ok(claimed.ids.pop().map(|entry| Job::new(entry, tries)))
}

/// Adds a job to the dead letters, where somebody can look at it.
///
/// Acknowledge it after that, and not in the same MULTI: the job would be lost
/// when XADD fails, as Redis runs the other commands all the same.
///
/// # Errors
/// When the connection breaks, or Redis refuses.
pub async fn dead_letter(
    redis: &mut MultiplexedConnection,
    queue: &str,
    job: &Job,
) -> RedisResult<()> {
    let dead = format!("{queue}.dead");
    let fields = [("job", &job.bytes)];
    let _: String = redis.xadd(dead, "*", &fields).await?;
    Ok(())
}
