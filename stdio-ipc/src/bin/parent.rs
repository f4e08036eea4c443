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
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};

use anyhow::Context;
use clap::Parser;
use common::{exit::How, lines::Lines, log, pace::Pace, shutdown};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, Command};

/// Starts a child with three pipes and talks to it.
#[derive(Parser)]
#[command(mut_arg("count", |count| count.default_value("1")
    .help("How many messages to send before stdin is closed")))]
struct Args {
    /// What to send, a line each time
    #[arg(long, value_name = "TEXT", default_value = "Hello from parent")]
    message: String,

    /// Send this file instead
    #[arg(long, value_name = "FILE")]
    stdin: Option<PathBuf>,

    #[command(flatten)]
    pace: Pace,

    #[command(flatten)]
    quiet: log::Quiet,

    /// What to start instead of our own child, with its arguments
    #[arg(last = true)]
    program: Vec<OsString>,
}

fn main() -> common::Result<ExitCode> {
    // Our own child is this very program, started again: `cargo run` has
    // built no other. Node's fork() does the same with its own executable.
    if env::args_os().nth(1).is_some_and(|role| role == "child") {
        return child::main();
    }
    parent()
}

#[tokio::main(flavor = "current_thread")]
async fn parent() -> common::Result<ExitCode> {
    let mut args = Args::parse();
    args.quiet.apply();
    let stop = shutdown::token();
    let file = stdio_ipc::open(args.stdin.as_deref()).await?;
    if args.program.is_empty() {
        args.program = vec![env::current_exe()?.into(), "child".into()];
    }

    // 1. Start the child, with a pipe for each of its three streams. Should
    //    we fail on the way, it goes too.
    let program = &args.program[0];
    let mut child = Command::new(program)
        .args(&args.program[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("start {}", program.display()))?;
    let stdin = child.stdin.take().context("no pipe to stdin")?;
    let stdout = child.stdout.take().context("no pipe from stdout")?;
    let stderr = child.stderr.take().context("no pipe from stderr")?;

    // All three at once. A pipe holds 64 KiB: a child that nobody reads
    // waits when it is full, and then reads nothing more from us either.
    // Waiting for the child also clears it away: else a zombie is left.
    let ended = async {
        tokio::try_join!(
            hear(stdout, "Received from child"),
            hear(stderr, "Child stderr"),
            child.wait(),
        )
    };
    let ended = tokio::select! {
        all = ended => Some(all.context("read from the child")?.2),
        // Only an error ends this here; all said, we go on listening.
        Err(error) = say(stdin, &args, file) => Err(error).context("send")?,
        // Ctrl-C closes the child's stdin, and it should end by itself.
        () = shutdown::overdue(&stop) => None,
    };
    let status = match ended {
        Some(status) => status,
        None => {
            child.kill().await?;
            child.wait().await?
        }
    };

    // 4. The child has ended.
    log::line(format_args!("Child process {}", How(status)));
    let is_well = status.success() || stop.is_cancelled();
    Ok(ExitCode::from(u8::from(!is_well)))
}

/// 2. Writes messages, or the file, and closes the child's stdin.
async fn say(
    mut stdin: ChildStdin,
    args: &Args,
    file: Option<File>,
) -> io::Result<()> {
    let line = format!("{}\n", args.message);
    let said = async {
        if let Some(mut file) = file {
            // Waits while the child does not read, with 8 KiB in hand.
            return tokio::io::copy(&mut file, &mut stdin).await.map(drop);
        }
        let mut ticks = args.pace.start();
        while ticks.next().await {
            stdin.write_all(line.as_bytes()).await?;
        }
        stdin.flush().await
    };
    match shutdown::token().run_until_cancelled(said).await {
        // A child may stop listening when it has heard enough, as `head`
        // does. Its exit code says whether that was a failure.
        Some(Err(error)) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
    // Dropped here, stdin is closed: the child reads the end. Without this
    // most programs would wait for more, and we for them.
}

/// 3. Prints each line that comes from one of the child's outputs.
async fn hear(mut from: impl AsyncRead + Unpin, what: &str) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    let mut lines = Lines::default();
    let show = |line: log::Text<'_>| log::line(format_args!("{what}: {line}"));
    loop {
        // One read is not one line: it may hold half of one, or three.
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            lines.finish(show);
            return Ok(());
        }
        lines.feed(&buffer[..length], show);
    }
}
