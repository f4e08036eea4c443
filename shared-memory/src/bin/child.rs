//! Shared memory child: maps the memory that its parent made, changes the
//! number in it, and sends back each message.
//!
//! Node twin: `node/child.js`, a thread and not a process. Other half:
//! `parent.rs`, which starts it.
//!
//!     cargo run -p shared-memory --bin parent
//!     cargo build -p shared-memory --bin child
//!     cargo run -p shared-memory --bin parent -- -- target/debug/child
//!
//! Try this: `cargo run -p shared-memory --bin child`, without a parent.

use std::sync::atomic::Ordering;

use anyhow::{Context, anyhow};
use clap::Parser;
use common::log;
use shared_memory::atomics;
use shared_memory::memory::Memory;
use shared_memory::process::{self, Parent};
use shared_memory::ring::Error;

/// Sends back what its parent sends through shared memory.
#[derive(Parser)]
struct Args {
    /// Given when the parent starts its own program in this role
    #[arg(hide = true, value_parser = ["child"])]
    _role: Option<String>,
}

const ADVICE: &str = "no parent has given memory to this child; start \
                      the parent: cargo run -p shared-memory --bin parent";

/// Public, as the parent also starts this in its own program.
// An error becomes one line on stderr, and status 1.
pub fn main() -> common::Result {
    Args::parse();
    let stop = process::stop_flag()?; // set by Ctrl-C and SIGTERM

    // 1. Find the memory that the parent made. We have inherited its file
    //    descriptor, and map it at an address of our own. It has the same
    //    fields: a number, and a ring of messages for each direction.
    let parent = Parent::new(stop);
    let inherited = parent.memory().context("open the parent's memory")?;
    let memory = inherited.context(ADVICE)?;

    // 2. Count, then echo until the parent has closed its rings. Or until
    //    Ctrl-C, or until the parent dies: a child must not outlive it as an
    //    orphan.
    let mut end = count(&memory, &parent);
    if end.is_ok() {
        end = echo(&memory, &parent);
    }
    match end {
        // No failure of ours: the parent has closed its rings or has died, or
        // somebody has typed Ctrl-C.
        Ok(()) | Err(Error::Closed | Error::Stopped | Error::PeerDied) => {
            Ok(())
        }
        Err(error) => Err(anyhow!("child: {error}").into()),
    }
}

/// 3. Count: wait for the other side to change the number, and change it.
fn count(memory: &Memory, parent: &Parent) -> Result<(), Error> {
    let number = &memory.number; // an AtomicI32
    // Sleeps while the number is 0: the parent's `notify` ends this.
    let before = atomics::wait(number, 0, parent)?;
    log::line(format_args!("child: value before: {before}"));

    // One atomic step. `number = number + 41` would be two, and if the other
    // process wrote in between, its change would be lost ("lost update").
    // AcqRel: it reads with Acquire and writes with Release.
    let after = number.fetch_add(41, Ordering::AcqRel) + 41;
    atomics::notify(number);
    log::line(format_args!("child: value after: {after}"));
    Ok(())
}

/// 4. Echo: send back each message, until the parent sends no more. What a ring
///    is stands in the parent, in step 5.
fn echo(memory: &Memory, parent: &Parent) -> Result<(), Error> {
    // With `parent`, they notice when the parent has died.
    let mut from_parent = memory.to_child.receiver(parent);
    let mut to_parent = memory.to_parent.sender(parent);
    let mut message = Vec::new();
    // `?` ends this loop: with `Closed`, when the parent has closed its rings.
    loop {
        from_parent.receive(&mut message)?; // sleeps while the ring is empty
        let text = log::shown(&message); // control characters escaped
        log::line(format_args!("child: Received from parent: {text}"));
        to_parent.send(&message)?; // sleeps while the ring is full
    }
}
