//! What the processes do that are started to be measured. `channel.mjs` is
//! the same for Node.

use std::ffi::OsString;
use std::future::pending;
use std::io::{self, Write};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use fork_ipc::{Channel, Fork, Message, Sender, Serialization, child};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::payload::{self, Payload, Record};

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

/// Round trips until the time is over: how many, and how long it took.
pub fn trips(
    time: Duration,
    mut trip: impl FnMut() -> Result<()>,
) -> Result<(u64, Duration)> {
    let begin = Instant::now();
    let mut count = 0;
    loop {
        trip()?;
        count += 1;
        let took = begin.elapsed();
        if took >= time {
            return Ok((count, took));
        }
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
        runtime.block_on(async {
            match (payload, bytes) {
                (Payload::Text(text), true) => same(channel, text, time).await,
                (Payload::Record(one), true) => same(channel, one, time).await,
                (Payload::Text(text), false) => {
                    equal(channel, text, time).await
                }
                (Payload::Record(one), false) => {
                    equal(channel, one, time).await
                }
            }
        })
    })?;
    let status = runtime.block_on(child.end(pending()))?;
    ensure!(status.success(), "the child {status}");
    Ok(())
}

/// Round trips whose answers must be the same bytes.
async fn same<T: Serialize>(
    channel: &mut Channel,
    value: &T,
    time: Duration,
) -> Result<(u64, Duration)> {
    let expected = payload::bytes(value, channel.sender().serialization())?;
    loop_for(
        channel,
        value,
        time,
        |answer| Ok(answer.bytes() == expected),
    )
    .await
}

/// Round trips whose answers must be equal values.
async fn equal<T: Serialize + DeserializeOwned + PartialEq>(
    channel: &mut Channel,
    value: &T,
    time: Duration,
) -> Result<(u64, Duration)> {
    loop_for(channel, value, time, |answer| {
        Ok(answer.parse::<T>()? == *value)
    })
    .await
}

async fn loop_for<T: Serialize>(
    channel: &mut Channel,
    value: &T,
    time: Duration,
    good: impl Fn(&Message) -> Result<bool>,
) -> Result<(u64, Duration)> {
    let begin = Instant::now();
    let mut count = 0;
    loop {
        channel.send(value).await?;
        let answer = channel.recv().await.context("the child has gone")??;
        ensure!(good(&answer)?, "another answer: {answer}");
        count += 1;
        let took = begin.elapsed();
        if took >= time {
            return Ok((count, took));
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
        while let Some(message) = channel.recv().await {
            let message = message?;
            match bytes {
                true => sender.send_raw(message).await?,
                false => answer(&sender, &message).await?,
            }
        }
        Ok(())
    })
}

async fn answer(sender: &Sender, message: &Message) -> Result<()> {
    // A program knows what it gets; this one sees it by the first byte, which
    // in advanced mode comes after the header.
    let at = match message.serialization() {
        Serialization::Json => 0,
        Serialization::Advanced => 2,
    };
    match message.bytes().get(at) {
        Some(b'"') => sender.send(&message.parse::<String>()?).await?,
        _ => sender.send(&message.parse::<Record>()?).await?,
    }
    Ok(())
}
