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
use std::io::{self, ErrorKind};
use std::process::{ExitCode, Stdio};

use anyhow::Context;
use clap::Parser;
use common::{exit::How, lines, log, shutdown};
use stdio_ipc::{Args, Source};
use tokio::io::{AsyncRead, AsyncWriteExt};
use tokio::process::ChildStdin;

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
    let args = Args::parse();
    args.quiet.apply();
    let stop = shutdown::token();
    let source = args.source().await?;

    // 1. Start the child, with a pipe for each of its three streams. Should
    //    we fail on the way, it goes too.
    let mut child = args
        .command()?
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("start {}", args.name()))?;
    let stdin = child.stdin.take().context("no pipe to stdin")?;
    let stdout = child.stdout.take().context("no pipe from stdout")?;
    let stderr = child.stderr.take().context("no pipe from stderr")?;

    // All at once. A pipe holds 64 KiB or so: a child that nobody reads
    // waits when it is full, and then reads nothing more from us either.
    // Waiting for the child also clears it away: else a zombie is left.
    let ended = async {
        tokio::try_join!(
            hear(stdout, "Received from child"),
            hear(stderr, "Child stderr"),
            child.wait(),
        )
    };
    let status = tokio::select! {
        all = ended => all.context("read from the child")?.2,
        // Only an error ends this here; all said, we go on listening.
        Err(error) = say(stdin, source) => Err(error).context("send")?,
        // Ctrl-C closes the child's stdin, and it should end by itself.
        () = shutdown::overdue(&stop) => {
            child.kill().await?;
            child.wait().await?
        }
    };

    // 4. The child has ended, and so have its outputs.
    log::line(format_args!("Child process {}", How(status)));
    let is_well = status.success() || shutdown::is_asked();
    Ok(ExitCode::from(u8::from(!is_well)))
}

/// 2. Writes messages, or the file, and closes the child's stdin.
async fn say(mut stdin: ChildStdin, mut source: Source) -> io::Result<()> {
    while let Some(bytes) = source.next().await? {
        // Waits while the child does not read, with one piece in hand.
        match stdin.write_all(bytes).await {
            // A child may stop listening when it has heard enough, as `head`
            // does. Its exit code says whether that was a failure.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
            written => written?,
        }
    }
    // Dropped here, stdin is closed: the child reads the end. Without this
    // most programs would wait for more, and we for them.
    Ok(())
}

/// 3. Prints each line that comes from one of the child's outputs.
async fn hear(from: impl AsyncRead + Unpin, what: &str) -> io::Result<()> {
    lines::each(from, |line| log::line(format_args!("{what}: {line}"))).await
}
