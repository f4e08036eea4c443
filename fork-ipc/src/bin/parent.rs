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
use std::time::Duration;

use anyhow::{Result, anyhow};
use clap::Parser;
use common::pace::Pace;
use common::{log, shutdown};
use fork_ipc::{Child, Fork, describe};
use tokio::time;
use tokio_util::sync::CancellationToken;

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

/// How long a child may take to end after Ctrl-C, before it is killed.
const END_TIMEOUT: Duration = Duration::from_secs(1);

fn main() -> common::Result {
    // As fork() starts Node again with another script, this starts itself
    // again with another role: so the child is never older than the parent.
    if env::args_os().nth(1).is_some_and(|role| role == "child") {
        return child::main();
    }
    parent()
}

#[tokio::main(flavor = "current_thread")]
async fn parent() -> common::Result {
    let args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Start the child.
    let mut child = start(&args)?;

    // 2. Receive and answer, until the child has closed its end of the
    //    channel, on purpose or by its death, or until Ctrl-C.
    answer(&mut child, &args.message, &stop).await;
    log::line("child disconnected");

    // 3. Disconnect as well. Only then is it known how the child ends: the
    //    end of the channel is not yet the end of the process.
    let status = end(child, &stop).await?;
    let reason = describe(status); // "exited with code 0"
    log::line(format_args!("child {reason}"));
    if status.success() || stop.is_cancelled() {
        Ok(())
    } else {
        Err(anyhow!("the child {reason}").into())
    }
}

/// 4. Starts the named program, or our own child. It inherits our stdin,
///    stdout and stderr, and one of two connected Unix sockets as descriptor 3.
///    `NODE_CHANNEL_FD=3` in its environment tells it where.
fn start(args: &Args) -> Result<Child> {
    let fork = if let [program, arguments @ ..] = &args.program[..] {
        Fork::new(program).args(arguments)
    } else {
        Fork::this_program()?.arg("child").args(args.pace.flags())
    };
    Ok(fork.spawn()?)
}

/// 5. Receives and answers. Each message is one line of JSON; Ctrl-C ends the
///    waiting.
async fn answer(child: &mut Child, message: &str, stop: &CancellationToken) {
    let channel = &mut child.channel;
    while let Some(Some(received)) =
        stop.run_until_cancelled(channel.recv()).await
    {
        match received {
            Ok(received) => {
                let text = received.text();
                let text = log::shown(&text);
                log::line(format_args!("message from child: {text}"));
            }
            // No JSON? This message is lost, and the next one arrives. One
            // that is too long ends the channel.
            Err(error) => {
                log::error(format_args!("message from child: {error}"));
                continue;
            }
        }
        // Back-pressure: this waits while the child does not read. If it has
        // disconnected meanwhile, the next recv() says so.
        tokio::select! {
            biased; // what was received is answered, even after Ctrl-C
            _ = channel.send(message) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// 6. Disconnects, and waits for the child's end: after Ctrl-C a second, and
///    then it is killed.
async fn end(mut child: Child, stop: &CancellationToken) -> Result<ExitStatus> {
    Ok(child.end(overdue(stop)).await?)
}

/// Waits for Ctrl-C, and a second longer: the child should have ended by then.
async fn overdue(stop: &CancellationToken) {
    stop.cancelled().await;
    time::sleep(END_TIMEOUT).await;
}
