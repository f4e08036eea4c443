//! A process as the kernel sees it: processor time, memory, open files.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a process or a thread has had of the processor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Share {
    /// Nanoseconds for which it ran. The field in `stat` counts in steps
    /// of 10 ms.
    pub ran: u64,
    /// It could have run, but others did.
    pub waited: u64,
}

impl Share {
    /// Of all threads of a process.
    pub fn of(id: u32) -> Self {
        let Ok(threads) = fs::read_dir(format!("/proc/{id}/task")) else {
            return Self::default();
        };
        threads
            .flatten()
            .filter_map(|thread| Self::read(&thread.path().join("schedstat")))
            .fold(Self::default(), |sum, one| Self {
                ran: sum.ran + one.ran,
                waited: sum.waited + one.waited,
            })
    }

    /// Of this thread.
    pub fn own() -> Self {
        let path = Path::new("/proc/thread-self/schedstat");
        Self::read(path).unwrap_or_default()
    }

    fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let mut fields = text.split(' ');
        Some(Self {
            ran: fields.next()?.parse().ok()?,
            waited: fields.next()?.parse().ok()?,
        })
    }

    /// What came on top of `before`; none where a thread has ended.
    pub fn since(self, before: Self) -> Option<Self> {
        Some(Self {
            ran: self.ran.checked_sub(before.ran)?,
            waited: self.waited.checked_sub(before.waited)?,
        })
    }
}

/// Resident memory in KiB.
///
/// # Errors
/// When the process has ended.
pub fn resident(id: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|text| text.parse().ok())
        .context("the program has ended")
}

/// Raises the limit of open descriptors as far as it goes, for this process
/// and those that it starts; returns what it is then.
pub fn raise_descriptor_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
