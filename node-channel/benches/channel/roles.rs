//! What the processes do that are started to be measured. `channel.mjs` is
//! the same for Node.

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use node_channel::{Channel, Fork, Serialization, child};
use serde::{Deserialize, Serialize};

use super::payload::{Bare, Payload};

/// What a parent reads as a line of JSON from its stdin: do round trips with
/// this message for so long. It answers with a line, `COUNT NANOSECONDS`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Task {
    /// How long.
    pub milliseconds: u64,
    /// With what.
    pub payload: Payload,
}

/// Does what is asked on stdin.
pub fn tasks(
    mut round: impl FnMut(&Payload, Duration) -> Result<(u64, Duration)>,
) -> Result<()> {
    for line in io::stdin().lines() {
        let task: Task = serde_json::from_str(&line?)?;
        let time = Duration::from_millis(task.milliseconds);
        let (count, took) = round(&task.payload, time)?;
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{count} {}", took.as_nanos())?;
    }
    Ok(())
}

/// Counts round trips until the time is over.
pub struct Trips {
    time: Duration,
    begin: Instant,
    count: u64,
}

impl Trips {
    /// None yet.
    pub fn begin(time: Duration) -> Self {
        Self {
            time,
            begin: Instant::now(),
            count: 0,
        }
    }

    /// One more. After the last one: how many, and how long it took.
    pub fn done(&mut self) -> Option<(u64, Duration)> {
        self.count += 1;
        let took = self.begin.elapsed();
        (took >= self.time).then_some((self.count, took))
    }
}

/// A parent in Rust. With `bytes`, it compares the answers as they came; if
/// not, it makes values of them first, as Node has to.
pub fn parent(
    mode: Serialization,
    bytes: bool,
    program: &[OsString],
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build()?;
    let (program, arguments) = program.split_first().context("no program")?;
    let mut child = {
        let _entered = runtime.enter();
        Fork::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .serialization(mode)
            .spawn()?
    };
    let channel = &mut child.channel;
    tasks(|payload, time| {
        let bare = Bare(payload.clone());
        runtime.block_on(async {
            match bytes {
                true => same(channel, &bare, time).await,
                false => equal(channel, &bare, time).await,
            }
        })
    })?;
    let status = runtime.block_on(child.end())?;
    ensure!(status.success(), "the child {status}");
    Ok(())
}

/// Round trips whose answers must be the same bytes.
async fn same(
    channel: &mut Channel,
    value: &Bare,
    time: Duration,
) -> Result<(u64, Duration)> {
    let expected = value.bytes(channel.sender().serialization())?;
    let mut trips = Trips::begin(time);
    loop {
        channel.send(value).await?;
        let answer = channel.recv().await.context("the child has gone")??;
        ensure!(answer.bytes() == expected, "another answer: {answer}");
        if let Some(done) = trips.done() {
            return Ok(done);
        }
    }
}

/// Round trips whose answers must be equal values.
async fn equal(
    channel: &mut Channel,
    value: &Bare,
    time: Duration,
) -> Result<(u64, Duration)> {
    let mut trips = Trips::begin(time);
    loop {
        channel.send(value).await?;
        let answer = channel.recv_as::<Bare>().await;
        let answer = answer.context("the child has gone")??;
        ensure!(answer == *value, "another answer: {answer:?}");
        if let Some(done) = trips.done() {
            return Ok(done);
        }
    }
}

/// A child in Rust that sends everything back: with `bytes` as it came, if
/// not, made a value and written again, as Node has to.
pub fn echo(bytes: bool) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread();
    { runtime }.enable_all().build()?.block_on(async {
        let mut channel = child::channel()?;
        let sender = channel.sender();
        if bytes {
            while let Some(message) = channel.recv().await {
                sender.send_raw(message?).await?;
            }
        } else {
            while let Some(value) = channel.recv_as::<Bare>().await {
                sender.send(&value?).await?;
            }
        }
        Ok(())
    })
}
