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
/// this message for so long, as many as that at a time. It answers with a
/// line, `COUNT NANOSECONDS`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Task {
    /// How long.
    pub milliseconds: u64,
    /// How many messages are on their way.
    pub at_once: u64,
    /// With what.
    pub payload: Payload,
}

/// Does what is asked on stdin.
pub fn tasks(
    mut round: impl FnMut(&Payload, Trips) -> Result<(u64, Duration)>,
) -> Result<()> {
    for line in io::stdin().lines() {
        let task: Task = serde_json::from_str(&line?)?;
        let (count, took) = round(&task.payload, Trips::begin(&task))?;
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{count} {}", took.as_nanos())?;
    }
    Ok(())
}

/// Counts round trips until the time is over and every answer has come.
pub struct Trips {
    pub at_once: u64,
    time: Duration,
    begin: Instant,
    sent: u64,
    count: u64,
}

impl Trips {
    fn begin(task: &Task) -> Self {
        Self {
            at_once: task.at_once,
            time: Duration::from_millis(task.milliseconds),
            begin: Instant::now(),
            sent: task.at_once,
            count: 0,
        }
    }

    /// An answer has come: whether to send one more.
    pub fn more(&mut self) -> bool {
        self.count += 1;
        let more = self.begin.elapsed() < self.time;
        self.sent += u64::from(more);
        more
    }

    /// After the last answer: how many, and how long it took.
    pub fn done(&self) -> Option<(u64, Duration)> {
        (self.count == self.sent).then(|| (self.count, self.begin.elapsed()))
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
    tasks(|payload, trips| {
        let bare = Bare(payload.clone());
        runtime.block_on(async {
            match bytes {
                true => same(channel, &bare, trips).await,
                false => equal(channel, &bare, trips).await,
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
    mut trips: Trips,
) -> Result<(u64, Duration)> {
    let expected = value.bytes(channel.sender().serialization())?;
    for _ in 0..trips.at_once {
        channel.send(value).await?;
    }
    loop {
        let answer = channel.recv().await.context("the child has gone")??;
        ensure!(answer.bytes() == expected, "another answer: {answer}");
        if trips.more() {
            channel.send(value).await?;
        } else if let Some(done) = trips.done() {
            return Ok(done);
        }
    }
}

/// Round trips whose answers must be equal values.
async fn equal(
    channel: &mut Channel,
    value: &Bare,
    mut trips: Trips,
) -> Result<(u64, Duration)> {
    for _ in 0..trips.at_once {
        channel.send(value).await?;
    }
    loop {
        let answer = channel.recv_as::<Bare>().await;
        let answer = answer.context("the child has gone")??;
        ensure!(answer == *value, "another answer: {answer:?}");
        if trips.more() {
            channel.send(value).await?;
        } else if let Some(done) = trips.done() {
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
