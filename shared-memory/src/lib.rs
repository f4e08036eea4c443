#![doc = include_str!("../README.md")]

mod futex;
pub mod ring;
mod spin;
mod sync;

#[cfg(not(loom))]
pub mod atomics;
#[cfg(not(loom))]
#[cfg_attr(miri, allow(dead_code, reason = "process.rs, which needs it"))]
pub mod memory;

// Processes and signals: neither loom nor Miri can run them.
#[cfg(not(any(loom, miri)))]
pub mod process;

#[cfg(all(test, unix, not(any(loom, miri))))]
#[path = "../tests/shared_memory.rs"]
mod tests;

#[cfg(all(test, not(any(loom, miri))))]
fn main() -> std::process::ExitCode {
    use harness::testing::{run, unit_tests};
    let ring = unit_tests("ring", ring::tests::TESTS);
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
    for (name, test) in ring::tests::TESTS {
        println!("test {name}");
        test();
    }
    println!(
        "test result: ok. {} passed; 0 failed",
        ring::tests::TESTS.len()
    );
}
