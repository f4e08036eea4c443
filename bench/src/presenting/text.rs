//! The report on the screen, in 100 columns, and as Markdown.

use std::fmt::Write as _;

use super::answers::{WHICH_NOTE, against_node, claim, which};
use super::section::{Look, Section};
use super::tables::tables;
use super::targets::targets;
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
    let mut all = tables(report);
    if !report.settings.quick {
        all.push(targets(report));
        all.push(claim(report));
    }
    for section in all.iter().filter(|one| !one.rows.is_empty()) {
        push(&mut out, "");
        push(&mut out, &section.title);
        paragraph(&mut out, &section.note, WIDTH);
        push(&mut out, "");
        table(&mut out, section, colour);
    }
    let mut lists = endings(report);
    let choice = choice(report);
    let note = choice.as_ref().map_or("", |_| WHICH_NOTE);
    lists.extend(choice);
    for (title, lines) in lists {
        push(&mut out, "");
        push(&mut out, &title);
        for line in lines {
            paragraph(&mut out, &format!("- {line}"), WIDTH);
        }
    }
    paragraph(&mut out, note, WIDTH);
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
    let list = |body: &mut String, (title, lines): (String, Vec<String>)| {
        push(body, &format!("\n## {title}\n"));
        for line in lines {
            push(body, &format!("- {line}"));
        }
    };
    if let Some(choice) = choice(report) {
        list(&mut body, choice);
        push(&mut body, "");
        paragraph(&mut body, WHICH_NOTE, 78);
    }
    let quick = report.settings.quick;
    let mut all = tables(report);
    if !quick {
        all.insert(0, claim(report));
    }
    all.retain(|section| !section.rows.is_empty());
    for section in &all {
        section_as_markdown(&mut body, section);
    }
    for ending in endings(report) {
        list(&mut body, ending);
    }
    if !quick {
        section_as_markdown(&mut body, &targets(report));
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

/// Where GitHub's links to a title lead.
pub fn anchor(title: &str) -> String {
    let title = title.to_lowercase().replace(' ', "-");
    title
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == '-')
        .collect()
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

/// A title, and a list.
type List = (String, Vec<String>);

/// Which transport to take, where the run can say.
pub fn choice(report: &Report) -> Option<List> {
    let lines = which(report);
    let title = "Which should I take?".to_owned();
    let can_say = !report.settings.quick && !lines.is_empty();
    can_say.then_some((title, lines))
}

/// What comes after the tables: where Node was faster, what failed, what
/// could not be measured.
pub fn endings(report: &Report) -> Vec<List> {
    let mut all = match report.settings.quick {
        true => Vec::new(),
        false => against_node(report),
    };
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
        all.push(("Failed runs:".to_owned(), failures));
    }
    if !report.notes.is_empty() {
        all.push(("Not measured here:".to_owned(), report.notes.clone()));
    }
    all
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
                    wide.task.transport = "redis-pubsub".to_owned();
                    wide.task.what = What { measure, size };
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
    fn a_quick_run_prints_no_verdict() {
        let mut report = report();
        for lesson in ["pipe-echo", "http-echo"] {
            let mut samples = report.samples.clone();
            for sample in &mut samples {
                sample.task.transport = lesson.to_owned();
            }
            report.samples.extend(samples);
        }
        let verdicts = [
            "slower than Node",
            "REACHED",
            "twice as fast",
            "Which should",
        ];
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
