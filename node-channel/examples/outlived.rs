//! A child that starts a program and ends before it does. The program has
//! neither the channel nor its name, so the parent sees the end at once.
//!
//!     cargo build -p node-channel --examples
//!     node fork-ipc/node/parent.js -- target/debug/examples/outlived sleep 5

use std::env;
use std::process::Command;

use anyhow::Context;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    // Takes the names out of the environment and closes the socket to
    // programs started from here: before any is.
    let channel = node_channel::child::channel()?;

    let mut arguments = env::args_os().skip(1);
    let program = arguments.next().context("name a program")?;
    let started = Command::new(program).args(arguments).spawn()?;
    channel.send(&started.id()).await?;
    channel.disconnect().await?;
    Ok(())
}
