//! Sockets that go from one process to the other.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Mutex, Weak};

use rustix::fs::FileType;
use rustix::net::{AddressFamily, SocketType, sockopt};
use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream};

use crate::elsewhere::{Elsewhere, Questions};
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
    /// Node's `net.Socket`, over a pipe.
    UnixStream(UnixStream),
    /// Node's `net.Server`, over a pipe.
    UnixListener(UnixListener),
    /// Node's `dgram.Socket`.
    UdpSocket(UdpSocket),
    /// Any other descriptor, as it came.
    Raw(OwnedFd),
}

impl Handle {
    /// What the descriptor is: the system is asked. Must be called within a
    /// tokio runtime. `From<OwnedFd>` makes a [`Handle::Raw`], which arrives
    /// in Node as a bare handle, `net.Native`.
    ///
    /// # Errors
    /// When the system does not answer, or tokio cannot register the socket.
    pub fn from_descriptor(descriptor: OwnedFd) -> io::Result<Self> {
        let family = rustix::net::getsockname(&descriptor);
        let family = family.map(|address| address.address_family());
        let kind = sockopt::socket_type(&descriptor);
        let (Ok(family), Ok(kind)) = (family, kind) else {
            return Ok(Self::Raw(descriptor));
        };
        let ip = [AddressFamily::INET, AddressFamily::INET6].contains(&family);
        let unix = family == AddressFamily::UNIX;
        let listens = listens(&descriptor);
        // tokio wants it so, and Node has it so; others may not.
        rustix::io::ioctl_fionbio(&descriptor, true)?;
        Ok(if ip && kind == SocketType::DGRAM {
            Self::UdpSocket(UdpSocket::from_std(descriptor.into())?)
        } else if kind != SocketType::STREAM {
            Self::Raw(descriptor)
        } else if ip && listens {
            Self::TcpListener(TcpListener::from_std(descriptor.into())?)
        } else if ip {
            Self::TcpStream(TcpStream::from_std(descriptor.into())?)
        } else if unix && listens {
            Self::UnixListener(UnixListener::from_std(descriptor.into())?)
        } else if unix {
            Self::UnixStream(UnixStream::from_std(descriptor.into())?)
        } else {
            Self::Raw(descriptor)
        })
    }

    /// Node's name for it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::TcpStream(_) | Self::UnixStream(_) => "net.Socket",
            Self::TcpListener(_) | Self::UnixListener(_) => "net.Server",
            Self::UdpSocket(_) => "dgram.Socket",
            Self::Raw(_) => "net.Native",
        }
    }

    /// For a datagram socket, what Node calls its type.
    pub(crate) fn datagrams(&self) -> Option<&'static str> {
        let Self::UdpSocket(socket) = self else {
            return None;
        };
        match socket.local_addr() {
            Ok(address) if address.is_ipv6() => Some("udp6"),
            _ => Some("udp4"),
        }
    }

    /// The descriptor, out of tokio's hands. It stays non-blocking.
    ///
    /// # Errors
    /// When tokio cannot take the socket out of its reactor.
    pub fn into_descriptor(self) -> io::Result<OwnedFd> {
        Ok(match self {
            Self::TcpStream(socket) => socket.into_std()?.into(),
            Self::TcpListener(socket) => socket.into_std()?.into(),
            Self::UnixStream(socket) => socket.into_std()?.into(),
            Self::UnixListener(socket) => socket.into_std()?.into(),
            Self::UdpSocket(socket) => socket.into_std()?.into(),
            Self::Raw(descriptor) => descriptor,
        })
    }

    /// The descriptor, to be sent.
    ///
    /// # Errors
    /// `InvalidInput` for what harms a Node process: it dies of a file, and a
    /// socket that it cannot take bars the way for all that come later.
    pub(crate) fn into_sendable(self) -> io::Result<OwnedFd> {
        let descriptor = self.into_descriptor()?;
        let mode = rustix::fs::fstat(&descriptor)?.st_mode;
        let known = match FileType::from_raw_mode(mode) {
            FileType::Fifo => true,
            FileType::Socket => {
                let address = rustix::net::getsockname(&descriptor)?;
                let kind = sockopt::socket_type(&descriptor)?;
                match address.address_family() {
                    AddressFamily::UNIX => kind == SocketType::STREAM,
                    AddressFamily::INET | AddressFamily::INET6 => {
                        [SocketType::STREAM, SocketType::DGRAM].contains(&kind)
                    }
                    _ => false,
                }
            }
            _ => false,
        };
        if !known {
            let why =
                "only TCP, UDP and Unix stream sockets and pipes can be sent";
            return Err(Reason::Unsendable(why).into());
        }
        // As Node has it; its only thread would stand still with the socket.
        rustix::io::ioctl_fionbio(&descriptor, true)?;
        Ok(descriptor)
    }
}

macro_rules! from {
    ($($type:ident),*) => {
        $(impl From<$type> for Handle {
            fn from(socket: $type) -> Self {
                Self::$type(socket)
            }
        })*
    };
}

from! { TcpStream, TcpListener, UnixStream, UnixListener, UdpSocket }

impl From<OwnedFd> for Handle {
    fn from(descriptor: OwnedFd) -> Self {
        Self::Raw(descriptor)
    }
}

impl AsFd for Handle {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::TcpStream(socket) => socket.as_fd(),
            Self::TcpListener(socket) => socket.as_fd(),
            Self::UnixStream(socket) => socket.as_fd(),
            Self::UnixListener(socket) => socket.as_fd(),
            Self::UdpSocket(socket) => socket.as_fd(),
            Self::Raw(descriptor) => descriptor.as_fd(),
        }
    }
}

impl TryFrom<Handle> for OwnedFd {
    type Error = io::Error;

    /// [`Handle::into_descriptor`].
    fn try_from(handle: Handle) -> io::Result<Self> {
        handle.into_descriptor()
    }
}

/// The longest key that is kept. Node's are an address and a port, or a path;
/// a peer of another kind must not fill the memory with them.
const LONGEST_KEY: usize = 1024;

/// How many closed connections are kept in mind at least, so that not every
/// new one has all looked through.
const MOST_CLOSED: usize = 64;

/// The connections that came from a server in Node, which wants to know how
/// many are still open before it closes.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    /// The sockets, for each key of Node's.
    keys: HashMap<String, Vec<Identity>>,
    /// The channels over which some of them were handed on.
    elsewhere: HashMap<String, Vec<Elsewhere>>,
    /// The channel that they came over. What goes back over it is known there.
    own: Weak<Mutex<Questions>>,
    /// How many there were when the closed ones were last left out.
    open: usize,
    /// How many have come since then.
    new: usize,
}

impl Connections {
    pub(crate) fn of(own: Weak<Mutex<Questions>>) -> Self {
        Self {
            own,
            ..Self::default()
        }
    }

    pub(crate) fn add(&mut self, key: String, socket: &OwnedFd) {
        // To look what is open takes the longer, the more there is. Each time
        // that there is twice as much, is seldom enough.
        if self.new > self.open.max(MOST_CLOSED)
            && let Some(open) = open_files()
        {
            self.keys.retain(|_, sockets| {
                sockets.retain(|socket| open.contains(socket));
                !sockets.is_empty()
            });
            self.open = self.keys.values().map(Vec::len).sum();
            self.new = 0;
        }
        if key.len() <= LONGEST_KEY
            && let Some(identity) = identity(socket.as_fd())
        {
            self.keys.entry(key).or_default().push(identity);
            self.new += 1;
        }
    }

    /// Connections with this key were handed on.
    pub(crate) fn hand_on(&mut self, key: String, to: Elsewhere) {
        if key.len() > LONGEST_KEY || to.is(&self.own) {
            return;
        }
        let known = self.elsewhere.entry(key).or_default();
        known.retain(Elsewhere::is_there);
        if !known.iter().any(|one| one.is_same(&to)) {
            known.push(to);
        }
    }

    /// Where connections with this key were handed on to.
    pub(crate) fn elsewhere(&self, key: &str) -> Vec<Elsewhere> {
        self.elsewhere.get(key).cloned().unwrap_or_default()
    }

    /// How many that came with this key are still open in this process.
    ///
    /// Such a socket may be used freely, and dropped without notice: the
    /// system knows what is open.
    pub(crate) fn count(&mut self, key: &str) -> usize {
        let Some(sockets) = self.keys.get_mut(key) else {
            return 0;
        };
        if let Some(open) = open_files() {
            sockets.retain(|socket| open.contains(socket));
        }
        sockets.len()
    }
}

/// What is the same in all descriptors of a file, and in no other's.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Identity {
    device: u64,
    inode: u64,
    /// Apple's TCP sockets have neither device nor inode. Where they lead
    /// from and to tells them apart as long as they are connected.
    #[cfg(target_vendor = "apple")]
    addresses: [Option<rustix::net::SocketAddrAny>; 2],
}

fn identity(descriptor: BorrowedFd<'_>) -> Option<Identity> {
    let stat = rustix::fs::fstat(descriptor).ok()?;
    Some(Identity {
        // Their types differ from system to system.
        device: stat.st_dev as u64,
        inode: stat.st_ino as u64,
        #[cfg(target_vendor = "apple")]
        addresses: [
            rustix::net::getsockname(descriptor).ok(),
            rustix::net::getpeername(descriptor).ok().flatten(),
        ],
    })
}

/// What this process has open; `None` when it cannot be known, as to look takes
/// a descriptor.
fn open_files() -> Option<HashSet<Identity>> {
    let numbers = fs::read_dir("/dev/fd").ok()?.flatten();
    let files = numbers
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|number: RawFd| {
            // SAFETY: only borrowed, and only to be asked what it is. Should
            // it be closed by now, the answer is an error.
            identity(unsafe { BorrowedFd::borrow_raw(number) })
        })
        .collect();
    Some(files)
}

#[cfg(not(target_vendor = "apple"))]
fn listens(descriptor: &OwnedFd) -> bool {
    sockopt::socket_acceptconn(descriptor).unwrap_or(false)
}

/// Apple's systems do not answer `SO_ACCEPTCONN`. A stream socket that is
/// passed on and has no peer can only be a listener.
#[cfg(target_vendor = "apple")]
fn listens(descriptor: &OwnedFd) -> bool {
    rustix::net::getpeername(descriptor).is_err()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn other_sockets_are_not_taken_for_a_closed_connection() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let connect = || {
            let client = TcpStream::connect(address).unwrap();
            (client, server.accept().unwrap().0)
        };
        let (_client, other) = connect();
        let (client, ours) = connect();
        let ours = OwnedFd::from(ours);
        let mut connections = Connections::default();
        connections.add("k".to_owned(), &ours);
        let copy = ours.try_clone().unwrap();
        drop(ours);
        assert_eq!(connections.count("k"), 1);
        drop(copy);
        assert_eq!(connections.count("k"), 0);
        drop((client, other));
    }

    #[test]
    fn closed_connections_are_forgotten() {
        let mut connections = Connections::default();
        let known = |connections: &Connections| -> usize {
            connections.keys.values().map(Vec::len).sum()
        };
        let mut open: Vec<OwnedFd> = Vec::new();
        for count in 0..1000 {
            let (one, _other) = UnixStream::pair().unwrap();
            let one: OwnedFd = one.into();
            // Some under keys that nobody asks for again.
            let key = if count % 2 == 0 {
                "k"
            } else {
                &count.to_string()
            };
            connections.add(key.to_owned(), &one);
            assert!(known(&connections) <= 2 * MOST_CLOSED + 2);
            if count % 100 == 0 {
                open.push(one);
            }
        }
        assert_eq!(connections.count("k"), open.len());
        assert!(connections.keys.len() <= MOST_CLOSED + 2);
    }
}
