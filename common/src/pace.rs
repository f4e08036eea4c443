//! How often a client sends, and how many times.

use std::time::Duration;

use tokio::time::{self, Instant, Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// `--every` and `--count`, the same for every client.
#[derive(clap::Args, Clone, Debug)]
pub struct Pace {
    /// Milliseconds between two messages
    #[arg(
        long,
        value_name = "MS",
        default_value_t = 3000,
        value_parser = clap::value_parser!(u64).range(1..=86_400_000),
    )]
    every: u64,

    /// Stop after this many messages; without it, go on until Ctrl-C
    #[arg(long, value_name = "N")]
    count: Option<u64>,
}

impl Pace {
    /// The flags as they were given: for a parent that hands them on to its
    /// child.
    pub fn flags(&self) -> Vec<String> {
        let count = self.count.map(|count| format!("--count={count}"));
        let every = format!("--every={}", self.every);
        [every].into_iter().chain(count).collect()
    }

    /// How many messages are to be sent, where that was said.
    pub fn count(&self) -> Option<u64> {
        self.count
    }

    /// Starts the clock: a tick for each message, until `stop`.
    pub fn ticks(&self, stop: CancellationToken) -> Ticks {
        let every = Duration::from_millis(self.every);
        let mut clock = time::interval_at(Instant::now() + every, every);
        // A late tick moves the next ones: no burst of messages to catch up.
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ticks {
            is_first: true,
            clock,
            left: self.count.unwrap_or(u64::MAX),
            stop,
        }
    }
}

/// A clock that ticks once for each message.
#[derive(Debug)]
pub struct Ticks {
    is_first: bool,
    clock: Interval,
    left: u64,
    stop: CancellationToken,
}

impl Ticks {
    /// Will no more messages be due?
    pub fn is_over(&self) -> bool {
        self.left == 0 || self.stop.is_cancelled()
    }

    /// The next message is due at once: for a new connection.
    pub fn restart(&mut self) {
        self.is_first = true;
        self.clock.reset();
    }

    /// Waits until the next message is due; the first one is due at once.
    /// False after `--count` messages, or after Ctrl-C.
    pub async fn next(&mut self) -> bool {
        if self.is_over() {
            return false;
        }
        if !self.is_first {
            let tick = self.clock.tick();
            if self.stop.run_until_cancelled(tick).await.is_none() {
                return false;
            }
        }
        self.is_first = false;
        self.left -= 1;
        true
    }
}
