//! Measuring: all programs in turns on chosen cores, one sample at a time.

pub mod check;
pub mod contest;
pub mod cores;
pub mod figures;
pub mod folder;
pub mod plan;
mod process;
pub mod watchdog;
