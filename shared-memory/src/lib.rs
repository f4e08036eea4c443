#![doc = include_str!("../README.md")]

mod bell;
mod futex;
pub mod ring;
mod spin;
mod sync;

#[cfg(not(loom))]
pub mod atomics;
#[cfg(not(loom))]
#[cfg_attr(miri, allow(dead_code, reason = "family.rs, which needs it"))]
pub mod memory;

// What neither loom nor Miri can run, or need not: processes, signals, flags.
#[cfg(not(any(loom, miri)))]
mod args;
#[cfg(not(any(loom, miri)))]
pub mod family;
#[cfg(not(any(loom, miri)))]
pub mod timing;

#[cfg(not(any(loom, miri)))]
pub use args::Args;

#[cfg(test)]
#[path = "../tests/ring.rs"]
mod ring_tests;
