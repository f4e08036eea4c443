//! `Atomics.wait` and `Atomics.notify`, as Node has them, for memory that
//! two processes share.

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use crate::futex;
use crate::ring::{Error, LOOK_UP, Watch};

/// Sleeps while `number` is `expected`; returns what it is then.
///
/// # Errors
/// [`Error::PeerDied`] and [`Error::Stopped`]: nobody is left to change it,
/// or we are not to wait for that.
pub fn wait(
    number: &AtomicI32,
    expected: i32,
    watch: &impl Watch,
) -> Result<i32, Error> {
    let mut overdue = false;
    loop {
        // The dead one may have changed it before: ask first, look then.
        let gone = overdue && watch.peer_is_gone();
        let now = number.load(Ordering::Acquire);
        match () {
            () if now != expected => return Ok(now),
            () if gone => return Err(Error::PeerDied),
            () if watch.is_stopped() => return Err(Error::Stopped),
            () => {}
        }
        // The other process may have changed it just now: then the system
        // sees that, too, and returns at once.
        let word = word(number);
        overdue = !futex::wait(word, expected.cast_unsigned(), LOOK_UP);
    }
}

/// Wakes whoever waits for a change of `number`.
pub fn notify(number: &AtomicI32) {
    futex::wake(word(number));
}

/// The same four bytes, as the system call wants them.
fn word(number: &AtomicI32) -> &AtomicU32 {
    let bytes = number.as_ptr().cast::<u32>();
    // SAFETY: both types have the same size and alignment, and any bytes are
    // valid for both. The pointer comes from a reference that lives as long
    // as the one returned. All access through either is atomic.
    unsafe { AtomicU32::from_ptr(bytes) }
}
