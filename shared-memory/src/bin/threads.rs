//! Shared memory within one process: four threads add to one number, and tell
//! the main thread when they are done.
//!
//! Node twin: `node/threads.js`. Threads share all memory anyway: no file, no
//! descriptor, and no `unsafe`.
//!
//!     cargo run -p shared-memory --bin threads
//!     cargo run -p shared-memory --bin threads -- --each 1000000
//!
//! Try this: in `work`, replace `fetch_add` by a `load` and a `store`. Some of
//! the additions are lost, each time others. "What the first version lacks"
//! does so in Node.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread::{self, Thread};

use anyhow::anyhow;
use clap::Parser;
use common::log;

/// Four threads add to one number.
#[derive(Parser)]
struct Args {
    /// How many times each thread adds one
    #[arg(
        long,
        value_name = "N",
        default_value_t = 100_000,
        value_parser = clap::value_parser!(i32).range(0..=100_000_000),
    )]
    each: i32,
}

const WORKERS: i32 = 4;

fn main() -> common::Result {
    let Args { each } = Args::parse();

    // 1. Make the numbers. An `Arc` keeps a number in memory while a thread
    //    uses it. A SharedArrayBuffer does the same.
    let value = Arc::new(AtomicI32::new(0));
    let done = Arc::new(AtomicI32::new(0));
    let before = value.load(Ordering::Relaxed);
    log::line(format_args!("value before: {before}"));

    // 2. Start the workers. A cloned Arc is one more handle to the same number.
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        let value = Arc::clone(&value);
        let done = Arc::clone(&done);
        let main_thread = thread::current();
        workers.push(thread::spawn(move || {
            work(&value, &done, &main_thread, each)
        }));
    }

    // 3. Wait until all are done. The join() below would be enough; this shows
    //    how threads wake each other. An unpark() that comes first is not lost:
    //    the next park() returns at once. It can also return for no reason: so
    //    check again. Acquire: a thread that sees `done` sees the additions.
    while done.load(Ordering::Acquire) < WORKERS {
        thread::park();
    }
    for (index, worker) in workers.into_iter().enumerate() {
        let number = index + 1;
        let added = worker.join().map_err(|_| anyhow!("worker {number}"))?;
        let text = format!("added {added}");
        log::line(format_args!("Received from worker {number}: {text}"));
    }
    let after = value.load(Ordering::Relaxed);
    log::line(format_args!("value after: {after}"));
    Ok(())
}

/// 4. Adds one, many times, and then wakes the main thread.
fn work(
    value: &AtomicI32,
    done: &AtomicI32,
    main_thread: &Thread,
    each: i32,
) -> i32 {
    for _ in 0..each {
        // One atomic step: no other thread can write in between. Relaxed: only
        // this number matters here, not the order of other writes.
        value.fetch_add(1, Ordering::Relaxed);
    }
    // Release, for the Acquire in step 3: the additions come before this.
    done.fetch_add(1, Ordering::Release);
    main_thread.unpark();
    each
}
