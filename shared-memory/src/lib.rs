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

#[cfg(all(test, unix, not(any(loom, miri))))]
#[path = "../tests/shared_memory.rs"]
mod tests;

#[cfg(all(test, not(any(loom, miri))))]
fn main() -> std::process::ExitCode {
    use harness::testing::{run, unit_tests};
    let ring = unit_tests("ring", ring_tests::one_order::TESTS);
    run(
        "shared-memory",
        [
            ring,
            #[cfg(unix)]
            tests::tests(),
        ],
    )
}

// loom and Miri run the ring's tests alone, one after the other.
#[cfg(all(test, any(loom, miri)))]
fn main() {
    #[cfg(loom)]
    use ring_tests::every_order::TESTS;
    #[cfg(not(loom))]
    use ring_tests::one_order::TESTS;
    for (name, test) in TESTS {
        println!("test {name}");
        test();
    }
    println!("test result: ok. {} passed; 0 failed", TESTS.len());
}
