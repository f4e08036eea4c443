//! What `harness` promises, and what the workspace as a whole does.

mod half;
mod reading;
mod workspace;

fn main() -> std::process::ExitCode {
    harness::testing::run_tests([
        half::tests(),
        reading::tests(),
        workspace::tests(),
    ])
}
