//! Where a report goes: the screen, and files.

use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::answers::slow_floors;
use super::costs;
use super::page::page;
use super::text::{markdown, screen};
use crate::sample::Report;

/// Where the report goes besides the screen.
pub struct Outputs<'a> {
    /// The file for `--json`.
    pub json: Option<&'a Path>,
    /// The file for `--html`.
    pub page: Option<&'a Path>,
    /// The folder for `--publish`.
    pub published: Option<&'a Path>,
}

impl Outputs<'_> {
    /// That one of them cannot be written is not to be learnt minutes later.
    /// What the files hold stays there until then.
    ///
    /// # Errors
    /// When one cannot be written.
    pub fn try_out(&self) -> Result<()> {
        let files = [self.json, self.page].into_iter().flatten();
        let mut files: Vec<PathBuf> = files.map(Path::to_owned).collect();
        if let Some(folder) = self.published {
            files.push(folder.join("bench/RESULTS.md"));
            for words in &costs::READMES {
                let file = folder.join(words.readme);
                costs::find(words, &read(&file)?)?;
                files.push(file);
            }
        }
        for file in files {
            let mut options = OpenOptions::new();
            let options = options.write(true).create(true).truncate(false);
            options
                .open(&file)
                .with_context(|| format!("write {}", file.display()))?;
        }
        Ok(())
    }

    /// Puts the report where it was asked for; whether no run failed.
    ///
    /// # Errors
    /// When a file cannot be written, or the figures may not be published.
    pub fn show(&self, report: &Report) -> Result<bool> {
        let stdout = io::stdout();
        let colour =
            stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let _ = write!(stdout.lock(), "{}", screen(report, colour));
        let mut written = Vec::new();
        if let Some(file) = self.json {
            let json = serde_json::to_string(report)?;
            written.push(write(file, &(json + "\n")));
        }
        if let Some(file) = self.page {
            written.push(write(file, &page(report)));
        }
        if let Some(folder) = self.published {
            written.push(publish(folder, report));
        }
        // One that fails, on a full disk, does not take the others with it.
        written.into_iter().collect::<Result<()>>()?;
        Ok(report.failures().count() == 0)
    }
}

/// Figures that others will quote. Where a floor is slower than a program
/// that stands on it, the run was disturbed, and nothing is written.
fn publish(folder: &Path, report: &Report) -> Result<()> {
    ensure!(
        !report.settings.quick,
        "a quick run is too short to publish"
    );
    let slow = slow_floors(report);
    ensure!(
        slow.is_empty(),
        "nothing is published: a floor is slower than what stands on it: {}",
        slow.join("; ")
    );
    let mut files = vec![(folder.join("bench/RESULTS.md"), markdown(report))];
    for words in &costs::READMES {
        let file = folder.join(words.readme);
        let text = costs::put(words, report, &read(&file)?)?;
        files.push((file, text));
    }
    for (file, text) in files {
        write(&file, &text)?;
    }
    Ok(())
}

/// The text of a file.
///
/// # Errors
/// With its name.
pub fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("read {}", file.display()))
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("write {}", file.display()))
}
