//! Named pipes of Windows, with the calls that a Unix socket has.
//!
//! Node hides the difference behind `listen({ path })` and `connect({ path })`.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::windows::named_pipe::{
    ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions,
};
use tokio::sync::Mutex;
use tokio::time::sleep;

/// `ERROR_PIPE_BUSY`: the server has not yet made its next instance.
const PIPE_BUSY: i32 = 231;

/// The server's end of a connection.
pub type Stream = NamedPipeServer;

/// A named pipe's server. Windows removes the pipe with its last handle.
#[derive(Debug)]
pub struct Listener {
    /// The instance that waits for the next client.
    next: Mutex<NamedPipeServer>,
    path: PathBuf,
}

impl Listener {
    /// Listens at `path`, a name that begins with `\\.\pipe\`. Must be called
    /// within a tokio runtime.
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
    pub async fn accept(&self) -> io::Result<(NamedPipeServer, ())> {
        let mut next = self.next.lock().await;
        next.connect().await?;
        // An instance serves one client. The next one must exist before this
        // one is returned, or clients find no pipe. Where it cannot be made,
        // this one is asked again: it is connected and says so at once.
        let after = ServerOptions::new().create(&self.path)?;
        Ok((std::mem::replace(&mut next, after), ()))
    }
}

/// As [`Listener::bind`]. An access list decides who may connect: by default
/// the owner and administrators.
///
/// # Errors
/// As [`Listener::bind`].
pub fn listen(path: &Path) -> io::Result<Listener> {
    Listener::bind(path)
}

/// Does nothing: a named pipe leaves no file.
///
/// # Errors
/// None.
pub fn remove_stale_file(_: &Path) -> io::Result<()> {
    Ok(())
}

/// The client's end of a connection.
pub type ClientStream = NamedPipeClient;

/// Makes connections for a client.
#[derive(Debug)]
pub struct Client;

impl Client {
    /// Connects to the server at `path`, as `UnixStream::connect` does; waits
    /// while the server is busy accepting another client.
    ///
    /// # Errors
    /// What `CreateFile` reports.
    pub async fn connect(path: impl AsRef<Path>) -> io::Result<ClientStream> {
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
