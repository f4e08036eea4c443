//! The queue in Redis: a stream, and a group of workers that share it.
//!
//! `XADD` appends a job. `XREADGROUP` gives it to one worker and notes that
//! it is pending. `XACK` ends that; until then any worker may take it over
//! with `XAUTOCLAIM` once it has been pending for too long.

use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, anyhow};
use common::log;
use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::streams::{
    StreamAutoClaimOptions, StreamAutoClaimReply, StreamId,
    StreamPendingCountReply, StreamReadOptions, StreamReadReply,
};
use redis::{
    AsyncCommands, AsyncConnectionConfig, Client, IntoConnectionInfo, pipe,
};

use crate::{Job, Taking};

/// What makes Redis keep a job: each change is on the disk before it is
/// answered. Otherwise a crash forgets what came last.
pub const DURABLE: [&str; 4] =
    ["--appendonly", "yes", "--appendfsync", "always"];

/// All workers are one group: each job goes to one of them.
const GROUP: &str = "workers";

/// How long one `XREADGROUP` waits for a job.
const BLOCK: Duration = Duration::from_secs(1);

/// How long a server may take to answer: longer than `BLOCK`. The redis
/// crate's own half a second would end every wait for a job in an error.
const PATIENCE: Duration = Duration::from_secs(30);

/// A stream and what we have taken from it.
#[derive(Debug)]
pub struct Queue {
    connection: MultiplexedConnection,
    stream: String,
    dead: String,
    /// Our name in the group.
    worker: String,
    prefetch: usize,
    idle: Duration,
    /// When to look next for jobs that nobody finished, and from where on.
    look: Instant,
    cursor: String,
    /// Taken, and not yet handed out by `next`.
    waiting: VecDeque<StreamId>,
    /// Handed out, and not yet done: its id and its bytes.
    taken: Option<(String, Vec<u8>)>,
}

/// Connects to the Redis at `url`, and makes the group where there is none.
///
/// # Errors
/// When the server cannot be reached.
pub async fn connect(
    url: &str,
    stream: &str,
    taking: &Taking,
) -> Result<Queue> {
    let tcp = TcpSettings::default().set_nodelay(true);
    let client =
        Client::open(url.into_connection_info()?.set_tcp_settings(tcp))?;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE));
    let at = client.get_connection_info().addr();
    let mut connection = client
        .get_multiplexed_async_connection_with_config(&config)
        .await
        .with_context(|| format!("connect to {at}"))?;

    // From 0 on: also the jobs that came before the first worker.
    let made: Result<(), _> =
        connection.xgroup_create_mkstream(stream, GROUP, "0").await;
    if let Err(error) = made
        && error.code() != Some("BUSYGROUP")
    {
        return Err(anyhow!("make the group at {at}: {error}"));
    }
    warn_of_forgetting(&mut connection).await;
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    Ok(Queue {
        connection,
        stream: stream.to_owned(),
        dead: format!("{stream}.dead"),
        // One name for each connection of each process.
        worker: format!("{}-{}", std::process::id(), now.as_nanos()),
        prefetch: taking.prefetch.into(),
        idle: Duration::from_millis(taking.idle),
        look: Instant::now(),
        cursor: "0-0".to_owned(),
        waiting: VecDeque::new(),
        taken: None,
    })
}

/// Says so when this server may lose jobs in a crash. One that does not let
/// us ask is taken at its word.
async fn warn_of_forgetting(connection: &mut MultiplexedConnection) {
    let asked: redis::RedisResult<Vec<String>> = redis::cmd("CONFIG")
        .arg(&["GET", "append*"])
        .query_async(connection)
        .await;
    let has = |setting: [&str; 2]| {
        asked
            .as_ref()
            .is_ok_and(|answer| answer.chunks(2).any(|pair| pair == setting))
    };
    if asked.is_ok()
        && !(has(["appendonly", "yes"]) && has(["appendfsync", "always"]))
    {
        log::error(
            "this Redis forgets jobs in a crash; \
             it needs appendonly yes, appendfsync always",
        );
    }
}

impl Queue {
    pub(crate) async fn add(&mut self, jobs: &[String]) -> Result<()> {
        // One round trip, and one write to the disk, for all of them.
        let mut pipe = pipe();
        for job in jobs {
            pipe.xadd(&self.stream, "*", &[("job", job)]).ignore();
        }
        pipe.exec_async(&mut self.connection).await.context("XADD")
    }

    pub(crate) async fn next(&mut self) -> Result<Job> {
        loop {
            if let Some(entry) = self.waiting.pop_front() {
                return Ok(self.hand_out(&entry, 1));
            }
            if self.look <= Instant::now()
                && let Some(job) = self.take_over().await?
            {
                return Ok(job);
            }
            // Waits here; but not beyond the next look at what was left.
            let left = self.look.saturating_duration_since(Instant::now());
            let block = left.clamp(Duration::from_millis(1), BLOCK);
            let options = StreamReadOptions::default()
                .group(GROUP, &self.worker)
                .count(self.prefetch)
                .block(block.as_millis() as usize);
            // ">": what no worker has been given yet.
            let new: Option<StreamReadReply> = self
                .connection
                .xread_options(&[&self.stream], &[">"], &options)
                .await
                .context("XREADGROUP")?;
            let streams = new.into_iter().flat_map(|reply| reply.keys);
            self.waiting.extend(streams.flat_map(|stream| stream.ids));
        }
    }

    /// Takes over one job that somebody took long ago and never finished.
    async fn take_over(&mut self) -> Result<Option<Job>> {
        let options = StreamAutoClaimOptions::default().count(1);
        let found: StreamAutoClaimReply = self
            .connection
            .xautoclaim_options(
                &self.stream,
                GROUP,
                &self.worker,
                self.idle.as_millis() as u64,
                &self.cursor,
                options,
            )
            .await
            .context("XAUTOCLAIM")?;
        self.cursor = found.next_stream_id;
        if self.cursor == "0-0" {
            self.look = Instant::now() + self.idle / 2; // seen all of them
        }
        let Some(entry) = found.claimed.first() else {
            return Ok(None);
        };
        // How often it was handed out, only XPENDING says.
        let id = &entry.id;
        let pending: StreamPendingCountReply = self
            .connection
            .xpending_count(&self.stream, GROUP, id, id, 1)
            .await
            .context("XPENDING")?;
        let tries = pending.ids.first().map_or(1, |id| id.times_delivered);
        Ok(Some(self.hand_out(entry, tries as u64)))
    }

    fn hand_out(&mut self, entry: &StreamId, tries: u64) -> Job {
        let bytes: Vec<u8> = entry.get("job").unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        self.taken = Some((entry.id.clone(), bytes));
        Job { text, tries }
    }

    pub(crate) async fn done(&mut self) -> Result<()> {
        let Some((id, _)) = self.taken.take() else {
            return Ok(());
        };
        // Deleted with its acknowledgement, both or neither: so the stream
        // holds what is still to be done, and nothing else. Cutting it to a
        // length (MAXLEN) would throw away jobs that nobody has done.
        pipe()
            .atomic()
            .xack(&self.stream, GROUP, &[&id])
            .ignore()
            .xdel(&self.stream, &[&id])
            .ignore()
            .exec_async(&mut self.connection)
            .await
            .context("XACK")
    }

    pub(crate) fn again(&mut self) -> Result<()> {
        // It stays pending. After --idle somebody takes it over: no load of
        // failing jobs, one after the other without a pause.
        self.taken = None;
        Ok(())
    }

    pub(crate) async fn bury(&mut self) -> Result<()> {
        let Some((id, bytes)) = self.taken.take() else {
            return Ok(());
        };
        pipe()
            .atomic()
            .xadd(&self.dead, "*", &[("job", bytes)])
            .ignore()
            .xack(&self.stream, GROUP, &[&id])
            .ignore()
            .xdel(&self.stream, &[&id])
            .ignore()
            .exec_async(&mut self.connection)
            .await
            .context("XADD to the dead letters")
    }
}
