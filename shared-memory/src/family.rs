//! A parent, the child that it starts with its memory, and how each of the
//! two hears of the other's death, or that it is to stop itself.

use std::env;
use std::ffi::OsString;
use std::io;
use std::process::{Child, Command, Stdio};
#[cfg(unix)]
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use common::{exit::How, log, shutdown};

use crate::memory::Memory;
use crate::ring::{self, Watch};

/// The environment variable that tells the child where its memory is.
const DESCRIPTOR: &str = "SHARED_MEMORY_FD";

/// Starts the child, and leaves the memory open for it: `program` with its
/// arguments or, where that is empty, this program itself in the child's
/// role. So the child is never older than the parent, as it might be if it
/// were a file of its own.
///
/// Its stdin is a pipe into which nothing is ever written: when the parent
/// is dead, however it died, the system closes it, and the child can see it.
///
/// # Errors
/// Whatever the system says.
pub fn start(
    memory: &Memory,
    program: &[OsString],
    quiet: log::Quiet,
) -> io::Result<Child> {
    let mut command = match program.split_first() {
        Some((name, arguments)) => {
            let mut command = Command::new(name);
            command.args(arguments);
            command
        }
        None => {
            let mut command = Command::new(env::current_exe()?);
            command.arg("child");
            command.args(quiet.flag());
            command
        }
    };
    command.stdin(Stdio::piped());
    leave_open(memory, &mut command);
    #[cfg(unix)]
    keep_the_status_of_children()?;
    command.spawn()
}

/// Whoever started us may have ignored SIGCHLD, and what is ignored stays so
/// in the next program: the system would forget how our child ended, and
/// waiting for it would fail. A handler, even one that does nothing, undoes it.
#[cfg(unix)]
fn keep_the_status_of_children() -> io::Result<()> {
    use signal_hook::{consts::SIGCHLD, flag};
    flag::register(SIGCHLD, Arc::default()).map(drop)
}

/// Whether the parent started this program in the child's role.
pub fn is_child() -> bool {
    env::args_os().nth(1).is_some_and(|role| role == "child")
}

#[cfg(unix)]
fn leave_open(memory: &Memory, command: &mut Command) {
    use std::os::fd::{AsRawFd, BorrowedFd};
    use std::os::unix::process::CommandExt;

    use rustix::io::{FdFlags, fcntl_setfd};

    let number = memory.file().as_raw_fd();
    command.env(DESCRIPTOR, number.to_string());
    // Descriptors are closed when another program is started, and so is this
    // one, but in the child: there the mark is taken off. In the parent it
    // stays, for any other program that it may start meanwhile.
    let keep = move || {
        // SAFETY: `number` is open: the child is a copy of a process in
        // which `memory`, borrowed until after spawn(), has it open.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        Ok(fcntl_setfd(descriptor, FdFlags::empty())?)
    };
    // SAFETY: between fork and exec only what is safe in a signal handler is
    // allowed: no locks, no allocation. This is one system call.
    unsafe { command.pre_exec(keep) };
}

/// Never reached: there, no memory can be made.
#[cfg(not(unix))]
fn leave_open(memory: &Memory, _: &mut Command) {
    let _ = (memory.file(), DESCRIPTOR);
}

/// The memory that our parent made; `None` when nobody started us with one.
///
/// # Errors
/// As [`Memory::inherited`].
pub fn inherited() -> io::Result<Option<Memory>> {
    match env::var(DESCRIPTOR) {
        Ok(number) => Memory::inherited(&number).map(Some),
        Err(_) => Ok(None),
    }
}

/// Whom we wait for, until it ends or we are to stop.
#[derive(Clone, Copy, Debug)]
pub enum Kin {
    /// The process that started us; its end is that of our stdin.
    Parent,
    /// The process that we started, by its id; nobody has waited for it yet.
    Child(u32),
}

impl Watch for Kin {
    fn is_stopped(&self) -> bool {
        shutdown::is_asked()
    }

    #[cfg(unix)]
    fn peer_is_gone(&self) -> bool {
        match *self {
            Self::Parent => stdin_has_ended(),
            Self::Child(id) => has_exited(id),
        }
    }

    #[cfg(not(unix))]
    fn peer_is_gone(&self) -> bool {
        false
    }
}

#[cfg(unix)]
fn stdin_has_ended() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdin = io::stdin();
    let mut asked = [PollFd::new(&stdin, PollFlags::IN)];
    let at_once = Timespec::default();
    poll(&mut asked, Some(&at_once)).is_ok()
        && asked[0].revents().contains(PollFlags::HUP)
}

/// Only looks: the status stays for `wait()` to fetch, and the id with it, so
/// that no other process can have got the same one meanwhile.
#[cfg(unix)]
fn has_exited(id: u32) -> bool {
    use rustix::io::Errno;
    use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
    let Some(pid) = Pid::from_raw(id.cast_signed()) else {
        return true;
    };
    let look =
        WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    match waitid(WaitId::Pid(pid), look) {
        Ok(exited) => exited.is_some(),
        Err(error) => error != Errno::INTR,
    }
}

/// Whether that is why it failed.
pub fn is<T>(outcome: &anyhow::Result<T>, error: ring::Error) -> bool {
    let why = outcome.as_ref().err().and_then(anyhow::Error::downcast_ref);
    why == Some(&error)
}

/// Waits for the child's end and says how it was; true when it was a good
/// one. Once we are to stop, the child has a second left and is then killed:
/// it must not outlive us. One that broke the rules is killed at once.
///
/// # Errors
/// Whatever the system says.
pub fn farewell(mut child: Child, kill: bool) -> io::Result<bool> {
    let mut deadline = kill.then(Instant::now);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if deadline.is_none() && shutdown::is_asked() {
            deadline = Some(Instant::now() + LAST_SECOND);
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            child.kill()?;
            break child.wait()?;
        }
        thread::sleep(LOOK_AGAIN);
    };
    log::line(format_args!("Child {}", How(status)));
    Ok(status.success())
}

/// How long a child may take to end once we are to stop.
const LAST_SECOND: Duration = Duration::from_secs(1);

/// How often we look whether it has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
