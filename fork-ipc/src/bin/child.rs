//! Child: says hello to its parent every three seconds, over the channel
//! that it was started with, and prints the answers.
//!
//! Node twin: `node/child.js`. Other half: `parent.rs`, which starts this.
//!
//!     cargo run -p fork-ipc --bin child          # no parent: says so
//!     node fork-ipc/node/parent.js -- target/debug/child --count 2
//!
//! Try this: kill the parent, with `kill -9`, and watch the child end.

use std::cell::Cell;
use std::future::pending;
use std::pin::pin;

use anyhow::{Context, anyhow};
use clap::Parser;
use common::{log, pace::Pace, shutdown};
use fork_ipc::{Error, Sender};

/// Says hello to the parent that started it, and prints the answers.
#[derive(Parser)]
struct Args {
    /// What to send
    #[arg(long, value_name = "TEXT", default_value = "hello")]
    message: String,

    #[command(flatten)]
    pace: Pace,

    #[command(flatten)]
    quiet: log::Quiet,
}

/// The program. Public, as the parent starts it in its own executable.
#[tokio::main(flavor = "current_thread")]
pub async fn main() -> common::Result {
    // Node's fork() believes that it starts a Node, and puts a script and
    // perhaps flags in front of our arguments.
    let args = fork_ipc::parse_arguments(Args::try_parse_from)
        .unwrap_or_else(|mistake| mistake.exit());
    args.quiet.apply();

    // 1. Take the channel. Early: its name must leave the environment before
    //    a thread or another program could see it.
    let mut channel = fork_ipc::child::channel()?;

    // Both directions at once: with all buffers full, two that only send
    // would wait for each other for ever.
    let sent = Cell::new(0);
    let mut say = pin!(say(channel.sender(), &args, &sent));
    let (mut said, mut answered) = (false, 0);
    while !said || answered < sent.get() {
        tokio::select! {
            all = &mut say, if !said => {
                all.context("send")?;
                said = true;
            }
            // 3. Print the answers. A message is whole, whatever pieces it
            //    came in, and any JSON value.
            message = channel.recv() => match message {
                Some(Ok(message)) => {
                    let text = message.text();
                    let text = log::shown(&text);
                    log::line(format_args!("message from parent: {text}"));
                    answered += 1;
                }
                // One message is lost, the next one arrives.
                Some(Err(error @ Error::Malformed { .. })) => {
                    log::error(format_args!("message from parent: {error}"));
                }
                Some(Err(error)) => Err(error).context("receive")?,
                // The parent's end is closed: on purpose or by its death,
                // that looks the same.
                None if shutdown::token().is_cancelled() => return Ok(()),
                None => Err(anyhow!("the parent has disconnected"))?,
            },
        }
    }

    // 4. All is answered: disconnect, and the parent knows that too.
    channel.disconnect().await.context("disconnect")?;
    Ok(())
}

/// 2. Sends, now and at every tick, until that was all or Ctrl-C.
async fn say(
    sender: Sender,
    args: &Args,
    sent: &Cell<u64>,
) -> Result<(), Error> {
    let mut ticks = args.pace.start();
    while ticks.next().await {
        // Waits while the parent does not read.
        match sender.send(&args.message).await {
            // It has gone, and recv() says so.
            Err(Error::Closed) => pending().await,
            sent => sent?,
        }
        sent.update(|messages| messages + 1);
    }
    Ok(())
}
