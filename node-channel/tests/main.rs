//! What node-channel promises, with the real Node on the other side.

use std::process::ExitCode;

#[cfg(unix)]
mod advanced;
#[cfg(unix)]
mod api;
#[cfg(all(unix, feature = "cluster"))]
mod cluster;
#[cfg(unix)]
mod handles;
#[cfg(unix)]
mod hostile;
#[cfg(unix)]
mod library;
#[cfg(unix)]
mod pool;
#[cfg(unix)]
mod pools;
#[cfg(unix)]
mod recipes;
#[cfg(unix)]
mod together;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
fn main() -> ExitCode {
    harness::testing::run_tests([
        library::tests(),
        api::tests(),
        pool::tests(),
        pools::tests(),
        advanced::tests(),
        handles::tests(),
        recipes::tests(),
        #[cfg(feature = "cluster")]
        cluster::tests(),
        hostile::tests(),
        together::tests(),
    ])
}

#[cfg(windows)]
fn main() -> ExitCode {
    if let Some(code) = windows::as_child() {
        return code;
    }
    harness::testing::run_tests([windows::tests()])
}
