//! A folder for sockets and the like.

use std::fs;

use anyhow::Result;
use tempfile::TempDir;

/// Makes it. On Ctrl-C it is removed, and with it end all programs that run.
///
/// # Errors
/// When it cannot be made.
pub fn folder() -> Result<TempDir> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().to_owned();
    ctrlc::set_handler(move || {
        harness::end_all();
        let _ = fs::remove_dir_all(&path);
        // What a shell calls a program that was interrupted.
        std::process::exit(130);
    })?;
    Ok(folder)
}
