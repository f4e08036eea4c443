//! Writes frames: whole ones, in order, from any number of senders.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::socket::Link;
use super::{
    Frame, HEADER, HIGH_WATER, MOST_DESCRIPTORS, MOST_KEPT, READ, is_end,
};
use crate::Serialization;
use crate::error::Reason;

/// The longest payload in advanced mode: Node 20 takes the length for a
/// signed number.
const LONGEST: usize = i32::MAX as usize;

/// Up to here a copy costs less than a second piece does.
const SHORT: usize = 2048;

/// Short frames that wait leave together, up to so many bytes.
const TOGETHER: usize = READ;

/// How long answers wait at most for the end of the task's turn. A task that
/// blocks its thread, or computes, may have none for seconds.
const LONGEST_TURN: Duration = Duration::from_millis(1);

/// The writing half of a channel. Clones write to the same one: whole frames,
/// one after the other.
#[derive(Clone, Debug)]
pub struct Writer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    link: Link,
    serialization: Serialization,
    queue: Mutex<Queue>,
    /// The runtime whose task empties the queue, whatever task sends.
    runtime: Handle,
    /// Rings when the queue has become shorter, and when it is closed.
    shorter: Notify,
    /// Senders that wait do so in the order in which they came.
    turn: tokio::sync::Mutex<()>,
    /// The reader has more frames already. What is sent now answers one of
    /// them, most likely, and the next answer is about to follow.
    more: Arc<AtomicBool>,
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
    /// How many frames have been accepted.
    accepted: u64,
    /// The first frame that will never go, as the channel was closed.
    lost: Option<u64>,
    /// The task that empties the queue.
    flushing: Flushing,
    /// A thread looks after what waits for that task.
    watched: bool,
    /// The frame that the peer must answer before another one goes.
    unanswered: Option<Outgoing>,
    /// Somebody waits until all of it is gone, to close then: nothing more
    /// is accepted.
    closing: bool,
    /// The peer says nothing more. What waits may still reach it.
    ending: bool,
    /// Nothing more can be sent.
    closed: bool,
    /// The buffer of the last frame that went, for the next one.
    spare: Vec<u8>,
    /// The buffer of the last short frames that went together.
    together: Vec<u8>,
}

/// What the task does that empties the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Flushing {
    /// There is none.
    #[default]
    No,
    /// It writes when its turn comes, unless somebody does so before.
    Soon,
    /// It waits for room in the socket. Nobody else writes.
    Full,
}

/// A frame on its way, or several short ones.
#[derive(Debug)]
struct Outgoing {
    frame: Frame,
    /// The bytes are as they go: one frame or several, each with its mark.
    marked: bool,
    /// Which of all frames it is, from 1. Of several, the first one.
    number: u64,
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
            marked: false,
            number: 0,
            written: 0,
            awaits_answer: false,
            repeated: 0,
        }
    }
}

impl Outgoing {
    /// Its length on the wire.
    fn length(&self, serialization: Serialization) -> usize {
        let mark = match serialization {
            _ if self.marked => 0,
            Serialization::Json => 1,
            Serialization::Advanced => HEADER,
        };
        self.frame.bytes().len() + mark
    }

    fn is_short(&self) -> bool {
        self.frame.bytes().len() <= SHORT
            && self.frame.descriptors.is_empty()
            && !self.awaits_answer
    }
}

/// A frame with what marks where it ends.
fn marked<'a>(
    bytes: &'a [u8],
    length: &'a [u8; HEADER],
    serialization: Serialization,
) -> [&'a [u8]; 2] {
    match serialization {
        Serialization::Json => [bytes, b"\n"],
        Serialization::Advanced => [length, bytes],
    }
}

impl Queue {
    /// One more frame. If it is short, it goes together with those before it,
    /// and its own buffer is there for the next one.
    fn add(
        &mut self,
        outgoing: Outgoing,
        urgent: bool,
        serialization: Serialization,
    ) {
        let frames = match urgent {
            true => &mut self.urgent,
            false => &mut self.frames,
        };
        if !outgoing.is_short() {
            return frames.push_back(outgoing);
        }
        let bytes = outgoing.frame.bytes();
        let length = (bytes.len() as u32).to_be_bytes();
        let parts = marked(bytes, &length, serialization);
        let fits = |last: &Outgoing| {
            last.marked && last.frame.buffer.len() + SHORT + HEADER <= TOGETHER
        };
        if !frames.back().is_some_and(fits) {
            frames.push_back(Outgoing {
                marked: true,
                number: outgoing.number,
                ..Frame::from(mem::take(&mut self.together)).into()
            });
        }
        if let Some(last) = frames.back_mut() {
            for part in parts {
                last.frame.buffer.extend_from_slice(part);
            }
        }
        self.recycle(outgoing.frame);
    }

    /// Fewer than 128 KiB of urgent frames wait.
    fn has_room_first(&self) -> bool {
        let urgent = self.urgent.iter();
        let lengths = urgent.map(|outgoing| outgoing.frame.bytes().len());
        lengths.sum::<usize>() < HIGH_WATER
    }

    /// What is to be written now.
    fn next(&mut self) -> Option<&mut Outgoing> {
        if self.current.is_none() {
            self.current = match self.urgent.pop_front() {
                None if self.unanswered.is_none() => self.frames.pop_front(),
                urgent => urgent,
            };
        }
        self.current.as_mut()
    }

    /// All of it is gone.
    fn sent(&mut self, sent: Outgoing) {
        if sent.awaits_answer && !self.ending {
            self.unanswered = Some(sent);
        } else if sent.marked {
            self.together = sent.frame.buffer;
            self.together.clear();
        } else {
            self.recycle(sent.frame);
        }
    }

    /// The frame is gone: keeps its buffer, unless it is a very long one.
    fn recycle(&mut self, frame: Frame) {
        if frame.buffer.capacity() <= MOST_KEPT {
            self.spare = frame.buffer;
            self.spare.clear();
        }
    }

    /// The first frame that waits, or never went.
    fn oldest(&self) -> Option<u64> {
        let first = [
            self.current.as_ref(),
            self.urgent.front(),
            self.frames.front(),
        ];
        let numbers = first.into_iter().flatten().map(|one| one.number);
        numbers.chain(self.lost).min()
    }

    /// All frames up to this one are gone.
    fn gone(&self, number: u64) -> bool {
        self.oldest().is_none_or(|oldest| oldest > number)
    }

    fn close(&mut self) {
        *self = Self {
            closing: true,
            closed: true,
            flushing: self.flushing,
            length: self.length,
            accepted: self.accepted,
            lost: self.oldest(),
            ..Self::default()
        };
    }
}

/// A [`Writer`] that does not keep the channel open.
#[derive(Clone, Debug)]
pub(crate) struct WeakWriter {
    shared: Weak<Shared>,
}

impl WeakWriter {
    /// The writer, as long as somebody else has it.
    pub(crate) fn upgrade(&self) -> Option<Writer> {
        let shared = self.shared.upgrade()?;
        Some(Writer { shared })
    }
}

impl Writer {
    pub(crate) fn downgrade(&self) -> WeakWriter {
        let shared = Arc::downgrade(&self.shared);
        WeakWriter { shared }
    }

    /// `more` is true while the reader has more frames already.
    pub(super) fn new(
        link: Link,
        serialization: Serialization,
        more: Arc<AtomicBool>,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                link,
                serialization,
                queue: Mutex::default(),
                runtime: Handle::current(),
                shorter: Notify::new(),
                turn: tokio::sync::Mutex::new(()),
                more,
            }),
        }
    }

    /// Sends a frame, in its turn. Waits while 128 KiB wait already; returns
    /// when the kernel or the queue has the frame, which is then sent even if
    /// nobody waits for it. Cancelled before that, nothing is sent.
    ///
    /// # Errors
    /// `BrokenPipe` when the channel is closed, `InvalidInput` when the frame
    /// cannot be framed.
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
        self.ready().await;
        self.enqueue(outgoing, false).map(drop)
    }

    /// Sends a frame without waiting, whatever waits already; false when it
    /// would be better to wait, as Node's `send()` says it. Must be called
    /// within a tokio runtime.
    ///
    /// # Errors
    /// `BrokenPipe` when the channel is closed, `InvalidInput` when the frame
    /// cannot be framed.
    pub fn try_send(&self, frame: Frame) -> io::Result<bool> {
        self.enqueue(frame.into(), false)
    }

    /// As [`Self::try_send`], and no other frame goes until the peer has
    /// answered: see [`Self::send_and_hold`].
    ///
    /// # Errors
    /// As [`Self::try_send`].
    pub fn try_send_and_hold(&self, frame: Frame) -> io::Result<bool> {
        let outgoing = Outgoing {
            awaits_answer: true,
            ..frame.into()
        };
        self.enqueue(outgoing, false)
    }

    /// As [`Self::try_send`], before all frames that wait.
    ///
    /// # Errors
    /// As [`Self::try_send`].
    pub fn try_send_first(&self, frame: Frame) -> io::Result<bool> {
        self.enqueue(frame.into(), true)
    }

    /// An empty buffer to make a frame of. It has room already if one has gone
    /// before: to have that made ready takes its time where frames are long.
    pub(crate) fn buffer(&self) -> Vec<u8> {
        std::mem::take(&mut self.shared.lock().spare)
    }

    fn enqueue(
        &self,
        mut outgoing: Outgoing,
        urgent: bool,
    ) -> io::Result<bool> {
        self.check(&outgoing.frame)?;
        let mut queue = self.shared.lock();
        // Answers are still due while the last frames go.
        if queue.closed || queue.closing && !urgent {
            return Err(closed());
        }
        let serialization = self.shared.serialization;
        queue.length += outgoing.length(serialization);
        queue.accepted += 1;
        outgoing.number = queue.accepted;
        queue.add(outgoing, urgent, serialization);
        match urgent {
            true => self.shared.start_now(&mut queue)?,
            false => self.shared.start(&mut queue)?,
        }
        Ok(queue.length < HIGH_WATER)
    }

    /// Waits while 128 KiB of urgent frames wait: a peer that demands answers
    /// and takes none must not fill the memory.
    pub async fn ready_first(&self) {
        self.wait_until(|queue| queue.has_room_first()).await;
    }

    /// [`Self::ready_first`] would not wait.
    pub(crate) fn is_ready_first(&self) -> bool {
        let queue = self.shared.lock();
        queue.closed || queue.has_room_first()
    }

    /// Waits while 128 KiB wait, or until nothing more is accepted.
    pub(crate) async fn ready(&self) {
        self.wait_until(|queue| queue.closing || queue.length < HIGH_WATER)
            .await;
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
        // A closed channel is reported by the next send or receive.
        let _ = self.shared.start_now(&mut queue);
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
        queue.length += again.length(self.shared.serialization);
        queue.frames.push_front(again);
        let _ = self.shared.start_now(&mut queue);
        true
    }

    /// What a frame must not be: the peer would see other frames, or one that
    /// is no message in any serialization.
    fn check(&self, frame: &Frame) -> io::Result<()> {
        let empty = frame.bytes().is_empty();
        let wrong = match self.shared.serialization {
            Serialization::Json => memchr::memchr(b'\n', frame.bytes())
                .map(|_| "a line end within a line"),
            Serialization::Advanced => (frame.bytes().len() > LONGEST)
                .then_some("Node takes no more than 2 GiB"),
        };
        let wrong = wrong.or(empty.then_some("an empty message"));
        let wrong = wrong.or((frame.descriptors.len() > MOST_DESCRIPTORS)
            .then_some("too many descriptors"));
        match wrong {
            Some(why) => Err(Reason::Unsendable(why).into()),
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

    /// Nothing more can be sent, not even what was accepted before.
    pub fn is_closed(&self) -> bool {
        self.shared.lock().closed
    }

    /// Waits until the kernel has all that was sent until now.
    ///
    /// # Errors
    /// `BrokenPipe` when the channel was closed before that.
    pub async fn flush(&self) -> io::Result<()> {
        let last = {
            let mut queue = self.shared.lock();
            // When it fails, the channel is closed: see below.
            let _ = self.shared.start_now(&mut queue);
            queue.accepted
        };
        self.wait_until(|queue| queue.gone(last)).await;
        self.shared.link.drain().await;
        match self.shared.lock().gone(last) {
            true => Ok(()),
            false => Err(closed()),
        }
    }

    /// Flushes and waits for the answer that is due, then says that this was
    /// all; the other direction stays open. From now on no frame is accepted
    /// from any sender, also when this is cancelled.
    ///
    /// # Errors
    /// As [`Self::flush`].
    pub async fn finish(&self) -> io::Result<()> {
        {
            let mut queue = self.shared.lock();
            queue.closing = true;
            let _ = self.shared.start_now(&mut queue);
        }
        // There will be no room: end the waiting.
        self.shared.shorter.notify_waiters();
        self.wait_until(|queue| {
            let gone = queue.length == 0 && queue.unanswered.is_none();
            // At once, or an answer could slip in and be lost.
            queue.closed |= gone;
            gone
        })
        .await;
        self.shared.link.drain().await;
        self.shared.link.end_writing();
        self.flush().await
    }

    /// The peer has said that it has said all. It may still read: what waits
    /// goes to it, unless it is gone, and then both directions are closed.
    /// From now on no frame is accepted.
    pub fn end(&self) {
        let mut queue = self.shared.lock();
        queue.closing = true;
        queue.ending = true;
        // Nor will it answer.
        queue.unanswered = None;
        let _ = self.shared.start_now(&mut queue);
        drop(queue);
        // There will be neither room nor an answer: end the waiting.
        self.shared.shorter.notify_waiters();
    }

    /// Closes both directions at once; what waits is lost.
    pub fn close(&self) {
        self.shared.close();
    }

    async fn wait_until(&self, done: impl Fn(&mut Queue) -> bool) {
        loop {
            let shorter = self.shared.shorter.notified();
            {
                let mut queue = self.shared.lock();
                if queue.closed || done(&mut queue) {
                    return;
                }
            }
            shorter.await;
        }
    }
}

fn closed() -> io::Error {
    Reason::Closed.into()
}

/// Empties the queue at its first turn, and then each time that there is room.
async fn flush(shared: Arc<Shared>) {
    if shared.end_turn() {
        return;
    }
    // The socket is full. It is registered for writing only as long as that
    // lasts.
    let Ok(room) = shared.link.room() else {
        return shared.close();
    };
    loop {
        let Ok(mut ready) = room.writable().await else {
            return shared.close();
        };
        let mut queue = shared.lock();
        let written = shared.write(&mut queue);
        match written {
            Ok(false) => ready.clear_ready(),
            Ok(true) | Err(_) => {
                // Before the next task may register it.
                drop(room);
                queue.flushing = Flushing::No;
                drop(queue);
                shared.shorter.notify_waiters();
                return;
            }
        }
        drop(queue);
        shared.shorter.notify_waiters();
    }
}

/// In a thread of its own: the one that sends may be the runtime's only one,
/// and busy.
fn watch(shared: Weak<Shared>) -> impl FnOnce() + Send {
    move || {
        thread::sleep(LONGEST_TURN);
        if let Some(shared) = shared.upgrade() {
            let mut queue = shared.lock();
            queue.watched = false;
            let _ = shared.start_now(&mut queue);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.close_all(&mut self.lock());
    }

    /// The queue, the socket for the reader as well, and the waiting of those
    /// who want room.
    fn close_all(&self, queue: &mut Queue) {
        queue.close();
        self.link.close();
        self.shorter.notify_waiters();
    }

    /// Has written what waits: at once, or at the end of the task's turn, while
    /// more frames are there to be answered. All the answers go together then.
    fn start(self: &Arc<Self>, queue: &mut Queue) -> io::Result<()> {
        let more = self.more.load(Ordering::Relaxed);
        let full = queue.flushing == Flushing::Full;
        if !more || full || queue.length >= TOGETHER {
            return self.start_now(queue);
        }
        // Behind the task that sends, in the same runtime.
        if queue.flushing == Flushing::No {
            queue.flushing = Flushing::Soon;
            self.runtime.spawn(flush(Arc::clone(self)));
        }
        if !queue.watched {
            queue.watched = true;
            let watching = watch(Arc::downgrade(self));
            if thread::Builder::new().spawn(watching).is_err() {
                queue.watched = false;
                return self.start_now(queue);
            }
        }
        Ok(())
    }

    /// Writes what the socket takes now; a task waits for room for the rest.
    fn start_now(self: &Arc<Self>, queue: &mut Queue) -> io::Result<()> {
        if queue.flushing == Flushing::Full {
            return Ok(());
        }
        let all = self.write(queue);
        if let Ok(false) = all {
            if queue.flushing == Flushing::No {
                self.runtime.spawn(flush(Arc::clone(self)));
            }
            queue.flushing = Flushing::Full;
        }
        self.shorter.notify_waiters();
        all.map(drop)
    }

    /// The task's turn has come: false when it must wait for room.
    fn end_turn(&self) -> bool {
        let mut queue = self.lock();
        let full = matches!(self.write(&mut queue), Ok(false));
        queue.flushing = match full {
            true => Flushing::Full,
            false => Flushing::No,
        };
        drop(queue);
        self.shorter.notify_waiters();
        !full
    }

    /// Writes what the socket takes; false when it is full.
    fn write(&self, queue: &mut Queue) -> io::Result<bool> {
        while let Some(outgoing) = queue.next() {
            let bytes = outgoing.frame.bytes();
            let length = (bytes.len() as u32).to_be_bytes();
            let parts = match outgoing.marked {
                true => [b"", bytes],
                false => marked(bytes, &length, self.serialization),
            };
            let descriptors = &outgoing.frame.descriptors;
            match self.link.write_some(parts, descriptors, outgoing.written) {
                Ok(length) => {
                    outgoing.written += length;
                    if outgoing.written == outgoing.length(self.serialization)
                        && let Some(sent) = queue.current.take()
                    {
                        queue.sent(sent);
                    }
                    queue.length -= length;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(false);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.close_all(queue);
                    return Err(match is_end(&error) {
                        true => closed(),
                        false => error,
                    });
                }
            }
        }
        if queue.ending {
            self.close_all(queue);
        }
        Ok(true)
    }
}

impl Drop for Shared {
    /// The runtime may have ended before the task had its turn.
    fn drop(&mut self) {
        let queue = self.queue.get_mut();
        let mut queue =
            mem::take(queue.unwrap_or_else(PoisonError::into_inner));
        let _ = self.write(&mut queue);
    }
}
