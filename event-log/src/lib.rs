#![cfg_attr(feature = "kafka", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "kafka"),
    doc = "Built without its programs: see the feature `kafka`."
)]

#[cfg(feature = "kafka")]
mod topic;

#[cfg(feature = "kafka")]
pub use topic::{Place, create_topic, shown};

#[cfg(test)]
#[path = "../tests/event_log.rs"]
mod tests;

#[cfg(test)]
fn main() -> std::process::ExitCode {
    harness::testing::run("event-log", [tests::tests()])
}
