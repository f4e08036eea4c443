//! `Atomics.wait` and `Atomics.notify`, as Node has them, for memory that two
//! processes share.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use crate::futex;
use crate::ring::{CHECK_INTERVAL, Error, Peer};

/// Sleeps while `number` is `expected`; returns the new value.
///
/// # Errors
/// [`Error::PeerDied`] and [`Error::Stopped`]: no one is left to change it, or
/// this program should not wait any longer.
pub fn wait(
    number: &AtomicI32,
    expected: i32,
    peer: &impl Peer,
) -> Result<i32, Error> {
    let mut no_news = false;
    loop {
        // It may have changed the number before it died: so first ask whether
        // it is dead, and then look.
        let peer_is_dead = no_news && peer.is_dead();
        let value = number.load(Ordering::Acquire);
        if value != expected {
            return Ok(value);
        }
        if peer_is_dead {
            return Err(Error::PeerDied);
        }
        if peer.should_stop() {
            return Err(Error::Stopped);
        }
        // The kernel compares once more before it puts us to sleep, so a
        // change in between is not missed.
        let expected = expected.cast_unsigned();
        no_news = !futex::wait(word(number), expected, CHECK_INTERVAL);
    }
}

/// Wakes everyone who waits for a change of `number`.
pub fn notify(number: &AtomicI32) {
    futex::wake(word(number));
}

/// The same four bytes, as the system call wants them.
fn word(number: &AtomicI32) -> &AtomicU32 {
    let pointer = number.as_ptr().cast::<u32>();
    // SAFETY: both types have the same size and alignment, and any bytes are
    // valid for both. The pointer comes from a reference that lives as long
    // as the one returned. All access through either is atomic.
    unsafe { AtomicU32::from_ptr(pointer) }
}
