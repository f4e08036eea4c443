//! One way to stop, for every program.

use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Error, Result, bail};
use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::log;

/// How long a program may finish what it is answering.
const FINISH_TIMEOUT: Duration = Duration::from_millis(1500);

/// How long another program that we wait for may take to end after Ctrl-C.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// The program's only token: all calls of [`token`] share it.
static TOKEN: OnceLock<CancellationToken> = OnceLock::new();

/// A token that is cancelled on Ctrl-C, on SIGTERM, and when the reader of
/// our stdout has closed it.
///
/// From the first call on, the program ends by itself once the token is
/// cancelled. If it still runs 1.5 seconds later, it exits with status 0. Must
/// be called within a tokio runtime.
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

/// Waits until one second after the token was cancelled: whatever we still wait
/// for then is given up, such as a child that does not end.
pub async fn overdue() {
    token().cancelled().await;
    time::sleep(END_TIMEOUT).await;
}

fn cancel_on_signal(token: CancellationToken) -> io::Result<()> {
    // Take over the signals here and now, not when the task first runs.
    let (mut first, mut second) = signals()?;
    tokio::spawn(async move {
        tokio::select! {
            _ = first.recv() => {}
            _ = second.recv() => {}
            () = token.cancelled() => {}
        }
        token.cancel();
        time::sleep(FINISH_TIMEOUT).await;
        std::process::exit(0);
    });
    Ok(())
}

/// What `answer` comes to. After Ctrl-C, it is awaited for one second more.
///
/// # Errors
/// Those of the answer, and when it has not come by then.
pub async fn answered<T, E: Into<Error>>(
    answer: impl Future<Output = Result<T, E>>,
) -> Result<T> {
    tokio::select! {
        answer = answer => answer.map_err(Into::into),
        () = overdue() => bail!("no answer"),
    }
}

/// As if Ctrl-C had been typed.
pub(crate) fn request() {
    match TOKEN.get() {
        Some(token) => token.cancel(),
        // This program never asked for the token: nothing would end it.
        None => std::process::exit(0),
    }
}

#[cfg(unix)]
use tokio::signal::unix::Signal;

#[cfg(unix)]
fn signals() -> io::Result<(Signal, Signal)> {
    use tokio::signal::unix::{SignalKind, signal};
    // Our own parent may have ignored SIGCHLD, and what is ignored stays so in
    // the next program: the system would discard the exit status of a child,
    // and waiting for it would fail. Any handler ends that.
    let _ = signal(SignalKind::child())?;
    Ok((
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
    ))
}

#[cfg(windows)]
use tokio::signal::windows::{CtrlBreak, CtrlC};

#[cfg(windows)]
fn signals() -> io::Result<(CtrlC, CtrlBreak)> {
    use tokio::signal::windows::{ctrl_break, ctrl_c};
    Ok((ctrl_c()?, ctrl_break()?))
}
