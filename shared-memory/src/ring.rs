//! A ring of messages in memory that two processes share: one sends, the
//! other receives.
//!
//! The memory holds words, a counter of the words sent and one of the words
//! received. A message is a word with its length, then its bytes, filled up
//! to whole words. Both counters only grow (and begin again at 2^32); a
//! counter modulo the ring's size is a place in the ring.
//!
//! # Why there is no `unsafe` here
//! The other process may write at any time, whatever the rules say. So every
//! word is an atomic one, also those that carry the bytes: reading while the
//! other writes then gives a wrong value, but it is no data race, which would
//! be undefined behaviour. A `&[u8]` over this memory would promise the
//! compiler that nobody writes, and would be wrong from the first byte.
//!
//! # What is believed
//! Nothing that was read. Each end counts its own words in memory of its own,
//! reads the other's counter and each length once, and checks them before
//! use: see [`Error::Corrupt`].
//!
//! # How it was checked
//! `cargo test -p shared-memory` runs both ends against a `VecDeque`, against
//! made-up counters and lengths, and at once in two threads. loom tries every
//! order in which two threads can run (but for those with many involuntary
//! switches), and every value that they may see then. It takes two seconds:
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test -p shared-memory --lib --release
//! ```
//!
//! With a fence removed, or the counter of the words sent made `Relaxed`, it
//! fails. What it cannot show is a store that overtakes an earlier load: that
//! the counter of the words received is stored with `Release` and loaded with
//! `Acquire` rests on the argument beside it alone.
//!
//! Miri runs the other tests, and looks for undefined behaviour in the one
//! place with `unsafe` that it can reach: the memory, mapped, as a ring sees
//! it. It knows no memfd, no futex and no second process, so the memory is
//! this process's own there, and who waits naps instead of sleeping:
//!
//! ```sh
//! rustup toolchain install nightly --component miri,rust-src
//! cargo +nightly miri test -p shared-memory --lib
//! ```

use std::fmt;
use std::time::{Duration, Instant};

use crate::bell::Bell;
use crate::spin::Spin;
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// How often a sleeping end looks whether there is still somebody to wait
/// for: ten times a second costs nothing that can be measured.
pub const LOOK_UP: Duration = Duration::from_millis(100);

/// The bytes in a word.
const WORD: usize = size_of::<u64>();

/// What one process writes stands on a cache line of its own, or the other
/// one's reads would slow it down. Processors fetch lines in pairs: 128.
#[repr(C, align(128))]
#[derive(Debug, Default)]
pub(crate) struct Line<T>(pub(crate) T);

/// The shared part. Zeroed memory is an empty ring, and any bytes at all are
/// a valid value of this type. `WORDS` is a power of two.
#[repr(C)]
#[derive(Debug)]
pub struct Ring<const WORDS: usize> {
    /// Words sent since the beginning. Only the sender writes it.
    sent: Line<AtomicU32>,
    /// Words received since the beginning. Only the receiver writes it.
    received: Line<AtomicU32>,
    /// The receiver sleeps here while the ring is empty.
    arrival: Line<Bell>,
    /// The sender sleeps here while the ring is full.
    room: Line<Bell>,
    /// Not 0 once the sender has gone.
    sender_left: Line<AtomicU32>,
    /// Not 0 once the receiver has gone.
    receiver_left: Line<AtomicU32>,
    words: [AtomicU64; WORDS],
}

/// Why a message could not be sent or received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The other end has closed, and there is nothing left to receive.
    Closed,
    /// The other process died without closing.
    PeerDied,
    /// This program is to end.
    Stopped,
    /// The message is longer than this many bytes and can never fit.
    TooLong(usize),
    /// The other process wrote a counter or a length that cannot be.
    Corrupt,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => write!(f, "the other side has closed"),
            Self::PeerDied => write!(f, "the other process is dead"),
            Self::Stopped => write!(f, "stopped"),
            Self::TooLong(most) => {
                write!(f, "a message has at most {most} bytes")
            }
            Self::Corrupt => {
                write!(f, "the other process wrote what cannot be")
            }
        }
    }
}

impl std::error::Error for Error {}

/// Asked from time to time by an end that waits. An end has its own copy, so
/// a reference will do.
pub trait Watch {
    /// This program is to end: do not wait any longer.
    fn is_stopped(&self) -> bool;

    /// The other process does not live any more. A system call, so asked
    /// only after [`LOOK_UP`] has passed in silence.
    fn peer_is_gone(&self) -> bool;
}

impl<W: Watch> Watch for &W {
    fn is_stopped(&self) -> bool {
        W::is_stopped(self)
    }

    fn peer_is_gone(&self) -> bool {
        W::peer_is_gone(self)
    }
}

impl<const WORDS: usize> Ring<WORDS> {
    /// The longest message that fits, in bytes.
    pub const LONGEST: usize = (WORDS - 1) * WORD;

    const SIZE: u32 = {
        assert!(WORDS.is_power_of_two() && WORDS >= 2 && WORDS <= 1 << 30);
        WORDS as u32
    };

    /// The word at a counter's place.
    fn word(&self, counter: u32) -> &AtomicU64 {
        // In bounds whatever the counter is: the remainder is below WORDS.
        &self.words[counter as usize % WORDS]
    }

    /// The sending end. There must be one only: a second one would mix its
    /// messages into the first one's.
    pub fn sender<W: Watch>(&self, watch: W) -> Sender<'_, W, WORDS> {
        Sender {
            ring: self,
            watch,
            sent: 0,
            received: 0,
            spin: Spin::default(),
        }
    }

    /// The receiving end. There must be one only.
    pub fn receiver<W: Watch>(&self, watch: W) -> Receiver<'_, W, WORDS> {
        Receiver {
            ring: self,
            watch,
            received: 0,
            spin: Spin::default(),
        }
    }
}

/// How many words a message of so many bytes takes, its length included.
fn words_for(length: usize) -> usize {
    1 + length.div_ceil(WORD)
}

/// The end that sends. Dropping it closes it: what was sent still arrives.
#[derive(Debug)]
pub struct Sender<'a, W: Watch, const WORDS: usize> {
    ring: &'a Ring<WORDS>,
    watch: W,
    /// Our own count. The one in the ring is for the other process to read,
    /// and never read back: it may have been changed.
    sent: u32,
    /// The receiver's count when we last looked.
    received: u32,
    spin: Spin,
}

impl<W: Watch, const WORDS: usize> Sender<'_, W, WORDS> {
    /// Sends one message; waits while there is no room for it.
    ///
    /// # Errors
    /// [`Error::TooLong`], and those of waiting. Nothing of the message is
    /// sent then.
    pub fn send(&mut self, message: &[u8]) -> Result<(), Error> {
        if message.len() > Ring::<WORDS>::LONGEST {
            return Err(Error::TooLong(Ring::<WORDS>::LONGEST));
        }
        self.wait_for_room(words_for(message.len()) as u32)?;

        let mut at = self.sent;
        let mut put = |word: u64| {
            self.ring.word(at).store(word, Ordering::Relaxed);
            at = at.wrapping_add(1);
        };
        put(message.len() as u64);
        let (whole, rest) = message.as_chunks::<WORD>();
        whole
            .iter()
            .for_each(|bytes| put(u64::from_le_bytes(*bytes)));
        if !rest.is_empty() {
            let mut last = [0; WORD];
            last[..rest.len()].copy_from_slice(rest);
            put(u64::from_le_bytes(last));
        }

        // Release: whoever sees this count sees the words before it, too.
        self.sent = at;
        self.ring.sent.0.store(at, Ordering::Release);
        self.ring.arrival.0.ring();
        Ok(())
    }

    fn wait_for_room(&mut self, words: u32) -> Result<(), Error> {
        let Self {
            ring,
            sent,
            received,
            ..
        } = self;
        let look = || {
            if ring.receiver_left.0.load(Ordering::Acquire) != 0 {
                return Err(Error::Closed);
            }
            // Mostly the answer is known without a look at the receiver's
            // cache line.
            if Ring::<WORDS>::SIZE - sent.wrapping_sub(*received) >= words {
                return Ok(Some(()));
            }
            // Acquire: the receiver has read what we shall write over.
            let seen = ring.received.0.load(Ordering::Acquire);
            let taken = sent.wrapping_sub(seen);
            if taken > sent.wrapping_sub(*received) {
                return Err(Error::Corrupt); // it went back, or too far
            }
            *received = seen;
            Ok((Ring::<WORDS>::SIZE - taken >= words).then_some(()))
        };
        wait(&ring.room.0, &mut self.spin, &self.watch, None, look).map(drop)
    }
}

impl<W: Watch, const WORDS: usize> Drop for Sender<'_, W, WORDS> {
    fn drop(&mut self) {
        self.ring.sender_left.0.store(1, Ordering::Release);
        self.ring.arrival.0.ring();
    }
}

/// The end that receives. Dropping it closes it: the sender hears of it when
/// it sends.
#[derive(Debug)]
pub struct Receiver<'a, W: Watch, const WORDS: usize> {
    ring: &'a Ring<WORDS>,
    watch: W,
    /// Our own count; see [`Sender`].
    received: u32,
    spin: Spin,
}

impl<W: Watch, const WORDS: usize> Receiver<'_, W, WORDS> {
    /// Waits for the next message and puts it into `message`, in place of
    /// what was there.
    ///
    /// # Errors
    /// Those of waiting, and [`Error::Corrupt`].
    pub fn receive(&mut self, message: &mut Vec<u8>) -> Result<(), Error> {
        let there = self.wait(None)? as usize;
        let mut at = self.received;
        let mut take = || {
            let word = self.ring.word(at).load(Ordering::Relaxed);
            at = at.wrapping_add(1);
            word
        };

        // Read once, then checked, then used: read a second time, it could
        // be another.
        let length = usize::try_from(take()).unwrap_or(usize::MAX);
        if length > there.saturating_sub(1) * WORD {
            return Err(Error::Corrupt);
        }
        message.resize(length.next_multiple_of(WORD), 0);
        for bytes in message.as_chunks_mut::<WORD>().0 {
            *bytes = take().to_le_bytes();
        }
        message.truncate(length);

        // Release: the words are read before they may be written over.
        self.received = at;
        self.ring.received.0.store(at, Ordering::Release);
        self.ring.room.0.ring();
        Ok(())
    }

    /// Waits until `deadline`, or until a message is there; takes none. As a
    /// plain sleep, but the other side's end ends it.
    ///
    /// # Errors
    /// Those of waiting.
    pub fn pause(&mut self, deadline: Instant) -> Result<(), Error> {
        self.wait(Some(deadline)).map(drop)
    }

    /// How many words are there: at least one, at most all. None only at the
    /// deadline.
    fn wait(&mut self, deadline: Option<Instant>) -> Result<u32, Error> {
        let Self { ring, received, .. } = self;
        let look = || {
            // In this order: who sees that the sender has left sees all that
            // it sent before.
            let left = ring.sender_left.0.load(Ordering::Acquire) != 0;
            // Acquire: with the count, we see the words before it.
            let sent = ring.sent.0.load(Ordering::Acquire);
            match sent.wrapping_sub(*received) {
                0 if left => Err(Error::Closed),
                0 => Ok(None),
                there if there > Ring::<WORDS>::SIZE => Err(Error::Corrupt),
                there => Ok(Some(there)),
            }
        };
        let bell = &ring.arrival.0;
        let there = wait(bell, &mut self.spin, &self.watch, deadline, look)?;
        Ok(there.unwrap_or(0))
    }
}

impl<W: Watch, const WORDS: usize> Drop for Receiver<'_, W, WORDS> {
    fn drop(&mut self) {
        self.ring.receiver_left.0.store(1, Ordering::Release);
        self.ring.room.0.ring();
    }
}

/// Waits until `ready` finds something, or until the deadline: spins a
/// little, then sleeps.
fn wait<T>(
    bell: &Bell,
    spin: &mut Spin,
    watch: &impl Watch,
    deadline: Option<Instant>,
    mut ready: impl FnMut() -> Result<Option<T>, Error>,
) -> Result<Option<T>, Error> {
    if let Some(found) = spin.until(&mut ready)? {
        return Ok(Some(found));
    }
    let mut overdue = false;
    loop {
        // Before we look for the last time: whoever changes something from
        // here on finds us asleep, and rings.
        let sleeper = bell.lie_down();
        // What a dead process sent while it lived is received all the same:
        // so we ask first, and look then.
        let gone = overdue && watch.peer_is_gone();
        if let Some(found) = ready()? {
            return Ok(Some(found));
        }
        if gone {
            return Err(Error::PeerDied);
        }
        if watch.is_stopped() {
            return Err(Error::Stopped);
        }
        let now = Instant::now();
        let left = deadline.map(|end| end.saturating_duration_since(now));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(None);
        }
        overdue = !sleeper.sleep(left.unwrap_or(LOOK_UP).min(LOOK_UP));
    }
}

/// For tests: an empty ring, and one that a hostile process has written to.
#[cfg(test)]
impl<const WORDS: usize> Default for Ring<WORDS> {
    fn default() -> Self {
        Self {
            sent: Line::default(),
            received: Line::default(),
            arrival: Line::default(),
            room: Line::default(),
            sender_left: Line::default(),
            receiver_left: Line::default(),
            words: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

#[cfg(all(test, not(loom)))]
impl<const WORDS: usize> Ring<WORDS> {
    pub(crate) fn overwrite(&self, header: [u32; 6], words: [u64; WORDS]) {
        let [sent, received, arrival, room, left, right] = header;
        self.sent.0.store(sent, Ordering::Relaxed);
        self.received.0.store(received, Ordering::Relaxed);
        self.arrival.0.overwrite(arrival);
        self.room.0.overwrite(room);
        self.sender_left.0.store(left, Ordering::Relaxed);
        self.receiver_left.0.store(right, Ordering::Relaxed);
        for (word, value) in self.words.iter().zip(words) {
            word.store(value, Ordering::Relaxed);
        }
    }

    pub(crate) fn begin_at(&self, counter: u32) {
        self.sent.0.store(counter, Ordering::Relaxed);
        self.received.0.store(counter, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(loom)))]
impl<W: Watch, const WORDS: usize> Sender<'_, W, WORDS> {
    pub(crate) fn begin_at(&mut self, counter: u32) {
        (self.sent, self.received) = (counter, counter);
    }
}

#[cfg(all(test, not(loom)))]
impl<W: Watch, const WORDS: usize> Receiver<'_, W, WORDS> {
    pub(crate) fn begin_at(&mut self, counter: u32) {
        self.received = counter;
    }
}
