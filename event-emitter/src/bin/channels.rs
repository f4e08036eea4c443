//! Events the way Rust likes them: channels, one kind for each need.
//!
//! Node twin: `node/channels.js`. Node's own way, in Rust: `emitter.rs`.
//!
//!     cargo run -p event-emitter --bin channels
//!
//! Try this: add a kind of event to `Happening`. The compiler names each
//! place that has to deal with it.

use clap::Parser;
use common::log;
use tokio::sync::broadcast::error::RecvError::{Closed, Lagged};
use tokio::sync::{broadcast, mpsc, watch};

/// Shows tokio's channels where a Node program would emit events.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    quiet: log::Quiet,
}

/// All that can happen in a room, each with what belongs to it. In Node
/// these are strings, and a misspelt one is an event that never comes.
#[derive(Clone, Debug)]
enum Happening {
    /// Who.
    Joined(&'static str),
    /// Who, and what.
    Said(&'static str, &'static str),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    Args::parse().quiet.apply();

    // 1. broadcast: each subscriber gets every event that is sent after it
    //    subscribed, and takes it when it is ready: nobody calls it.
    let (room, mut ada) = broadcast::channel(16);
    let mut bob = room.subscribe();
    log::line(format_args!("subscribers: {}", room.receiver_count()));
    room.send(Happening::Joined("Cleo"))?;
    tell("Ada", &ada.recv().await?);
    tell("Bob", &bob.recv().await?);

    // 2. A subscription ends when it is dropped. Nobody can forget off().
    drop(bob);
    log::line(format_args!("subscribers: {}", room.receiver_count()));
    room.send(Happening::Said("Cleo", "hello"))?;
    tell("Ada", &ada.recv().await?);

    // 3. A slow subscriber: the channel keeps four events and no more, so
    //    it cannot fill the memory. Whoever is late is told how many it
    //    missed, and goes on with the oldest that is still there.
    let (numbers, mut slow) = broadcast::channel(4);
    for number in 1..=10 {
        numbers.send(number)?;
    }
    drop(numbers); // the subscriber hears what is left, and then the end
    loop {
        match slow.recv().await {
            Ok(number) => log::line(format_args!("slow hears: {number}")),
            Err(Lagged(n)) => log::line(format_args!("slow missed: {n}")),
            Err(Closed) => break,
        }
    }

    // 4. mpsc: many producers, one consumer; each job is done once. With
    //    no room left, try_send() says so; send().await would wait.
    let (jobs, mut queue) = mpsc::channel(2);
    for job in 1..=3 {
        match jobs.try_send(job) {
            Ok(()) => log::line(format_args!("queued: {job}")),
            Err(_) => log::line(format_args!("no room: {job}")),
        }
    }
    drop(jobs); // the last producer is gone: the queue ends when empty
    while let Some(job) = queue.recv().await {
        log::line(format_args!("done: {job}"));
    }

    // 5. watch: only the latest value counts, like a setting. Whoever
    //    looks late sees that it changed, and what it is now.
    let (volume, mut seen) = watch::channel(0);
    for level in 1..=3 {
        volume.send(level)?;
    }
    seen.changed().await?;
    log::line(format_args!("volume: {}", *seen.borrow_and_update()));
    Ok(())
}

fn tell(who: &str, happening: &Happening) {
    let what = match happening {
        Happening::Joined(who) => format!("{who} joined"),
        Happening::Said(who, text) => format!("{who} said {text}"),
    };
    log::line(format_args!("{who} hears: {what}"));
}
