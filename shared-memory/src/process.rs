//! The parent and the child as processes: how the child is started with the
//! memory, how each of them notices the other's death, and Ctrl-C.

use std::env;
use std::ffi::OsString;
use std::io;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::memory::Memory;
use crate::ring::Peer;

/// The environment variable that tells the child where its memory is.
const DESCRIPTOR: &str = "SHARED_MEMORY_FD";

/// How long a child may take to end after Ctrl-C, before it is killed.
const EXIT_TIMEOUT: Duration = Duration::from_secs(1);

/// How often the parent checks whether the child has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// A flag that Ctrl-C and SIGTERM set. A signal also ends a sleep on a futex,
/// so that a process that waits sees the flag at once.
///
/// # Errors
/// When the signals cannot be handled.
pub fn stop_flag() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// The command that starts the child: `program` with its arguments or, if that
/// is empty, this program again in the child's role.
///
/// # Errors
/// When the path of this program is unknown.
pub fn child_command(program: &[OsString]) -> io::Result<Command> {
    let mut command;
    if let Some((name, arguments)) = program.split_first() {
        command = Command::new(name);
        command.args(arguments);
    } else {
        command = Command::new(env::current_exe()?);
        command.arg("child");
    }
    Ok(command)
}

/// Whether the parent started this program in the child's role.
pub fn is_child() -> bool {
    env::args_os().nth(1).is_some_and(|role| role == "child")
}

/// The child, as the parent sees it. Dropping it kills a child that still
/// runs, so that none is left behind as an orphan.
#[derive(Debug)]
pub struct Child {
    process: std::process::Child,
    stop: Arc<AtomicBool>,
}

impl Child {
    /// Starts the child: `program` with its arguments or, if that is empty,
    /// this program again in the child's role.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn start(
        program: &[OsString],
        memory: &Memory,
        stop: &Arc<AtomicBool>,
    ) -> io::Result<Self> {
        Self::start_command(child_command(program)?, memory, stop)
    }

    /// Starts the child. It inherits the file descriptor of the memory, whose
    /// number it finds in `SHARED_MEMORY_FD`.
    ///
    /// Its stdin is a pipe that the parent never writes to: when the parent
    /// dies, the system closes it, and the child notices.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn start_command(
        mut command: Command,
        memory: &Memory,
        stop: &Arc<AtomicBool>,
    ) -> io::Result<Self> {
        command.stdin(Stdio::piped());
        inherit(memory, &mut command);
        keep_exit_status()?;
        let process = command.spawn()?;
        let stop = Arc::clone(stop);
        Ok(Self { process, stop })
    }

    /// Waits until the child has ended. After Ctrl-C it is killed if it has not
    /// ended one second later.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        let mut since = None;
        loop {
            if let Some(status) = self.process.try_wait()? {
                return Ok(status);
            }
            if self.should_stop() {
                let since = *since.get_or_insert_with(Instant::now);
                if since.elapsed() > EXIT_TIMEOUT {
                    self.process.kill()?;
                    return self.process.wait();
                }
            }
            thread::sleep(POLL_INTERVAL);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Nothing happens to a child that has been waited for.
        let _ = self.process.kill();
    }
}

impl Peer for Child {
    /// Only looks: the exit status stays for `wait` to fetch, and with it the
    /// process id, so that no other process can have got the same one.
    #[cfg(unix)]
    fn is_dead(&self) -> bool {
        use rustix::io::Errno;
        use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
        let Some(pid) = Pid::from_raw(self.process.id().cast_signed()) else {
            return true;
        };
        let only_look = WaitIdOptions::EXITED
            | WaitIdOptions::NOHANG
            | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(pid), only_look) {
            Ok(exited) => exited.is_some(),
            Err(error) => error != Errno::INTR,
        }
    }

    #[cfg(not(unix))]
    fn is_dead(&self) -> bool {
        false
    }

    fn should_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// The parent, as the child sees it.
#[derive(Debug)]
pub struct Parent {
    stop: Arc<AtomicBool>,
}

impl Parent {
    /// The process that started this one.
    pub fn new(stop: Arc<AtomicBool>) -> Self {
        Self { stop }
    }

    /// The memory that the parent made; `None` if nobody started this program
    /// with one.
    ///
    /// # Errors
    /// As [`Memory::inherited`].
    pub fn memory(&self) -> io::Result<Option<Memory>> {
        match env::var(DESCRIPTOR) {
            Ok(number) => Memory::inherited(&number).map(Some),
            Err(_) => Ok(None),
        }
    }
}

impl Peer for Parent {
    /// Whether stdin has ended.
    #[cfg(unix)]
    fn is_dead(&self) -> bool {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let stdin = io::stdin();
        let mut descriptors = [PollFd::new(&stdin, PollFlags::IN)];
        let do_not_wait = Timespec::default();
        poll(&mut descriptors, Some(&do_not_wait)).is_ok()
            && descriptors[0].revents().contains(PollFlags::HUP)
    }

    #[cfg(not(unix))]
    fn is_dead(&self) -> bool {
        false
    }

    fn should_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// The program that started this one may have ignored SIGCHLD, and an ignored
/// signal stays ignored in the next program: the system would forget how our
/// child ended, and waiting for it would fail. A handler undoes that.
#[cfg(unix)]
fn keep_exit_status() -> io::Result<()> {
    flag::register(signal_hook::consts::SIGCHLD, Arc::default())?;
    Ok(())
}

#[cfg(not(unix))]
fn keep_exit_status() -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn inherit(memory: &Memory, command: &mut Command) {
    use std::os::fd::{AsRawFd, BorrowedFd};
    use std::os::unix::process::CommandExt;

    use rustix::io::{FdFlags, fcntl_setfd};

    let number = memory.file().as_raw_fd();
    command.env(DESCRIPTOR, number.to_string());
    // Descriptors are closed when another program is started ("close on
    // exec"). Unset this in the child, and not in the parent, which may start
    // other programs as well.
    let keep_open = move || {
        // SAFETY: `number` is open: the child is a copy of a process in
        // which `memory`, borrowed until after spawn(), has it open.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        Ok(fcntl_setfd(descriptor, FdFlags::empty())?)
    };
    // SAFETY: between fork and exec only async-signal-safe calls are allowed:
    // no locks, no allocation. This is one system call.
    unsafe { command.pre_exec(keep_open) };
}

/// Never reached: there, no memory can be made.
#[cfg(not(unix))]
fn inherit(memory: &Memory, _: &mut Command) {
    let _ = (memory.file(), DESCRIPTOR);
}
