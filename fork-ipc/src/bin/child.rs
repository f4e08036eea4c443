//! Child: sends hello to its parent every three seconds, over the channel
//! that it was started with, and prints the answers.
//!
//! Node twin: `node/child.js`. Other half: `parent.rs`, which starts this.
//!
//!     cargo run -p fork-ipc --bin child          # no parent: says so
//!     node fork-ipc/node/parent.js -- target/debug/child --count 2
//!
//! Try this: kill the parent, with `kill -9`, and watch the child end.

use anyhow::{Context, Result, bail};
use clap::Parser;
use common::pace::{Pace, Ticks};
use common::{log, shutdown};
use node_channel::{Channel, Error, Sender};
use tokio_util::sync::CancellationToken;

/// Sends hello to the parent that started it, and prints the answers.
#[derive(Parser)]
struct Args {
    /// What to send
    #[arg(long, value_name = "TEXT", default_value = "hello")]
    message: String,

    #[command(flatten)]
    pace: Pace,
}

/// Public, as the parent also starts this in its own program.
#[tokio::main(flavor = "current_thread")]
// An error becomes one line on stderr, and status 1.
pub async fn main() -> common::Result {
    // In front of our arguments stands what is not for us: `child` from our
    // own parent, a script and flags of Node's from fork(). This skips it.
    let args = node_channel::parse_arguments(Args::try_parse_from)
        .unwrap_or_else(|mistake| mistake.exit());
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Take the channel: the socket whose number is in NODE_CHANNEL_FD.
    //    This removes the variable, so that no program that we start looks
    //    for a channel. Do it before anything starts a thread: to remove a
    //    variable while another thread reads the environment is undefined
    //    behaviour. (This runtime has one thread, and the flavor says so.)
    let mut channel = node_channel::child::channel()?;

    // 2. Send and receive at the same time. If both sides only sent, all
    //    buffers would fill up and each would wait for the other: a deadlock.
    let sender = channel.sender();
    let ticks = args.pace.ticks(stop.clone());
    let count = args.pace.count().unwrap_or(u64::MAX);
    tokio::try_join!(
        send(sender, &args.message, ticks),
        receive(&mut channel, count, &stop),
    )?;

    // 3. Disconnect, after all that we sent has been delivered. The parent
    //    learns of it at once. After Ctrl-C, it may have disconnected first:
    //    that is no error.
    let disconnected = channel.disconnect().await;
    if !stop.is_cancelled() {
        disconnected.context("disconnect")?;
    }
    Ok(())
}

/// 4. Sends the message at each tick, until the last one or Ctrl-C.
async fn send(sender: Sender, message: &str, mut ticks: Ticks) -> Result<()> {
    while ticks.next().await {
        // Back-pressure: this waits while the parent does not read.
        match sender.send(message).await {
            Ok(()) => {}
            // The parent has disconnected: receive() reports it.
            Err(Error::Closed) => return Ok(()),
            Err(error) => bail!("send: {error}"),
        }
    }
    Ok(())
}

/// 5. Receives until all is answered, or Ctrl-C. A message is any JSON value,
///    and arrives whole, also when its bytes came in pieces.
async fn receive(
    channel: &mut Channel,
    count: u64,
    stop: &CancellationToken,
) -> Result<()> {
    let mut received = 0;
    while received < count {
        let message = tokio::select! {
            biased; // Ctrl-C also makes the parent disconnect: no error then
            () = stop.cancelled() => return Ok(()),
            message = channel.recv() => message,
        };
        match message {
            None => bail!("the parent has disconnected"),
            // Not JSON: this message is lost, and the next one arrives.
            Some(Err(error)) => {
                log::error(format_args!("message from parent: {error}"));
            }
            Some(Ok(message)) => {
                let text = message.to_string();
                let text = log::shown(&text);
                log::line(format_args!("message from parent: {text}"));
                received += 1;
            }
        }
    }
    Ok(())
}
