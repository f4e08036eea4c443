//! Child: sends hello to its parent every three seconds, over the channel
//! that it was started with, and prints the answers.
//!
//! Node twin: `node/child.js`. Other half: `parent.rs`, which starts this.
//!
//!     cargo run -p fork-ipc --bin child          # no parent: says so
//!     node fork-ipc/node/parent.js -- target/debug/child --count 2
//!
//! Try this: kill the parent, with `kill -9`, and watch the child end.

use std::future::pending;
use std::pin::pin;

use anyhow::{Context, anyhow};
use clap::Parser;
use common::pace::{Pace, Ticks};
use common::{log, shutdown};
use fork_ipc::{Error, Sender};

/// Sends hello to the parent that started it, and prints the answers.
#[derive(Parser)]
struct Args {
    /// What to send
    #[arg(long, value_name = "TEXT", default_value = "hello")]
    message: String,

    #[command(flatten)]
    pace: Pace,
}

/// The program. Public, as the parent starts it in its own executable.
#[tokio::main(flavor = "current_thread")]
pub async fn main() -> common::Result {
    // Node's fork() believes that it starts a Node, and puts a script and
    // perhaps flags in front of our arguments: leave them out.
    let args = fork_ipc::parse_arguments(Args::try_parse_from)
        .unwrap_or_else(|mistake| mistake.exit());
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Take the channel: the socket whose number is in NODE_CHANNEL_FD.
    //    This removes the variable, so that no program that we start looks
    //    for a channel; before any other thread could read the environment.
    let mut channel = fork_ipc::child::channel()?;

    // 2. Send and receive at the same time. If both sides only sent, all
    //    buffers would fill up and each would wait for the other: a deadlock.
    let ticks = args.pace.ticks(stop.clone());
    let mut sending = pin!(send(channel.sender(), &args.message, ticks));
    let mut sent = None; // how many, once all are sent
    let mut received = 0;

    // 3. Receive, until everything is answered. A message is whole, whatever
    //    pieces it came in, and any JSON value.
    while sent.is_none_or(|sent| received < sent) {
        tokio::select! {
            count = &mut sending, if sent.is_none() => {
                sent = Some(count.context("send")?);
            }
            message = channel.recv() => match message {
                Some(Ok(message)) => {
                    let text = message.text();
                    let text = log::shown(&text);
                    log::line(format_args!("message from parent: {text}"));
                    received += 1;
                }
                // No JSON? This message is lost, and the next one arrives.
                Some(Err(error)) => {
                    log::error(format_args!("message from parent: {error}"));
                }
                None if stop.is_cancelled() => return Ok(()),
                None => {
                    return Err(anyhow!("the parent has disconnected").into());
                }
            },
        }
    }

    // 4. Disconnect: the parent learns of it at once. What we sent is
    //    delivered before.
    channel.disconnect().await.context("disconnect")?;
    Ok(())
}

/// 5. Sends the message at each tick, until the last one or Ctrl-C, and says
///    how many that were.
async fn send(
    sender: Sender,
    message: &str,
    mut ticks: Ticks,
) -> Result<u64, Error> {
    let mut count = 0;
    while ticks.next().await {
        // Back-pressure: this waits while the parent does not read.
        match sender.send(message).await {
            Err(Error::Closed) => pending().await, // and recv() says so
            sent => sent?,
        }
        count += 1;
    }
    Ok(count)
}
