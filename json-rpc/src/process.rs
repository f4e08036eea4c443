//! Starts the child, and waits for its end. The lesson stdio-ipc is about this.

use std::env;
use std::ffi::OsString;
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use common::shutdown;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio_util::sync::CancellationToken;

use crate::framing::Framing;

/// Whether the parent started this program in the child's role.
pub fn is_child() -> bool {
    env::args_os().nth(1).is_some_and(|role| role == "child")
}

/// Starts the program that was named or, if none was, this program again with
/// the argument `child`, and the framing. (`cargo run --bin parent` does not
/// build the program `child`.)
///
/// # Errors
/// When there is no such program.
pub fn start(
    program: &[OsString],
    framing: Framing,
) -> Result<(Child, ChildStdin, ChildStdout)> {
    let own = [
        env::current_exe()?.into_os_string(),
        "child".into(),
        "--framing".into(),
        framing.name().into(),
    ];
    let words = if program.is_empty() { &own } else { program };
    let mut child = Command::new(&words[0])
        .args(&words[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true) // should we fail, it is not left behind
        .spawn()
        .with_context(|| format!("start {}", words[0].display()))?;
    let stdin = child.stdin.take().context("no pipe to stdin")?;
    let stdout = child.stdout.take().context("no pipe from stdout")?;
    Ok((child, stdin, stdout))
}

/// Waits for the child's end: it would remain as a zombie. A second after
/// Ctrl-C the child is killed.
///
/// # Errors
/// When the child has failed.
pub async fn wait(mut child: Child, stop: &CancellationToken) -> Result<()> {
    tokio::select! {
        status = child.wait() => {
            let status = status?;
            if !status.success() && !stop.is_cancelled() {
                bail!("the child has failed: {status}");
            }
        }
        () = shutdown::overdue() => child.kill().await?,
    }
    Ok(())
}
