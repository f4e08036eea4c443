//! What the lessons' tests share: a test and what it needs, the matrix, peers
//! that misbehave, a terminal, brokers.
//!
//! A lesson's tests are compiled into its library (`[lib] harness = false`),
//! since a test target would make cargo build its programs over those of the
//! other lessons. Its `main` hands them to [`run`].

use std::process::ExitCode;

pub mod broker;
mod check;
pub mod echo;
pub mod ends;
mod matrix;
#[cfg(windows)]
mod named_pipe;
pub mod peer;
pub mod random;
pub mod relay;
pub mod server;
#[cfg(unix)]
pub mod terminal;

pub use check::{
    CURL, NC, NODE, Need, SOCAT, Test, both, project, run_tests, test,
};

/// Unit tests of a module, by their names: `harness::unit_tests![first, second]`.
///
/// A library whose tests are in `tests/` has no use for `#[test]`.
#[macro_export]
macro_rules! unit_tests {
    ($($name:ident),* $(,)?) => {
        $crate::testing::unit_tests(
            module_path!(),
            &[$((stringify!($name), $name)),*],
        )
    };
}

/// Unit tests that panic where they fail, each with its name.
pub fn unit_tests(module: &str, tests: &[(&str, fn())]) -> Vec<Test> {
    tests
        .iter()
        .map(|&(name, run)| {
            test(format!("{module}::{name}"), move || {
                run();
                Ok(())
            })
        })
        .collect()
}

/// Runs the lesson's own tests, and its rows of the matrix.
pub fn run(
    lesson: &str,
    tests: impl IntoIterator<Item = Vec<Test>>,
) -> ExitCode {
    match matrix::tests(lesson) {
        Ok(rows) => run_tests(tests.into_iter().chain([rows])),
        Err(error) => {
            eprintln!("the matrix of {lesson}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
