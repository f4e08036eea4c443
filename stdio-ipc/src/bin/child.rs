//! The child: reads lines from its stdin and answers each on its stdout.
//!
//! Node twin: `node/child.js`. Other half: `parent.rs`, which starts this.
//!
//!     cargo run -p stdio-ipc --bin parent
//!     cargo run -p stdio-ipc --bin child    # alone: type lines, then Ctrl-D
//!
//! Try this: `seq 3 | cargo run -p stdio-ipc --bin child`.

use std::io::{self, BufRead, Read};

use anyhow::Context;
use clap::Parser;
use common::{log, shutdown};
use tokio::task;

/// Answers each line from its parent.
#[derive(Parser)]
struct Args {
    /// Given when the parent starts its own program in this role
    #[arg(hide = true, value_parser = ["child"])]
    role: Option<String>,
}

/// The longest line that is kept whole, in bytes.
const MAX_LINE: u64 = 1024 * 1024;

/// Public, as the parent also starts this in its own program.
#[tokio::main(flavor = "current_thread")]
// An error becomes one line on stderr, and status 1.
pub async fn main() -> common::Result {
    Args::parse();
    // From here on Ctrl-C does not end us at once: the parent closes stdin,
    // and we read the end. After 1.5 seconds `shutdown` ends the program in
    // any case.
    let _stop = shutdown::token(); // nothing here waits for it

    // 1. Receive lines until the parent closes its end of the pipe. In a
    //    thread of its own: reading stdin blocks the thread, as not every
    //    system lets a program wait for stdin in an event loop.
    task::spawn_blocking(receive).await?.context("read stdin")?;

    // 2. The end. It also comes when the parent was killed, as the system
    //    closes its ends of the pipes: no child is left behind.
    log::line("Parent closed stdin");
    Ok(())
}

/// 3. Receives lines, and answers each.
fn receive() -> io::Result<()> {
    let mut stdin = io::stdin().lock();
    let mut line = Vec::new();
    // Framing: one read may return half a line, or three. read_until()
    // collects a whole one; take() limits it, as a line without an end would
    // fill our memory. A longer one comes in pieces of MAX_LINE.
    loop {
        // `&mut`: else take() would keep the reader.
        let mut limited = (&mut stdin).take(MAX_LINE);
        if limited.read_until(b'\n', &mut line)? == 0 {
            return Ok(()); // the parent has closed it
        }
        let text = String::from_utf8_lossy(&line);
        answer(text.trim_end_matches(['\r', '\n']));
        line.clear();
    }
}

/// 4. Answers one line: stdout is the pipe to the parent, so what log::line()
///    prints is the answer. Back-pressure: while the parent does not read, this
///    waits, and we read nothing more from it.
fn answer(line: &str) {
    let line = log::shown(line);
    // This writes the lines at once and does not buffer them: the parent
    // waits for them.
    log::line(format_args!(
        "Received from parent: {line}\nHello from child"
    ));
}
