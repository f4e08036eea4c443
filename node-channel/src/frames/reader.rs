//! Reads frames, and the descriptors that come with them.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
};
use tokio::io::unix::AsyncFd;

use super::decoder::{Decoder, Span};
use super::{Frame, MOST_DESCRIPTORS, is_end};

/// The reading half of a channel.
#[derive(Debug)]
pub struct Reader {
    /// Registered for reading only. On a Unix socket each read by the peer
    /// makes room, and would wake us as a writer for nothing.
    socket: AsyncFd<Arc<OwnedFd>>,
    decoder: Decoder,
    /// Descriptors whose frame has not been handed out.
    arrived: VecDeque<Arrived>,
    ended: bool,
}

/// Descriptors, and the part of the stream that was read with them.
#[derive(Debug)]
struct Arrived {
    begin: u64,
    end: u64,
    descriptors: Vec<OwnedFd>,
}

impl Reader {
    pub(super) fn new(socket: AsyncFd<Arc<OwnedFd>>, decoder: Decoder) -> Self {
        Self {
            socket,
            decoder,
            arrived: VecDeque::new(),
            ended: false,
        }
    }

    /// The next frame; `None` when the peer has closed. What is left of a
    /// frame then is dropped, as Node does. Safe to cancel.
    ///
    /// # Errors
    /// When a frame is too long (then [`io::Error::get_ref`] is a
    /// [`TooLong`](super::TooLong)), and when the socket fails. After an error
    /// comes `None`.
    pub async fn next(&mut self) -> io::Result<Option<Frame>> {
        let Some(span) = self.arrive().await? else {
            return Ok(None);
        };
        let begin = self.decoder.position();
        let mut frame = self.decoder.take(span);
        frame.descriptors = self.descriptors(begin);
        Ok(Some(frame))
    }

    /// The bytes of the next frame where they lie, without a copy, for
    /// `look`. When that returns `None`, it is still the next one; if not,
    /// it is passed, and the descriptors that came with it are closed.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub(crate) async fn peek<T>(
        &mut self,
        look: impl FnOnce(&[u8]) -> Option<T>,
    ) -> io::Result<Option<Option<T>>> {
        let Some(span) = self.arrive().await? else {
            return Ok(None);
        };
        let seen = look(self.decoder.bytes(span));
        if seen.is_some() {
            let begin = self.decoder.position();
            self.decoder.pass(span);
            drop(self.descriptors(begin));
        }
        Ok(Some(seen))
    }

    /// Waits until a whole frame is there, and says where.
    async fn arrive(&mut self) -> io::Result<Option<Span>> {
        // A peer that always has more to say must not keep the other tasks
        // from their turn.
        tokio::task::consume_budget().await;
        loop {
            if self.ended {
                return Ok(None);
            }
            match self.decoder.find() {
                Ok(Some(span)) => return Ok(Some(span)),
                Ok(None) => {}
                Err(error) => {
                    self.end();
                    return Err(error.into());
                }
            }
            // Nobody else waits here, so the one place for a waker will do:
            // `readable()` keeps a list of them.
            let mut ready =
                poll_fn(|context| self.socket.poll_read_ready(context)).await?;
            let socket = ready.get_inner().as_fd();
            let room = self.decoder.room();
            let size = room.len();
            match receive(socket, room) {
                Ok(Received { length: 0, .. }) => self.end(),
                Ok(received) => {
                    // Short: there is no more, and asking again would only
                    // be told so. But a read stops behind descriptors.
                    if received.length < size && !received.stopped {
                        ready.clear_ready();
                    }
                    self.keep(received);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    ready.clear_ready();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The peer has closed and left something of ours unread.
                Err(error) if is_end(&error) => self.end(),
                Err(error) => {
                    self.end();
                    return Err(error);
                }
            }
        }
    }

    fn keep(&mut self, received: Received) {
        let begin = self.decoder.total();
        self.decoder.arrived(received.length);
        // All that wait belong to the frame that is not whole yet. What is
        // more than one may have is closed.
        let waiting = self.arrived.iter();
        let waiting: usize =
            waiting.map(|arrived| arrived.descriptors.len()).sum();
        let mut descriptors = received.descriptors;
        descriptors.truncate(MOST_DESCRIPTORS.saturating_sub(waiting));
        if !descriptors.is_empty() {
            self.arrived.push_back(Arrived {
                begin,
                end: self.decoder.total(),
                descriptors,
            });
        }
    }

    /// The descriptors that were sent with the frame that began at `begin`
    /// and has just been passed.
    fn descriptors(&mut self, begin: u64) -> Vec<OwnedFd> {
        let end = self.decoder.position();
        let mut found = Vec::new();
        while let Some(arrived) = self.arrived.front() {
            // Linux adds earlier messages to a read with descriptors, but
            // no later ones. Others do it the other way round.
            let ours = end >= arrived.end
                || (!cfg!(target_os = "linux") && begin >= arrived.begin);
            if !ours {
                break;
            }
            if let Some(arrived) = self.arrived.pop_front() {
                found.extend(arrived.descriptors);
            }
        }
        found
    }

    fn end(&mut self) {
        self.ended = true;
        self.arrived.clear();
    }
}

/// What one `recvmsg` has brought.
struct Received {
    length: usize,
    descriptors: Vec<OwnedFd>,
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
