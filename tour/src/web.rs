//! Hands over to the package `page`. The tour does not depend on it: a plain
//! `cargo run` would have to build a highlighter and a web server first.

use std::path::Path;

use anyhow::{Context, Result};
use harness::{cargo, root};

/// Runs the program that writes the pages into the folder. True when it ended
/// well.
pub fn write(folder: &Path) -> Result<bool> {
    let mut page = cargo();
    page.args([
        "run",
        "--quiet",
        "--locked",
        "-p",
        "page",
        "--manifest-path",
    ])
    .arg(root().join("Cargo.toml"))
    .args(["--", "--site"])
    .arg(folder);
    // In place of this process: Ctrl-C and SIGTERM reach it directly.
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        Err(page.exec()).context("run cargo")
    }
    #[cfg(not(unix))]
    {
        let status = page.status().context("run cargo")?;
        Ok(status.success())
    }
}
