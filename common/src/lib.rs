//! What every half needs and no lesson teaches: log lines, pacing, an orderly
//! end, the check of a URL.
//!
//! Its Node twin is `common/node/`, with the same names.

use std::fmt;

pub mod log;
pub mod pace;
pub mod shutdown;
pub mod url;

/// What a `main` returns. On failure the program exits with status 1 and
/// prints one line on stderr.
pub type Result<T = ()> = std::result::Result<T, Failure>;

/// An error with each of its causes on one line. (`anyhow` alone would print
/// a line for each cause, and what a peer sent unescaped.)
pub struct Failure(anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

// `fn main() -> Result` prints the Debug form.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&log::escaped(&format!("{:#}", self.0)))
    }
}
