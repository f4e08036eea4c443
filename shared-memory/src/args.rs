//! What a parent is told.

use std::ffi::OsString;
use std::time::Instant;

use clap::Parser;
use common::{log, pace::Pace};

/// How many round trips `--time` measures where nothing else is said.
const MANY: u64 = 100_000;

/// Says hello to a child process through shared memory.
#[derive(Debug, Parser)]
pub struct Args {
    /// What to send
    #[arg(long, value_name = "TEXT", default_value = "hello")]
    pub message: String,

    #[command(flatten)]
    pace: Pace,

    /// Send without a pause and print only how long a round trip takes, of
    /// 100000 unless --count says otherwise
    #[arg(long)]
    pub time: bool,

    #[command(flatten)]
    quiet: log::Quiet,

    /// The child; without it, this program itself in the child's role
    #[arg(last = true, value_name = "PROGRAM")]
    pub program: Vec<OsString>,
}

impl Args {
    /// `--time` prints one line, so it is quiet as well, and so is the child.
    pub fn quiet(&self) -> log::Quiet {
        self.quiet.or(self.time)
    }

    /// One for each message.
    pub fn turns(&self) -> std::ops::Range<u64> {
        let endless = if self.time { MANY } else { u64::MAX };
        0..self.pace.count().unwrap_or(endless)
    }

    /// When a message is due after one that was sent now.
    pub fn next(&self) -> Instant {
        Instant::now() + self.pace.every()
    }
}
