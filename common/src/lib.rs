//! What every half needs and no lesson teaches: log lines, pacing, an orderly
//! end, the pipe of this system, the check of a URL.
//!
//! Its Node twin is `common/node/`, with the same names.

pub mod accept;
use std::fmt;

pub mod exit;
pub mod lines;
pub mod log;
pub mod pace;
pub mod pipe;
pub mod shutdown;
pub mod tally;
pub mod url;

/// What a `main` returns. On failure the program exits with status 1 and
/// prints one line on stderr.
pub type Result<T = ()> = std::result::Result<T, Failure>;

/// An error as a user wants to read it: what was attempted and, after a
/// colon, each cause in turn; on one line, and never a backtrace.
pub struct Failure(anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

// `fn main() -> Result` prints the Debug form.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not `.fmt(f)`: that would be the Debug form of Escaped.
        fmt::Display::fmt(&log::Escaped(&format!("{:#}", self.0)), f)
    }
}
