//! Named pipes of Windows, with the names and the calls of Unix sockets: so
//! only the imports of a half differ.
//!
//! Node hides the difference behind `listen({ path })` and `connect({ path })`.

/// The client's end.
pub mod client {
    use std::io;
    use std::path::Path;
    use std::time::Duration;

    use tokio::net::windows::named_pipe::ClientOptions;
    /// A connection to a server.
    pub use tokio::net::windows::named_pipe::NamedPipeClient as UnixStream;
    use tokio::time::sleep;

    /// `ERROR_PIPE_BUSY`: the server has not yet made its next instance.
    const PIPE_BUSY: i32 = 231;

    /// What lets us write `UnixStream::connect(path)` here as well.
    pub trait Connect: Sized {
        /// Connects to the server at `path`; waits while the server is busy
        /// accepting another client.
        ///
        /// # Errors
        /// What `CreateFile` reports.
        fn connect(
            path: impl AsRef<Path>,
        ) -> impl Future<Output = io::Result<Self>>;
    }

    impl Connect for UnixStream {
        async fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
            let path = path.as_ref().as_os_str();
            loop {
                match ClientOptions::new().open(path) {
                    Err(error) if error.raw_os_error() == Some(PIPE_BUSY) => {
                        sleep(Duration::from_millis(20)).await;
                    }
                    opened => return opened,
                }
            }
        }
    }
}

/// The server's end.
pub mod server {
    use std::io;
    use std::path::{Path, PathBuf};

    /// A connection to a client.
    pub use tokio::net::windows::named_pipe::NamedPipeServer as UnixStream;
    use tokio::net::windows::named_pipe::ServerOptions;
    use tokio::sync::Mutex;

    /// A named pipe's server. Windows removes the pipe with its last handle.
    #[derive(Debug)]
    pub struct UnixListener {
        /// The instance that waits for the next client.
        next: Mutex<UnixStream>,
        path: PathBuf,
    }

    impl UnixListener {
        /// Listens at `path`, a name that begins with `\\.\pipe\`. Must be
        /// called within a tokio runtime.
        ///
        /// # Errors
        /// `PermissionDenied` when another server listens there, and what
        /// `CreateNamedPipe` reports.
        pub fn bind(path: impl AsRef<Path>) -> io::Result<Self> {
            let path = path.as_ref().to_owned();
            let next = ServerOptions::new()
                .first_pipe_instance(true)
                .create(&path)?;
            let next = Mutex::new(next);
            Ok(Self { next, path })
        }

        /// The next client. May be dropped while it waits; no client is lost.
        ///
        /// # Errors
        /// What `ConnectNamedPipe` reports; the listener stays usable.
        pub async fn accept(&self) -> io::Result<(UnixStream, ())> {
            let mut next = self.next.lock().await;
            next.connect().await?;
            // An instance serves one client. The next one must exist before
            // this one is returned, or clients find no pipe. Where it cannot
            // be made, this one is asked again: it is connected and says so
            // at once.
            let after = ServerOptions::new().create(&self.path)?;
            Ok((std::mem::replace(&mut next, after), ()))
        }
    }

    /// As [`UnixListener::bind`]. An access list decides who may connect: by
    /// default the owner and administrators.
    ///
    /// # Errors
    /// As [`UnixListener::bind`].
    pub fn listen(path: &Path) -> io::Result<UnixListener> {
        UnixListener::bind(path)
    }

    /// Does nothing: a named pipe leaves no file.
    ///
    /// # Errors
    /// None.
    pub fn remove_stale_file(_: &Path) -> io::Result<()> {
        Ok(())
    }
}
