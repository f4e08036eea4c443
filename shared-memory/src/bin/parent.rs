//! Shared memory parent: makes the memory, starts the child with it, and
//! talks to it through a number and two rings of messages.
//!
//! Node twin: `node/parent.js`. Other half: `child.rs`.
//!
//!     cargo run -p shared-memory --bin parent
//!     cargo run -p shared-memory --bin parent -- --message 你好 --every 500
//!     cargo run --release -p shared-memory --bin parent -- --time
//!
//! Try this: `pkill -9 -f 'parent child'` kills the child while they talk.

mod child;

use std::sync::atomic::Ordering;
use std::time::Instant;

use anyhow::{Context, anyhow, ensure};
use clap::Parser;
use common::{log, shutdown};
use shared_memory::family::{self, Kin};
use shared_memory::memory::{Memory, Shared};
use shared_memory::ring::{Error, Watch};
use shared_memory::{Args, atomics, timing::Times};

fn main() -> common::Result {
    if family::is_child() {
        return child::main();
    }
    let args = Args::parse();
    args.quiet().apply();
    shutdown::listen_in_a_blocking_program()?;

    // 1. Make the memory: zeros, so far only ours.
    let memory = Memory::create().context("make the memory")?;

    // 2. Start the child, with the memory.
    let child = family::start(&memory, &args.program, args.quiet())
        .context("start the child")?;
    let kin = Kin::Child(child.id());
    let talked = talk(&memory, &kin, &args);

    // 5. Both rings are closed: the child has heard that, and ends. One
    //    that broke the rules may not, and is killed.
    let broken = family::is(&talked, Error::Corrupt);
    let well = family::farewell(child, broken)?;
    match talked {
        _ if kin.is_stopped() => Ok(()),
        Ok(()) if !well => Err(anyhow!("the child failed"))?,
        talked => Ok(talked?),
    }
}

/// 3. One number: whoever changes it tells the other.
fn count(memory: &Shared, kin: &Kin) -> Result<(), Error> {
    let number = &memory.number;
    let before = number.load(Ordering::Acquire);
    log::line(format_args!("value before: {before}"));
    number.store(1, Ordering::Release);
    atomics::notify(number);

    // Sleeps while it is 1. The system compares once more before it puts us
    // to sleep: a child that was quicker is not missed.
    let after = atomics::wait(number, 1, kin)?;
    log::line(format_args!("value after: {after}"));
    Ok(())
}

/// 4. Messages, in a ring for each direction.
fn talk(memory: &Shared, kin: &Kin, args: &Args) -> anyhow::Result<()> {
    let mut to_child = memory.to_child.sender(kin);
    let mut from_child = memory.to_parent.receiver(kin);
    let (mut echo, mut times) = (Vec::new(), Times::default());
    count(memory, kin).context("wait for the child's number")?;
    for turn in args.turns() {
        if turn > 0 && !args.time {
            // Not just asleep: should the child end meanwhile, we hear it.
            match from_child.pause(args.next()) {
                Err(Error::Closed) => break,
                paused => paused?,
            }
        }
        log::line(format_args!("send: {}", log::shown(&args.message)));
        let begin = Instant::now();
        to_child.send(args.message.as_bytes()).context("send")?;
        from_child.receive(&mut echo).context("receive")?;
        times.extend(args.time.then(|| begin.elapsed()));
        let text = String::from_utf8_lossy(&echo);
        let text = log::shown(&text);
        log::line(format_args!("Received from child: {text}"));
        ensure!(echo == args.message.as_bytes(), "this is not what was sent");
    }
    if args.time {
        log::ready(times);
    }
    Ok(())
}
