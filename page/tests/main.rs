//! What the page promises. `cargo test -p page` runs it.

mod browser;
mod server;
mod site;

use std::process::ExitCode;

fn main() -> ExitCode {
    harness::testing::run_tests([
        site::tests(),
        server::tests(),
        browser::tests(),
    ])
}
