//! Kills a program that does not answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

/// The maximum time that one sample may take before its program is killed. Node
/// needs more than half of it for 10,000 clients where the machine is busy.
const LIMIT: Duration = Duration::from_secs(30);

/// Kills a program that does not answer, so that the load that waits for it
/// sees its end.
#[derive(Clone)]
pub struct Watchdog {
    limit: Duration,
    watched: Arc<Mutex<Option<Watch>>>,
}

/// What is watched, and what became of it.
#[derive(Clone, Copy)]
struct Watch {
    id: u32,
    since: Instant,
    killed: bool,
}

impl Watchdog {
    /// Begins to look, twice a second.
    pub fn new() -> Self {
        Self::with_limit(LIMIT)
    }

    pub(super) fn with_limit(limit: Duration) -> Self {
        let dog = Self {
            limit,
            watched: Arc::default(),
        };
        let watched = Arc::clone(&dog.watched);
        thread::spawn(move || {
            loop {
                thread::sleep(Duration::from_millis(500));
                let mut watched =
                    watched.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(watch) = watched.as_mut() else {
                    continue;
                };
                if watch.since.elapsed() < limit {
                    continue;
                }
                watch.killed = true;
                // Its group: what a script started holds the connection too.
                if let Some(id) = Pid::from_raw(watch.id as i32) {
                    let _ = kill_process_group(id, Signal::KILL);
                }
            }
        });
        dog
    }

    /// Does `work`, for which the program of this id has limited time. Where it
    /// was killed, that is why the work failed, and not what it did.
    pub fn watching<T>(
        &self,
        id: u32,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        self.set(Some(Watch {
            id,
            since: Instant::now(),
            killed: false,
        }));
        let result = work();
        let killed = self.set(None).is_some_and(|watch| watch.killed);
        match result {
            Err(error) if killed => {
                let limit = self.limit;
                bail!("killed, as it took longer than {limit:?}: {error:#}")
            }
            result => result,
        }
    }

    fn set(&self, to: Option<Watch>) -> Option<Watch> {
        let mut watched =
            self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut watched, to)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Error;

    use super::*;
    use crate::load::exchange::Wrong;

    #[test]
    fn the_end_of_what_was_killed_is_no_crash() {
        let dog = Watchdog::with_limit(LIMIT);
        let closed = || Error::from(Wrong("the other side closed".to_owned()));
        let error = dog.watching(1, || Err::<(), _>(closed())).unwrap_err();
        assert!(error.is::<Wrong>());
        let error = dog
            .watching(1, || {
                // As its thread does.
                dog.watched.lock().unwrap().as_mut().unwrap().killed = true;
                Err::<(), _>(closed())
            })
            .unwrap_err();
        assert!(!error.is::<Wrong>(), "{error:#}");
    }
}
