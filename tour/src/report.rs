//! The table at the end of the tour, and the list of lessons.

use std::time::Duration;

use console::style;
use harness::{LESSONS, Language, Lesson, Meet};

use crate::screen;

/// How one lesson went.
pub struct Report {
    /// Which one.
    pub lesson: &'static Lesson,
    /// How many exchanges were completed.
    pub exchanges: usize,
    /// How long it took, without building.
    pub time: Duration,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a lesson.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Both halves ended well, and something was exchanged.
    Well,
    /// Something it needs is not here, which is nobody's failure.
    Skipped,
    /// One of the halves failed.
    Failed,
}

/// What a lesson is called.
pub fn title(lesson: &Lesson) -> String {
    match lesson.meet() {
        Meet::RabbitMq => format!("{} over RabbitMQ", lesson.name),
        _ => lesson.name.to_owned(),
    }
}

/// The command that a reader can type next.
pub fn command(lesson: &Lesson) -> String {
    let [first, _] = lesson.halves();
    let [language, _] = lesson.pairing_with(Language::Rust);
    lesson.typed(language, first)
}

/// Prints a line for each lesson that was shown, and what to type next.
pub fn table(reports: &[Report]) {
    screen::line("");
    let header = format!("{:<18} {:<24} {:>7}", "lesson", "exchanged", "time");
    screen::line(style(header).bold());
    for report in reports {
        let [_, what] = report.lesson.exchange();
        let verdict = match report.outcome {
            Outcome::Well => style("ok").green(),
            Outcome::Skipped => style("skipped").yellow(),
            Outcome::Failed => style("failed").red().bold(),
        };
        let name = match report.lesson.meet() {
            Meet::RabbitMq => "… over RabbitMQ", // below the same lesson
            _ => report.lesson.name,
        };
        screen::line(format_args!(
            "{name:<18} {:<24} {:>5.1} s  {verdict}",
            format!("{} {what}", report.exchanges),
            report.time.as_secs_f64(),
        ));
    }
    screen::line("");
    screen::line("one at a time: cargo run -- --step");
    screen::line("with Node as the other half: cargo run -- --with node");
}

/// Prints a line for each lesson there is.
pub fn list() {
    for lesson in LESSONS.iter() {
        screen::line(format_args!(
            "{:<18} {}",
            style(lesson.name).bold(),
            lesson.watch()
        ));
    }
}
