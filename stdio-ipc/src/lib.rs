#![doc = include_str!("../README.md")]

use std::path::Path;

use anyhow::Context;
use tokio::fs::File;

/// Opens the file of `--stdin`, where one was given.
///
/// # Errors
/// When it cannot be opened, with its name.
pub async fn open(path: Option<&Path>) -> anyhow::Result<Option<File>> {
    let Some(path) = path else { return Ok(None) };
    let file = File::open(path)
        .await
        .with_context(|| format!("open {}", path.display()))?;
    Ok(Some(file))
}
