//! Parent: starts a child with a channel to it, prints what the child says,
//! and answers.
//!
//! Node twin: `node/parent.js`. Other half: `child.rs`, started from here.
//!
//!     cargo run -p fork-ipc --bin parent
//!     cargo run -p fork-ipc --bin parent -- -- node fork-ipc/node/child.js
//!
//! Try this: in a second terminal, `pkill -n parent` ends only the child.

use std::env;
use std::ffi::OsString;

use anyhow::{Context, anyhow};
use clap::Parser;
use common::{log, pace::Pace, shutdown};
use fork_ipc::{Error, Fork, describe};

mod child;

/// Starts a child, prints what it says, and answers each message.
#[derive(Parser)]
struct Args {
    /// What to answer
    #[arg(long, value_name = "TEXT", default_value = "hi")]
    message: String,

    /// For its own child
    #[command(flatten)]
    pace: Pace,

    #[command(flatten)]
    quiet: log::Quiet,

    /// The program to start instead of its own child, and its arguments
    #[arg(last = true)]
    program: Vec<OsString>,
}

fn main() -> common::Result {
    // As fork() starts Node again with another script, this starts itself
    // again with another role: so the child is never older than the parent.
    match env::args_os().nth(1).is_some_and(|word| word == "child") {
        true => child::main(),
        false => parent(),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn parent() -> common::Result {
    let args = Args::parse();
    args.quiet.apply();
    let stop = shutdown::token();

    // 1. Start the child. It has our stdin, stdout and stderr, and one end
    //    of the channel more.
    let fork = match args.program.split_first() {
        Some((program, arguments)) => Fork::new(program).args(arguments),
        None => Fork::this_program()?
            .arg("child")
            .args(args.pace.flags())
            .args(args.quiet.flag()),
    };
    let mut child = fork.spawn()?;

    // 2. Print what it says and answer, until its end of the channel is
    //    closed: on purpose or by its death, that looks the same.
    loop {
        let message = tokio::select! {
            message = child.channel.recv() => message,
            () = stop.cancelled() => break,
        };
        match message {
            Some(Ok(message)) => {
                let text = message.text();
                let shown = log::shown(&text);
                log::line(format_args!("message from child: {shown}"));
                // Waits while the child does not read, or until Ctrl-C. Gone
                // meanwhile? Then the next recv() says so.
                tokio::select! {
                    biased; // what has been heard is answered
                    _ = child.channel.send(&args.message) => {}
                    () = stop.cancelled() => {}
                }
            }
            // One message is lost, the next one arrives.
            Some(Err(error @ Error::Malformed { .. })) => {
                log::error(format_args!("message from child: {error}"));
            }
            Some(Err(error)) => Err(error).context("receive")?,
            None => break,
        }
    }

    // 3. Disconnect as well: a child that waits for more has nothing to wait
    //    for. It may take its time to end, but only a second after Ctrl-C:
    //    then it is killed.
    log::line("child disconnected");
    let status = child.end(shutdown::overdue(&stop)).await?;

    // 4. Only now is it known how the child ended.
    let how = describe(status);
    log::line(format_args!("child {how}"));
    match status.success() || shutdown::is_asked() {
        true => Ok(()),
        false => Err(anyhow!("the child {how}"))?,
    }
}
