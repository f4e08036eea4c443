//! Measures the channel: round trips in every pairing of Rust and Node beside
//! what the system calls alone take, the memory of a child, and how the time
//! to receive grows with the length.
//!
//!     cargo bench -p node-channel
//!     cargo bench -p node-channel -- --quick
//!
//! All processes share one core, so nothing is won by two sides that work at
//! the same time; and each pair has its turn in each round, so all of them
//! have the same machine. Every answer is checked.
//!
//! The processes are this program again, in another role, and `channel.mjs`.

#[cfg(unix)]
#[path = "channel/floor.rs"]
mod floor;
#[cfg(unix)]
#[path = "channel/pairs.rs"]
mod pairs;
#[cfg(unix)]
#[path = "channel/payload.rs"]
mod payload;
#[cfg(unix)]
#[path = "channel/receive.rs"]
mod receive;
#[cfg(unix)]
#[path = "channel/roles.rs"]
mod roles;
#[cfg(unix)]
#[path = "channel/run.rs"]
mod run;
#[cfg(unix)]
#[path = "channel/table.rs"]
mod table;

#[cfg(unix)]
fn main() -> common::Result {
    Ok(run::main()?)
}

#[cfg(not(unix))]
fn main() -> common::Result {
    Err(anyhow::anyhow!("Node's channel needs POSIX"))?
}
