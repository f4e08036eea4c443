//! Sleeping on a word of memory until somebody changes it.
//!
//! Linux has a system call for it, the futex. The one used here is not
//! process-private: a private one is found by its address in this process
//! only, and whoever waits in another process never wakes up.

use std::time::Duration;

use crate::sync::AtomicU32;

/// A word to sleep on.
#[cfg(not(loom))]
#[repr(transparent)]
#[derive(Debug, Default)]
pub(crate) struct Futex(AtomicU32);

#[cfg(not(loom))]
impl Futex {
    pub(crate) fn word(&self) -> &AtomicU32 {
        &self.0
    }

    /// Sleeps while the word is `expected`; false when the time was up. May
    /// return earlier for no reason.
    pub(crate) fn wait(&self, expected: u32, most: Duration) -> bool {
        wait(&self.0, expected, most)
    }

    /// Wakes who sleeps here.
    pub(crate) fn wake(&self) {
        wake(&self.0);
    }
}

/// Sleeps while `word` is `expected`: the kernel compares and lies down in
/// one step, so a change in between is not missed. False when the time was
/// up.
#[cfg(all(target_os = "linux", not(any(loom, miri))))]
pub(crate) fn wait(word: &AtomicU32, expected: u32, most: Duration) -> bool {
    use rustix::io::Errno;
    use rustix::thread::futex::{self, Flags, Timespec};
    let Ok(most) = Timespec::try_from(most) else {
        return false;
    };
    // No flag: not `PRIVATE`.
    let slept = futex::wait(word, Flags::empty(), expected, Some(&most));
    slept != Err(Errno::TIMEDOUT)
}

/// Wakes all who sleep on `word`.
#[cfg(all(target_os = "linux", not(any(loom, miri))))]
pub(crate) fn wake(word: &AtomicU32) {
    use rustix::thread::futex::{self, Flags};
    // It can only fail for an address that is none.
    let _ = futex::wake(word, Flags::empty(), i32::MAX as u32);
}

/// Elsewhere: looks again and again, with a nap in between that grows to a
/// millisecond. Slower, but right. (macOS has `os_sync_wait_on_address` since
/// version 14.4; Windows' `WaitOnAddress` does not reach another process.)
#[cfg(all(any(not(target_os = "linux"), miri), not(loom)))]
pub(crate) fn wait(word: &AtomicU32, expected: u32, most: Duration) -> bool {
    use std::sync::atomic::Ordering;
    use std::time::Instant;
    let begin = Instant::now();
    let mut nap = Duration::from_micros(20);
    while word.load(Ordering::Acquire) == expected {
        if begin.elapsed() >= most {
            return false;
        }
        std::thread::sleep(nap);
        nap = (nap * 2).min(Duration::from_millis(1));
    }
    true
}

/// Nothing to do: who naps gets up by itself.
#[cfg(all(any(not(target_os = "linux"), miri), not(loom)))]
pub(crate) fn wake(_: &AtomicU32) {}

/// loom's futex: a lock makes one step of "compare and lie down", as the
/// kernel does. There is no time: who is not woken sleeps for ever, and loom
/// says so.
#[cfg(loom)]
#[derive(Debug, Default)]
pub(crate) struct Futex {
    word: AtomicU32,
    kernel: loom::sync::Mutex<()>,
    woken: loom::sync::Condvar,
}

#[cfg(loom)]
impl Futex {
    pub(crate) fn word(&self) -> &AtomicU32 {
        &self.word
    }

    pub(crate) fn wait(&self, expected: u32, _: Duration) -> bool {
        use crate::sync::Ordering;
        if let Ok(lock) = self.kernel.lock()
            && self.word.load(Ordering::Relaxed) == expected
        {
            drop(self.woken.wait(lock));
        }
        true
    }

    pub(crate) fn wake(&self) {
        drop(self.kernel.lock());
        self.woken.notify_all();
    }
}
