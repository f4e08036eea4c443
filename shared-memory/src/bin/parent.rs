//! Shared memory parent: makes memory that a child process has as well, and
//! talks to it through one number and two rings of messages.
//!
//! Node twin: `node/parent.js`, whose child is a thread: Node has no memory
//! that two processes share. Other half: `child.rs`, which this one starts.
//!
//!     cargo run -p shared-memory --bin parent
//!     cargo run -p shared-memory --bin parent -- --message 你好 --every 500
//!
//! Try this: in a second terminal, `pkill -9 -n parent` kills only the child.

use std::ffi::OsString;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Parser;
use common::log;
use shared_memory::atomics;
use shared_memory::memory::Memory;
use shared_memory::process::{self, Child};
use shared_memory::ring::Error;

/// The other half. The parent starts its own program again as the child, so it
/// contains the child's code as well.
mod child;

/// Says hello to a child process through shared memory.
#[derive(Parser)]
struct Args {
    /// What to send
    #[arg(long, value_name = "TEXT", default_value = "hello")]
    message: String,

    // `--every` and `--count` are those of `common::pace`, whose clock needs
    // tokio. This program has no event loop: it blocks while it waits.
    /// Milliseconds between two messages
    #[arg(
        long,
        value_name = "MS",
        default_value_t = 3000,
        value_parser = clap::value_parser!(u64).range(1..=86_400_000),
    )]
    every: u64,

    /// Stop after this many messages; without it, go on until Ctrl-C
    #[arg(long, value_name = "N")]
    count: Option<u64>,

    /// The program to start instead of its own child, and its arguments
    #[arg(last = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

// An error becomes one line on stderr, and status 1.
fn main() -> common::Result {
    // The child is this program again, with another first argument.
    if process::is_child() {
        return child::main();
    }
    let args = Args::parse();
    let stop = process::stop_flag()?; // set by Ctrl-C and SIGTERM

    // 1. Make the memory: a file without a name (memfd) that is mapped into
    //    this process. `memory` holds a number and two rings of messages, one
    //    for each direction. At first, all its bytes are zero.
    let memory = Memory::create().context("make the memory")?;

    // 2. Start the child. It inherits the descriptor of that file, and maps
    //    the same memory at an address of its own.
    let mut child = Child::start(&args.program, &memory, &stop)
        .context("start the child")?;

    // 3. Count, then talk, then wait for the child's end.
    let mut result = count(&memory, &child);
    if result.is_ok() {
        result = talk(&memory, &child, &args);
    }
    let status = child.wait()?; // kills it a second after Ctrl-C
    match status.code() {
        Some(code) => log::line(format_args!("Child exited with code {code}")),
        None => log::line(format_args!("Child ended by {status}")),
    }
    if stop.load(Ordering::Relaxed) {
        return Ok(());
    }
    result.context("talk to the child")?;
    if !status.success() {
        return Err(anyhow!("the child failed").into());
    }
    Ok(())
}

/// 4. Count: change one number, and wait until the other side changes it.
fn count(memory: &Memory, child: &Child) -> Result<(), Error> {
    let number = &memory.number; // an AtomicI32
    let before = number.load(Ordering::Acquire);
    log::line(format_args!("value before: {before}"));
    // Memory ordering: a process that loads this 1 with `Acquire` also sees all
    // that we wrote before we stored it with `Release`.
    number.store(1, Ordering::Release);
    atomics::notify(number); // wakes a child that waits for a change

    // Sleeps while the number is 1. The system call for this (futex) compares
    // once more before it puts us to sleep. Otherwise a child that is faster
    // would change the number and wake nobody: a lost wakeup. It is an error
    // when the child dies meanwhile, or after Ctrl-C.
    let after = atomics::wait(number, 1, child)?;
    log::line(format_args!("value after: {after}"));
    Ok(())
}

/// 5. Talk: send messages and receive them back. A ring is an array of bytes
///    and two counters, which only grow. The sender copies a message into the
///    array, and then raises the counter `sent`, with `Release`. The receiver
///    sees that, copies the message out, and then raises `received`: that
///    space is free again. At its end, the array continues at its beginning.
///
///    Both sleep as in step 4: the receiver while the ring is empty, and the
///    sender while it is full (back-pressure).
fn talk(memory: &Memory, child: &Child, args: &Args) -> Result<(), Error> {
    // They are given `child`, so that they notice when it has died.
    let mut to_child = memory.to_child.sender(child);
    let mut from_child = memory.to_parent.receiver(child);
    let message = log::shown(&args.message);
    let mut echo = Vec::new();
    for turn in 0..args.count.unwrap_or(u64::MAX) {
        if turn > 0 {
            // Pause. Unlike thread::sleep, it ends early: with `true` when the
            // child has closed its ring, with an error on Ctrl-C.
            let pause = Duration::from_millis(args.every);
            if from_child.is_closed_within(pause)? {
                break;
            }
        }
        log::line(format_args!("send: {message}"));
        to_child.send(args.message.as_bytes())?;
        from_child.receive(&mut echo)?;
        let text = log::shown(&echo); // control characters escaped
        log::line(format_args!("Received from child: {text}"));
    }
    // Dropped here, `to_child` and `from_child` are closed: a flag beside the
    // counters. The child sees it, and ends.
    Ok(())
}
