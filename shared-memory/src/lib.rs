#![doc = include_str!("../README.md")]

mod bell;
mod futex;
pub mod ring;
mod spin;
mod sync;

#[cfg(not(loom))]
mod args;
#[cfg(not(loom))]
pub mod atomics;
#[cfg(not(loom))]
pub mod family;
#[cfg(not(loom))]
pub mod memory;
#[cfg(not(loom))]
pub mod timing;

#[cfg(not(loom))]
pub use args::Args;

#[cfg(test)]
#[path = "../tests/ring.rs"]
mod ring_tests;
