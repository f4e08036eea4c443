//! Events the way Rust likes them: channels, one kind for each need.
//!
//! Node twin: `node/channels.js`. Node's own way, in Rust: `emitter.rs`.
//!
//!     cargo run -p event-emitter --bin channels
//!
//! Try this: add a kind of event to `RoomEvent`. The compiler names each
//! place that has to deal with it.

use clap::Parser;
use common::log;
use tokio::sync::broadcast::error::RecvError::{Closed, Lagged};
use tokio::sync::{broadcast, mpsc, watch};

/// Shows tokio's channels where a Node program would emit events.
#[derive(Parser)]
struct Args {}

/// All that can happen in a room, each with its arguments. In Node these are
/// strings, and a misspelled one is an event that never comes.
#[derive(Clone, Debug)]
enum RoomEvent {
    /// The name of who joined.
    Joined(&'static str),
    /// The name of the sender, and the text.
    Sent(&'static str, &'static str),
}

// An error becomes one line on stderr, and status 1.
#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    Args::parse(); // only --help

    // 1. Every subscriber receives every event: broadcast. From the moment it
    //    subscribes, it takes each event when it is ready; nothing calls it.
    let (room, mut ada) = broadcast::channel(16);
    let mut bob = room.subscribe();
    log::line(format_args!("subscribers: {}", room.receiver_count()));
    room.send(RoomEvent::Joined("Cleo"))?;
    print("Ada", &ada.recv().await?);
    print("Bob", &bob.recv().await?);

    // 2. A subscription ends: when it is dropped. Nobody can forget off().
    drop(bob);
    log::line(format_args!("subscribers: {}", room.receiver_count()));
    room.send(RoomEvent::Sent("Cleo", "hello"))?;
    print("Ada", &ada.recv().await?);

    // 3. A slow consumer: the channel keeps four events and no more, so it
    //    cannot fill the memory. A subscriber that is too slow learns how many
    //    it missed, and goes on with the oldest that is still there.
    let (numbers, mut slow) = broadcast::channel(4);
    for number in 1..=10 {
        numbers.send(number)?;
    }
    drop(numbers); // the subscriber receives what is left, and then the end
    loop {
        match slow.recv().await {
            Ok(number) => log::line(format_args!("slow receives: {number}")),
            Err(Lagged(n)) => log::line(format_args!("slow missed: {n}")),
            Err(Closed) => break,
        }
    }

    // 4. Each job is done once: mpsc has many producers and one consumer. When
    //    the queue is full, try_send() fails; send().await would wait.
    let (jobs, mut queue) = mpsc::channel(2);
    for job in 1..=3 {
        match jobs.try_send(job) {
            Ok(()) => log::line(format_args!("queued: {job}")),
            Err(_) => log::line(format_args!("no room: {job}")),
        }
    }
    drop(jobs); // the last producer is gone: the queue ends when it is empty
    while let Some(job) = queue.recv().await {
        log::line(format_args!("done: {job}"));
    }

    // 5. Only the latest value matters: watch, for a setting. A receiver that
    //    looks late sees that it changed, and what it is now.
    let (volume, mut seen) = watch::channel(0);
    for level in 1..=3 {
        volume.send(level)?;
    }
    seen.changed().await?;
    log::line(format_args!("volume: {}", *seen.borrow_and_update()));
    Ok(())
}

fn print(receiver: &str, event: &RoomEvent) {
    let text = match event {
        RoomEvent::Joined(name) => format!("{name} joined"),
        RoomEvent::Sent(name, text) => format!("{name} sent {text}"),
    };
    log::line(format_args!("{receiver} receives: {text}"));
}
