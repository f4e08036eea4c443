//! On which cores the two sides run.

use std::fs;

use anyhow::{Context, Result};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::sample::Placement;

/// The cores that this process may use.
#[derive(Clone, Debug)]
pub struct Cores {
    all: CpuSet,
    load: usize,
    server: Option<usize>,
}

impl Cores {
    /// Asks the kernel.
    ///
    /// # Errors
    /// An error of the kernel.
    pub fn find() -> Result<Self> {
        let all = sched_getaffinity(None).context("read the affinity")?;
        let usable = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
        let (load, server) = two(usable, |core| {
            let file = format!(
                "/sys/devices/system/cpu/cpu{core}/topology/\
                 thread_siblings_list"
            );
            fs::read_to_string(file).unwrap_or_default()
        })
        .context("no core at all")?;
        Ok(Self { all, load, server })
    }

    /// What can be measured here.
    pub fn placements(&self) -> Vec<Placement> {
        match self.server {
            Some(_) => vec![Placement::One, Placement::Two],
            None => vec![Placement::One],
        }
    }

    /// Does `start` on the core where servers belong, then puts this thread
    /// on its own. What `start` starts stays where it was started: a child
    /// has the affinity of the thread that made it.
    ///
    /// # Errors
    /// An error of `start` or of the kernel.
    pub fn start<T>(
        &self,
        placement: Placement,
        start: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let server = match (placement, self.server) {
            (Placement::Two, Some(core)) => core,
            _ => self.load,
        };
        pin(server)?;
        let started = start();
        pin(self.load)?;
        started
    }

    /// Lets this thread run anywhere again.
    ///
    /// # Errors
    /// An error of the kernel.
    pub fn release(&self) -> Result<()> {
        sched_setaffinity(None, &self.all).context("set the affinity")
    }
}

/// The first, and the next that is more than another thread of it: those
/// two would share what does the work. Without such a one, the next.
fn two(
    usable: impl Iterator<Item = usize>,
    siblings: impl Fn(usize) -> String,
) -> Option<(usize, Option<usize>)> {
    let mut usable = usable.peekable();
    let first = usable.next()?;
    let same = siblings(first);
    let next = usable.peek().copied();
    let apart = usable.find(|core| same.is_empty() || siblings(*core) != same);
    Some((first, apart.or(next)))
}

fn pin(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).with_context(|| format!("run on core {core}"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn two_cores_are_not_two_threads_of_one() {
        // As Linux numbers them: threads next to each other, or cores first.
        let pairs = |core: usize| format!("{}-{}", core & !1, core | 1);
        let apart = |core: usize| format!("{},{}", core % 4, core % 4 + 4);
        assert_eq!(two(0..8, pairs), Some((0, Some(2))));
        assert_eq!(two(0..8, apart), Some((0, Some(1))));
        // Two threads are still better than one; and nothing may be known.
        assert_eq!(two(0..2, pairs), Some((0, Some(1))));
        assert_eq!(two(3..6, |_| String::new()), Some((3, Some(4))));
        assert_eq!(two(5..6, pairs), Some((5, None)));
        assert_eq!(two(0..0, pairs), None);
    }

    #[test]
    fn what_is_started_runs_where_it_belongs_and_nowhere_else() {
        let cores = Cores::find().unwrap();
        for placement in cores.placements() {
            let run = || {
                let mut ask = Command::new("cat");
                Ok(ask.arg("/proc/self/status").output()?.stdout)
            };
            let said = cores.start(placement, run).unwrap();
            let said = String::from_utf8(said).unwrap();
            let core = match placement {
                Placement::One => cores.load,
                Placement::Two => cores.server.unwrap(),
            };
            let allowed = format!("\nCpus_allowed_list:\t{core}\n");
            assert!(said.contains(&allowed), "{said}");
            let own = sched_getaffinity(None).unwrap();
            assert!(own.is_set(cores.load) && own.count() == 1);
        }
        cores.release().unwrap();
        assert_eq!(sched_getaffinity(None).unwrap(), cores.all);
    }
}
