//! Builds the lessons, starts their halves, reads their output and ends them:
//! for the tests, the tour and the bench.
//!
//! The lessons are used as programs only, so nothing here can make a lesson
//! look better than it is when a reader runs it.

pub mod build;
pub mod first;
pub mod half;
pub mod kafka;
pub mod lessons;
pub mod order;
pub mod pair;
pub mod rabbit;
pub mod readme;
pub mod redis;
pub mod steps;
#[cfg(feature = "testing")]
pub mod testing;

pub use build::{Profile, build, cargo, root, target};
pub use first::Moved;
pub use half::{Exit, Half, LIMIT, Remote, Signal, end_all};
pub use lessons::{LESSONS, Language, Lesson, Meet};
pub use pair::{Arguments, Pair};
