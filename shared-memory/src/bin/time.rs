//! Measures round trips through shared memory: what `parent.rs` does, without
//! pauses and log lines. The benchmark runs it. Node twin: `node/time.js`.
//!
//!     cargo run --release -p shared-memory --bin time
//!
//! Try this: put `taskset -c 0` in front of it. Both processes share one core
//! then, and each round trip needs two context switches.

use std::io::{self, Write};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Parser;
use shared_memory::atomics;
use shared_memory::memory::Memory;
use shared_memory::process::{self, Child};
use shared_memory::ring::Error;

/// The child, which `parent` has, too.
mod child;

/// Measures round trips through shared memory.
#[derive(Parser)]
struct Args {
    /// What to send
    #[arg(long, value_name = "TEXT", default_value = "hello")]
    message: String,

    /// The number of round trips
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    count: u64,
}

fn main() -> common::Result {
    if process::is_child() {
        return child::main();
    }
    let args = Args::parse();
    let stop = process::stop_flag()?;
    let memory = Memory::create().context("make the memory")?;
    let mut command = process::child_command(&[])?;
    command.env("QUIET", "1"); // no log lines: they would take most of the time
    let mut child = Child::start_command(command, &memory, &stop)
        .context("start the child")?;
    let measured = measure(&memory, &child, &args);
    child.wait()?;
    if stop.load(Ordering::Relaxed) {
        return Ok(());
    }
    let summary = summary(measured.context("talk to the child")?);
    writeln!(io::stdout(), "{summary}")?; // also with QUIET=1
    Ok(())
}

fn measure(
    memory: &Memory,
    child: &Child,
    args: &Args,
) -> Result<Vec<Duration>, Error> {
    let mut to_child = memory.to_child.sender(child);
    let mut from_child = memory.to_parent.receiver(child);
    memory.number.store(1, Ordering::Release);
    atomics::notify(&memory.number);
    atomics::wait(&memory.number, 1, child)?;
    let mut times = Vec::new();
    let mut echo = Vec::new();
    for _ in 0..args.count {
        let start = Instant::now();
        to_child.send(args.message.as_bytes())?;
        from_child.receive(&mut echo)?;
        times.push(start.elapsed());
    }
    Ok(times)
}

/// Percentiles: `p99` is the time that 99 % of the round trips do not exceed.
fn summary(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    let percentile = |percent: f64| {
        let position = (last as f64 * percent / 100.0) as usize;
        let time = times.get(position).copied().unwrap_or_default();
        format!("{:.2} µs", time.as_secs_f64() * 1e6)
    };
    format!(
        "{} round trips: min {}, median {}, p99 {}, p99.9 {}",
        times.len(),
        percentile(0.0),
        percentile(50.0),
        percentile(99.0),
        percentile(99.9),
    )
}
