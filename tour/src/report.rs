//! The table at the end of the tour, and the list of lessons.

use std::time::Duration;

use console::style;
use harness::{LESSONS, Lesson};

use crate::screen;

/// How one lesson went.
pub struct Report {
    /// Which one.
    pub lesson: &'static Lesson,
    /// How many exchanges were completed.
    pub exchanges: usize,
    /// How long it took, without building.
    pub time: Duration,
    /// Both halves ended well, and something was exchanged.
    pub ok: bool,
}

/// Prints a line for each lesson that was shown.
pub fn table(reports: &[Report]) {
    screen::line("");
    let header = format!("{:<16} {:<24} {:>7}", "lesson", "exchanged", "time");
    screen::line(format_args!("{}", style(header).bold()));
    for report in reports {
        let (_, what) = report.lesson.exchange;
        let verdict = match report.ok {
            true => style("ok").green(),
            false => style("failed").red().bold(),
        };
        screen::line(format_args!(
            "{:<16} {:<24} {:>5.1} s  {verdict}",
            report.lesson.name,
            format!("{} {what}", report.exchanges),
            report.time.as_secs_f64(),
        ));
    }
}

/// Prints a line for each lesson there is.
pub fn list() {
    for lesson in LESSONS {
        screen::line(format_args!(
            "{:<16} {}",
            style(lesson.name).bold(),
            lesson.watch
        ));
    }
}
