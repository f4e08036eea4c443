//! Hands over to the package `page`. The tour does not depend on it: a plain
//! `cargo run` would have to build a highlighter and a web server first.

use std::path::Path;

use anyhow::{Context, Result};
use harness::{cargo, root};

/// Runs the program that shows the pages, or writes them into the folder.
/// True when it ended well.
pub fn show(site: Option<&Path>, open: bool) -> Result<bool> {
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
    .arg("--");
    match site {
        Some(folder) => page.arg("--site").arg(folder),
        None => page.args(open.then_some("--open")),
    };
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
