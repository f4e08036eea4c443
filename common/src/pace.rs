//! How often a client sends, and how many times.

use std::time::Duration;

use tokio::time::{self, Interval};

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
    /// How many messages are to be sent: without `--count`, more than
    /// anybody can wait for.
    pub fn count(&self) -> u64 {
        self.count.unwrap_or(u64::MAX)
    }

    /// The time between two messages.
    pub fn every(&self) -> Duration {
        Duration::from_millis(self.every)
    }

    /// A clock whose first tick comes at once, and then one every
    /// `--every` ms. A tick that came late is not made up for.
    pub fn clock(&self) -> Interval {
        let mut clock = time::interval(self.every());
        clock.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
        clock
    }
}
