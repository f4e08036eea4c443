//! Sockets that come from the other process. To send one is not possible on
//! Windows yet.

use std::io;
use std::os::windows::io::{AsRawSocket, OwnedSocket};
use std::sync::{Mutex, Weak};

use tokio::net::{TcpListener, TcpStream};
use windows_sys::Win32::Networking::WinSock::{
    SO_ACCEPTCONN, SO_TYPE, SOCK_STREAM, SOCKET_ERROR, SOL_SOCKET, getsockopt,
};

use crate::elsewhere::{Elsewhere, Questions};
use crate::error::Reason;

/// A socket that came with a message.
///
/// What it is, is asked from the system, not from the peer.
#[derive(Debug)]
#[non_exhaustive]
pub enum Handle {
    /// Node's `net.Socket`, over TCP.
    TcpStream(TcpStream),
    /// Node's `net.Server`, over TCP.
    TcpListener(TcpListener),
    /// Any other socket, as it came.
    Raw(OwnedSocket),
}

impl Handle {
    /// What the socket is: the system is asked. Must be called within a tokio
    /// runtime.
    ///
    /// # Errors
    /// When the system does not answer, or tokio cannot register the socket.
    pub fn from_descriptor(socket: OwnedSocket) -> io::Result<Self> {
        if option(&socket, SO_TYPE)? != SOCK_STREAM {
            return Ok(Self::Raw(socket));
        }
        if option(&socket, SO_ACCEPTCONN)? != 0 {
            let listener = std::net::TcpListener::from(socket);
            listener.set_nonblocking(true)?;
            return Ok(Self::TcpListener(TcpListener::from_std(listener)?));
        }
        let stream = std::net::TcpStream::from(socket);
        stream.set_nonblocking(true)?;
        Ok(Self::TcpStream(TcpStream::from_std(stream)?))
    }

    /// Node's name for it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::TcpStream(_) => "net.Socket",
            Self::TcpListener(_) => "net.Server",
            Self::Raw(_) => "net.Native",
        }
    }

    /// For a datagram socket, what Node calls its type: none is sent here.
    pub(crate) fn datagrams(&self) -> Option<&'static str> {
        None
    }

    /// The socket, out of tokio's hands. It stays non-blocking.
    ///
    /// # Errors
    /// When tokio cannot take the socket out of its reactor.
    pub fn into_descriptor(self) -> io::Result<OwnedSocket> {
        Ok(match self {
            Self::TcpStream(socket) => socket.into_std()?.into(),
            Self::TcpListener(socket) => socket.into_std()?.into(),
            Self::Raw(socket) => socket,
        })
    }

    /// The socket, to be sent.
    ///
    /// # Errors
    /// Always.
    pub(crate) fn into_sendable(self) -> io::Result<OwnedSocket> {
        let why = "sockets cannot be sent on Windows, only received";
        Err(Reason::Unsendable(why).into())
    }
}

/// An option of the socket's that is a number.
fn option(socket: &OwnedSocket, name: i32) -> io::Result<i32> {
    let mut value = 0;
    let mut length = size_of::<i32>() as i32;
    // SAFETY: the socket is open as long as it is borrowed, and the system
    // writes as many bytes as the number has.
    let outcome = unsafe {
        getsockopt(
            socket.as_raw_socket() as usize,
            SOL_SOCKET,
            name,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    match outcome {
        SOCKET_ERROR => Err(io::Error::last_os_error()),
        _ => Ok(value),
    }
}

macro_rules! from {
    ($($variant:ident: $type:ty),*) => {
        $(impl From<$type> for Handle {
            fn from(socket: $type) -> Self {
                Self::$variant(socket)
            }
        })*
    };
}

from! { TcpStream: TcpStream, TcpListener: TcpListener, Raw: OwnedSocket }

/// The connections that came from a server in Node, which wants to know how
/// many are still open. Windows does not say what this process has open, so
/// none counts: the server can close.
#[derive(Debug, Default)]
pub(crate) struct Connections;

impl Connections {
    pub(crate) fn of(_: Weak<Mutex<Questions>>) -> Self {
        Self
    }

    pub(crate) fn add(&mut self, _: String, _: &OwnedSocket) {}

    pub(crate) fn hand_on(&mut self, _: String, _: Elsewhere) {}

    pub(crate) fn elsewhere(&self, _: &str) -> Vec<Elsewhere> {
        Vec::new()
    }

    pub(crate) fn count(&mut self, _: &str) -> usize {
        0
    }
}
