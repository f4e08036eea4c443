//! Named pipes of Windows with blocking calls. A read and a write may wait at
//! the same time, which they cannot in a `File`; so tokio has the pipe.

use std::future::Future;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;
use std::{mem, thread};

use tokio::net::windows::named_pipe::{
    ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions,
};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::LIMIT;

/// One for all pipes; each thread that waits runs it.
static RUNTIME: LazyLock<io::Result<Runtime>> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build());

/// `ERROR_PIPE_BUSY`: the server has not yet made its next instance.
const PIPE_BUSY: i32 = 231;

fn runtime() -> io::Result<&'static Runtime> {
    let built = RUNTIME.as_ref();
    built.map_err(|error| io::Error::new(error.kind(), error.to_string()))
}

/// Waits for what `call` makes, but not longer than [`LIMIT`].
fn wait<T, F: Future<Output = io::Result<T>>>(
    call: impl FnOnce() -> F,
) -> io::Result<T> {
    // Within the runtime: a timer wants to know it when it is made.
    let outcome = runtime()?.block_on(async { timeout(LIMIT, call()).await });
    outcome.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
}

/// One end of a connection. Clones are the same end.
#[derive(Clone, Debug)]
pub struct NamedPipe(Arc<End>);

#[derive(Debug)]
enum End {
    Client(NamedPipeClient),
    Server(NamedPipeServer),
}

impl NamedPipe {
    /// Connects to the server at `path`.
    ///
    /// # Errors
    /// What `CreateFile` reports.
    pub fn connect(path: &str) -> io::Result<Self> {
        let _inside = runtime()?.enter();
        loop {
            match ClientOptions::new().open(path) {
                Err(error) if error.raw_os_error() == Some(PIPE_BUSY) => {
                    thread::sleep(Duration::from_millis(1));
                }
                opened => {
                    return Ok(Self(Arc::new(End::Client(opened?))));
                }
            }
        }
    }
}

impl Read for NamedPipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        wait(|| async {
            loop {
                let read = match &*self.0 {
                    End::Client(end) => {
                        end.readable().await?;
                        end.try_read(buffer)
                    }
                    End::Server(end) => {
                        end.readable().await?;
                        end.try_read(buffer)
                    }
                };
                match read {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    read => return read,
                }
            }
        })
    }
}

impl Write for NamedPipe {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        wait(|| async {
            loop {
                let written = match &*self.0 {
                    End::Client(end) => {
                        end.writable().await?;
                        end.try_write(buffer)
                    }
                    End::Server(end) => {
                        end.writable().await?;
                        end.try_write(buffer)
                    }
                };
                match written {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    written => return written,
                }
            }
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A server of named pipes.
#[derive(Debug)]
pub struct NamedPipeListener {
    path: String,
    /// The instance that waits for the next client.
    next: Mutex<NamedPipeServer>,
}

impl NamedPipeListener {
    /// Listens at `path`.
    ///
    /// # Errors
    /// What `CreateNamedPipe` reports.
    pub fn bind(path: &str) -> io::Result<Self> {
        let _inside = runtime()?.enter();
        Ok(Self {
            path: path.to_owned(),
            next: Mutex::new(ServerOptions::new().create(path)?),
        })
    }

    /// The next client.
    ///
    /// # Errors
    /// What `ConnectNamedPipe` and `CreateNamedPipe` report.
    pub fn accept(&self) -> io::Result<NamedPipe> {
        let _inside = runtime()?.enter();
        let after = ServerOptions::new().create(&self.path)?;
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        wait(|| next.connect())?;
        let connected = mem::replace(&mut *next, after);
        Ok(NamedPipe(Arc::new(End::Server(connected))))
    }
}
