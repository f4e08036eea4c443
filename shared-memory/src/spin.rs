//! Spinning: waiting without sleeping, which is faster if it is short.

use std::hint;
use std::thread;
use std::time::{Duration, Instant};

/// How long to spin. Falling asleep and being woken takes a few microseconds
/// on two cores, so after this time there is little to gain.
const SPIN_TIME: Duration = Duration::from_micros(50);

/// Decides whether to spin.
///
/// On two cores the answer arrives while we spin. On one core it cannot: the
/// other process runs only when we sleep. The number of cores does not tell
/// which, as other programs may keep them busy, so it is tried. Each time that
/// spinning was in vain, it is left out for twice as many waits as before.
#[derive(Debug)]
pub(crate) struct Spin {
    /// The number of waits from now on that do not spin.
    skip: u32,
    /// What `skip` was set to the last time.
    last_skip: u32,
    /// The most that `skip` is set to.
    longest_skip: u32,
}

impl Default for Spin {
    fn default() -> Self {
        // The number of cores that this process may use. Bound to one core, a
        // try is seldom worth it: only if the other process has another one.
        let alone = thread::available_parallelism().is_ok_and(|n| n.get() == 1);
        Self {
            skip: 0,
            last_skip: 0,
            longest_skip: if alone { 16 * 1024 } else { 256 },
        }
    }
}

impl Spin {
    /// What `ready` returns, at once or while we spin; `None` if it is time to
    /// sleep.
    pub(crate) fn until<T, E>(
        &mut self,
        mut ready: impl FnMut() -> Result<Option<T>, E>,
    ) -> Result<Option<T>, E> {
        if let Some(found) = ready()? {
            return Ok(Some(found));
        }
        // loom tries each order by itself.
        if cfg!(loom) || self.skip > 0 {
            self.skip = self.skip.saturating_sub(1);
            return Ok(None);
        }
        let start = Instant::now();
        while start.elapsed() < SPIN_TIME {
            for _ in 0..8 {
                hint::spin_loop();
                if let Some(found) = ready()? {
                    self.last_skip = 0;
                    return Ok(Some(found));
                }
            }
        }
        let longer = (2 * self.last_skip).max(1);
        self.last_skip = longer.min(self.longest_skip);
        self.skip = self.last_skip;
        Ok(None)
    }
}
