//! The report on the screen, in 100 columns, and as Markdown.

use std::fmt::Write as _;

use crate::report::{Look, Section, sections, slower_than_node};
use crate::sample::Report;

/// How wide a terminal may be taken to be.
const WIDTH: usize = 100;

/// For the screen; `colour` makes the Rust rows bold and the bad ones red.
pub fn screen(report: &Report, colour: bool) -> String {
    let mut out = String::new();
    for line in report.machine.lines() {
        for line in wrapped(&line, WIDTH) {
            push(&mut out, &line);
        }
    }
    push(&mut out, &how(report));
    // The answers come last: that is where one looks when it has run through.
    let mut all = sections(report);
    all.sort_by_key(|section| section.answers);
    for section in all {
        push(&mut out, "");
        push(&mut out, &section.title);
        for line in wrapped(&section.note, WIDTH) {
            push(&mut out, &line);
        }
        push(&mut out, "");
        table(&mut out, &section, colour);
    }
    for (title, lines) in endings(report) {
        push(&mut out, "");
        push(&mut out, &title);
        for line in lines {
            push(&mut out, &format!("  {line}"));
        }
    }
    out
}

/// For a file in the repository.
pub fn markdown(report: &Report) -> String {
    let mut out = String::from(
        "# Results\n\n\
         Made by `cargo run --release -p bench -- --results \
         bench/RESULTS.md`; do not\nedit. What each word means: \
         [README.md](README.md).\n\n",
    );
    for line in report.machine.lines() {
        push(&mut out, &format!("- {line}"));
    }
    push(&mut out, &format!("- {}", how(report)));
    for section in sections(report) {
        push(&mut out, &format!("\n## {}\n", section.title));
        for line in wrapped(&section.note, 78) {
            push(&mut out, &line);
        }
        push(&mut out, "");
        push(&mut out, &format!("| {} |", section.head.join(" | ")));
        let rule: Vec<_> = (0..section.head.len())
            .map(|i| if is_text(&section, i) { "---" } else { "--:" })
            .collect();
        push(&mut out, &format!("|{}|", rule.join("|")));
        for row in &section.rows {
            let strong = |cell: &String| match row.look {
                _ if cell.is_empty() => String::new(),
                Look::Plain => cell.clone(),
                Look::Ours | Look::Bad => format!("**{cell}**"),
            };
            let cells: Vec<_> = row
                .cells
                .iter()
                .enumerate()
                .map(|(i, cell)| match i {
                    0 | 1 => cell.clone(),
                    _ => strong(cell),
                })
                .collect();
            push(&mut out, &format!("| {} |", cells.join(" | ")));
        }
    }
    for (title, lines) in endings(report) {
        push(&mut out, &format!("\n## {title}\n"));
        for line in lines {
            push(&mut out, &format!("- {line}"));
        }
    }
    out
}

/// How the run was made, in a line.
pub fn how(report: &Report) -> String {
    let settings = &report.settings;
    format!(
        "{} rounds in turns, {:.0} ms of load for each sample{}",
        settings.rounds,
        settings.sample_ms,
        if settings.quick { ", --quick" } else { "" }
    )
}

/// What comes after the tables: where Node was quicker, what failed, what
/// could not be measured.
pub fn endings(report: &Report) -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    let slower = slower_than_node(report, false);
    let title = match slower.is_empty() {
        _ if report.against_node().is_empty() => {
            "Nothing was compared with Node."
        }
        true => "Nothing was slower than Node.",
        false => "Slower than Node:",
    };
    all.push((title.to_owned(), slower));
    let even = slower_than_node(report, true);
    if !even.is_empty() {
        let title = "No quicker than Node, in some rounds slower:";
        all.push((title.to_owned(), even));
    }
    let failures: Vec<_> = report
        .failures()
        .map(|sample| {
            format!(
                "{} {}, {}, {}, round {}: {}",
                sample.transport,
                sample.program,
                sample.what,
                sample.placement,
                sample.round + 1,
                sample.error.as_deref().unwrap_or_default()
            )
        })
        .collect();
    if !failures.is_empty() {
        all.push(("Failed runs:".to_owned(), failures));
    }
    if !report.notes.is_empty() {
        all.push(("Not measured here:".to_owned(), report.notes.clone()));
    }
    all
}

/// Whether a column holds words; figures stand to the right.
pub fn is_text(section: &Section, column: usize) -> bool {
    ["program", "on", "verdict"].contains(&section.head[column])
        || column < 2 && section.head[column] != "floor"
        || section.rows.iter().all(|row| {
            row.cells.get(column).is_none_or(|cell| {
                !cell.is_empty()
                    && cell.chars().all(|c| c.is_alphabetic() || c == '/')
            })
        })
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
            let _ = match is_text(section, i) {
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

/// Breaks lines between words.
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
    use crate::sample::tests::{report, sample};
    use crate::sample::{Figures, Measure, What};

    #[test]
    fn every_line_fits_into_100_columns() {
        let mut report = report();
        report.machine.processor = "A processor ".repeat(9);
        // Wide figures everywhere.
        for (measure, size) in [
            (Measure::RoundTrip, 65536),
            (Measure::Flood, 5),
            (Measure::Stream, 1 << 20),
            (Measure::Many, 64),
            (Measure::LogLine, 5),
            (Measure::Memory, 10_000),
        ] {
            for program in ["floor", "Rust", "Node", "my-long-server"] {
                // As a run on a virtual machine had them.
                for (round, rate) in
                    [(0, 115_025_000.0), (1, 338_961_000.0), (2, 382_435_000.0)]
                {
                    let mut wide = sample(program, round, 12_345.6);
                    wide.transport = "redis-pubsub".to_owned();
                    wide.what = What { measure, size };
                    wide.figures.per_second = Some(rate);
                    wide.figures.mb_per_second = Some(rate / 1e4);
                    wide.figures.server_cpu = Some(12_345.0);
                    wide.figures.load_cpu = Some(12_345.0);
                    wide.figures.memory_kib = Some(1e6);
                    wide.figures.log_line = Some(0.123);
                    report.samples.push(wide);
                }
            }
        }
        report.samples[1].error = Some("wrong".to_owned());
        report.samples[1].figures = Figures::default();
        for line in screen(&report, false).lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }

    #[test]
    fn nothing_is_slower_only_where_something_was_compared() {
        let mut report = report();
        let first = |report: &Report| endings(report).swap_remove(0).0;
        assert_eq!(first(&report), "Nothing was slower than Node.");
        report.samples.retain(|one| one.program != "Node");
        assert_eq!(first(&report), "Nothing was compared with Node.");
    }

    #[test]
    fn columns_stand_below_each_other() {
        let screen = screen(&report(), false);
        let lines: Vec<_> = screen.lines().collect();
        let head = lines.iter().position(|l| l.contains("p99.9")).unwrap();
        let ends: Vec<_> = lines[head..head + 4]
            .iter()
            .map(|line| line.chars().take(40).collect::<String>())
            .collect();
        same_lines(
            &ends,
            &[
                "     size  program   min  median      ra",
                "TCP  5 B   floor    3.12    6.25  5.00–7",
                "           Rust     3.75    7.50  6.00–9",
                "           Node     7.50    15.0  12.0–1",
            ],
        );
    }

    fn same_lines(found: &[String], expected: &[&str]) {
        let found: Vec<_> = found.iter().map(|l| l.trim_end()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn markdown_has_a_cell_for_each_column() {
        let text = markdown(&report());
        let bars = |line: &str| line.matches('|').count();
        let mut expected = 0;
        for line in text.lines() {
            match line.starts_with('|') {
                true if expected == 0 => expected = bars(line),
                true => assert_eq!(bars(line), expected, "{line}"),
                false => expected = 0,
            }
        }
        assert!(text.contains("## Round trips on one core"));
    }
}
