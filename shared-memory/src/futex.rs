//! Sleeping on a word of memory until another process changes it.
//!
//! Linux has a system call for it: the futex ("fast userspace mutex"). It must
//! not be the process-private variant, which finds sleepers by their address
//! within one process: a sleeper in another process would never wake up.

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

    /// Sleeps while the word is `expected`; false after `timeout`. May return
    /// earlier for no reason.
    pub(crate) fn wait(&self, expected: u32, timeout: Duration) -> bool {
        wait(&self.0, expected, timeout)
    }

    /// Wakes everyone who sleeps here.
    pub(crate) fn wake(&self) {
        wake(&self.0);
    }
}

/// Sleeps while `word` is `expected`. The kernel compares and falls asleep in
/// one step, so a change in between is not missed. False after `timeout`.
#[cfg(all(target_os = "linux", not(any(loom, miri))))]
pub(crate) fn wait(word: &AtomicU32, expected: u32, timeout: Duration) -> bool {
    use rustix::io::Errno;
    use rustix::thread::futex::{self, Flags, Timespec};
    let Ok(timeout) = Timespec::try_from(timeout) else {
        return false;
    };
    // No flag: not `PRIVATE`.
    let slept = futex::wait(word, Flags::empty(), expected, Some(&timeout));
    slept != Err(Errno::TIMEDOUT)
}

/// Wakes everyone who sleeps on `word`.
#[cfg(all(target_os = "linux", not(any(loom, miri))))]
pub(crate) fn wake(word: &AtomicU32) {
    use rustix::thread::futex::{self, Flags};
    // It can fail only for an invalid address.
    let _ = futex::wake(word, Flags::empty(), i32::MAX as u32);
}

/// On other systems: polls, with a pause that grows to a millisecond. Slower,
/// but correct. (macOS has `os_sync_wait_on_address` since version 14.4;
/// Windows' `WaitOnAddress` does not reach another process.)
#[cfg(all(any(not(target_os = "linux"), miri), not(loom)))]
pub(crate) fn wait(word: &AtomicU32, expected: u32, timeout: Duration) -> bool {
    use std::sync::atomic::Ordering;
    use std::time::Instant;
    let start = Instant::now();
    let mut pause = Duration::from_micros(20);
    while word.load(Ordering::Acquire) == expected {
        if start.elapsed() >= timeout {
            return false;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(1));
    }
    true
}

/// Nothing to do: a waiter that polls sees the change by itself.
#[cfg(all(any(not(target_os = "linux"), miri), not(loom)))]
pub(crate) fn wake(_: &AtomicU32) {}

/// loom's futex: a lock makes one step of "compare and fall asleep", as the
/// kernel does. There is no time: a sleeper that is not woken sleeps forever,
/// and loom reports it.
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
