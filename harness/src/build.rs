//! Builds one lesson's programs into a folder of its own.
//!
//! Several lessons have a program called `server`. In cargo's usual folder
//! the last one built replaces the others (cargo#6313): a test would start
//! another lesson's server. So each lesson is linked into
//! `target/lessons/NAME`; all that comes before the link is shared.

use std::collections::HashMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};

use crate::lessons::Lesson;

/// How cargo builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// As `cargo run` does.
    Debug,
    /// As `cargo run --release` does.
    Release,
}

/// The workspace's folder.
pub fn root() -> &'static Path {
    // This crate is only used in its own checkout.
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}

/// Where cargo puts what it builds.
pub fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |given| root().join(given))
}

/// cargo, as from a shell.
pub fn cargo() -> Command {
    let mut cargo =
        Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    as_from_a_shell(&mut cargo);
    cargo
}

/// For cargo, and for what starts it.
///
/// A program that cargo runs has variables about its package in its
/// environment. A build script that looks at them (ring's) would be run again
/// each time.
pub fn as_from_a_shell(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_")
        {
            command.env_remove(name);
        }
    }
}

/// Builds the programs of the package `lesson`; returns their folder. About
/// 20 ms when nothing has changed, and nothing at all the second time in one
/// process.
///
/// # Errors
/// With cargo's own words, when it does not build.
pub fn build(lesson: &str, profile: Profile) -> Result<PathBuf> {
    // Built before, by `.ci/wine`: Wine has no cargo of its own.
    if let Some(folder) = env::var_os("LESSONS_BUILT") {
        return Ok(root().join(folder).join(lesson));
    }
    static BUILT: Mutex<Option<HashMap<(String, Profile), PathBuf>>> =
        Mutex::new(None);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let built = built.get_or_insert_default();
    let key = (lesson.to_owned(), profile);
    if let Some(folder) = built.get(&key) {
        return Ok(folder.clone());
    }
    let folder = run_cargo(lesson, profile)?;
    built.insert(key, folder.clone());
    Ok(folder)
}

fn run_cargo(lesson: &str, profile: Profile) -> Result<PathBuf> {
    let target = target();
    let own = target.join("lessons").join(lesson);
    let mut cargo = cargo();
    cargo
        .current_dir(root())
        .args(["build", "--quiet", "--locked", "-p", lesson, "--bins"])
        .arg("--target-dir")
        .arg(&own)
        .env("CARGO_BUILD_BUILD_DIR", &target)
        .stdin(Stdio::null());
    for feature in Lesson::named(lesson).map_or(&[][..], Lesson::features) {
        cargo.args(["--features", &format!("{lesson}/{feature}")]);
    }
    if profile == Profile::Release {
        // Optimized, each crate takes its time: one set of features for all
        // lessons. A debug build is shared with `cargo run -p LESSON`, and has
        // that lesson's features.
        cargo.args(["--release", "-p", "all-lessons"]);
    }
    let output = cargo.output().context("run cargo")?;
    if !output.status.success() {
        bail!(
            "{lesson} does not build:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(own.join(match profile {
        Profile::Debug => "debug",
        Profile::Release => "release",
    }))
}
