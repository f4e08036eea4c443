//! The report on the screen, in 100 columns, and as Markdown.

use std::fmt::Write as _;

use super::parts::{Part, anchor, how, parts};
use super::section::{Look, Section};
use crate::sample::Report;

/// How wide a terminal may be taken to be.
const WIDTH: usize = 100;

/// For the screen; `colour` makes the Rust rows bold and the bad ones red.
/// The answers come last: that is where one looks when it has run through.
pub fn screen(report: &Report, colour: bool) -> String {
    let mut out = String::new();
    for line in report.machine.lines() {
        paragraph(&mut out, &line, WIDTH);
    }
    push(&mut out, &how(report));
    let [answers, rest] = parts(report);
    for part in rest.into_iter().chain(answers.into_iter().rev()) {
        push(&mut out, "");
        match part {
            Part::Table(section) => {
                push(&mut out, &section.title);
                paragraph(&mut out, &section.note, WIDTH);
                push(&mut out, "");
                table(&mut out, &section, colour);
            }
            Part::List(title, lines, note) => {
                push(&mut out, &title);
                for line in lines {
                    paragraph(&mut out, &format!("- {line}"), WIDTH);
                }
                paragraph(&mut out, note, WIDTH);
            }
        }
    }
    out
}

/// For a file in the repository. The answers come first.
pub fn markdown(report: &Report) -> String {
    let mut out = String::from(
        "# Results\n\n\
         Made by `cargo run --release -p bench -- --publish .`; do not edit. \
         What each\nword means: [README.md](README.md).\n\n",
    );
    for line in report.machine.lines() {
        push(&mut out, &format!("- {line}"));
    }
    push(&mut out, &format!("- {}\n", how(report)));
    let mut body = String::new();
    for part in parts(report).concat() {
        match part {
            Part::Table(section) => section_as_markdown(&mut body, &section),
            Part::List(title, lines, note) => {
                push(&mut body, &format!("\n## {title}\n"));
                for line in lines {
                    push(&mut body, &format!("- {line}"));
                }
                if !note.is_empty() {
                    push(&mut body, "");
                    paragraph(&mut body, note, 78);
                }
            }
        }
    }
    // The contents, from the titles.
    for title in body.lines().filter_map(|line| line.strip_prefix("## ")) {
        push(&mut out, &format!("- [{title}](#{})", anchor(title)));
    }
    out + &body
}

fn section_as_markdown(out: &mut String, section: &Section) {
    push(out, &format!("\n## {}\n", section.title));
    paragraph(out, &section.note, 78);
    push(out, "");
    push(out, &format!("| {} |", section.head.join(" | ")));
    let rule: Vec<_> = (0..section.head.len())
        .map(|i| if section.is_text(i) { "---" } else { "--:" })
        .collect();
    push(out, &format!("|{}|", rule.join("|")));
    for row in &section.rows {
        let strong = |(i, cell): (usize, &String)| match row.look {
            Look::Ours | Look::Bad if i > 1 && !cell.is_empty() => {
                format!("**{cell}**")
            }
            _ => cell.clone(),
        };
        let cells: Vec<_> = row.cells.iter().enumerate().map(strong).collect();
        push(out, &format!("| {} |", cells.join(" | ")));
    }
}

fn table(out: &mut String, section: &Section, colour: bool) {
    let columns = section.head.len();
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let head = section.head[column].chars().count();
            let cells = section.rows.iter().filter_map(|row| {
                // A row that failed holds words where others have figures.
                let cell = row.cells.get(column)?;
                (row.cells.len() == columns).then(|| cell.chars().count())
            });
            cells.chain([head]).max().unwrap_or_default()
        })
        .collect();
    // Two spaces between them, or one where that is too wide.
    let wide = widths.iter().sum::<usize>() + 2 * (columns - 1) > WIDTH;
    let gap = if wide { " " } else { "  " };
    let line = |cells: Vec<&str>| {
        let mut line = String::new();
        for (i, cell) in cells.into_iter().enumerate() {
            let width = widths[i];
            let _ = match section.is_text(i) {
                true => write!(line, "{cell:width$}{gap}"),
                false => write!(line, "{cell:>width$}{gap}"),
            };
        }
        line.trim_end().to_owned()
    };
    push(out, &line(section.head.clone()));
    for row in &section.rows {
        let text = line(row.cells.iter().map(String::as_str).collect());
        match (colour, row.look) {
            (true, Look::Ours) => push(out, &format!("\x1b[1m{text}\x1b[0m")),
            (true, Look::Bad) => push(out, &format!("\x1b[31m{text}\x1b[0m")),
            _ => push(out, &text),
        }
    }
}

fn push(out: &mut String, line: &str) {
    out.push_str(line);
    out.push('\n');
}

/// Text, its lines broken between words.
fn paragraph(out: &mut String, text: &str, width: usize) {
    if text.is_empty() {
        return;
    }
    for line in wrapped(text, width) {
        push(out, &line);
    }
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        let line = &mut lines[last];
        let length = line.chars().count() + 1 + word.chars().count();
        if line.is_empty() {
            line.push_str(word);
        } else if length <= width {
            let _ = write!(line, " {word}");
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::tests::report;

    #[test]
    fn a_quick_run_prints_no_verdict() {
        let mut report = report();
        for lesson in ["pipe-echo", "http-echo"] {
            let mut samples = report.samples.clone();
            for sample in &mut samples {
                sample.task.transport = lesson.to_owned();
            }
            report.samples.extend(samples);
        }
        let verdicts = ["slower than Node", "twice as fast", "Which should"];
        let whole = [screen(&report, false), markdown(&report)];
        report.settings.quick = true;
        let quick = [screen(&report, false), markdown(&report)];
        for verdict in verdicts {
            assert!(whole.iter().all(|text| text.contains(verdict)));
            assert!(!quick.iter().any(|text| text.contains(verdict)));
        }
        assert!(quick.iter().all(|text| text.contains("too short to say")));
    }

    #[test]
    fn the_contents_lead_to_each_title() {
        let text = markdown(&report());
        let link = "(#round-trips-on-one-core-in-µs)";
        assert!(text.contains(link), "{text}");
        assert_eq!(text.matches("](#").count(), text.matches("\n## ").count());
    }
}
