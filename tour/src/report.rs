//! The table at the end of the tour, and the list of lessons.

use std::time::Duration;

use console::style;
use harness::{LESSONS, Lesson};

use crate::screen;
use crate::show::Broker;

/// How one lesson went.
pub struct Report {
    /// Which one.
    pub lesson: &'static Lesson,
    /// By which broker.
    pub broker: Broker,
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

impl Report {
    /// A lesson that cannot be shown here.
    pub fn skipped(lesson: &'static Lesson, broker: Broker) -> Self {
        Self {
            lesson,
            broker,
            exchanges: 0,
            time: Duration::ZERO,
            outcome: Outcome::Skipped,
        }
    }
}

/// Prints a line for each lesson that was shown.
pub fn table(reports: &[Report]) {
    screen::line("");
    let header = format!("{:<16} {:<24} {:>7}", "lesson", "exchanged", "time");
    screen::line(format_args!("{}", style(header).bold()));
    for report in reports {
        let (_, what) = report.lesson.exchange;
        let verdict = match report.outcome {
            Outcome::Well => style("ok").green(),
            Outcome::Skipped => style("skipped").yellow(),
            Outcome::Failed => style("failed").red().bold(),
        };
        let name = match report.broker {
            Broker::Own => report.lesson.name,
            Broker::RabbitMq => "… over RabbitMQ", // below the same lesson
        };
        screen::line(format_args!(
            "{name:<16} {:<24} {:>5.1} s  {verdict}",
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
