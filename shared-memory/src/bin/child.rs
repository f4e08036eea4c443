//! Shared memory child: finds the memory that its parent made, changes the
//! number in it, and sends back each message.
//!
//! Node twin: `node/child.js`. Other half: `parent.rs`, which starts it. It
//! is also a program of its own, for a parent that is told to start it:
//!
//!     cargo run -p shared-memory --bin parent
//!     cargo build -p shared-memory --bin child
//!     cargo run -p shared-memory --bin parent -- -- target/debug/child
//!
//! Try this: `cargo run -p shared-memory --bin child`, without a parent.

use std::sync::atomic::Ordering;

use anyhow::Context;
use clap::Parser;
use common::{log, shutdown};
use shared_memory::family::{self, Kin};
use shared_memory::memory::Shared;
use shared_memory::{atomics, ring::Error};

/// Sends back what its parent sends through shared memory.
#[derive(Parser)]
struct Args {
    /// The role in which the parent starts itself again
    #[arg(hide = true, value_parser = ["child"])]
    role: Option<String>,

    #[command(flatten)]
    quiet: log::Quiet,
}

const ADVICE: &str = "this child has no memory from a parent; \
                      start it: cargo run -p shared-memory --bin parent";

/// What the child does, whichever program it is in.
pub fn main() -> common::Result {
    let Args { role: _, quiet } = Args::parse();
    quiet.apply();
    shutdown::listen_in_a_blocking_program()?;

    // 1. Find the memory that the parent made.
    let memory = family::inherited().context("open the parent's memory")?;
    let memory = memory.context(ADVICE)?;

    // 2. From here on, we notice when the parent dies.
    let kin = Kin::Parent;
    match echo(&memory, &kin) {
        // 5. The parent has closed, or we were told to stop.
        Ok(()) | Err(Error::Closed | Error::Stopped) => Ok(()),
        Err(error) => Err(error).context("child")?,
    }
}

/// 3. One number: whoever changes it tells the other.
fn count(memory: &Shared, kin: &Kin) -> Result<(), Error> {
    let number = &memory.number;
    let before = atomics::wait(number, 0, kin)?;
    log::line(format_args!("child: value before: {before}"));

    // One step, in which nobody else can change it. `number = number + 41`
    // would be two, and lose what the other one did in between.
    let after = number.fetch_add(41, Ordering::AcqRel) + 41;
    atomics::notify(number);
    log::line(format_args!("child: value after: {after}"));
    Ok(())
}

/// 4. Sends back each message, until the parent has no more.
fn echo(memory: &Shared, kin: &Kin) -> Result<(), Error> {
    let mut from_parent = memory.to_child.receiver(kin);
    let mut to_parent = memory.to_parent.sender(kin);
    let mut message = Vec::new();
    count(memory, kin)?;
    loop {
        // A copy of our own: in the ring, the parent could still change it.
        from_parent.receive(&mut message)?;
        let text = String::from_utf8_lossy(&message);
        let text = log::shown(&text);
        log::line(format_args!("child: Received from parent: {text}"));
        to_parent.send(&message)?;
    }
}
