//! What a report says, in its order: the screen, Markdown and the page show
//! the same parts.

use super::answers::{WHICH_NOTE, against_node, claim, which};
use super::section::Section;
use super::tables::tables;
use crate::sample::Report;

/// One part of a report, with its title.
#[derive(Clone, Debug)]
pub enum Part {
    /// An answer in several lines, and how to read them.
    List(String, Vec<String>, &'static str),
    /// A table.
    Table(Section),
}

/// The answers, which come first, and what they are drawn from. A quick run
/// is too short to answer.
pub fn parts(report: &Report) -> [Vec<Part>; 2] {
    let quick = report.settings.quick;
    let table = |section: Section| {
        (!section.rows.is_empty()).then_some(Part::Table(section))
    };
    let mut answers = Vec::new();
    let mut rest: Vec<_> =
        tables(report).into_iter().filter_map(table).collect();
    let choice = which(report);
    if !quick && !choice.is_empty() {
        let title = "Which should I take?".to_owned();
        answers.push(Part::List(title, choice, WHICH_NOTE));
    }
    if !quick {
        answers.extend(table(claim(report)));
        let lists = against_node(report).into_iter();
        rest.extend(lists.map(|(title, lines)| list(title, lines)));
    }
    let failures: Vec<_> = report
        .failures()
        .map(|sample| {
            format!(
                "{} {}, {}, {}, round {}: {}",
                sample.task.transport,
                sample.program,
                sample.task.what,
                sample.task.placement,
                sample.round + 1,
                sample.error.as_deref().unwrap_or_default()
            )
        })
        .collect();
    if !failures.is_empty() {
        rest.push(list("Failed runs:".to_owned(), failures));
    }
    if !report.notes.is_empty() {
        let title = "Not measured here:".to_owned();
        rest.push(list(title, report.notes.clone()));
    }
    [answers, rest]
}

fn list(title: String, lines: Vec<String>) -> Part {
    Part::List(title, lines, "")
}

/// How the run was made, in a line.
pub fn how(report: &Report) -> String {
    let settings = &report.settings;
    let quick = match settings.quick {
        true => "; --quick: too short to say which is faster",
        false => "",
    };
    format!(
        "{} rounds in turns, {:.0} ms of load for each sample{quick}",
        settings.rounds, settings.sample_ms
    )
}

/// Where GitHub's links to a title lead.
pub fn anchor(title: &str) -> String {
    let title = title.to_lowercase().replace(' ', "-");
    title
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == '-')
        .collect()
}
