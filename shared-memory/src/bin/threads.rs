//! Shared memory within one process: four threads add to one number, and
//! tell the main thread when they have done.
//!
//! Node twin: `node/threads.js`, with worker_threads. Threads share all
//! memory anyway: no mapping, no descriptor, and no `unsafe`.
//!
//!     cargo run -p shared-memory --bin threads
//!     cargo run -p shared-memory --bin threads -- --each 1000000
//!
//! Try this: instead of `fetch_add`, load, add one and store. Some of the
//! additions are lost, other ones each time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread::{self, Thread};

use anyhow::anyhow;
use clap::Parser;
use common::{log, shutdown};

/// Four threads add to one number.
#[derive(Parser)]
struct Args {
    /// How often each of the threads adds one
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100_000,
        value_parser = clap::value_parser!(i32).range(0..=100_000_000),
    )]
    each: i32,

    #[command(flatten)]
    quiet: log::Quiet,
}

const WORKERS: i32 = 4;

fn main() -> common::Result {
    let Args { each, quiet } = Args::parse();
    quiet.apply();
    shutdown::end_a_blocking_program()?;

    // 1. Make the numbers. An `Arc` owns them for as long as any thread
    //    holds it, as a SharedArrayBuffer lives while a worker has it.
    let value = Arc::new(AtomicI32::new(0));
    let done = Arc::new(AtomicI32::new(0));
    let before = value.load(Ordering::Relaxed);
    log::line(format_args!("value before: {before}"));

    // 2. Start the workers, each with its own handle to the same numbers.
    let main = thread::current();
    let start = |_| {
        let (value, done) = (Arc::clone(&value), Arc::clone(&done));
        let main = main.clone();
        thread::spawn(move || work(&value, &done, &main, each))
    };
    let workers: Vec<_> = (0..WORKERS).map(start).collect();

    // 4. Wait until all have done. It may wake up for no reason, so look
    //    again; Acquire, so that with their "done" their additions are seen.
    while done.load(Ordering::Acquire) < WORKERS {
        thread::park();
    }
    for (number, worker) in (1..).zip(workers) {
        let added = worker.join().map_err(|_| anyhow!("worker {number}"))?;
        let text = format!("added {added}");
        log::line(format_args!("Received from worker {number}: {text}"));
    }
    let after = value.load(Ordering::Relaxed);
    log::line(format_args!("value after: {after}"));
    Ok(())
}

/// 3. Adds one, many times; then tells the main thread.
fn work(value: &AtomicI32, done: &AtomicI32, main: &Thread, each: i32) -> i32 {
    for _ in 0..each {
        // One step: nobody can come in between reading and writing.
        value.fetch_add(1, Ordering::Relaxed);
    }
    done.fetch_add(1, Ordering::Release);
    main.unpark();
    each
}
