//! What tcp-echo promises beyond what every echo does.

use crate::check::{Test, both};
use crate::echo;

pub fn tests() -> Vec<Test> {
    let mut tests = echo::tests("tcp-echo");
    tests
}
