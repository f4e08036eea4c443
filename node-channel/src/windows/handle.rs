//! Sockets that go from one process to the other: on Windows, those of TCP.

use std::io;
use std::mem::ManuallyDrop;
use std::net::SocketAddr;
use std::os::windows::io::{
    AsRawSocket, AsSocket, BorrowedSocket, FromRawSocket, OwnedSocket,
    RawSocket,
};

use tokio::net::{TcpListener, TcpStream};
use windows_sys::Win32::Networking::WinSock::{
    SO_ACCEPTCONN, SO_TYPE, SOCK_STREAM, SOCKET_ERROR, SOL_SOCKET, getsockopt,
    listen,
};

use crate::error::Reason;

/// A socket that came with a message, or goes with one.
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

    /// For a datagram socket, what Node calls its type: none can be sent.
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
    /// `InvalidInput` for what libuv refuses: see below.
    pub(crate) fn into_sendable(self) -> io::Result<OwnedSocket> {
        let socket = self.into_descriptor()?;
        if can_be_sent(&socket)? {
            return Ok(socket);
        }
        let why = "on Windows, only TCP sockets can be sent that are \
                   connected or have an address of their own";
        Err(Reason::Unsendable(why).into())
    }
}

/// A connection or a server of TCP's. A socket that has an address, but does
/// not listen, begins to, as in Node: its own side may be gone when the other
/// would.
fn can_be_sent(socket: &OwnedSocket) -> io::Result<bool> {
    let raw = socket.as_raw_socket();
    let (local, peer) = addresses(raw);
    if option(socket, SO_TYPE)? != SOCK_STREAM
        || local.is_none_or(|address| address.port() == 0)
    {
        return Ok(false);
    }
    if peer.is_some() || option(socket, SO_ACCEPTCONN)? != 0 {
        return Ok(true);
    }
    // SAFETY: the socket is open as long as it is borrowed.
    Ok(unsafe { listen(raw as usize, i32::MAX) } == 0)
}

/// Where a socket of TCP's leads from and to, as far as it does.
fn addresses(raw: RawSocket) -> (Option<SocketAddr>, Option<SocketAddr>) {
    // SAFETY: only borrowed, and only to be asked. Should it be closed by now,
    // the answers are errors.
    let socket = unsafe { std::net::TcpStream::from_raw_socket(raw) };
    let socket = ManuallyDrop::new(socket);
    (socket.local_addr().ok(), socket.peer_addr().ok())
}

/// An option of the socket's that is a number.
pub(crate) fn option(socket: &OwnedSocket, name: i32) -> io::Result<i32> {
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

impl AsSocket for Handle {
    fn as_socket(&self) -> BorrowedSocket<'_> {
        match self {
            Self::TcpStream(socket) => socket.as_socket(),
            Self::TcpListener(socket) => socket.as_socket(),
            Self::Raw(socket) => socket.as_socket(),
        }
    }
}

impl TryFrom<Handle> for OwnedSocket {
    type Error = io::Error;

    /// [`Handle::into_descriptor`].
    fn try_from(handle: Handle) -> io::Result<Self> {
        handle.into_descriptor()
    }
}

/// A connection. Windows does not say whether two sockets are the same one: a
/// duplicate is another.
#[derive(Debug)]
pub(crate) struct Identity {
    socket: RawSocket,
    addresses: (Option<SocketAddr>, Option<SocketAddr>),
}

impl Identity {
    pub(crate) fn of(socket: &OwnedSocket) -> Option<Self> {
        let socket = socket.as_raw_socket();
        let addresses = addresses(socket);
        Some(Self { socket, addresses })
    }
}

/// What this process has open: each connection is asked when it is looked for.
/// Its number may be another one's by now, but not between the same addresses.
pub(crate) struct Open;

impl Open {
    /// As elsewhere, where it may be unknown.
    pub(crate) fn now() -> Option<Self> {
        Some(Self)
    }

    pub(crate) fn contains(&self, one: &Identity) -> bool {
        let (local, peer) = one.addresses;
        let connected = local.is_some() && peer.is_some();
        connected && addresses(one.socket) == one.addresses
    }
}
