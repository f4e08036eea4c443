#![doc = include_str!("../README.md")]

pub mod amqp;
pub mod amqp_retry;
pub mod streams;
pub mod streams_retry;

use std::time::Duration;

use common::log;
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

    /// After how many failures a job becomes a dead letter
    #[arg(long, value_name = "N", default_value_t = 3)]
    tries: u64,
}

/// What has become of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// It failed, and can be tried again.
    Failed,
    /// It failed too often.
    Poisonous,
}

impl Work {
    /// Does a job that was delivered `tries` times, this time included, and
    /// prints what becomes of it.
    pub async fn perform(&self, job: &[u8], tries: u64) -> Outcome {
        let text = String::from_utf8_lossy(job);
        let shown = log::shown(job);
        log::line(format_args!("taken: {shown}"));
        // After more tries than that, perhaps each worker has died of it. Such
        // a job is not even begun.
        if tries <= self.tries && self.succeeds(&text).await {
            log::line(format_args!("done: {shown}"));
            return Outcome::Done;
        }
        let counted = format!("(try {tries} of {})", self.tries);
        if tries < self.tries {
            log::line(format_args!("failed: {shown} {counted}"));
            return Outcome::Failed;
        }
        log::line(format_args!("dead letter: {shown} {counted}"));
        Outcome::Poisonous
    }

    async fn succeeds(&self, job: &str) -> bool {
        if self.work > 0 {
            // Not for 0: tokio's timer makes at least a millisecond of it.
            time::sleep(Duration::from_millis(self.work)).await;
        }
        match &self.fail {
            Some(text) => !job.contains(text),
            None => true,
        }
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

#[cfg(test)]
#[path = "../tests/work_queue.rs"]
mod tests;

#[cfg(test)]
fn main() -> std::process::ExitCode {
    harness::testing::run("work-queue", [tests::tests()])
}
