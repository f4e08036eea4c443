//! Parent: starts a child with a channel to it, prints what it sends, and
//! answers each message.
//!
//! Node twin: `node/parent.js`. Other half: `child.rs`, started from here.
//!
//!     cargo run -p fork-ipc --bin parent
//!     cargo run -p fork-ipc --bin parent -- -- node fork-ipc/node/child.js
//!
//! Try this: in a second terminal, `pkill -n parent` ends only the child.

use std::env;
use std::ffi::OsString;
use std::process::ExitStatus;

use anyhow::{Result, bail};
use clap::Parser;
use common::pace::Pace;
use common::{log, shutdown};
use node_channel::{Fork, Forked, describe};

/// The other half. The parent starts its own program again as the child, so it
/// contains the child's code as well.
mod child;

/// Starts a child, prints what it sends, and answers each message.
#[derive(Parser)]
struct Args {
    /// What to answer
    #[arg(long, value_name = "TEXT", default_value = "hi")]
    message: String,

    /// For its own child
    #[command(flatten)]
    pace: Pace,

    /// The program to start instead of its own child, and its arguments
    #[arg(last = true)]
    program: Vec<OsString>,
}

// An error becomes one line on stderr, and status 1.
fn main() -> common::Result {
    // Node's fork() starts Node again, with another script. This program
    // starts itself again, with another first argument.
    if env::args_os().nth(1).is_some_and(|role| role == "child") {
        return child::main(); // #[tokio::main] makes it an ordinary function
    }
    Ok(parent()?)
}

#[tokio::main(flavor = "current_thread")]
async fn parent() -> Result<()> {
    let args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Start the child.
    let mut child = start(&args)?;

    // 2. Receive and answer, until the child has closed its end of the
    //    channel, on purpose or by its death, or until Ctrl-C.
    let answering = answer(&mut child, &args.message);
    stop.run_until_cancelled(answering).await;
    log::line("child disconnected");

    // 3. Disconnect as well, and wait for the child's end. The end of the
    //    channel is not yet the end of the process.
    let status = end(child).await?;
    let reason = describe(status); // "exited with code 0"
    log::line(format_args!("child {reason}"));
    if !status.success() && !stop.is_cancelled() {
        bail!("the child {reason}");
    }
    Ok(())
}

/// 4. Starts the named program, or our own child. It inherits our stdin,
///    stdout and stderr, and one of two connected Unix sockets as descriptor 3.
///    `NODE_CHANNEL_FD=3` in its environment tells it where.
fn start(args: &Args) -> Result<Forked> {
    let mut fork = match args.program.split_first() {
        Some((program, arguments)) => Fork::new(program).args(arguments),
        None => Fork::this_program()?.arg("child").args(args.pace.flags()),
    };
    Ok(fork.spawn()?) // `?` also turns the error into anyhow's
}

/// 5. Receives and answers. Each message is one line of JSON.
async fn answer(child: &mut Forked, message: &str) {
    // None: the child has disconnected.
    while let Some(received) = child.channel.recv().await {
        let text = match received {
            Ok(received) => received.to_string(),
            // Not JSON: this message is lost, and the next one arrives. One
            // that is too long ends the channel.
            Err(error) => {
                log::error(format_args!("message from child: {error}"));
                continue;
            }
        };
        log::line(format_args!("message from child: {}", log::shown(text)));
        // Back-pressure: this waits while the child does not read. An error
        // means that the child has disconnected: then the loop ends.
        let _ = child.channel.send(message).await;
    }
}

/// 6. Disconnects, and waits for the child's end. A child that still runs a
///    second after Ctrl-C is killed.
async fn end(mut child: Forked) -> Result<ExitStatus> {
    tokio::select! {
        // Closes our end of the channel, and waits for the child's exit.
        status = child.end() => Ok(status?),
        () = shutdown::overdue() => {
            child.process.kill().await?;
            Ok(child.process.wait().await?)
        }
    }
}
