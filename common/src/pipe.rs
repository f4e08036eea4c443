//! The pipe of this system: a Unix socket, or a Windows named pipe.
//!
//! Node puts both behind the same calls: `server.listen(path)` and
//! `connect(path)`. This module does so for Rust.

#[cfg(unix)]
pub use unix::{ClientStream, DEFAULT_PATH, Listener, ServerStream, connect};
#[cfg(windows)]
pub use windows::{
    ClientStream, DEFAULT_PATH, Listener, ServerStream, connect,
};

#[cfg(unix)]
mod unix {
    use std::fs::{self, File, Metadata, TryLockError};
    use std::io::{self, ErrorKind};
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    use std::os::unix::net::{
        SocketAddr, UnixDatagram, UnixListener as StdListener,
    };
    use std::path::{Path, PathBuf};
    use std::thread;
    use std::time::Duration;

    use rustix::fs::Mode;
    use rustix::process::umask;
    use tokio::net::{UnixListener, UnixStream};

    /// Where servers listen and clients connect, unless told otherwise.
    pub const DEFAULT_PATH: &str = "/tmp/unix.sock";

    /// The longest path that fits into a `sockaddr_un`, without the final NUL.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const LONGEST_PATH: usize = 107;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const LONGEST_PATH: usize = 103;

    /// The server's end of a connection.
    pub type ServerStream = UnixStream;
    /// The client's end of a connection.
    pub type ClientStream = UnixStream;

    /// A listening Unix socket. Its file is gone when this is dropped.
    #[derive(Debug)]
    pub struct Listener {
        listener: UnixListener,
        path: PathBuf,
        /// Device and inode of the file, to remove no other.
        file: (u64, u64),
    }

    impl Listener {
        /// Listens at `path`, which only this user can then connect to.
        ///
        /// A socket file that a killed server left behind is replaced. Must
        /// be called within a tokio runtime.
        ///
        /// # Errors
        /// `AddrInUse` when a server lives there, `AlreadyExists` when the
        /// file is not a socket, `InvalidInput` when the path is too long,
        /// and whatever `bind(2)` says.
        pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
            let path = path.as_ref();
            check_length(path)?;

            // Of two servers that start at once and find the same dead
            // file, the second must not delete the first one's new socket:
            // one looks and binds after the other.
            let _lock = lock_directory(path);

            remove_stale(path)?;
            // Nobody else may connect, not even in the instant between
            // bind() and a chmod() that would come after it.
            let before = umask(Mode::from_raw_mode(0o177));
            let bound = StdListener::bind(path);
            umask(before);
            let listener = bound?;
            listener.set_nonblocking(true)?;
            Ok(Self {
                listener: UnixListener::from_std(listener)?,
                file: identity(&fs::symlink_metadata(path)?),
                path: path.to_owned(),
            })
        }

        /// The next client. May be dropped while it waits; no client is lost.
        ///
        /// # Errors
        /// Whatever `accept(2)` says; the listener stays usable.
        pub async fn accept(&mut self) -> io::Result<ServerStream> {
            let (stream, _) = self.listener.accept().await?;
            Ok(stream)
        }
    }

    impl Drop for Listener {
        fn drop(&mut self) {
            let ours = fs::symlink_metadata(&self.path)
                .is_ok_and(|now| identity(&now) == self.file);
            if ours {
                let _ = fs::remove_file(&self.path);
            }
        }
    }

    /// Connects to the server at `path`.
    ///
    /// # Errors
    /// `InvalidInput` when the path is too long, and whatever `connect(2)`
    /// says.
    pub async fn connect(path: impl AsRef<Path>) -> io::Result<ClientStream> {
        check_length(path.as_ref())?;
        UnixStream::connect(path).await
    }

    /// Locks the directory of `path` until the answer is dropped.
    ///
    /// We go without where it cannot be locked, or not within five seconds:
    /// anybody can hold a lock on `/tmp`, and must not keep us from starting.
    fn lock_directory(path: &Path) -> Option<File> {
        let directory = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let directory = File::open(directory).ok()?;
        for _ in 0..1000 {
            match directory.try_lock() {
                Ok(()) => return Some(directory),
                Err(TryLockError::WouldBlock) => {
                    thread::sleep(Duration::from_millis(5));
                }
                Err(TryLockError::Error(_)) => return None,
            }
        }
        None
    }

    /// Makes room at `path`, but only where nobody can miss the file.
    fn remove_stale(path: &Path) -> io::Result<()> {
        match fs::symlink_metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
            Ok(found) if !found.file_type().is_socket() => {
                return Err(io::Error::new(
                    ErrorKind::AlreadyExists,
                    "a file that is not a socket is there; it is left alone",
                ));
            }
            Ok(_) => {}
        }
        // A datagram socket cannot connect to a listener: whoever lives there
        // hears nothing of this question, and only the dead refuse.
        match UnixDatagram::unbound()?.connect(path) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                fs::remove_file(path)
            }
            // Its server has removed it just now.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                Err(error)
            }
            _ => Err(io::Error::new(
                ErrorKind::AddrInUse,
                "another server is listening there",
            )),
        }
    }

    fn check_length(path: &Path) -> io::Result<()> {
        let length = path.as_os_str().len();
        if length == 0 {
            // Linux would choose a name that no client can know.
            return Err(io::Error::new(
                ErrorKind::InvalidInput,
                "the path is empty",
            ));
        }
        if length > LONGEST_PATH {
            return Err(io::Error::new(
                ErrorKind::InvalidInput,
                format!(
                    "the path has {length} bytes; \
                     a Unix socket's has at most {LONGEST_PATH}"
                ),
            ));
        }
        SocketAddr::from_pathname(path).map(drop)
    }

    fn identity(file: &Metadata) -> (u64, u64) {
        (file.dev(), file.ino())
    }
}

#[cfg(windows)]
mod windows {
    use std::ffi::OsString;
    use std::io;
    use std::path::Path;
    use std::time::Duration;

    use tokio::net::windows::named_pipe::{
        ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions,
    };
    use tokio::time;

    /// Where servers listen and clients connect, unless told otherwise.
    pub const DEFAULT_PATH: &str = r"\\.\pipe\mypip";

    /// `ERROR_PIPE_BUSY`: the server has not yet made its next instance.
    const PIPE_BUSY: i32 = 231;

    /// The server's end of a connection.
    pub type ServerStream = NamedPipeServer;
    /// The client's end of a connection.
    pub type ClientStream = NamedPipeClient;

    /// A named pipe's server. Windows removes the pipe with its last handle.
    #[derive(Debug)]
    pub struct Listener {
        /// The instance that waits for the next client.
        next: NamedPipeServer,
        path: OsString,
    }

    impl Listener {
        /// Listens at `path`, a name that begins with `\\.\pipe\`. Must be
        /// called within a tokio runtime.
        ///
        /// # Errors
        /// `PermissionDenied` when a server lives there, and whatever
        /// `CreateNamedPipe` says.
        pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
            let path = path.as_ref().as_os_str().to_owned();
            let next = ServerOptions::new()
                .first_pipe_instance(true)
                .create(&path)?;
            Ok(Self { next, path })
        }

        /// The next client. May be dropped while it waits; no client is lost.
        ///
        /// # Errors
        /// Whatever `ConnectNamedPipe` says; the listener stays usable.
        pub async fn accept(&mut self) -> io::Result<ServerStream> {
            self.next.connect().await?;
            // An instance serves one client. The next one must be there
            // before this one is handed out, or clients find no pipe. Where
            // it cannot be made, this one is asked again: it is connected
            // and says so at once.
            let next = ServerOptions::new().create(&self.path)?;
            Ok(std::mem::replace(&mut self.next, next))
        }
    }

    /// Connects to the server at `path`; waits while it is busy taking in
    /// another client.
    ///
    /// # Errors
    /// Whatever `CreateFile` says.
    pub async fn connect(path: impl AsRef<Path>) -> io::Result<ClientStream> {
        let path = path.as_ref().as_os_str();
        loop {
            match ClientOptions::new().open(path) {
                Err(error) if error.raw_os_error() == Some(PIPE_BUSY) => {
                    time::sleep(Duration::from_millis(20)).await;
                }
                opened => return opened,
            }
        }
    }
}
