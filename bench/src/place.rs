//! On which cores the two sides run.

use std::fmt::{self, Display};

use anyhow::{Context, Result};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};

/// Whether the two sides share a core.
///
/// On one core a message costs what the programs and the kernel do. On two,
/// the other core must be woken as well: on a virtual machine that costs 60
/// to 70 µs and hides everything else.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Placement {
    /// Both sides on the same core.
    One,
    /// Each side on a core of its own.
    Two,
}

impl Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::One => "one core",
            Self::Two => "two cores",
        })
    }
}

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
    /// When it does not tell.
    pub fn find() -> Result<Self> {
        let all = sched_getaffinity(None).context("read the affinity")?;
        let mut usable = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
        Ok(Self {
            load: usable.next().context("no core at all")?,
            server: usable.next(),
            all,
        })
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
    /// What `start` or the kernel says.
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
    /// What the kernel says.
    pub fn release(&self) -> Result<()> {
        sched_setaffinity(None, &self.all).context("set the affinity")
    }
}

fn pin(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).with_context(|| format!("run on core {core}"))
}
