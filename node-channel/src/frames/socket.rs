//! What a channel is on Unix: one end of a pair of stream sockets.

use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, Shutdown,
};
use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyGuard};

use super::MOST_DESCRIPTORS;

/// One end of a channel that is not yet in use.
pub type Socket = OwnedFd;

/// What can go with a frame.
pub type Descriptor = OwnedFd;

/// Makes the reader's and the writer's part of one end of a Unix stream socket.
pub(super) fn open(socket: Socket) -> io::Result<(Source, Link)> {
    rustix::io::ioctl_fionbio(&socket, true)?;
    let socket = Arc::new(socket);
    let source = Source {
        socket: register(Arc::clone(&socket), Interest::READABLE)?,
    };
    let second = Arc::new(socket.try_clone()?);
    Ok((source, Link { socket, second }))
}

fn register(
    socket: Arc<OwnedFd>,
    interest: Interest,
) -> io::Result<AsyncFd<Arc<OwnedFd>>> {
    // SAFETY: the descriptor is open, as it is owned; it stays so, and stays
    // the same, as nothing can be replaced within an `Arc` that is shared.
    // The `AsyncFd` holds that `Arc` as long as it exists, and hands out no
    // more than `&Arc`.
    Ok(unsafe { AsyncFd::register_with_interest(socket, interest) }?)
}

/// What the reader reads from.
#[derive(Debug)]
pub(super) struct Source {
    /// Registered for reading only. On a Unix socket each read by the peer
    /// makes room, and would wake us as a writer for nothing.
    socket: AsyncFd<Arc<OwnedFd>>,
}

impl Source {
    /// Bytes, and the descriptors that came with them. A length of 0 is the
    /// end. Safe to cancel.
    pub(super) async fn receive(
        &mut self,
        room: &mut [u8],
    ) -> io::Result<Received> {
        loop {
            // Nobody else waits here, so the one place for a waker will do:
            // `readable()` keeps a list of them.
            let mut ready =
                poll_fn(|context| self.socket.poll_read_ready(context)).await?;
            match receive(ready.get_inner().as_fd(), room) {
                Ok(received) => {
                    // Short: there is no more, and asking again would only
                    // be told so. But a read stops behind descriptors.
                    let short = (1..room.len()).contains(&received.length);
                    if short && !received.stopped {
                        ready.clear_ready();
                    }
                    return Ok(received);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    ready.clear_ready();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// What one `recvmsg` has brought.
pub(super) struct Received {
    pub(super) length: usize,
    pub(super) descriptors: Vec<OwnedFd>,
    /// It ends behind descriptors, taken or not: this process may have no room
    /// for more of them.
    stopped: bool,
}

/// One `recvmsg`: bytes and descriptors.
fn receive(socket: BorrowedFd<'_>, room: &mut [u8]) -> io::Result<Received> {
    let mut space = [MaybeUninit::uninit();
        rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    #[cfg(not(target_vendor = "apple"))]
    let flags = RecvFlags::CMSG_CLOEXEC;
    #[cfg(target_vendor = "apple")]
    let flags = RecvFlags::empty();
    let mut into = [IoSliceMut::new(room)];
    let received =
        rustix::net::recvmsg(socket, &mut into, &mut control, flags)?;
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    #[cfg(target_vendor = "apple")]
    for descriptor in &descriptors {
        rustix::io::fcntl_setfd(descriptor, rustix::io::FdFlags::CLOEXEC)?;
    }
    let lost = received.flags.contains(ReturnFlags::CTRUNC);
    Ok(Received {
        length: received.bytes,
        stopped: lost || !descriptors.is_empty(),
        descriptors,
    })
}

/// What the writer writes to.
#[derive(Debug)]
pub(super) struct Link {
    socket: Arc<OwnedFd>,
    /// The same once more, to be registered for writing: a second
    /// registration needs a second descriptor. Made in time, as there may be
    /// none left when the socket is full.
    second: Arc<OwnedFd>,
}

impl Link {
    /// Writes what comes behind the first `written` bytes of two parts.
    /// Descriptors go with the first byte.
    pub(super) fn write_some(
        &self,
        parts: [&[u8]; 2],
        descriptors: &[OwnedFd],
        written: usize,
    ) -> io::Result<usize> {
        let mut parts = parts.map(IoSlice::new);
        let mut parts = &mut parts[..];
        IoSlice::advance_slices(&mut parts, written);
        let parts = &*parts;

        // Rust's programs ignore SIGPIPE; a library cannot know that.
        #[cfg(not(target_vendor = "apple"))]
        let flags = SendFlags::NOSIGNAL;
        #[cfg(target_vendor = "apple")]
        let flags = SendFlags::empty();
        if written > 0 || descriptors.is_empty() {
            // In one piece, the system has less to look at.
            if let [one] = parts {
                return Ok(rustix::net::send(&self.socket, one, flags)?);
            }
            let mut none = SendAncillaryBuffer::default();
            let sent =
                rustix::net::sendmsg(&self.socket, parts, &mut none, flags);
            return Ok(sent?);
        }
        let rights: Vec<BorrowedFd<'_>> =
            descriptors.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit();
            rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        // It fits: `check` has counted them.
        control.push(SendAncillaryMessage::ScmRights(&rights));
        let sent =
            rustix::net::sendmsg(&self.socket, parts, &mut control, flags);
        Ok(sent?)
    }

    /// What waits for room. Only one at a time.
    pub(super) fn room(&self) -> io::Result<Room> {
        let second = Arc::clone(&self.second);
        Ok(Room(register(second, Interest::WRITABLE)?))
    }

    /// Nothing to wait for: the kernel delivers what it has taken.
    pub(super) async fn drain(&self) {}

    /// Says that this was all; the other direction stays open.
    pub(super) fn end_writing(&self) {
        let _ = rustix::net::shutdown(&self.socket, Shutdown::Write);
    }

    /// Closes both directions, for the reader as well.
    pub(super) fn close(&self) {
        let _ = rustix::net::shutdown(&self.socket, Shutdown::Both);
    }
}

/// Waits for room in the socket.
pub(super) struct Room(AsyncFd<Arc<OwnedFd>>);

impl Room {
    pub(super) async fn writable(
        &self,
    ) -> io::Result<AsyncFdReadyGuard<'_, Arc<OwnedFd>>> {
        self.0.writable().await
    }
}
