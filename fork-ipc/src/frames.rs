//! The lower layer: one message's bytes and the descriptors that came with
//! them, nothing interpreted.
//!
//! The channel is one Unix stream socket. A stream has no messages, so each
//! side marks where one ends:
//!
//! - [`Serialization::Json`]: a line, JSON text and `\n`;
//! - [`Serialization::Advanced`]: a length of 4 bytes, big-endian, and then
//!   as many bytes.
//!
//! [`Decoder`] is that and no more, without a socket. [`open`] makes a
//! [`Reader`] and a [`Writer`] of a socket.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, Shutdown,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Notify;

use crate::Serialization;

/// The longest frame that is accepted unless said otherwise: 64 MiB.
pub const LIMIT: usize = 64 * 1024 * 1024;

/// From how many waiting bytes on Node's `send()` says `false`, and ours
/// waits.
pub const HIGH_WATER: usize = 128 * 1024;

/// The longest payload in advanced mode: Node 20 takes the length for a
/// signed number.
const LONGEST: usize = i32::MAX as usize;

/// Room for one read. Node reads as much at once.
const READ: usize = 64 * 1024;

/// The length in front of a frame in advanced mode.
const HEADER: usize = 4;

/// As many descriptors as one message may carry on Linux (`SCM_MAX_FD`), so
/// that the kernel never has to cut the list.
const MOST_DESCRIPTORS: usize = 253;

/// One message as it came: its bytes, without line end or length.
#[derive(Debug, Default)]
pub struct Frame {
    /// The bytes begin at `start`; before them is what framed them.
    buffer: Vec<u8>,
    start: usize,
    /// What came with them. Whoever does not take a descriptor closes it.
    pub descriptors: Vec<OwnedFd>,
}

impl Frame {
    /// The message's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// The message's bytes, without the descriptors.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.buffer.drain(..self.start);
        self.buffer
    }
}

impl From<Vec<u8>> for Frame {
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            buffer: bytes,
            start: 0,
            descriptors: Vec::new(),
        }
    }
}

/// A frame is longer than the limit. Where the next one begins is unknown,
/// so nothing more can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// The limit in bytes.
    pub limit: usize,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a message is longer than {} bytes", self.limit)
    }
}

impl std::error::Error for TooLong {}

impl From<TooLong> for io::Error {
    fn from(error: TooLong) -> Self {
        Self::new(ErrorKind::InvalidData, error)
    }
}

/// Cuts a stream of bytes into frames. Looks at each byte once, and needs
/// memory for what has arrived, whatever a length in it claims.
#[derive(Debug)]
pub struct Decoder {
    serialization: Serialization,
    limit: usize,
    /// All of it is initialised; `start..end` has arrived and was not yet
    /// handed out.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// `start..scanned` holds no line end.
    scanned: usize,
    /// How many bytes of the stream came before `start`.
    passed: u64,
}

impl Decoder {
    /// Nothing has arrived yet. No frame may have more than `limit` bytes.
    pub fn new(serialization: Serialization, limit: usize) -> Self {
        Self {
            serialization,
            limit,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            scanned: 0,
            passed: 0,
        }
    }

    /// Room for the bytes that arrive next; never empty.
    pub fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            self.scanned = 0;
            // What one long message needed is not kept for the short ones.
            if self.buffer.len() > 16 * READ {
                self.buffer = Vec::new();
            }
        }
        if self.buffer.len() - self.end < READ / 4 && self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.scanned -= self.start;
            self.start = 0;
        }
        if self.buffer.len() - self.end < READ / 4 {
            let double = self.buffer.len() * 2;
            let enough = self.frame_end().unwrap_or(usize::MAX);
            let length = double.min(enough.saturating_add(READ / 4));
            let length = length.min(self.limit.saturating_add(READ));
            let length = length.max(self.end + READ / 4).max(READ);
            self.buffer.resize(length, 0);
        }
        &mut self.buffer[self.end..]
    }

    /// So many bytes have been written to the beginning of [`Self::room`].
    pub fn arrived(&mut self, length: usize) {
        self.end = (self.end + length).min(self.buffer.len());
    }

    /// Adds `bytes`.
    pub fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = self.room();
            let length = room.len().min(bytes.len());
            room[..length].copy_from_slice(&bytes[..length]);
            self.arrived(length);
            bytes = &bytes[length..];
        }
    }

    /// The next whole frame; `None` when more has to arrive first.
    ///
    /// # Errors
    /// When it is too long, from then on for ever.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, TooLong> {
        let too_long = TooLong { limit: self.limit };
        let (first, last, next) = match self.serialization {
            Serialization::Json => {
                let new = &self.buffer[self.scanned..self.end];
                let Some(at) = memchr::memchr(b'\n', new) else {
                    self.scanned = self.end;
                    if self.end - self.start > self.limit {
                        return Err(too_long);
                    }
                    return Ok(None);
                };
                let last = self.scanned + at;
                (self.start, last, last + 1)
            }
            Serialization::Advanced => {
                let Some(last) = self.frame_end() else {
                    return Ok(None);
                };
                let first = self.start + HEADER;
                if last - first > self.limit {
                    return Err(too_long);
                }
                if last > self.end {
                    return Ok(None);
                }
                (first, last, last)
            }
        };
        if last - first > self.limit {
            return Err(too_long);
        }
        self.passed += (next - self.start) as u64;
        Ok(Some(self.take(first, last, next)))
    }

    /// Hands out `first..last`; what comes then begins at `next`.
    fn take(&mut self, first: usize, last: usize, next: usize) -> Frame {
        let (length, rest) = (last - first, self.end - next);
        // A long frame gets the buffer itself. Only when little is left
        // over, or a buffer full of frames would be copied for each of them.
        let (buffer, start) = if length >= READ / 2 && rest <= length {
            let left = self.buffer[next..self.end].to_vec();
            let mut buffer = std::mem::replace(&mut self.buffer, left);
            buffer.truncate(last);
            self.start = 0;
            self.end = rest;
            (buffer, first)
        } else {
            self.start = next;
            (self.buffer[first..last].to_vec(), 0)
        };
        self.scanned = self.start;
        Frame {
            buffer,
            start,
            descriptors: Vec::new(),
        }
    }

    /// Where the current frame ends, if that is known.
    fn frame_end(&self) -> Option<usize> {
        if self.serialization == Serialization::Json {
            return None;
        }
        let arrived = &self.buffer[self.start..self.end];
        let length = arrived.first_chunk::<HEADER>()?;
        // Saturating: on a 32-bit machine it might not fit.
        let length = u32::from_be_bytes(*length) as usize;
        Some((self.start + HEADER).saturating_add(length))
    }

    /// Where in the stream the first frame begins that was not handed out.
    fn position(&self) -> u64 {
        self.passed
    }

    /// How much of the stream has arrived.
    fn total(&self) -> u64 {
        self.passed + (self.end - self.start) as u64
    }
}

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

/// The writing half of a channel. Clones write to the same one: whole frames,
/// one after the other.
#[derive(Clone, Debug)]
pub struct Writer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    socket: Arc<OwnedFd>,
    serialization: Serialization,
    queue: Mutex<Queue>,
    /// Rings when the queue has become shorter, and when it is closed.
    shorter: Notify,
    /// Senders that wait do so in the order in which they came.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Queue {
    /// The frame of which a part is gone. Nothing may come in between.
    current: Option<Outgoing>,
    /// Frames that go before all others.
    urgent: VecDeque<Outgoing>,
    frames: VecDeque<Outgoing>,
    /// Bytes of all these that the kernel has not taken.
    length: usize,
    /// A task waits for room and empties the queue.
    flushing: bool,
    /// The frame that the peer must answer before another one goes.
    unanswered: Option<Outgoing>,
    /// Nothing more can be sent.
    closed: bool,
}

/// A frame on its way.
#[derive(Debug)]
struct Outgoing {
    frame: Frame,
    /// How much of it is gone.
    written: usize,
    /// Nothing but urgent frames goes after it before the peer has answered.
    awaits_answer: bool,
    /// How often it was sent before.
    repeated: u32,
}

impl From<Frame> for Outgoing {
    fn from(frame: Frame) -> Self {
        Self {
            frame,
            written: 0,
            awaits_answer: false,
            repeated: 0,
        }
    }
}

impl Queue {
    /// The frame to write now.
    fn next(&mut self) -> Option<&mut Outgoing> {
        if self.current.is_none() {
            self.current = match self.urgent.pop_front() {
                None if self.unanswered.is_none() => self.frames.pop_front(),
                urgent => urgent,
            };
        }
        self.current.as_mut()
    }

    fn close(&mut self) {
        *self = Self {
            closed: true,
            flushing: self.flushing,
            length: self.length,
            ..Self::default()
        };
    }
}

/// Makes a reader and a writer of one end of a Unix stream socket. Must be
/// called within a tokio runtime.
///
/// # Errors
/// When the socket cannot be made non-blocking or registered.
pub fn open(
    socket: OwnedFd,
    serialization: Serialization,
    limit: usize,
) -> io::Result<(Reader, Writer)> {
    rustix::io::ioctl_fionbio(&socket, true)?;
    let socket = Arc::new(socket);
    let reader = Reader {
        socket: register(Arc::clone(&socket), Interest::READABLE)?,
        decoder: Decoder::new(serialization, limit),
        arrived: VecDeque::new(),
        ended: false,
    };
    let writer = Writer {
        shared: Arc::new(Shared {
            socket,
            serialization,
            queue: Mutex::default(),
            shorter: Notify::new(),
            turn: tokio::sync::Mutex::new(()),
        }),
    };
    Ok((reader, writer))
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

impl Reader {
    /// The next frame; `None` when the peer has closed. What is left of a
    /// frame then is dropped, as Node does. Safe to cancel.
    ///
    /// # Errors
    /// When a frame is too long ([`TooLong`] as the source), and when the
    /// socket fails. After an error comes `None`.
    pub async fn next(&mut self) -> io::Result<Option<Frame>> {
        // A peer that always has more to say must not keep the other tasks
        // from their turn.
        tokio::task::consume_budget().await;
        loop {
            if self.ended {
                return Ok(None);
            }
            let begin = self.decoder.position();
            match self.decoder.next_frame() {
                Ok(Some(mut frame)) => {
                    self.attach(begin, &mut frame);
                    return Ok(Some(frame));
                }
                Ok(None) => {}
                Err(error) => {
                    self.end();
                    return Err(error.into());
                }
            }
            let mut ready = self.socket.readable().await?;
            let socket = ready.get_inner().as_fd();
            let room = self.decoder.room();
            let size = room.len();
            match receive(socket, room) {
                Ok((0, _)) => self.ended = true,
                Ok((length, descriptors)) => {
                    // Short: there is no more, and asking again would only
                    // be told so. But a read stops behind descriptors.
                    if length < size && descriptors.is_empty() {
                        ready.clear_ready();
                    }
                    let begin = self.decoder.total();
                    self.decoder.arrived(length);
                    if !descriptors.is_empty() {
                        self.arrived.push_back(Arrived {
                            begin,
                            end: self.decoder.total(),
                            descriptors,
                        });
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    ready.clear_ready();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // The peer has closed and left something of ours unread.
                Err(error) if is_end(&error) => self.ended = true,
                Err(error) => {
                    self.end();
                    return Err(error);
                }
            }
        }
    }

    /// Gives the frame that began at `begin` the descriptors that were sent
    /// with it.
    fn attach(&mut self, begin: u64, frame: &mut Frame) {
        let end = self.decoder.position();
        while let Some(arrived) = self.arrived.front() {
            // Linux adds earlier messages to a read with descriptors, but
            // no later ones. Others do it the other way round.
            let ours = end >= arrived.end
                || (!cfg!(target_os = "linux") && begin >= arrived.begin);
            if !ours {
                return;
            }
            if let Some(arrived) = self.arrived.pop_front() {
                frame.descriptors.extend(arrived.descriptors);
            }
        }
    }

    fn end(&mut self) {
        self.ended = true;
        self.arrived.clear();
    }
}

/// One `recvmsg`: bytes and descriptors.
fn receive(
    socket: BorrowedFd<'_>,
    room: &mut [u8],
) -> io::Result<(usize, Vec<OwnedFd>)> {
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
    Ok((received.bytes, descriptors))
}

/// The peer is gone: how a socket says so.
pub(crate) fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
    )
}

impl Writer {
    /// Sends a frame, in its turn. Waits while 128 KiB wait already; returns
    /// when the kernel or the queue has the frame, which is then sent even if
    /// nobody waits for it. Cancelled before that, nothing is sent.
    ///
    /// # Errors
    /// `BrokenPipe` when the channel is closed.
    pub async fn send(&self, frame: Frame) -> io::Result<()> {
        self.send_outgoing(frame.into()).await
    }

    /// As [`Self::send`], and no other frame goes until [`Self::answered`]
    /// or [`Self::repeat`] is called. Those that are sent meanwhile wait.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn send_and_hold(&self, frame: Frame) -> io::Result<()> {
        let outgoing = Outgoing {
            awaits_answer: true,
            ..frame.into()
        };
        self.send_outgoing(outgoing).await
    }

    async fn send_outgoing(&self, outgoing: Outgoing) -> io::Result<()> {
        // The usual case: nobody waits.
        if let Ok(_turn) = self.shared.turn.try_lock()
            && !self.would_block()
        {
            return self.enqueue(outgoing, false).map(drop);
        }
        let _turn = self.shared.turn.lock().await;
        self.wait_until(|queue| queue.length < HIGH_WATER).await;
        self.enqueue(outgoing, false).map(drop)
    }

    /// Sends a frame without waiting, whatever waits already; false when it
    /// would be better to wait, as Node's `send()` says it. Must be called
    /// within a tokio runtime.
    ///
    /// # Errors
    /// `BrokenPipe` when the channel is closed, `InvalidInput` when the frame
    /// cannot be framed.
    pub fn post(&self, frame: Frame) -> io::Result<bool> {
        self.enqueue(frame.into(), false)
    }

    /// As [`Self::post`], before all frames that wait.
    ///
    /// # Errors
    /// As [`Self::post`].
    pub fn post_first(&self, frame: Frame) -> io::Result<bool> {
        self.enqueue(frame.into(), true)
    }

    fn enqueue(&self, outgoing: Outgoing, urgent: bool) -> io::Result<bool> {
        self.check(&outgoing.frame)?;
        let mut queue = self.shared.lock();
        if queue.closed {
            return Err(closed());
        }
        queue.length += self.shared.length(&outgoing.frame);
        match urgent {
            true => queue.urgent.push_back(outgoing),
            false => queue.frames.push_back(outgoing),
        }
        self.shared.start(&mut queue)?;
        Ok(queue.length < HIGH_WATER)
    }

    /// Waits while too many urgent frames wait: a peer that demands answers
    /// and takes none must not fill the memory.
    pub async fn ready_first(&self) {
        self.wait_until(|queue| queue.urgent.len() < 1000).await;
    }

    /// A frame was sent that the peer has not answered yet.
    pub fn is_held(&self) -> bool {
        self.shared.lock().unanswered.is_some()
    }

    /// The peer has answered the frame that held the others up, and they go
    /// on. False when there was none.
    pub fn answered(&self) -> bool {
        let mut queue = self.shared.lock();
        let found = queue.unanswered.take().is_some();
        // A closed channel says so to whoever sends or receives next.
        let _ = self.shared.start(&mut queue);
        drop(queue);
        self.shared.shorter.notify_waiters();
        found
    }

    /// The peer wants the frame again that holds the others up. False when
    /// there is none, or it was repeated `most` times: then it is dropped and
    /// the others go on.
    pub fn repeat(&self, most: u32) -> bool {
        let mut queue = self.shared.lock();
        let again = queue.unanswered.take_if(|frame| frame.repeated < most);
        let Some(mut again) = again else {
            drop(queue);
            self.answered();
            return false;
        };
        again.repeated += 1;
        again.written = 0;
        queue.length += self.shared.length(&again.frame);
        queue.frames.push_front(again);
        let _ = self.shared.start(&mut queue);
        true
    }

    /// What a frame must not be, or the peer would see other frames.
    fn check(&self, frame: &Frame) -> io::Result<()> {
        let wrong = match self.shared.serialization {
            Serialization::Json => memchr::memchr(b'\n', frame.bytes())
                .map(|_| "a line end within a line"),
            Serialization::Advanced => (frame.bytes().len() > LONGEST)
                .then_some("Node takes no more than 2 GiB"),
        };
        let wrong = wrong.or((frame.descriptors.len() > MOST_DESCRIPTORS)
            .then_some("too many descriptors"));
        match wrong {
            Some(why) => Err(io::Error::new(ErrorKind::InvalidInput, why)),
            None => Ok(()),
        }
    }

    /// 128 KiB or more wait for the peer to read: where Node's `send()`
    /// returns `false`.
    pub fn would_block(&self) -> bool {
        self.shared.lock().length >= HIGH_WATER
    }

    /// How this channel marks where a frame ends.
    pub fn serialization(&self) -> Serialization {
        self.shared.serialization
    }

    /// Nothing more can be sent.
    pub fn is_closed(&self) -> bool {
        self.shared.lock().closed
    }

    /// Waits until the kernel has all that was sent.
    ///
    /// # Errors
    /// `BrokenPipe` when the channel was closed before that.
    pub async fn flush(&self) -> io::Result<()> {
        self.wait_until(|queue| queue.length == 0).await;
        let queue = self.shared.lock();
        match queue.length {
            0 => Ok(()),
            _ => Err(closed()),
        }
    }

    /// Flushes and waits for the answer that is due, then says that this was
    /// all; the other direction stays open.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub async fn finish(&self) -> io::Result<()> {
        self.wait_until(|queue| {
            queue.length == 0 && queue.unanswered.is_none()
        })
        .await;
        let flushed = self.flush().await;
        self.shared.lock().closed = true;
        let _ = rustix::net::shutdown(&self.shared.socket, Shutdown::Write);
        flushed
    }

    /// Closes both directions at once; what waits is lost.
    pub fn close(&self) {
        self.shared.close();
    }

    async fn wait_until(&self, done: impl Fn(&Queue) -> bool) {
        loop {
            let shorter = self.shared.shorter.notified();
            {
                let queue = self.shared.lock();
                if queue.closed || done(&queue) {
                    return;
                }
            }
            shorter.await;
        }
    }
}

fn closed() -> io::Error {
    io::Error::new(ErrorKind::BrokenPipe, "the channel is closed")
}

/// Empties the queue, each time that there is room.
async fn flush(shared: Arc<Shared>) {
    // A second registration needs a second descriptor.
    let registered = shared
        .socket
        .try_clone()
        .and_then(|socket| register(Arc::new(socket), Interest::WRITABLE));
    let Ok(registered) = registered else {
        return shared.close();
    };
    loop {
        let Ok(mut ready) = registered.writable().await else {
            return shared.close();
        };
        let mut queue = shared.lock();
        let written = shared.write(&mut queue);
        match written {
            Ok(false) => ready.clear_ready(),
            Ok(true) | Err(_) => {
                queue.flushing = false;
                drop(queue);
                shared.shorter.notify_waiters();
                return;
            }
        }
        if queue.length < HIGH_WATER {
            drop(queue);
            shared.shorter.notify_waiters();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The length of a frame on the wire.
    fn length(&self, frame: &Frame) -> usize {
        frame.bytes().len()
            + match self.serialization {
                Serialization::Json => 1,
                Serialization::Advanced => HEADER,
            }
    }

    fn close(&self) {
        self.lock().close();
        let _ = rustix::net::shutdown(&self.socket, Shutdown::Both);
        self.shorter.notify_waiters();
    }

    /// Writes what the socket takes now; a task waits for room for the rest.
    fn start(self: &Arc<Self>, queue: &mut Queue) -> io::Result<()> {
        if !queue.flushing && !self.write(queue)? {
            // The socket is full. The task is registered for writing only as
            // long as that lasts.
            queue.flushing = true;
            tokio::spawn(flush(Arc::clone(self)));
        }
        Ok(())
    }

    /// Writes what the socket takes; false when it is full.
    fn write(&self, queue: &mut Queue) -> io::Result<bool> {
        while let Some(outgoing) = queue.next() {
            match self.write_some(outgoing) {
                Ok(length) => {
                    outgoing.written += length;
                    if outgoing.written == self.length(&outgoing.frame)
                        && let Some(sent) = queue.current.take()
                        && sent.awaits_answer
                    {
                        queue.unanswered = Some(sent);
                    }
                    queue.length -= length;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(false);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    queue.close();
                    return Err(match is_end(&error) {
                        true => closed(),
                        false => error,
                    });
                }
            }
        }
        Ok(true)
    }

    /// One `sendmsg`. Descriptors go with the frame's first byte.
    fn write_some(&self, outgoing: &Outgoing) -> io::Result<usize> {
        let Outgoing { frame, written, .. } = outgoing;
        let bytes = frame.bytes();
        let length = (bytes.len() as u32).to_be_bytes();
        let mut parts = match self.serialization {
            Serialization::Json => [IoSlice::new(bytes), IoSlice::new(b"\n")],
            Serialization::Advanced => {
                [IoSlice::new(&length), IoSlice::new(bytes)]
            }
        };
        let mut parts = &mut parts[..];
        IoSlice::advance_slices(&mut parts, *written);

        // Rust's programs ignore SIGPIPE; a library cannot know that.
        #[cfg(not(target_vendor = "apple"))]
        let flags = SendFlags::NOSIGNAL;
        #[cfg(target_vendor = "apple")]
        let flags = SendFlags::empty();
        if *written > 0 || frame.descriptors.is_empty() {
            let mut none = SendAncillaryBuffer::default();
            let sent =
                rustix::net::sendmsg(&self.socket, parts, &mut none, flags);
            return Ok(sent?);
        }
        let rights: Vec<BorrowedFd<'_>> =
            frame.descriptors.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit();
            rustix::cmsg_space!(ScmRights(MOST_DESCRIPTORS))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        // It fits: `check` has counted them.
        control.push(SendAncillaryMessage::ScmRights(&rights));
        let sent =
            rustix::net::sendmsg(&self.socket, parts, &mut control, flags);
        Ok(sent?)
    }
}
