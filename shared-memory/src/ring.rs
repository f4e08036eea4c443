//! A ring buffer of messages in memory that two processes share: one process
//! sends, the other receives.
//!
//! The memory holds 64-bit words, a counter of the words sent and a counter of
//! the words received. A message is one word with its length, then its bytes,
//! padded to whole words. The counters only grow (and wrap around at 2^32); a
//! counter modulo the ring's size is a position in the ring.
//!
//! # Memory ordering
//! The sender writes the words first and the counter `sent` after them, with
//! `Release`; the receiver reads the counter with `Acquire` and the words after
//! it. Without this, the compiler and the processor may reorder the accesses,
//! and the receiver reads what the words held before. The counter `received`
//! protects the other direction: a word is read before it is overwritten.
//!
//! # Why there is no `unsafe` here
//! The other process can write at any time, whatever the rules say. So every
//! word is an atomic, also those that carry the bytes: reading a word while the
//! other process writes it gives a wrong value, but is no data race, which
//! would be undefined behaviour. A `&[u8]` over this memory would promise the
//! compiler that nobody writes.
//!
//! # What is trusted
//! Nothing that was read. Each end counts its own words in private memory,
//! reads the other's counter and each length once, and checks them before use:
//! see [`Error::Corrupt`].
//!
//! # How it was checked
//! `cargo test -p shared-memory` compares the ring with a `VecDeque`, writes
//! impossible counters and lengths, and runs both ends in two threads. loom
//! tries every order in which two threads can run (except those with many
//! preemptions), and every value that they can see, in a few seconds:
//!
//! ```sh
//! RUSTFLAGS="--cfg loom" cargo test -p shared-memory --lib --release
//! ```
//!
//! It fails if a fence is removed, or if `sent` is stored with `Relaxed`. It
//! cannot show a store that overtakes an earlier load, so the ordering of
//! `received` rests on the comments beside it. Miri runs the other tests
//! and looks for undefined behaviour; it knows no memfd, no futex and no second
//! process, so there two threads share the memory.
//!
//! ```sh
//! rustup toolchain install nightly --component miri,rust-src
//! cargo +nightly miri test -p shared-memory --lib
//! ```

use std::fmt;
use std::time::{Duration, Instant};

use crate::futex::Futex;
use crate::spin::Spin;
use crate::sync::{AtomicU32, AtomicU64, Ordering, fence};

/// How often a sleeping process checks whether the other one is still alive.
/// Ten times a second costs nothing that can be measured.
pub const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// The bytes in a word.
const WORD: usize = size_of::<u64>();

/// Gives each value a cache line of its own. Otherwise a write by one process
/// would slow down the other one's reads of a neighbour ("false sharing").
/// Processors fetch lines in pairs, hence 128 bytes.
#[repr(C, align(128))]
#[derive(Debug, Default)]
pub(crate) struct CacheLine<T>(pub(crate) T);

/// The shared part. Zeroed memory is an empty ring, and any bytes are a valid
/// value of this type. `WORDS` is a power of two.
#[repr(C)]
#[derive(Debug)]
pub struct Ring<const WORDS: usize> {
    /// Words sent since the beginning. Only the sender writes it.
    sent: CacheLine<AtomicU32>,
    /// Words received since the beginning. Only the receiver writes it.
    received: CacheLine<AtomicU32>,
    /// The receiver waits here while the ring is empty.
    receiver_waits: CacheLine<WaitFlag>,
    /// The sender waits here while the ring is full.
    sender_waits: CacheLine<WaitFlag>,
    /// Not 0 once the sender has closed.
    sender_closed: CacheLine<AtomicU32>,
    /// Not 0 once the receiver has closed.
    receiver_closed: CacheLine<AtomicU32>,
    words: [AtomicU64; WORDS],
}

/// Why a message could not be sent or received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The other end has closed, and there is nothing left to receive.
    Closed,
    /// The other process died without closing.
    PeerDied,
    /// This program was told to stop.
    Stopped,
    /// The message is longer than this number of bytes and can never fit.
    TooLong(usize),
    /// The other process wrote an impossible counter or length.
    Corrupt,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => write!(f, "the other process has closed"),
            Self::PeerDied => write!(f, "the other process is dead"),
            Self::Stopped => write!(f, "stopped"),
            Self::TooLong(most) => {
                write!(f, "a message has at most {most} bytes")
            }
            Self::Corrupt => {
                write!(f, "the other process wrote an impossible value")
            }
        }
    }
}

impl std::error::Error for Error {}

/// The process at the other end, for an end that waits for it.
pub trait Peer {
    /// Whether it has died. A system call, so it is made only after
    /// [`CHECK_INTERVAL`] without news.
    fn is_dead(&self) -> bool;

    /// Whether this program was told to stop, and should not wait any longer.
    fn should_stop(&self) -> bool;
}

impl<const WORDS: usize> Ring<WORDS> {
    /// The longest message that fits, in bytes.
    pub const LONGEST: usize = (WORDS - 1) * WORD;

    const SIZE: u32 = {
        assert!(WORDS.is_power_of_two() && WORDS >= 2 && WORDS <= 1 << 30);
        WORDS as u32
    };

    /// The word at a counter's position.
    fn word(&self, counter: u32) -> &AtomicU64 {
        // Never out of bounds, whatever the counter is.
        &self.words[counter as usize % WORDS]
    }

    /// The sending end. There must be only one.
    pub fn sender<'a, P: Peer>(&'a self, peer: &'a P) -> Sender<'a, P, WORDS> {
        Sender {
            ring: self,
            peer,
            sent: 0,
            received: 0,
            spin: Spin::default(),
        }
    }

    /// The receiving end. There must be only one.
    pub fn receiver<'a, P: Peer>(
        &'a self,
        peer: &'a P,
    ) -> Receiver<'a, P, WORDS> {
        Receiver {
            ring: self,
            peer,
            received: 0,
            spin: Spin::default(),
        }
    }
}

/// The sending end. Dropping it closes it; what was sent still arrives.
#[derive(Debug)]
pub struct Sender<'a, P: Peer, const WORDS: usize> {
    ring: &'a Ring<WORDS>,
    peer: &'a P,
    /// Our own count. The copy in the ring is for the other process, and never
    /// read back: it may have been changed.
    sent: u32,
    /// The receiver's count when we last looked.
    received: u32,
    spin: Spin,
}

impl<P: Peer, const WORDS: usize> Sender<'_, P, WORDS> {
    /// Sends one message. Back-pressure: waits while there is no room for it.
    ///
    /// # Errors
    /// [`Error::TooLong`], and those of waiting. Then nothing was sent.
    pub fn send(&mut self, message: &[u8]) -> Result<(), Error> {
        if message.len() > Ring::<WORDS>::LONGEST {
            return Err(Error::TooLong(Ring::<WORDS>::LONGEST));
        }
        let words = 1 + message.len().div_ceil(WORD); // and one for the length
        self.wait_for_room(words as u32)?;

        let mut position = self.sent;
        let mut write = |word: u64| {
            self.ring.word(position).store(word, Ordering::Relaxed);
            position = position.wrapping_add(1);
        };
        write(message.len() as u64);
        let (whole_words, rest) = message.as_chunks::<WORD>();
        for bytes in whole_words {
            write(u64::from_le_bytes(*bytes));
        }
        if !rest.is_empty() {
            let mut padded = [0; WORD];
            padded[..rest.len()].copy_from_slice(rest);
            write(u64::from_le_bytes(padded));
        }

        // Release: a receiver that sees this count also sees the words.
        self.sent = position;
        self.ring.sent.0.store(position, Ordering::Release);
        self.ring.receiver_waits.0.wake();
        Ok(())
    }

    fn wait_for_room(&mut self, words: u32) -> Result<(), Error> {
        let ring = self.ring;
        let ready = || {
            if ring.receiver_closed.0.load(Ordering::Acquire) != 0 {
                return Err(Error::Closed);
            }
            let in_use = self.sent.wrapping_sub(self.received);
            if Ring::<WORDS>::SIZE - in_use >= words {
                return Ok(Some(())); // known without the receiver's cache line
            }
            // Acquire: the receiver has read the words that we overwrite.
            let received = ring.received.0.load(Ordering::Acquire);
            let still_in_use = self.sent.wrapping_sub(received);
            if still_in_use > in_use {
                return Err(Error::Corrupt); // it went back, or too far ahead
            }
            self.received = received;
            let has_room = Ring::<WORDS>::SIZE - still_in_use >= words;
            Ok(has_room.then_some(()))
        };
        let flag = &ring.sender_waits.0;
        wait(flag, &mut self.spin, self.peer, None, ready)?;
        Ok(())
    }
}

impl<P: Peer, const WORDS: usize> Drop for Sender<'_, P, WORDS> {
    fn drop(&mut self) {
        self.ring.sender_closed.0.store(1, Ordering::Release);
        self.ring.receiver_waits.0.wake();
    }
}

/// The receiving end. Dropping it closes it; the next `send` fails.
#[derive(Debug)]
pub struct Receiver<'a, P: Peer, const WORDS: usize> {
    ring: &'a Ring<WORDS>,
    peer: &'a P,
    /// Our own count; see [`Sender`].
    received: u32,
    spin: Spin,
}

impl<P: Peer, const WORDS: usize> Receiver<'_, P, WORDS> {
    /// Waits for the next message and copies it into `message`, in place of
    /// what was there. In the ring, the other process could still change it.
    ///
    /// # Errors
    /// Those of waiting, and [`Error::Corrupt`].
    pub fn receive(&mut self, message: &mut Vec<u8>) -> Result<(), Error> {
        let available = self.wait_for_words(None)? as usize;
        let mut position = self.received;
        let mut read = || {
            let word = self.ring.word(position).load(Ordering::Relaxed);
            position = position.wrapping_add(1);
            word
        };

        // Read once, then checked, then used: a second read could return
        // another value.
        let length = usize::try_from(read()).unwrap_or(usize::MAX);
        if length > available.saturating_sub(1) * WORD {
            return Err(Error::Corrupt);
        }
        message.resize(length.next_multiple_of(WORD), 0);
        for bytes in message.as_chunks_mut::<WORD>().0 {
            *bytes = read().to_le_bytes();
        }
        message.truncate(length);

        // Release: the words are read before the sender overwrites them.
        self.received = position;
        self.ring.received.0.store(position, Ordering::Release);
        self.ring.sender_waits.0.wake();
        Ok(())
    }

    /// Waits for `pause`, or until the sender closes: then it returns true. It
    /// also ends when a message arrives, and takes none.
    ///
    /// # Errors
    /// Those of waiting, but [`Error::Closed`].
    pub fn is_closed_within(&mut self, pause: Duration) -> Result<bool, Error> {
        match self.wait_for_words(Some(Instant::now() + pause)) {
            Ok(_) => Ok(false),
            Err(Error::Closed) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// The number of words that have arrived; 0 only at the deadline.
    fn wait_for_words(
        &mut self,
        deadline: Option<Instant>,
    ) -> Result<u32, Error> {
        let (ring, received) = (self.ring, self.received);
        let ready = || {
            // In this order: if the sender has closed, we see all that it has
            // sent before.
            let closed = ring.sender_closed.0.load(Ordering::Acquire) != 0;
            // Acquire: together with this count, we see the words.
            let sent = ring.sent.0.load(Ordering::Acquire);
            match sent.wrapping_sub(received) {
                0 if closed => Err(Error::Closed),
                0 => Ok(None),
                words if words > Ring::<WORDS>::SIZE => Err(Error::Corrupt),
                words => Ok(Some(words)),
            }
        };
        let flag = &ring.receiver_waits.0;
        let words = wait(flag, &mut self.spin, self.peer, deadline, ready)?;
        Ok(words.unwrap_or(0))
    }
}

impl<P: Peer, const WORDS: usize> Drop for Receiver<'_, P, WORDS> {
    fn drop(&mut self) {
        self.ring.receiver_closed.0.store(1, Ordering::Release);
        self.ring.sender_waits.0.wake();
    }
}

/// Waits until `ready` returns something, or until the deadline: spins for a
/// few microseconds, then sleeps.
fn wait<T>(
    flag: &WaitFlag,
    spin: &mut Spin,
    peer: &impl Peer,
    deadline: Option<Instant>,
    mut ready: impl FnMut() -> Result<Option<T>, Error>,
) -> Result<Option<T>, Error> {
    if let Some(found) = spin.until(&mut ready)? {
        return Ok(Some(found));
    }
    let mut no_news = false;
    loop {
        let waiting = flag.set(); // before we check for the last time
        // What a dead process sent while it lived is still received: so first
        // ask whether it is dead, and then check.
        let peer_is_dead = no_news && peer.is_dead();
        if let Some(found) = ready()? {
            return Ok(Some(found));
        }
        if peer_is_dead {
            return Err(Error::PeerDied);
        }
        if peer.should_stop() {
            return Err(Error::Stopped);
        }
        let mut timeout = CHECK_INTERVAL;
        if let Some(deadline) = deadline {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            timeout = timeout.min(left);
        }
        no_news = !waiting.sleep(timeout);
    }
}

const AWAKE: u32 = 0;
const WAITING: u32 = 1;

/// Says whether a process sleeps here, so that the other one makes the system
/// call that wakes it only when that is needed.
///
/// # Lost wakeup
/// If a process checked the ring first and set the flag after that, the other
/// one could send in between, see no flag, and wake nobody: the first one would
/// sleep although a message is there. So the sleeper sets the flag first and
/// checks after that; the other process writes first and looks at the flag
/// after that. Each writes, then reads. The fences make sure that at least one
/// of the two reads what the other one wrote.
#[cfg_attr(not(loom), repr(transparent))]
#[derive(Debug, Default)]
struct WaitFlag(Futex);

/// A process that is about to sleep. Dropping it clears the flag.
struct Waiting<'a>(&'a Futex);

impl WaitFlag {
    /// From here on, [`WaitFlag::wake`] wakes us.
    fn set(&self) -> Waiting<'_> {
        // A store would do: it comes after the other side's exchange in any
        // case, as that read what we had stored. loom does not know this
        // rule, and before we sleep there is time.
        self.0.word().swap(WAITING, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        Waiting(&self.0)
    }

    /// Wakes the sleeper, if there is one. Call it after the change.
    fn wake(&self) {
        fence(Ordering::SeqCst);
        let word = self.0.word();
        // The load first, as it leaves the cache line where it is.
        if word.load(Ordering::Relaxed) != AWAKE
            && word.swap(AWAKE, Ordering::Relaxed) != AWAKE
        {
            self.0.wake();
        }
    }
}

impl Waiting<'_> {
    /// Sleeps until it is woken, which may have happened already. False after
    /// `timeout`. It may also wake up for no reason.
    fn sleep(self, timeout: Duration) -> bool {
        self.0.wait(WAITING, timeout)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.word().store(AWAKE, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[path = "../tests/ring.rs"]
pub(crate) mod tests;
