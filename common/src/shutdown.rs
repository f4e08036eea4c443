//! One way to stop, for every program.

use std::io;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use tokio::time;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::log;

/// How long a program waits for what is still being written.
const PATIENCE: Duration = Duration::from_secs(1);

/// When the program ends whatever it is still at: who types Ctrl-C wants it
/// to be gone within two seconds.
const LIMIT: Duration = Duration::from_millis(1500);

/// The program's only token: all calls of [`token`] share it.
static TOKEN: OnceLock<CancellationToken> = OnceLock::new();

/// A token that is cancelled on Ctrl-C, on SIGTERM, and when nobody reads
/// stdout any more.
///
/// From the first call on, the program decides itself how it ends, and has
/// one and a half seconds for it. Must be called within a tokio runtime.
pub fn token() -> CancellationToken {
    TOKEN
        .get_or_init(|| {
            let token = CancellationToken::new();
            if let Err(error) = cancel_on_signal(token.clone()) {
                log::error(format_args!("listen for Ctrl-C: {error}"));
            }
            token
        })
        .clone()
}

fn cancel_on_signal(token: CancellationToken) -> io::Result<()> {
    // Taken over here and now, not when the task first runs.
    let (mut first, mut second) = signals()?;
    exit_after_signal(LIMIT)?;
    tokio::spawn(async move {
        tokio::select! {
            _ = first.recv() => {}
            _ = second.recv() => {}
            () = token.cancelled() => {}
        }
        token.cancel();
        time::sleep(LIMIT).await;
        std::process::exit(0);
    });
    Ok(())
}

/// As if Ctrl-C had been typed.
pub(crate) fn request() {
    match TOKEN.get() {
        Some(token) => token.cancel(),
        // This program never asked for the token: nothing would end it.
        None => std::process::exit(0),
    }
}

/// For a program that blocks, and so can wait for no token: after Ctrl-C or
/// SIGTERM it has a second left, and then ends with status 0.
///
/// # Errors
/// When the signals cannot be listened for.
pub fn end_a_blocking_program() -> io::Result<()> {
    exit_after_signal(PATIENCE)
}

/// Ends the program so long after Ctrl-C or SIGTERM.
///
/// On a thread of its own: the others may all be stuck, as where nobody reads
/// the pipe that stdout is.
#[cfg(unix)]
fn exit_after_signal(limit: Duration) -> io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    // Not with a second runtime: whichever of two reads tokio's own pipe
    // wakes both, and then the program could hear of a signal before it
    // hears of what arrived earlier.
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new().spawn(move || {
        signals.forever().next();
        thread::sleep(limit);
        std::process::exit(0);
    })?;
    Ok(())
}

#[cfg(windows)]
fn exit_after_signal(limit: Duration) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let (mut first, mut second) = {
        let _inside = runtime.enter();
        signals()?
    };
    thread::Builder::new().spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = first.recv() => {}
                _ = second.recv() => {}
            }
        });
        thread::sleep(limit);
        std::process::exit(0);
    })?;
    Ok(())
}

/// Completes a second after `token` was cancelled: a child that should have
/// ended by itself by now, has to be ended. There is just time for it.
pub async fn overdue(token: &CancellationToken) {
    token.cancelled().await;
    time::sleep(PATIENCE).await;
}

/// What `answer` comes to; None when a second after Ctrl-C it is not there.
/// For what a server may never answer: the program's end should say that
/// nobody knows. Must be called within a tokio runtime.
pub async fn unless_overdue<T>(answer: impl Future<Output = T>) -> Option<T> {
    let stop = token();
    tokio::select! {
        answer = answer => Some(answer),
        () = overdue(&stop) => None,
    }
}

/// Waits until every task has ended: each finishes the answer it is at. Those
/// that still wait for a peer after a second end with the program.
pub async fn finish(tasks: TaskTracker) {
    tasks.close();
    let _ = time::timeout(PATIENCE, tasks.wait()).await;
}

#[cfg(unix)]
use tokio::signal::unix::Signal;

#[cfg(unix)]
fn signals() -> io::Result<(Signal, Signal)> {
    use tokio::signal::unix::{SignalKind, signal};
    Ok((
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    ))
}

#[cfg(windows)]
use tokio::runtime::Builder;
#[cfg(windows)]
use tokio::signal::windows::{CtrlBreak, CtrlC};

#[cfg(windows)]
fn signals() -> io::Result<(CtrlC, CtrlBreak)> {
    use tokio::signal::windows::{ctrl_break, ctrl_c};
    Ok((ctrl_c()?, ctrl_break()?))
}
