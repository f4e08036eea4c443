//! `cargo run`: every lesson live, one after the other.
//!
//! Each one is built, shown, and only then the next one is built, so that
//! the first echo is on the screen while the rest is still source code.

mod report;
mod screen;
mod show;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Parser, ValueEnum};
use harness::{LESSONS, Language, Lesson};

use crate::report::{Outcome, Report};

/// Shows every lesson live: two processes that talk to each other.
#[derive(Parser)]
#[command(name = "tour")]
struct Args {
    /// The lessons to show; all of them, unless named
    lessons: Vec<String>,

    /// What the second half of each pair is written in
    #[arg(long, value_enum, value_name = "LANGUAGE", default_value = "rust")]
    with: With,

    /// After how long a lesson counts as hung
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    limit: u64,

    /// List the lessons and end
    #[arg(long)]
    list: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum With {
    Rust,
    Node,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// True when no lesson failed.
fn run(args: &Args) -> Result<bool> {
    if args.list {
        report::list();
        return Ok(true);
    }
    let lessons = chosen(&args.lessons)?;
    let second = match args.with {
        With::Rust => Language::Rust,
        With::Node => Language::Node,
    };
    let limit = Duration::from_secs(args.limit);
    ctrlc::set_handler(|| {
        harness::end_all();
        std::process::exit(130);
    })?;
    let reports: Vec<Report> = lessons
        .into_iter()
        .map(|lesson| show::show(lesson, second, limit))
        .collect();
    report::table(&reports);
    Ok(reports
        .iter()
        .all(|report| report.outcome != Outcome::Failed))
}

/// The lessons of these names, in the order of the tour.
fn chosen(names: &[String]) -> Result<Vec<&'static Lesson>> {
    for name in names {
        if Lesson::named(name).is_none() {
            bail!("no lesson is called '{name}'; --list shows them");
        }
    }
    let is_chosen = |lesson: &&Lesson| {
        names.is_empty() || names.iter().any(|name| name == lesson.name)
    };
    Ok(LESSONS.iter().filter(is_chosen).collect())
}
