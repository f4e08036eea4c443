//! One way to stop, for every program.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// Set by the signal itself, before any task has heard of it.
static ASKED: AtomicBool = AtomicBool::new(false);

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
    #[cfg(unix)]
    set_alarm(2)?;
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

/// So many seconds after Ctrl-C or SIGTERM the program ends, also where it can
/// hear of nothing, as nobody reads the pipe that it writes a line to.
///
/// Not by a thread: where a program has two, each use of a descriptor costs
/// more, together a tenth of an echo over UDP.
#[cfg(unix)]
fn set_alarm(seconds: u32) -> io::Result<()> {
    use std::sync::Arc;

    use signal_hook::consts::{SIGALRM, SIGINT, SIGTERM};
    use signal_hook::{flag, low_level};

    let always = Arc::new(AtomicBool::new(true));
    flag::register_conditional_shutdown(SIGALRM, 0, always)?;
    for signal in [SIGINT, SIGTERM] {
        // SAFETY: alarm() is on POSIX's list of what a signal handler may
        // call, and so is an atomic store.
        unsafe { low_level::register(signal, move || ask(seconds)) }?;
    }
    Ok(())
}

/// What a signal does. Once: who types Ctrl-C again wants the end no later.
#[cfg(unix)]
fn ask(seconds: u32) {
    if !ASKED.swap(true, Ordering::Relaxed) {
        // SAFETY: it has no other effect than a signal later on.
        unsafe { libc::alarm(seconds) };
    }
}

/// Whether the program is to end.
///
/// A Ctrl-C goes to all programs of a terminal at the same time, and the token
/// is cancelled by a task: who has just seen another program end of it asks
/// here, as its own task may not have had its turn.
pub fn is_asked() -> bool {
    ASKED.load(Ordering::Relaxed)
        || TOKEN.get().is_some_and(CancellationToken::is_cancelled)
}

/// As if Ctrl-C had been typed.
pub(crate) fn request() {
    match TOKEN.get() {
        Some(token) => {
            #[cfg(unix)]
            ask(2);
            token.cancel();
        }
        // This program never asked for the token: nothing would end it.
        None => std::process::exit(0),
    }
}

/// For a program that blocks, and so can wait for no token: after Ctrl-C or
/// SIGTERM it has a second left, and then ends with status 0.
///
/// # Errors
/// When the signals cannot be listened for.
#[cfg(unix)]
pub fn end_a_blocking_program() -> io::Result<()> {
    set_alarm(1)
}

/// The same where there is no alarm clock: by a thread.
#[cfg(windows)]
pub fn end_a_blocking_program() -> io::Result<()> {
    use std::thread;

    use tokio::runtime;

    let runtime = runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut first, mut second) = {
        let _inside = runtime.enter();
        signals()?
    };
    thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = first.recv() => {}
                _ = second.recv() => {}
            }
        });
        thread::sleep(PATIENCE);
        std::process::exit(0);
    });
    Ok(())
}

/// For a program that blocks, and asks [`is_asked`] while it waits: it decides
/// itself how it ends, on Ctrl-C, on SIGTERM, and when nobody reads stdout any
/// more. It has two seconds for it.
///
/// It needs no thread for that: with one, that one might hear of Ctrl-C first,
/// and the other one see before it does that the program at the other end has
/// ended of it.
///
/// # Errors
/// When the signals cannot be listened for.
pub fn listen_in_a_blocking_program() -> io::Result<()> {
    #[cfg(unix)]
    set_alarm(2)?;
    #[cfg(windows)]
    end_a_blocking_program()?;
    // Only to be cancelled when nobody reads any more: nobody waits for it.
    TOKEN.get_or_init(CancellationToken::new);
    Ok(())
}

/// Completes a second after `token` was cancelled: a child that should have
/// ended by itself by now, has to be ended. There is just time for it.
pub async fn overdue(token: &CancellationToken) {
    token.cancelled().await;
    time::sleep(PATIENCE).await;
}

/// What `attempt` comes to, unless Ctrl-C comes first: then the program ends
/// here, with status 0. For one that has nothing to tidy up yet. Must be called
/// within a tokio runtime.
pub async fn or_exit<T>(attempt: impl Future<Output = T>) -> T {
    match token().run_until_cancelled(attempt).await {
        Some(outcome) => outcome,
        None => std::process::exit(0),
    }
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
