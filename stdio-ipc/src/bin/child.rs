//! The child: reads lines from its stdin and answers each on its stdout.
//!
//! Node twin: `node/child.js`. Other half: `parent.rs`, which starts this.
//!
//!     cargo run -p stdio-ipc --bin parent
//!     cargo run -p stdio-ipc --bin child    # alone: type lines, then Ctrl-D
//!
//! Try this: `seq 3 | cargo run -p stdio-ipc --bin child`.

use std::io::{self, Read};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use common::{lines::Lines, log, shutdown};

/// Answers each line from its parent.
#[derive(Parser)]
struct Args {
    /// What a parent says that starts itself again
    #[arg(hide = true, value_parser = ["child"])]
    role: Option<String>,

    #[command(flatten)]
    quiet: log::Quiet,
}

/// Blocks, on purpose: this program does one thing at a time, so it has
/// nothing else to do while it waits. tokio reads stdin and writes stdout on
/// threads of their own, as not every system can wait for a file: most of a
/// message's time would go into handing it from thread to thread.
pub fn main() -> common::Result<ExitCode> {
    Args::parse().quiet.apply();
    shutdown::end_a_blocking_program().context("listen for Ctrl-C")?;

    // 1. Read what comes, until the parent closes its end. One read is not
    //    one line: it may hold half of one, or three.
    let mut stdin = io::stdin().lock();
    let mut buffer = vec![0; 64 * 1024]; // as much as a pipe holds
    let mut lines = Lines::default();
    loop {
        let length = stdin.read(&mut buffer).context("read stdin")?;
        if length == 0 {
            break;
        }
        // While the parent does not read, this waits, and nothing more is
        // taken from stdin: neither side has to keep what is on its way.
        lines.feed(&buffer[..length], answer);
    }

    // 3. The end: also when the parent was killed, so no child is left
    //    behind. A last line need not have a line end.
    lines.finish(answer);
    log::line("Parent closed stdin");
    Ok(ExitCode::SUCCESS)
}

/// 2. Answers one line, with two lines in one write: that wakes the parent
///    once. They leave at once; in a program that collects its output, the
///    parent would wait for them.
fn answer(line: log::Text<'_>) {
    log::line(format_args!(
        "Received from parent: {line}\nHello from child"
    ));
}
