//! Shared memory parent: makes memory that a child process has as well, and
//! talks to it through one number and two rings of messages.
//!
//! Node twin: `node/parent.js`. It has a thread in place of the child process:
//! Node has no memory that two processes share. Therefore it passes no file
//! descriptor, must not block its main thread, and closes its rings itself.
//! Other half: `child.rs`. How messages pass through memory: `../ring.rs`.
//!
//!     cargo run -p shared-memory --bin parent
//!     cargo run -p shared-memory --bin parent -- --message 你好 --every 500
//!
//! Try this: in a second terminal, `pkill -9 -n parent` kills only the child.

use std::ffi::OsString;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use clap::Parser;
use common::log;
use shared_memory::atomics;
use shared_memory::memory::Memory;
use shared_memory::process::{self, Child};
use shared_memory::ring::Error;

/// The other half, `src/bin/child.rs`. `cargo run --bin parent` does not build
/// the program `child`, so its code is a module here as well, and the parent
/// starts itself with the argument `child`.
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

    // 1. Make the memory: zeros, in a file without a name (memfd). So far it
    //    is mapped into this process only.
    let memory = Memory::create().context("make the memory")?;

    // 2. Start the child. It inherits the descriptor of that file, and maps
    //    the same memory at an address of its own.
    let mut child = Child::start(&args.program, &memory, &stop)
        .context("start the child")?;

    // 3. Talk, and wait for the child's end. When `talk` returns, our ends of
    //    the rings are dropped and so closed; the child notices that, and ends.
    //    After a failure, and after Ctrl-C, it has a second for that, and then
    //    it is killed.
    let mut talked = count(&memory, &child);
    if talked.is_ok() {
        talked = talk(&memory, &child, &args);
    }
    let has_failed = talked.is_err();
    let status = child.wait(has_failed)?;
    match status.code() {
        Some(code) => log::line(format_args!("Child exited with code {code}")),
        None => log::line(format_args!("Child ended by {status}")),
    }
    if stop.load(Ordering::Relaxed) {
        return Ok(());
    }
    talked.context("talk to the child")?;
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
    atomics::notify(number);

    // Sleeps while it is 1, in a futex: the kernel compares once more before
    // it puts us to sleep. Otherwise a child that is faster than that would
    // change the number and wake nobody: a lost wakeup. It is an error when
    // the child dies meanwhile, or after Ctrl-C.
    let after = atomics::wait(number, 1, child)?;
    log::line(format_args!("value after: {after}"));
    Ok(())
}

/// 5. Talk: send messages and receive them back, through a ring for each
///    direction.
fn talk(memory: &Memory, child: &Child, args: &Args) -> Result<(), Error> {
    // With `child`, each wait notices when the child has died.
    let mut to_child = memory.to_child.sender(child);
    let mut from_child = memory.to_parent.receiver(child);
    let message = log::shown(&args.message);
    let mut echo = Vec::new();
    for turn in 0..args.count.unwrap_or(u64::MAX) {
        if turn > 0 {
            // This waits for the time of the next message. Unlike
            // thread::sleep, it ends early when the child closes its ring.
            let next = Instant::now() + Duration::from_millis(args.every);
            if from_child.is_closed_until(next)? {
                break;
            }
        }
        log::line(format_args!("send: {message}"));
        to_child.send(args.message.as_bytes())?;
        from_child.receive(&mut echo)?;
        let text = log::shown(&echo); // control characters escaped
        log::line(format_args!("Received from child: {text}"));
    }
    Ok(()) // `to_child` and `from_child` are dropped, which closes the rings
}
