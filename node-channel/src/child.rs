//! The child's role: the channel that the parent left in the environment.
//!
//! A parent puts the number of a descriptor into `NODE_CHANNEL_FD` and, if it
//! wants, `json` or `advanced` into `NODE_CHANNEL_SERIALIZATION_MODE`. Both
//! must go from the environment before this process starts others: they
//! would inherit the names, but not the descriptor. (A Node process that
//! finds the name without the descriptor aborts.) On Windows the number is that
//! of a handle in a list that the parent hands over.

use std::env;
use std::fmt;
use std::io;

use crate::frames::{self, Reader, Socket, Writer};
use crate::{Channel, Error, Options, Serialization, error};

/// The descriptor's number.
pub(crate) const FD: &str = "NODE_CHANNEL_FD";

/// `json` or `advanced`.
pub(crate) const MODE: &str = "NODE_CHANNEL_SERIALIZATION_MODE";

/// A worker's number, where the parent is the primary of a cluster.
const ID: &str = "NODE_UNIQUE_ID";

/// Why there is no channel.
///
/// `Debug` is for people, too: it is what a `main` that returns an error
/// prints.
#[non_exhaustive]
pub enum ChildError {
    /// This process was not started with one.
    NotStartedWithOne,
    /// This process has other threads, which might be reading the
    /// environment just now.
    TooLate,
    /// A variable is not what it should be.
    Variable {
        /// Its name.
        name: &'static str,
        /// What it was.
        value: String,
    },
    /// The number is not that of an open descriptor: the name was inherited
    /// from a process that had one.
    Stale(i32),
    /// The descriptor is no connected Unix stream socket; on Windows, no pipe.
    NotASocket(i32),
    /// There is a channel, but the parent is not the primary of a cluster.
    NotAWorker,
    /// A system call failed.
    Io(io::Error),
}

impl fmt::Display for ChildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStartedWithOne => {
                write!(f, "not started with a channel: {FD} is not set")
            }
            Self::TooLate => f.write_str(
                "take the channel before the first thread is started: \
                 call child::channel() in the first line of a main with \
                 #[tokio::main(flavor = \"current_thread\")], or \
                 Inherited::take() before the runtime is built",
            ),
            Self::Variable { name, value } => {
                write!(f, "{name} cannot be '{}'", value.escape_debug())
            }
            Self::Stale(number) => write!(
                f,
                "{FD} is {number}, but no such descriptor is open: \
                 the name was left over by another process"
            ),
            Self::NotASocket(number) => write!(
                f,
                "{FD} is {number}, but that is no {}",
                match cfg!(windows) {
                    true => "named pipe",
                    false => "connected Unix stream socket",
                }
            ),
            Self::NotAWorker => {
                write!(f, "not a worker of a cluster: {ID} is not set")
            }
            Self::Io(error) => error::system(f, error),
        }
    }
}

impl fmt::Debug for ChildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#}")
    }
}

impl std::error::Error for ChildError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

/// This process's channel to its parent. Once, before the first thread, and
/// within a tokio runtime: the first line of a `main` with
/// `#[tokio::main(flavor = "current_thread")]`. With the other flavor, call
/// [`Inherited::take`] before the runtime is built.
///
/// # Errors
/// When there is none, or it is not what it should be.
pub fn channel() -> Result<Channel, ChildError> {
    Inherited::take()?.open()
}

/// A channel that this process has from its parent, not yet in use.
#[derive(Debug)]
pub struct Inherited {
    socket: Socket,
    /// What the parent asked for. The limit may be changed.
    pub options: Options,
    /// This process's number among the workers, where the parent is the
    /// primary of a Node cluster.
    pub worker: Option<u32>,
}

impl Inherited {
    /// Takes the channel out of the environment: removes the variables, and
    /// sees to it that no process started from here inherits the socket.
    ///
    /// Call it before this process opens anything: with a name left over by
    /// another process, a Unix socket of your own could have the number.
    ///
    /// # Errors
    /// When there is none, when it is not what it should be, and when this
    /// process has started a thread before.
    pub fn take() -> Result<Self, ChildError> {
        started_with_one()?;
        if !is_only_thread().map_err(ChildError::Io)? {
            return Err(ChildError::TooLate);
        }
        // SAFETY: this thread is the only one.
        unsafe { Self::take_unchecked() }
    }

    /// As [`Self::take`], where nobody can tell how many threads there are.
    ///
    /// # Safety
    /// No other thread may read or write the environment meanwhile, and
    /// nobody else may own the descriptor that it names. At the beginning of
    /// `main` both hold.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub unsafe fn take_unchecked() -> Result<Self, ChildError> {
        let [number, mode, id] = [FD, MODE, ID].map(|name| {
            let value = env::var_os(name).unwrap_or_default();
            // SAFETY: no other thread uses the environment, says the caller.
            unsafe { env::remove_var(name) };
            value.to_string_lossy().into_owned()
        });
        if number.is_empty() {
            return Err(ChildError::NotStartedWithOne);
        }
        let variable = |name, value| ChildError::Variable { name, value };
        let serialization = match &*mode {
            "" | "json" => Serialization::Json,
            "advanced" => Serialization::Advanced,
            _ => return Err(variable(MODE, mode)),
        };
        let digits = number.bytes().all(|byte| byte.is_ascii_digit());
        let number: i32 = match number.parse() {
            Ok(parsed) if digits => parsed,
            _ => return Err(variable(FD, number)),
        };
        // SAFETY: nobody else owns it, says the caller.
        let socket = unsafe { inherited(number)? };
        let options = Options::default().serialization(serialization);
        Ok(Self {
            socket,
            options,
            worker: id.parse().ok(),
        })
    }

    /// As [`Self::open`], for who wants the bytes of each message and the
    /// descriptors with them, and nothing interpreted.
    ///
    /// # Errors
    /// When the socket cannot be registered.
    pub fn open_frames(self) -> io::Result<(Reader, Writer)> {
        let Options {
            serialization,
            limit,
        } = self.options;
        frames::open(self.socket, serialization, limit)
    }

    /// Begins to use it. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the socket cannot be registered.
    pub fn open(self) -> Result<Channel, ChildError> {
        Channel::new(self.socket, self.options).map_err(|error| match error {
            Error::Io(error) => ChildError::Io(error),
            other => ChildError::Io(io::Error::other(other)),
        })
    }
}

impl From<Inherited> for Socket {
    /// The socket itself; on Windows, the pipe.
    fn from(inherited: Inherited) -> Self {
        inherited.socket
    }
}

/// This process's number among the workers of a cluster. The channel stays in
/// the environment, where it can still be taken.
#[cfg(feature = "cluster")]
pub(crate) fn worker() -> Result<u32, ChildError> {
    started_with_one()?;
    let Some(id) = env::var_os(ID) else {
        return Err(ChildError::NotAWorker);
    };
    let id = id.to_string_lossy();
    id.parse().map_err(|_| ChildError::Variable {
        name: ID,
        value: id.into_owned(),
    })
}

fn started_with_one() -> Result<(), ChildError> {
    match env::var_os(FD).is_none_or(|value| value.is_empty()) {
        true => Err(ChildError::NotStartedWithOne),
        false => Ok(()),
    }
}

/// Takes the channel that has this number.
///
/// # Safety
/// Nobody else in this process may own it.
#[cfg(unix)]
unsafe fn inherited(number: i32) -> Result<Socket, ChildError> {
    use std::os::fd::{BorrowedFd, FromRawFd};

    // SAFETY: only borrowed, and only to ask whether it is open.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    check(borrowed, number)?;
    // SAFETY: it is open, and ours: the parent left it to us, and nobody else
    // has taken it, says the caller.
    Ok(unsafe { Socket::from_raw_fd(number) })
}

/// Takes the channel that has this number in the list of handles that the
/// parent has put into STARTUPINFO, where Microsoft's C runtime looks, too: how
/// many there are, what each is, and the handles.
///
/// # Safety
/// Nobody else in this process may own it.
#[cfg(windows)]
unsafe fn inherited(number: i32) -> Result<Socket, ChildError> {
    use std::os::windows::io::{AsRawHandle, FromRawHandle};
    use std::{ptr, slice};

    use windows_sys::Win32::Foundation::{
        HANDLE_FLAG_INHERIT, SetHandleInformation,
    };
    use windows_sys::Win32::Storage::FileSystem::{
        FILE_TYPE_PIPE, GetFileType,
    };
    use windows_sys::Win32::System::Threading::{
        GetStartupInfoW, STARTUPINFOW,
    };

    let mut info = STARTUPINFOW::default();
    // SAFETY: the system writes one structure.
    unsafe { GetStartupInfoW(&raw mut info) };
    let block = match info.lpReserved2.is_null() {
        true => &[],
        // SAFETY: the system has as many bytes there, for as long as this
        // process runs.
        false => unsafe {
            slice::from_raw_parts(info.lpReserved2, info.cbReserved2.into())
        },
    };
    let stale = ChildError::Stale(number);
    let Some(handle) = handle_in(block, number as usize) else {
        return Err(stale);
    };
    let handle = ptr::without_provenance_mut(handle);
    // SAFETY: should it not be open, the answer is an error.
    if unsafe { GetFileType(handle) } != FILE_TYPE_PIPE {
        return Err(ChildError::NotASocket(number));
    }
    // SAFETY: it is open, and ours: the parent left it to us, and nobody else
    // has taken it, says the caller.
    let pipe = unsafe { Socket::from_raw_handle(handle) };
    // SAFETY: it is open. Programs that this one starts do not inherit it.
    match unsafe {
        SetHandleInformation(pipe.as_raw_handle(), HANDLE_FLAG_INHERIT, 0)
    } {
        0 => Err(ChildError::Io(io::Error::last_os_error())),
        _ => Ok(pipe),
    }
}

/// The handle of this number in such a list, if it is open.
#[cfg(windows)]
fn handle_in(block: &[u8], number: usize) -> Option<usize> {
    const OPEN: u8 = 1;
    let count = u32::from_ne_bytes(*block.first_chunk()?) as usize;
    let flags = block.get(4..)?.get(..count)?.get(number)?;
    let handles = block.get(4 + count..)?;
    let (handles, _) = handles.as_chunks();
    let handle = usize::from_ne_bytes(*handles.get(number)?);
    (flags & OPEN != 0 && handle != usize::MAX).then_some(handle)
}

/// The descriptor is open and a connected Unix stream socket; from here on,
/// programs that this one starts do not inherit it. Any other is left alone.
#[cfg(unix)]
fn check(
    socket: std::os::fd::BorrowedFd<'_>,
    number: i32,
) -> Result<(), ChildError> {
    use rustix::io::FdFlags;
    use rustix::net::{AddressFamily, SocketType};

    if rustix::io::fcntl_getfd(socket).is_err() {
        return Err(ChildError::Stale(number));
    }
    let stream = rustix::net::sockopt::socket_type(socket)
        .is_ok_and(|kind| kind == SocketType::STREAM);
    let unix = rustix::net::getsockname(socket)
        .is_ok_and(|address| address.address_family() == AddressFamily::UNIX);
    // A listening one has no peer: a service manager may have left it there.
    let connected = rustix::net::getpeername(socket).is_ok();
    if !(stream && unix && connected) {
        return Err(ChildError::NotASocket(number));
    }
    rustix::io::fcntl_setfd(socket, FdFlags::CLOEXEC)
        .map_err(|error| ChildError::Io(error.into()))
}

/// Has no other thread been started in this process?
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_only_thread() -> io::Result<bool> {
    is_only_thread_in("/proc/self/task")
}

/// The folder has an entry for each thread.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_only_thread_in(folder: &str) -> io::Result<bool> {
    let threads = std::fs::read_dir(folder).map_err(|error| {
        let why = format!("count the threads in {folder}: {error}");
        io::Error::new(error.kind(), why)
    })?;
    Ok(threads.count() == 1)
}

/// Has no other thread been started in this process?
#[cfg(target_vendor = "apple")]
fn is_only_thread() -> io::Result<bool> {
    unsafe extern "C" {
        fn pthread_is_threaded_np() -> std::ffi::c_int;
    }
    // SAFETY: it takes nothing, returns a number, and has no conditions;
    // declared as in <pthread.h>.
    Ok(unsafe { pthread_is_threaded_np() == 0 })
}

/// On Windows it does not matter: there the environment may be changed at any
/// time.
#[cfg(windows)]
fn is_only_thread() -> io::Result<bool> {
    Ok(true)
}

/// Nobody can tell: `take_unchecked` is for these.
#[cfg(not(any(
    target_os = "linux",
    target_os = "android",
    target_vendor = "apple",
    windows
)))]
fn is_only_thread() -> io::Result<bool> {
    Ok(false)
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_counted_and_without_proc_the_reason_is_named() {
        // The test's own thread, and the one that runs the tests.
        assert!(!is_only_thread().unwrap());
        let error = is_only_thread_in("/no/proc").unwrap_err().to_string();
        let why = "count the threads in /no/proc: No such file";
        assert!(error.starts_with(why), "{error}");
    }
}
