//! One connection as the load sees it: two descriptors and nothing between
//! them and the kernel.

use std::io::{self, ErrorKind};
use std::net::{TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{ioctl_fionbio, read, write};

/// The maximum time without an answer.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// A connection to the other side.
pub trait Link {
    /// Sends a part of `bytes`; returns its length.
    ///
    /// # Errors
    /// `WouldBlock` when it takes nothing now, and other errors of the kernel.
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Receives into `room`; 0 when the other side has closed.
    ///
    /// # Errors
    /// As [`Link::send`].
    fn receive(&mut self, room: &mut [u8]) -> io::Result<usize>;

    /// Whether the two above wait.
    ///
    /// # Errors
    /// An error of the kernel.
    fn set_blocking(&mut self, blocking: bool) -> io::Result<()>;

    /// Waits until something can be received, or also sent.
    ///
    /// # Errors
    /// `TimedOut` when nothing happens within the limit.
    fn wait(&mut self, or_send: bool, limit: Duration) -> io::Result<()>;

    /// The descriptor to wait for with many others.
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// A message is one datagram: none may be split, and none is held back
    /// when the receiver is full.
    fn datagrams(&self) -> bool {
        false
    }

    /// The maximum number of messages in flight, where nothing but the
    /// sender itself holds more of them back.
    fn most_in_flight(&self) -> Option<u64> {
        None
    }
}

/// A socket, or the two pipes of a child.
pub struct Fds {
    /// The same as the writer where it is a socket: 10,000 of them would
    /// otherwise be 20,000 open files.
    reader: Rc<OwnedFd>,
    writer: Rc<OwnedFd>,
    datagrams: bool,
    most: Option<u64>,
}

impl Fds {
    /// Two ends that belong together.
    pub fn pair(reader: OwnedFd, writer: OwnedFd) -> Self {
        Self {
            reader: reader.into(),
            writer: writer.into(),
            datagrams: false,
            most: None,
        }
    }

    /// The same, with this maximum number of messages in flight.
    pub fn with_at_most(self, messages: u64) -> Self {
        Self {
            most: Some(messages),
            ..self
        }
    }

    fn socket(socket: OwnedFd) -> Self {
        let socket = Rc::new(socket);
        Self {
            reader: Rc::clone(&socket),
            writer: socket,
            datagrams: false,
            most: None,
        }
    }

    /// A TCP connection.
    ///
    /// # Errors
    /// When no server listens there.
    pub fn tcp(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self::socket(stream.into()))
    }

    /// A Unix socket's connection.
    ///
    /// # Errors
    /// As [`Fds::tcp`].
    pub fn unix(path: &Path) -> io::Result<Self> {
        Ok(Self::socket(UnixStream::connect(path)?.into()))
    }

    /// A UDP socket connected to one address.
    ///
    /// # Errors
    /// When the address is none.
    pub fn udp(address: &str) -> io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(address)?;
        // No end is ever to be read here when the other side dies.
        socket.set_read_timeout(Some(TIMEOUT))?;
        Ok(Self {
            datagrams: true,
            ..Self::socket(socket.into())
        })
    }
}

impl Link for Fds {
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(write(&self.writer, bytes)?)
    }

    fn receive(&mut self, room: &mut [u8]) -> io::Result<usize> {
        Ok(read(&self.reader, room)?)
    }

    fn set_blocking(&mut self, blocking: bool) -> io::Result<()> {
        ioctl_fionbio(&self.reader, !blocking)?;
        Ok(ioctl_fionbio(&self.writer, !blocking)?)
    }

    fn wait(&mut self, or_send: bool, limit: Duration) -> io::Result<()> {
        let mut ends = [
            PollFd::new(&self.reader, PollFlags::IN),
            PollFd::new(&self.writer, PollFlags::OUT),
        ];
        let limit = Timespec::try_from(limit)
            .map_err(|_| io::Error::from(ErrorKind::InvalidInput))?;
        let asked = if or_send { 2 } else { 1 };
        match poll(&mut ends[..asked], Some(&limit)) {
            Ok(0) => Err(ErrorKind::TimedOut.into()),
            Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.reader.as_fd())
    }

    fn datagrams(&self) -> bool {
        self.datagrams
    }

    fn most_in_flight(&self) -> Option<u64> {
        self.most
    }
}
