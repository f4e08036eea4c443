//! The parent: starts a child, writes to its stdin and reads what it prints.
//!
//! Node twin: `node/parent.js`. Other half: `child.rs`.
//!
//!     cargo run -p stdio-ipc --bin parent
//!     cargo run -p stdio-ipc --bin parent -- -- cat
//!
//! Try this: `sh -c 'ls no-such-file; kill -9 $$'` in place of `cat`.

use std::env;
use std::ffi::OsString;
use std::io;
use std::process::{self, Stdio};

use anyhow::{Context, Result};
use clap::Parser;
use common::pace::{Pace, Ticks};
use common::{log, shutdown};
use stdio_ipc::ExitReason;
use tokio::io::BufReader;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};

/// The other half. The parent starts its own program again as the child, so it
/// contains the child's code as well.
mod child;

/// Starts a child with three pipes, and talks to it
#[derive(Parser)]
// `--count` is one of the flags in `Pace`; here it has another default.
#[command(mut_arg("count", |count| {
    count
        .default_value("1")
        .help("How many messages to send before stdin is closed")
}))]
struct Args {
    /// What to send, a line each time
    #[arg(long, value_name = "TEXT", default_value = "Hello from parent")]
    message: String,

    #[command(flatten)]
    pace: Pace,

    /// What to start instead of our own child, with its arguments
    #[arg(last = true)]
    program: Vec<OsString>,
}

/// The longest line that is kept whole, in bytes.
const MAX_LINE: u64 = 1024 * 1024;

// An error becomes one line on stderr, and status 1.
fn main() -> common::Result {
    // The child is this program again, with another first argument.
    if env::args_os().nth(1).is_some_and(|role| role == "child") {
        return child::main(); // #[tokio::main] makes it an ordinary function
    }
    parent()
}

#[tokio::main(flavor = "current_thread")]
async fn parent() -> common::Result {
    let args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Start the child, with a pipe for each of its three streams.
    let mut child = start(&args.program)?;
    let stdin = child.stdin.take().context("no pipe to stdin")?;
    let stdout = child.stdout.take().context("no pipe from stdout")?;
    let stderr = child.stderr.take().context("no pipe from stderr")?;

    // 2. Send and receive at the same time. A pipe holds some 64 KiB. If we
    //    wrote everything first, the child's output would fill its pipe, the
    //    child would stop reading, and each would wait for the other: a
    //    deadlock. The same happens if we read stdout, and never stderr. A
    //    child that has not ended a second after Ctrl-C is killed.
    let ticks = args.pace.ticks(stop.clone());
    let sending = tokio::spawn(send(stdin, args.message, ticks));
    let ended = async {
        tokio::try_join!(
            receive(stdout, "Received from child"),
            receive(stderr, "Child stderr"),
            child.wait(), // without it, the child would remain as a zombie
        )
    };
    let status = tokio::select! {
        results = ended => {
            // One result each, in the order above; only wait() has a value.
            let ((), (), status) = results.context("receive")?;
            status
        }
        () = shutdown::overdue() => {
            child.start_kill()?; // sends SIGKILL
            child.wait().await?
        }
    };
    sending.abort(); // the child has ended, perhaps before all was sent

    // 3. Say how the child ended. If it failed, we fail as well.
    log::line(format_args!("Child process {}", ExitReason(status)));
    if !status.success() && !stop.is_cancelled() {
        process::exit(1); // the child has said what is wrong
    }
    Ok(())
}

/// 4. Starts the program that was named, or else our own child.
fn start(program: &[OsString]) -> Result<Child> {
    let own = [env::current_exe()?.into_os_string(), "child".into()];
    let words = if program.is_empty() { &own } else { program };
    Command::new(&words[0])
        .args(&words[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true) // if we fail, it ends as well
        .spawn()
        .with_context(|| format!("start {}", words[0].display()))
}

/// 5. Sends the message at each tick, a line each time.
async fn send(mut stdin: ChildStdin, message: String, mut ticks: Ticks) {
    let line = format!("{message}\n");
    while ticks.next().await {
        // Back-pressure: this waits while the child does not read. An error
        // (EPIPE) means that the child reads no more, as `head` when it has
        // enough. Its exit code says whether something is wrong.
        if stdin.write_all(line.as_bytes()).await.is_err() {
            return;
        }
    }
    // Dropped here, stdin is closed, and the child reads the end of its input.
    // Without that most programs would wait for more, and we for them.
}

/// 6. Receives lines from one of the child's outputs, and prints them.
async fn receive(output: impl AsyncRead + Unpin, what: &str) -> io::Result<()> {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    // Framing: one read may return half a line, or three. read_until()
    // collects a whole one; take() limits it, as a line without an end would
    // fill our memory. A longer one comes in pieces of MAX_LINE.
    loop {
        // `&mut`: else take() would keep the reader.
        let mut limited = (&mut output).take(MAX_LINE);
        if limited.read_until(b'\n', &mut line).await? == 0 {
            return Ok(()); // the child has closed it
        }
        let text = String::from_utf8_lossy(&line);
        let text = log::shown(text.trim_end_matches(['\r', '\n']));
        log::line(format_args!("{what}: {text}"));
        line.clear();
    }
}
