//! `cargo run`: every lesson live, one after the other.
//!
//! Each one is built, shown, and only then the next one is built, so that
//! the first echo is on the screen while the rest is still source code.
//! RabbitMQ takes seconds to start, so that begins with the first lesson.

mod layout;
mod report;
mod screen;
mod show;
mod web;

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::{self, ExitCode};
use std::time::Duration;
use std::{env, thread};

use anyhow::{Result, bail};
use clap::{Parser, ValueEnum};
use console::style;
use harness::{LESSONS, Language, Lesson, Meet, rabbit};

use crate::report::Outcome;

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

    /// Wait for a key before the next lesson
    #[arg(long)]
    step: bool,

    /// List the lessons and end
    #[arg(long)]
    list: bool,

    /// Show the lessons side by side in a browser, and run them there
    #[arg(long)]
    web: bool,

    /// With --web: open the browser
    #[arg(long, requires = "web")]
    open: bool,

    /// Write the side-by-side pages into this folder, for a web site
    #[arg(long, value_name = "DIR")]
    site: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum With {
    Rust,
    Node,
}

/// What a shell calls the end by Ctrl-C.
const INTERRUPTED: u8 = 130;

/// How long the end may take after Ctrl-C.
const PATIENCE: Duration = Duration::from_millis(1500);

fn main() -> ExitCode {
    let plain = env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty());
    console::set_colors_enabled(!plain && io::stdout().is_terminal());
    let outcome = run(&Args::parse());
    if let Some(status) = screen::ended() {
        return ExitCode::from(status);
    }
    match outcome {
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
    if args.web || args.site.is_some() {
        return web::show(args.site.as_deref(), args.open);
    }
    let lessons = chosen(&args.lessons)?;
    if args.step && !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        bail!("--step waits for a key, and this is no terminal");
    }
    let second = match args.with {
        With::Rust => Language::Rust,
        With::Node => Language::Node,
    };
    let limit = Duration::from_secs(args.limit);
    ctrlc::set_handler(|| {
        screen::end(INTERRUPTED);
        // What runs is gone, and the files are being removed. But it may
        // still be cargo that builds, and that is not waited for.
        thread::sleep(PATIENCE);
        process::exit(INTERRUPTED.into());
    })?;
    let _rabbitmq = RabbitMq::for_these(&lessons);
    let mut reports = Vec::new();
    for (before, lesson) in lessons.iter().enumerate() {
        let title = report::title(lesson);
        let title = format!("{}/{} {title}", before + 1, lessons.len());
        screen::line("");
        if args.step && before > 0 {
            screen::wait_for_key(&title)?;
        }
        if screen::ended().is_some() {
            return Ok(false);
        }
        screen::line(style(title).bold());
        reports.push(show::show(lesson, second, limit));
    }
    if screen::ended().is_some() {
        return Ok(false);
    }
    report::table(&reports);
    Ok(reports
        .iter()
        .all(|report| report.outcome != Outcome::Failed))
}

/// A RabbitMQ, where a lesson is to be shown over one and this machine has
/// it. It ends when this is dropped, also by a panic.
struct RabbitMq;

impl RabbitMq {
    /// Begins to start it, and does not wait for it.
    fn for_these(lessons: &[&Lesson]) -> Self {
        let wanted = lessons.iter().any(|it| it.meet() == Meet::RabbitMq);
        if wanted && rabbit::missing().is_none() {
            rabbit::begin_shared();
        }
        Self
    }
}

impl Drop for RabbitMq {
    fn drop(&mut self) {
        harness::end_all(); // one that is still starting is not waited for
        rabbit::end_shared();
    }
}

/// The lessons of these names, in the order of the tour; those that have
/// other halves, too, with both.
fn chosen(names: &[String]) -> Result<Vec<&'static Lesson>> {
    for name in names {
        if Lesson::named(name).is_none() {
            bail!("no lesson is called '{name}'; --list shows them");
        }
    }
    let is_chosen = |lesson: &&Lesson| {
        names.is_empty() || names.iter().any(|name| name == lesson.name)
    };
    let chosen = LESSONS.iter().filter(is_chosen);
    Ok(chosen
        .flat_map(|it| [it].into_iter().chain(it.also()))
        .collect())
}
