//! A peer that we drive byte by byte: the hostile half of a test.

use std::io::{self, ErrorKind, Read, Write};
#[cfg(unix)]
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

#[cfg(windows)]
use super::named_pipe::{NamedPipe, NamedPipeListener};
use crate::{LIMIT, Meet};
use anyhow::{Context, Result, ensure};
use socket2::{Domain, SockRef, Socket, Type};

/// A connection over either transport, with blocking calls.
#[derive(Debug)]
pub enum Peer {
    /// Over TCP.
    Tcp(TcpStream),
    #[cfg(unix)]
    /// Over a Unix socket.
    Unix(UnixStream),
    #[cfg(windows)]
    /// Over a named pipe.
    Named(NamedPipe),
}

impl Peer {
    /// Connects to a server of a lesson of this meet.
    pub fn connect(meet: Meet, address: &str) -> Result<Self> {
        let peer = match meet {
            #[cfg(unix)]
            Meet::Pipe => UnixStream::connect(address).map(Self::Unix),
            #[cfg(windows)]
            Meet::Pipe => NamedPipe::connect(address).map(Self::Named),
            _ => TcpStream::connect(address).map(Self::Tcp),
        };
        peer.with_context(|| format!("connect to {address}"))?
            .ready()
    }

    /// Connects over TCP with the smallest receive buffer that there is: of
    /// what it does not read, the kernel holds less than of anybody else's.
    pub fn connect_tight(address: &str) -> Result<Self> {
        let address: SocketAddr = address.parse()?;
        let domain = Domain::for_address(address);
        let socket = Socket::new(domain, Type::STREAM, None)?;
        socket.set_recv_buffer_size(1)?;
        socket.connect(&address.into())?;
        Self::Tcp(socket.into()).ready()
    }

    fn ready(self) -> Result<Self> {
        match &self {
            Self::Tcp(stream) => {
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(LIMIT))?;
                stream.set_write_timeout(Some(LIMIT))?;
            }
            #[cfg(unix)]
            Self::Unix(stream) => {
                stream.set_read_timeout(Some(LIMIT))?;
                stream.set_write_timeout(Some(LIMIT))?;
            }
            #[cfg(windows)]
            Self::Named(_) => {} // it has its limits
        }
        Ok(self)
    }

    /// A second handle to the same connection.
    pub fn try_clone(&self) -> Result<Self> {
        Ok(match self {
            Self::Tcp(stream) => Self::Tcp(stream.try_clone()?),
            #[cfg(unix)]
            Self::Unix(stream) => Self::Unix(stream.try_clone()?),
            #[cfg(windows)]
            Self::Named(pipe) => Self::Named(pipe.clone()),
        })
    }

    /// Whether it can be closed in one direction only.
    pub fn has_half_close(&self) -> bool {
        #[cfg(windows)]
        if matches!(self, Self::Named(_)) {
            return false;
        }
        true
    }

    /// Says "that was all"; the other direction stays open. A named pipe
    /// cannot say it.
    pub fn finish(&self) -> Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write)?,
            #[cfg(unix)]
            Self::Unix(stream) => stream.shutdown(Shutdown::Write)?,
            #[cfg(windows)]
            Self::Named(_) => anyhow::bail!("a named pipe has no half-close"),
        }
        Ok(())
    }

    /// Breaks the connection off: the other side reads "connection reset".
    pub fn reset(self) -> Result<()> {
        match self {
            Self::Tcp(stream) => {
                SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
            }
            // A Unix socket that is closed with something unread does it:
            // waits until there is something.
            #[cfg(unix)]
            Self::Unix(stream) => {
                let mut byte = [MaybeUninit::uninit()];
                let socket = SockRef::from(&stream);
                let arrived = uninterrupted(|| socket.peek(&mut byte))?;
                ensure!(arrived == 1, "the other side has closed before");
            }
            #[cfg(windows)]
            Self::Named(_) => {} // however it is closed: that is the end
        }
        Ok(())
    }

    /// Reads exactly as many bytes as `expected` has, and compares.
    pub fn expect(&mut self, expected: &[u8]) -> Result<()> {
        let mut bytes = vec![0; expected.len()];
        self.read_exact(&mut bytes).context("read")?;
        ensure!(
            bytes == expected,
            "expected {:?}, got {:?}",
            String::from_utf8_lossy(&expected[..expected.len().min(200)]),
            String::from_utf8_lossy(&bytes[..bytes.len().min(200)]),
        );
        Ok(())
    }

    /// Reads what comes before the body of an HTTP request or answer, its empty
    /// line included. Nothing when the other side has closed.
    pub fn read_head(&mut self) -> Result<Option<String>> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            if self.read(&mut byte).context("read a head")? == 0 {
                ensure!(head.is_empty(), "half: {}", head.escape_ascii());
                return Ok(None);
            }
            head.push(byte[0]);
        }
        Ok(Some(String::from_utf8(head)?))
    }

    /// Reads until the other side closes.
    pub fn rest(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_to_end(&mut bytes).context("read to the end")?;
        Ok(bytes)
    }
}

impl Read for Peer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        uninterrupted(|| match self {
            Self::Tcp(stream) => stream.read(buffer),
            #[cfg(unix)]
            Self::Unix(stream) => stream.read(buffer),
            #[cfg(windows)]
            Self::Named(pipe) => pipe.read(buffer),
        })
    }
}

/// `call`, and again where only a signal came: a socket with a time limit does
/// not go on by itself, and any child's end is a signal to some thread.
pub fn uninterrupted<T>(
    mut call: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

impl Write for Peer {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        uninterrupted(|| match self {
            Self::Tcp(stream) => stream.write(buffer),
            #[cfg(unix)]
            Self::Unix(stream) => stream.write(buffer),
            #[cfg(windows)]
            Self::Named(pipe) => pipe.write(buffer),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A server that we drive: what a lesson's client meets.
#[derive(Debug)]
pub enum Listening {
    /// On a port.
    Tcp(TcpListener),
    #[cfg(unix)]
    /// On a path.
    Unix(UnixListener),
    #[cfg(windows)]
    /// At a name.
    Named(NamedPipeListener),
}

impl Listening {
    /// Listens where a lesson of this meet would; returns the address too.
    pub fn bind(meet: Meet, address: &str) -> Result<(Self, String)> {
        match meet {
            #[cfg(unix)]
            Meet::Pipe => {
                let listener = UnixListener::bind(address)?;
                Ok((Self::Unix(listener), address.to_owned()))
            }
            #[cfg(windows)]
            Meet::Pipe => {
                let listener = NamedPipeListener::bind(address)?;
                Ok((Self::Named(listener), address.to_owned()))
            }
            _ => {
                let listener = TcpListener::bind(address)?;
                let address = listener.local_addr()?.to_string();
                Ok((Self::Tcp(listener), address))
            }
        }
    }

    /// The next client.
    pub fn accept(&self) -> Result<Peer> {
        match self {
            Self::Tcp(listener) => Peer::Tcp(listener.accept()?.0).ready(),
            #[cfg(unix)]
            Self::Unix(listener) => Peer::Unix(listener.accept()?.0).ready(),
            #[cfg(windows)]
            Self::Named(listener) => Ok(Peer::Named(listener.accept()?)),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::thread::JoinHandleExt;
    use std::process::Command;
    use std::thread;

    use nix::sys::pthread::pthread_kill;
    use nix::sys::signal::Signal;

    use super::*;
    use crate::Half;

    /// As when any other test's child ends meanwhile.
    #[test]
    fn a_signal_does_not_disturb_a_reset() -> Result<()> {
        // SIGCHLD is handled once somebody has waited for a child.
        let mut child = Half::start(&mut Command::new("cat"))?;
        ensure!(child.wait_at_most(Duration::from_millis(1)).is_err());
        let (ours, mut theirs) = UnixStream::pair()?;
        let peer = Peer::Unix(ours).ready()?;
        let resetting = thread::spawn(move || peer.reset());
        for _ in 0..10_000 {
            pthread_kill(resetting.as_pthread_t(), Signal::SIGCHLD)?;
            thread::yield_now();
        }
        theirs.write_all(b"x")?;
        resetting.join().ok().context("it panicked")?
    }
}
