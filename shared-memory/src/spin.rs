//! Waiting without sleeping: quicker, as long as it is short.

use std::hint;
use std::thread;
use std::time::{Duration, Instant};

/// How long to spin. Falling asleep and being woken take a few microseconds
/// where there are two cores; who has found nothing after this long has
/// little to win.
const AT_MOST: Duration = Duration::from_micros(50);

/// Decides whether to spin.
///
/// On two cores the answer comes while we spin. On one core it cannot: the
/// other process runs only when we sleep. The number of cores does not tell,
/// as others may keep them busy, so it is tried. Each time that it was in
/// vain, it is left out for twice as many waits as before.
#[derive(Debug)]
pub(crate) struct Spin {
    /// How many waits from now on go without.
    pause: u32,
    /// How long the last pause was.
    last_pause: u32,
    /// After how many waits, at the latest, it is tried again.
    longest_pause: u32,
}

impl Default for Spin {
    fn default() -> Self {
        // As many as this process is allowed to use. Bound to one core, it
        // is hardly worth a try, unless the other process has another one.
        let alone = thread::available_parallelism().is_ok_and(|n| n.get() == 1);
        Self {
            pause: 0,
            last_pause: 0,
            longest_pause: if alone { 16 * 1024 } else { 256 },
        }
    }
}

impl Spin {
    /// Looks, and spins for a while where that is worth it.
    pub(crate) fn until<T, E>(
        &mut self,
        mut ready: impl FnMut() -> Result<Option<T>, E>,
    ) -> Result<Option<T>, E> {
        if let Some(found) = ready()? {
            return Ok(Some(found));
        }
        // loom tries each order by itself.
        if cfg!(loom) || self.pause > 0 {
            self.pause = self.pause.saturating_sub(1);
            return Ok(None);
        }
        let begin = Instant::now();
        while begin.elapsed() < AT_MOST {
            for _ in 0..8 {
                hint::spin_loop();
                if let Some(found) = ready()? {
                    self.last_pause = 0;
                    return Ok(Some(found));
                }
            }
        }
        let longer = (2 * self.last_pause).max(1);
        self.last_pause = longer.min(self.longest_pause);
        self.pause = self.last_pause;
        Ok(None)
    }
}
