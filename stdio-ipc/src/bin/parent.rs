//! The parent: starts a child, writes to its stdin and reads what it prints.
//!
//! Node twin: `node/parent.js`. Other half: `child.rs`.
//!
//!     cargo run -p stdio-ipc --bin parent
//!     cargo run -p stdio-ipc --bin parent -- -- cat
//!
//! Try this: `sh -c 'ls no-such-file; kill -9 $$'` in place of `cat`.

mod child;

use std::env;
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use common::pace::{Pace, Ticks};
use common::{log, shutdown};
use stdio_ipc::ExitReason;
use tokio::io::BufReader;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, Command};
use tokio::time;
use tokio_util::sync::CancellationToken;

/// Starts a child with three pipes, and talks to it
#[derive(Parser)]
#[command(mut_arg("count", |count| count.default_value("1")
    .help("How many messages to send before stdin is closed")))]
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

/// How long a child may take to end after Ctrl-C, before it is killed.
const END_TIMEOUT: Duration = Duration::from_secs(1);

fn main() -> common::Result<ExitCode> {
    // Our own child is this very program, started again: `--bin parent` has
    // built no other. Node's fork() also starts its own executable.
    if env::args_os().nth(1).is_some_and(|role| role == "child") {
        return child::main();
    }
    parent()
}

#[tokio::main(flavor = "current_thread")]
async fn parent() -> common::Result<ExitCode> {
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
    //    deadlock. The same happens if we read stdout, and never stderr.
    let ended = async {
        tokio::try_join!(
            receive(stdout, "Received from child"),
            receive(stderr, "Child stderr"),
            child.wait(), // without it, the child would remain as a zombie
        )
    };
    let ticks = args.pace.ticks(stop.clone());
    let status = tokio::select! {
        result = ended => {
            let (_, _, status) = result.context("receive")?;
            status
        }
        // Only an error ends this here; when all is sent, we still receive.
        Err(error) = send(stdin, &args.message, ticks) => {
            return Err(error.into());
        }
        () = overdue(&stop) => {
            child.kill().await?;
            child.wait().await?
        }
    };

    // 3. The child has ended, and so have its outputs.
    log::line(format_args!("Child process {}", ExitReason(status)));
    if status.success() || stop.is_cancelled() {
        Ok(ExitCode::SUCCESS)
    } else {
        Ok(ExitCode::FAILURE)
    }
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
        .kill_on_drop(true) // should we fail, it is not left behind
        .spawn()
        .with_context(|| format!("start {}", words[0].display()))
}

/// 5. Sends the message at each tick, a line each time.
async fn send(
    mut stdin: ChildStdin,
    message: &str,
    mut ticks: Ticks,
) -> Result<()> {
    let line = format!("{message}\n");
    while ticks.next().await {
        // Back-pressure: this waits while the child does not read.
        match stdin.write_all(line.as_bytes()).await {
            // EPIPE: the child reads no more, as `head` when it has enough.
            // Its exit code says whether something is wrong.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            written => written.context("send")?,
        }
    }
    // Dropped here, stdin is closed, and the child reads the end. Without
    // that most programs would wait for more, and we for them.
    Ok(())
}

/// 6. Receives lines from one of the child's outputs, and prints them.
async fn receive(output: impl AsyncRead + Unpin, what: &str) -> io::Result<()> {
    let mut output = BufReader::new(output).take(MAX_LINE);
    let mut line = Vec::new();
    // Framing: one read may return half a line, or three. read_until()
    // collects a whole one; take() limits it, as a line without an end would
    // fill our memory. A longer one comes in pieces of MAX_LINE.
    while output.read_until(b'\n', &mut line).await? > 0 {
        let text = String::from_utf8_lossy(&line);
        let text = log::shown(text.trim_end_matches(['\r', '\n']));
        log::line(format_args!("{what}: {text}"));
        line.clear();
        output.set_limit(MAX_LINE);
    }
    Ok(())
}

/// Waits for Ctrl-C, and a second longer: the child should have ended by then.
async fn overdue(stop: &CancellationToken) {
    stop.cancelled().await;
    time::sleep(END_TIMEOUT).await;
}
