//! The parent's role: starts a program with a channel to it.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use rustix::io::{Errno, FdFlags};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

use crate::child::{FD, MODE};
pub use crate::forked::Forked;
use crate::frames::{self, Reader, Writer};
use crate::{Channel, Options, Serialization};

/// Starts a program with a channel, as Node's `child_process.fork()` does.
///
/// The program inherits stdin, stdout and stderr unless told otherwise.
#[derive(Debug)]
pub struct Fork {
    command: Command,
    options: Options,
    number: RawFd,
    /// What the child needs to know between fork and exec. The command has a
    /// function that looks there, once it has been started.
    handover: Option<Arc<Handover>>,
}

impl Fork {
    /// Will start `program`: `node`, say, with a script as its argument.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            command: Command::new(program),
            options: Options::default(),
            number: 3,
            handover: None,
        }
    }

    /// Will start this program once more, as Node's `fork()` starts Node.
    ///
    /// # Errors
    /// When the system does not know where this program's file is.
    pub fn this_program() -> io::Result<Self> {
        Ok(Self::new(env::current_exe()?))
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    pub fn args<T: AsRef<OsStr>>(
        mut self,
        arguments: impl IntoIterator<Item = T>,
    ) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets a variable of the program's environment.
    pub fn env(
        mut self,
        name: impl AsRef<OsStr>,
        value: impl AsRef<OsStr>,
    ) -> Self {
        self.command.env(name, value);
        self
    }

    /// Sets the folder that the program starts in.
    pub fn cwd(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Sets where the program's stdin comes from.
    pub fn stdin(mut self, from: impl Into<Stdio>) -> Self {
        self.command.stdin(from);
        self
    }

    /// Sets where the program's stdout goes.
    pub fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.command.stdout(to);
        self
    }

    /// Sets where the program's stderr goes.
    pub fn stderr(mut self, to: impl Into<Stdio>) -> Self {
        self.command.stderr(to);
        self
    }

    /// Sets what messages are made of: Node's option `serialization`.
    pub fn serialization(mut self, serialization: Serialization) -> Self {
        self.options.serialization = serialization;
        self
    }

    /// Sets how many bytes a message from the child may have.
    pub fn limit(mut self, bytes: usize) -> Self {
        self.options.limit = bytes;
        self
    }

    /// Sets the number of the channel's descriptor in the child: 3 unless
    /// said otherwise, as with Node's `fork()`. Whatever the child would
    /// have inherited under that number, it does not.
    pub fn descriptor(mut self, number: u16) -> Self {
        self.number = number.into();
        self
    }

    /// All else that [`tokio::process::Command`] can do.
    pub fn command(&mut self) -> &mut Command {
        &mut self.command
    }

    /// Has each program ended when its [`Forked`] is dropped.
    pub(crate) fn kill_on_drop(&mut self) {
        self.command.kill_on_drop(true);
    }

    /// Starts the program. Must be called within a tokio runtime. Each call
    /// starts another one, with a channel of its own.
    ///
    /// # Errors
    /// When it cannot be started, with the program's name.
    pub fn spawn(&mut self) -> io::Result<Forked> {
        let (socket, process) = self.spawn_with_socket()?;
        let channel = Channel::new(socket, self.options);
        let channel = channel.map_err(io::Error::other)?;
        Ok(Forked { channel, process })
    }

    /// As [`Self::spawn`], for who wants the bytes of each message and the
    /// descriptors with them, and nothing interpreted.
    ///
    /// # Errors
    /// As [`Self::spawn`].
    pub fn spawn_frames(
        &mut self,
    ) -> io::Result<(Reader, Writer, tokio::process::Child)> {
        let (socket, process) = self.spawn_with_socket()?;
        let Options {
            serialization,
            limit,
        } = self.options;
        let (reader, writer) = frames::open(socket, serialization, limit)?;
        Ok((reader, writer, process))
    }

    fn spawn_with_socket(
        &mut self,
    ) -> io::Result<(OwnedFd, tokio::process::Child)> {
        stop_ignoring_children()?;
        let (ours, theirs) = pair()?;

        // Set, not added: a leftover of the same name would win otherwise.
        self.command.env(FD, self.number.to_string());
        self.command.env(
            MODE,
            match self.options.serialization {
                Serialization::Json => "json",
                Serialization::Advanced => "advanced",
            },
        );
        let handover = self.handover();
        handover.socket.store(theirs.as_raw_fd(), Ordering::Relaxed);
        handover.number.store(self.number, Ordering::Relaxed);
        let process = self.start(&theirs, &handover).map_err(|error| {
            let program = self.command.as_std().get_program().display();
            io::Error::new(error.kind(), format!("start {program}: {error}"))
        })?;
        // Here, or its end would never come.
        drop(theirs);
        Ok((ours, process))
    }

    /// Has the child put the socket in its place; once, as the command keeps
    /// the function for its next start.
    fn handover(&mut self) -> Arc<Handover> {
        if let Some(known) = &self.handover {
            return Arc::clone(known);
        }
        let handover = Arc::new(Handover::default());
        self.handover = Some(Arc::clone(&handover));
        let known = Arc::clone(&handover);
        // SAFETY: between fork and exec only async-signal-safe calls are
        // allowed. These are three system calls, without allocation, on a
        // descriptor that stays open until `spawn` has returned.
        unsafe { self.command.pre_exec(move || hand_over(&known)) };
        handover
    }

    fn start(
        &mut self,
        theirs: &OwnedFd,
        handover: &Handover,
    ) -> io::Result<tokio::process::Child> {
        let mut tries = 0;
        loop {
            tries += 1;
            // The number must not be that of std's own pipe to the child,
            // which is opened in a moment. So it is taken: by this, or by
            // something else that is open already.
            let _taken = rustix::io::fcntl_dupfd_cloexec(theirs, self.number)?;
            let busy = Errno::BUSY.raw_os_error();
            match handover.learn(self.number) {
                Ok(()) => match self.command.spawn() {
                    Err(error)
                        if error.raw_os_error() == Some(busy)
                            && tries < MOST_TRIES => {}
                    result => return result,
                },
                // Closed by another thread, a moment ago: free to be taken.
                Err(Errno::BADF) if tries < MOST_TRIES => {}
                Err(error) => Err(error)?,
            }
        }
    }
}

/// SIGCHLD may have been ignored by the program that started this one; that
/// survives exec. The system would then discard a child's exit status, and
/// [`Forked::wait`] would fail with "No child processes". A handler ends that,
/// and stays when the stream of signals is dropped here.
fn stop_ignoring_children() -> io::Result<()> {
    signal(SignalKind::child()).map(drop)
}

/// Two connected sockets that no program started elsewhere inherits.
fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    #[cfg(not(target_vendor = "apple"))]
    let flags = SocketFlags::CLOEXEC;
    #[cfg(target_vendor = "apple")]
    let flags = SocketFlags::empty();
    let (ours, theirs) = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::STREAM,
        flags,
        None,
    )?;
    #[cfg(target_vendor = "apple")]
    for socket in [&ours, &theirs] {
        rustix::io::fcntl_setfd(socket, FdFlags::CLOEXEC)?;
    }
    Ok((ours, theirs))
}

/// How often a start is tried while another thread of this program opens and
/// closes what has the channel's number. Each time it is taken if it is free,
/// and so the second try succeeds nearly always.
const MOST_TRIES: u32 = 100;

/// What the child needs to know between fork and exec.
#[derive(Debug, Default)]
struct Handover {
    /// The channel's socket, and the number that it gets.
    socket: AtomicI32,
    number: AtomicI32,
    /// Which file it is that has this number in the parent: device and inode,
    /// to be compared.
    occupant: [AtomicU64; 2],
}

impl Handover {
    fn learn(&self, number: RawFd) -> rustix::io::Result<()> {
        let found = identity(number)?;
        self.occupant[0].store(found.0, Ordering::Relaxed);
        self.occupant[1].store(found.1, Ordering::Relaxed);
        Ok(())
    }

    fn is_occupant(&self, found: (u64, u64)) -> bool {
        let [device, inode] = &self.occupant;
        let known = (
            device.load(Ordering::Relaxed),
            inode.load(Ordering::Relaxed),
        );
        known == found
    }
}

/// Which file it is that has this number.
fn identity(number: RawFd) -> rustix::io::Result<(u64, u64)> {
    // SAFETY: only borrowed, and only to be asked what it is. Should nothing
    // have the number, the answer is an error.
    let occupant = unsafe { BorrowedFd::borrow_raw(number) };
    let stat = rustix::fs::fstat(occupant)?;
    // Their types differ from system to system.
    Ok((stat.st_dev as u64, stat.st_ino as u64))
}

/// In the child, before it becomes the program: puts the socket where the
/// program looks for it.
fn hand_over(handover: &Handover) -> io::Result<()> {
    let socket = handover.socket.load(Ordering::Relaxed);
    let number = handover.number.load(Ordering::Relaxed);
    // SAFETY: `spawn` keeps it open until the child has become the program.
    let socket = unsafe { BorrowedFd::borrow_raw(socket) };
    if socket.as_raw_fd() == number {
        // dup2 onto itself would leave the flag as it is.
        return Ok(rustix::io::fcntl_setfd(socket, FdFlags::empty())?);
    }
    match identity(number) {
        // std has put the program's stdin, stdout or stderr there, and its
        // pipe is elsewhere: these numbers are taken when a program begins.
        _ if number <= 2 => {}
        Ok(found) if handover.is_occupant(found) => {}
        // Another thread has closed it meanwhile, and nothing is in danger.
        Err(Errno::BADF) => {}
        // Or std's pipe has got the number: stop here, let std say so through
        // that pipe, and try again.
        _ => return Err(Errno::BUSY.into()),
    }
    // SAFETY: whatever has this number in the child, it is to be replaced,
    // and nobody uses it there; forgotten below, it is not closed here.
    let place = unsafe { OwnedFd::from_raw_fd(number) };
    let mut place = ManuallyDrop::new(place);
    Ok(rustix::io::dup2(socket, &mut place)?)
}
