#![doc = include_str!("../README.md")]

pub mod amqp;
pub mod streams;

use std::time::Duration;

use anyhow::{Result, bail};
use common::{log, shutdown};
use tokio::time;

/// The work that a job stands for: here a pause, or a failure.
#[derive(clap::Args, Clone, Debug)]
pub struct Work {
    /// Milliseconds of work for each job
    #[arg(long, value_name = "MS", default_value_t = 0)]
    work: u64,

    /// Fail at jobs that contain this text
    #[arg(long, value_name = "TEXT")]
    fail: Option<String>,
}

impl Work {
    /// Does one job. False when it fails.
    pub async fn perform(&self, job: &str) -> bool {
        if self.work > 0 {
            // Not for 0: tokio's timer makes at least a millisecond of it.
            time::sleep(Duration::from_millis(self.work)).await;
        }
        let fails = self.fail.as_ref().is_some_and(|text| job.contains(text));
        !fails
    }
}

/// Exponential backoff: each pause before the next attempt is twice as long as
/// the last one, up to five seconds.
///
/// A broker that is just starting has enough to do. Random jitter keeps a
/// thousand workers from reconnecting at the same moment.
#[derive(Debug)]
pub struct Backoff(Duration);

impl Default for Backoff {
    fn default() -> Self {
        Self(Duration::from_millis(100))
    }
}

impl Backoff {
    /// Reports `why`, and waits.
    pub async fn wait(&mut self, why: &anyhow::Error) {
        let wait = self.0.mul_f64(0.5 + fastrand::f64() / 2.0);
        self.0 = (2 * self.0).min(Duration::from_secs(5));
        log::error(format_args!("{why}; next try in {} ms", wait.as_millis()));
        time::sleep(wait).await;
    }

    /// Something has succeeded: begins anew. That we are connected is not
    /// enough, as a broker can accept a connection and refuse each command.
    pub fn reset(&mut self) {
        *self = Self::default();
    }
}

/// What `answer` comes to. After Ctrl-C, it is awaited for one second more.
///
/// # Errors
/// When it has not come by then.
pub async fn answered<T>(answer: impl Future<Output = T>) -> Result<T> {
    let overdue = async {
        shutdown::token().cancelled().await;
        time::sleep(Duration::from_secs(1)).await;
    };
    tokio::select! {
        answer = answer => Ok(answer),
        () = overdue => bail!("no answer"),
    }
}

#[cfg(test)]
#[path = "../tests/work_queue.rs"]
mod tests;

#[cfg(test)]
fn main() -> std::process::ExitCode {
    harness::testing::run("work-queue", [tests::tests()])
}
