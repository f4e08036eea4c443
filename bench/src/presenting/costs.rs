//! The tables "What each costs" of the READMEs at the root, in two languages.

use std::fmt::Write as _;

use anyhow::{Context, Result};

use super::section::figure3;
use crate::sample::{HELLO, Measure, Placement, Report, Task, What, what};
use crate::transports;

/// Between these two lines a README holds what is made here.
const BEGIN: &str = "<!-- costs: `bench -- --publish` writes this -->\n";
const END: &str = "<!-- /costs -->\n";

/// The first table: what a message and a start cost.
const TIMES: [What; 2] = [HELLO, what(Measure::Start, 0)];

/// The second: memory of a program that waits, without clients and with.
const MEMORY: [What; 3] = [
    what(Measure::Memory, 0),
    what(Measure::Memory, 1000),
    what(Measure::Memory, 10_000),
];

/// What differs between the two languages.
pub struct Words {
    /// The README that it is for, here and in each lesson.
    pub readme: &'static str,
    times: &'static str,
    memory: &'static str,
    made: fn(&str, &str) -> String,
}

/// The READMEs.
pub const READMES: [Words; 2] = [
    Words {
        readme: "README.md",
        times: "| | round trip in Rust, µs | in Node, µs | ratio \
                | first answer in Rust, ms | in Node, ms | ratio |",
        memory: "| Memory, MiB | idle, in Rust | in Node | ratio \
                 | 1,000 clients, in Rust | in Node | ratio \
                 | 10,000 clients, in Rust | in Node | ratio |",
        made: |node, date| format!("Measured with Node {node}, {date}."),
    },
    Words {
        readme: "README.zh-CN.md",
        times: "| | 往返，Rust，µs | Node，µs | 比值 \
                | 首次响应，Rust，ms | Node，ms | 比值 |",
        memory: "| 内存，MiB | 空闲，Rust | Node | 比值 \
                 | 1,000 个客户端，Rust | Node | 比值 \
                 | 10,000 个客户端，Rust | Node | 比值 |",
        made: |node, date| format!("测量所用：Node {node}，{date}。"),
    },
];

/// Three cells for each of the lesson's figures: in Rust, in Node, and how
/// many times better Rust is. None where it was not measured.
type Cells<'a> = &'a dyn Fn(&'static str, What) -> Option<[String; 3]>;

/// `readme` with the tables of this report.
///
/// # Errors
/// When `readme` has no place for them.
pub fn put(words: &Words, report: &Report, readme: &str) -> Result<String> {
    let (before, after) = find(words, readme)?;
    let node = report.machine.node.as_deref().unwrap_or_default();
    let block = block(words, node, &report.machine.date, &|lesson, what| {
        cells(report, lesson, what)
    });
    Ok([before, BEGIN, &block, END, after].concat())
}

/// What comes before the tables, and what after them.
///
/// # Errors
/// When there is no place for them.
pub fn find<'a>(words: &Words, readme: &'a str) -> Result<(&'a str, &'a str)> {
    let found = readme.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    found.with_context(|| {
        format!("{} has no line {}", words.readme, BEGIN.trim())
    })
}

fn cells(report: &Report, lesson: &str, what: What) -> Option<[String; 3]> {
    let task = Task {
        transport: lesson.to_owned(),
        what,
        placement: Placement::One,
    };
    let scale = match what.measure {
        Measure::Memory => 1.0 / 1024.0,
        _ => 1.0,
    };
    let median = |program| {
        let value = report.value(&task, program)?.median;
        Some(figure3(value * scale))
    };
    let ratio = report.than_node(&task, "Rust")?.median;
    let node = report.node(&task);
    Some([median("Rust")?, median(node)?, figure3(ratio)])
}

fn block(words: &Words, node: &str, date: &str, cells: Cells<'_>) -> String {
    let mut out = format!("\n{}\n", (words.made)(node, date));
    for (head, all) in [(words.times, &TIMES[..]), (words.memory, &MEMORY)] {
        let rule = "--:|".repeat(3 * all.len());
        let _ = write!(out, "\n{head}\n|---|{rule}\n");
        for transport in transports::all() {
            let lesson = transport.name();
            let found: Vec<_> =
                all.iter().map(|what| cells(lesson, *what)).collect();
            if found.iter().all(Option::is_none) {
                continue;
            }
            let _ = write!(out, "| [{lesson}]({lesson}/{}) |", words.readme);
            for cells in found {
                let cells = cells.unwrap_or(["–", "–", "–"].map(str::to_owned));
                let _ = write!(out, " {} |", cells.join(" | "));
            }
            out.push('\n');
        }
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::sample::size;
    use crate::sample::tests::report;

    /// The columns of `RESULTS.md` with the median and with the ratio, of the
    /// sections that the tables are about.
    const SECTIONS: [(&str, usize, usize); 2] = [
        ("Round trips on one core, in µs", 5, 11),
        ("Starting, ", 4, 8),
    ];

    /// What `RESULTS.md` says: of each transport's title and what was
    /// measured, the median and the ratio of each program.
    struct Results {
        figures: HashMap<(String, String, String), [String; 2]>,
        node: String,
        date: String,
    }

    impl Results {
        fn read(text: &str) -> Self {
            let mut figures = HashMap::new();
            let mut section = "";
            let mut row = (String::new(), String::new());
            for line in text.lines() {
                section = line.strip_prefix("## ").unwrap_or(section);
                let cells: Vec<_> = line
                    .split('|')
                    .map(|cell| cell.trim().trim_matches('*').to_owned())
                    .collect();
                let found = SECTIONS
                    .iter()
                    .find(|(name, ..)| section.starts_with(name));
                let Some((_, median, ratio)) = found else {
                    continue;
                };
                let Some(ratio) = cells.get(*ratio) else {
                    continue;
                };
                if !cells[1].is_empty() {
                    row = (cells[1].clone(), cells[2].clone());
                }
                figures.insert(
                    (row.0.clone(), row.1.clone(), cells[3].clone()),
                    [cells[*median].clone(), ratio.clone()],
                );
            }
            let after = |start: &str, end: &str| {
                let (_, rest) = text.split_once(start).unwrap();
                rest.split(end).next().unwrap().to_owned()
            };
            let date = after("- commit ", "\n");
            Self {
                figures,
                node: after("; Node ", ";"),
                date: date.split_once(", ").unwrap().1.to_owned(),
            }
        }

        fn cells(&self, lesson: &str, what: What) -> Option<[String; 3]> {
            let asked = match what.measure {
                Measure::RoundTrip => size(what.size),
                _ => what.to_string(),
            };
            let of = |program: &str| {
                let title = transports::title(lesson).to_owned();
                self.figures
                    .get(&(title, asked.clone(), program.to_owned()))
            };
            let figure = |text: &str| -> f64 {
                text.replace(',', "").parse().unwrap_or_default()
            };
            let [rust, ratio] = of("Rust")?.clone();
            let mut node = of("Node")?[0].clone();
            if let Some([events, _]) = of("events")
                && figure(events) < figure(&node)
            {
                node.clone_from(events);
            }
            Some([rust, node, ratio])
        }
    }

    #[test]
    fn the_readmes_say_what_the_results_say() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let read = |file: &str| fs::read_to_string(root.join(file)).unwrap();
        let results = Results::read(&read("RESULTS.md"));
        let cells = |lesson, what| results.cells(lesson, what);
        assert!(cells("tcp-echo", HELLO).is_some(), "no table was found");
        for words in &READMES {
            let block = block(words, &results.node, &results.date, &cells);
            let wanted = format!("{BEGIN}{block}{END}");
            let text = read(&format!("../{}", words.readme));
            assert!(text.contains(&wanted), "{} lacks\n{wanted}", words.readme);
        }
    }

    #[test]
    fn the_ratio_is_the_measured_one() {
        let mut report = report();
        // The medians of Rust and of Node are those of different rounds.
        for sample in &mut report.samples {
            let slow = match (sample.program.as_str(), sample.round) {
                ("Rust", 0) | ("Node", 1) => 10.0,
                _ => 1.0,
            };
            sample.figures.median =
                sample.figures.median.map(|median| median * slow);
        }
        let readme = format!("before\n{BEGIN}old\n{END}after\n");
        let text = put(&READMES[0], &report, &readme).unwrap();
        let row = "| [tcp-echo](tcp-echo/README.md) | 9.00 | 15.0 | 2.00 |";
        assert!(text.contains(row), "{text}");
        assert!(text.starts_with("before\n") && text.ends_with("after\n"));
        assert!(!text.contains("old") && !text.contains("pipe-echo"));
        // A second time it changes nothing.
        assert_eq!(put(&READMES[0], &report, &text).unwrap(), text);
        put(&READMES[0], &report, "no place").unwrap_err();
    }
}
