//! A bell that wakes one sleeper in another process, and costs no system
//! call when nobody sleeps.

use std::time::Duration;

use crate::futex::Futex;
use crate::sync::{Ordering, fence};

const AWAKE: u32 = 0;
const ASLEEP: u32 = 1;

/// One word of shared memory. The sleeper writes "asleep" there before it
/// looks for the last time whether there is work; who makes work rings.
///
/// Each of the two writes first and reads then: the sleeper "asleep" and then
/// the work, the other one the work and then "asleep?". The fences see to it
/// that at least one of the two reads what the other wrote. Without them
/// both may read the old value, and one sleeps for ever.
#[cfg_attr(not(loom), repr(transparent))]
#[derive(Debug, Default)]
pub(crate) struct Bell(Futex);

/// Somebody who is about to sleep. Dropped, it is awake.
pub(crate) struct Sleeper<'a>(&'a Futex);

impl Bell {
    /// From here on, [`Bell::ring`] wakes us.
    pub(crate) fn lie_down(&self) -> Sleeper<'_> {
        // A store would do: it comes after the other side's exchange in any
        // case, as that read what we had stored. loom does not know this
        // rule, and about to sleep we have time.
        self.0.word().swap(ASLEEP, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        Sleeper(&self.0)
    }

    /// As a hostile process could.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn overwrite(&self, value: u32) {
        self.0.word().store(value, Ordering::Relaxed);
    }

    /// Wakes the sleeper, if there is one. Call it after the work is there.
    pub(crate) fn ring(&self) {
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

impl Sleeper<'_> {
    /// Sleeps until the bell rings, which may have happened already, but not
    /// longer than `most`. False when the time was up. It may also wake up
    /// for no reason.
    pub(crate) fn sleep(self, most: Duration) -> bool {
        self.0.wait(ASLEEP, most)
    }
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        self.0.word().store(AWAKE, Ordering::Relaxed);
    }
}
