//! Turns samples into sections of a report: tables with a title and a word
//! on what they show. The screen, Markdown and HTML show the same ones.

use crate::place::Placement;
use crate::sample::{Better, Figures, Measure, Report, Spread, What, size};
use crate::targets;
use crate::transport;

/// How many letters of a program's name are shown.
const NAME: usize = 9;

/// A table and what it shows.
#[derive(Clone, Debug)]
pub struct Section {
    /// What it is about.
    pub title: String,
    /// How to read it.
    pub note: String,
    /// The columns' names.
    pub head: Vec<&'static str>,
    /// The rows, each as long as the head.
    pub rows: Vec<Row>,
    /// It answers a question, where others show figures.
    pub answers: bool,
}

/// One row.
#[derive(Clone, Debug)]
pub struct Row {
    /// What stands in each column.
    pub cells: Vec<String>,
    /// How it is to be shown.
    pub look: Look,
}

/// How a row is to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// As it is.
    Plain,
    /// The lesson's Rust half: what it is all about.
    Ours,
    /// Something is wrong.
    Bad,
}

/// All sections that there are samples for.
pub fn sections(report: &Report) -> Vec<Section> {
    let mut all = vec![claim(report), targets::section(report)];
    for placement in [Placement::One, Placement::Two] {
        all.push(round_trips(report, placement));
        all.push(rates(report, placement));
    }
    all.push(others(report));
    all.retain(|section| !section.rows.is_empty());
    all
}

/// What was measured, in the order in which it was.
fn tasks(
    report: &Report,
    of: impl Fn(Measure) -> bool,
) -> Vec<(String, What, Placement)> {
    let mut all = Vec::new();
    for sample in &report.samples {
        let task = (sample.transport.clone(), sample.what, sample.placement);
        if of(sample.what.measure) && !all.contains(&task) {
            all.push(task);
        }
    }
    // Two that took turns with each other still have their rows together.
    let mut order: Vec<String> = Vec::new();
    for (transport, ..) in &all {
        if !order.contains(transport) {
            order.push(transport.clone());
        }
    }
    all.sort_by_key(|task| order.iter().position(|name| *name == task.0));
    all
}

/// Who took part, in the order of the turns.
pub fn programs(
    report: &Report,
    transport: &str,
    what: What,
    placement: Placement,
) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for sample in &report.samples {
        if sample.transport == transport
            && sample.what == what
            && sample.placement == placement
            && !all.contains(&sample.program)
        {
            all.push(sample.program.clone());
        }
    }
    all
}

/// The short name of a lesson's transport.
pub fn title(lesson: &str) -> String {
    transport::all()
        .into_iter()
        .find(|transport| transport.name() == lesson)
        .map_or(lesson, |transport| transport.title())
        .to_owned()
}

/// A row for each program that took part in a task; the names of transport
/// and task only in the first.
fn rows(
    report: &Report,
    (transport, what, placement): &(String, What, Placement),
    name: &str,
    cells: impl Fn(&str) -> Option<Vec<String>>,
) -> Vec<Row> {
    let programs = programs(report, transport, *what, *placement);
    let mut rows = Vec::new();
    for program in programs {
        let first = rows.is_empty();
        let shown = |text: &str| if first { text } else { "" }.to_owned();
        let mut row = vec![shown(&title(transport)), shown(name)];
        row.push(match program.char_indices().nth(NAME) {
            Some((cut, _)) => format!("{}…", &program[..cut]),
            None => program.clone(),
        });
        let failed = report
            .of(transport, &program, *what, *placement)
            .filter(|sample| sample.error.is_some())
            .count();
        let cells = cells(&program);
        let look = match (&cells, program.as_str()) {
            _ if failed > 0 => Look::Bad,
            (None, _) => Look::Bad,
            (_, "Rust") => Look::Ours,
            _ => Look::Plain,
        };
        row.extend(cells.unwrap_or_else(|| vec!["FAILED".to_owned()]));
        if failed > 0 {
            row[2].push_str(" !");
        }
        rows.push(Row { cells: row, look });
    }
    rows
}

/// The two ratios at a row's end: how much of the floor is reached, and how
/// many times better than Node it is.
fn ratios(
    report: &Report,
    (transport, what, placement): &(String, What, Placement),
    program: &str,
) -> [String; 2] {
    let against = |other: &str| {
        (other != program)
            .then(|| {
                report.times(transport, [program, other], *what, *placement)
            })
            .flatten()
    };
    // "1.2 of the floor" is a cost for times and a share for rates.
    let floor = against("floor").map(|times| match what.measure.better() {
        Better::Less => 1.0 / times,
        Better::More => times,
    });
    [floor, against("Node")].map(|ratio| {
        ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"))
    })
}

fn round_trips(report: &Report, placement: Placement) -> Section {
    let mut all = Vec::new();
    let tasks = tasks(report, |measure| measure == Measure::RoundTrip);
    for task in tasks.iter().filter(|(_, _, place)| *place == placement) {
        let (transport, what, _) = task;
        let name = size(what.size);
        all.extend(rows(report, task, &name, |program| {
            let spread = |figure: fn(&Figures) -> Option<f64>| {
                report.spread(transport, program, *what, placement, figure)
            };
            let median = spread(|figures| figures.median)?;
            let middle = |figure| {
                spread(figure)
                    .map_or_else(String::new, |spread| figure3(spread.median))
            };
            let mut cells = vec![
                middle(|figures| figures.min),
                figure3(median.median),
                range(median),
                middle(|figures| figures.p99),
                middle(|figures| figures.p999),
                middle(|figures| figures.server_cpu),
            ];
            cells.extend(ratios(report, task, program));
            Some(cells)
        }));
    }
    let mut note = "One message, its answer, the next message. Median and \
                    range are those of the rounds' medians. CPU: of the \
                    program measured, for each message. Floor: how many times \
                    the floor's time. Node: how many times sooner than Node."
        .to_owned();
    let two = Placement::Two;
    let is_free = |(name, _, place): &(String, What, Placement)| {
        *place == two && name == "shared-memory"
    };
    if placement == two && tasks.iter().any(is_free) {
        note += " Shared memory is not pinned: its two programs run where the \
                 kernel puts them.";
    }
    Section {
        title: format!("Round trips on {placement}, in µs"),
        note,
        head: vec![
            "", "size", "program", "min", "median", "range", "p99", "p99.9",
            "CPU", "floor", "Node",
        ],
        rows: all,
        answers: false,
    }
}

fn rates(report: &Report, placement: Placement) -> Section {
    let mut all = Vec::new();
    let tasks = tasks(report, |measure| {
        matches!(
            measure,
            Measure::Flood | Measure::Stream | Measure::Many | Measure::FanOut
        )
    });
    for task in tasks.iter().filter(|(_, _, place)| *place == placement) {
        let (transport, what, _) = task;
        all.extend(rows(report, task, &what.to_string(), |program| {
            let spread = |figure: &dyn Fn(&Figures) -> Option<f64>| {
                report.spread(transport, program, *what, placement, figure)
            };
            let main = |figures: &Figures| what.measure.of(figures);
            let (unit, scale) = match what.measure {
                Measure::Stream => ("MB/s", 1.0),
                _ => ("k/s", 1e-3),
            };
            let rate = spread(&main)?.scaled(scale);
            let cpu = |figure: fn(&Figures) -> Option<f64>| {
                spread(&figure)
                    .map_or_else(String::new, |spread| figure3(spread.median))
            };
            let mut cells = vec![
                figure3(rate.median),
                unit.to_owned(),
                range(rate),
                cpu(|figures| figures.server_cpu),
                cpu(|figures| figures.load_cpu),
            ];
            cells.extend(ratios(report, task, program));
            Some(cells)
        }));
    }
    Section {
        title: format!("Rates on {placement}"),
        note: "CPU and load: µs of processor time for each message, of the \
               program measured and of the load. Floor: share of the floor's \
               rate. Node: how many times Node's rate."
            .to_owned(),
        head: vec![
            "", "what", "program", "median", "", "range", "CPU", "load",
            "floor", "Node",
        ],
        rows: all,
        answers: false,
    }
}

fn others(report: &Report) -> Section {
    let mut all = Vec::new();
    let tasks = tasks(report, |measure| {
        matches!(
            measure,
            Measure::LogLine
                | Measure::Start
                | Measure::Memory
                | Measure::StuckReader
        )
    });
    for task in &tasks {
        let (transport, what, placement) = task;
        all.extend(rows(report, task, &what.to_string(), |program| {
            let (unit, scale) = match what.measure {
                Measure::LogLine => ("µs", 1.0),
                Measure::Start => ("ms", 1.0),
                _ => ("MiB", 1.0 / 1024.0),
            };
            let value = report
                .spread(transport, program, *what, *placement, |figures| {
                    what.measure.of(figures)
                })?
                .scaled(scale);
            let mut cells =
                vec![figure3(value.median), unit.to_owned(), range(value)];
            cells.extend(ratios(report, task, program));
            Some(cells)
        }));
    }
    Section {
        title: "Starting, waiting, logging, on one core".to_owned(),
        note: "First answer: from the start of the program until its first \
               answer. Memory: resident, with so many connections that wait. \
               Stuck reader: what a client that sends and never reads adds. \
               Log line: processor time for each line, into a pipe."
            .to_owned(),
        head: vec![
            "", "what", "program", "median", "", "range", "floor", "Node",
        ],
        rows: all,
        answers: false,
    }
}

/// How many times better a Unix socket does than TCP: the median of the
/// ratios within the rounds.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What was measured.
    pub what: What,
    /// Where.
    pub placement: Placement,
    /// By whom, and how many times better.
    pub ratios: Vec<(&'static str, f64)>,
}

/// The comparisons for "a Unix socket is twice as fast as TCP".
pub fn comparisons(report: &Report) -> Vec<Comparison> {
    let tasks = tasks(report, |measure| {
        matches!(
            measure,
            Measure::RoundTrip
                | Measure::Flood
                | Measure::Stream
                | Measure::Many
        )
    });
    let mut all = Vec::new();
    for (transport, what, placement) in tasks {
        if transport != "tcp-echo" {
            continue;
        }
        let ratios: Vec<_> = ["floor", "Rust", "Node"]
            .into_iter()
            .filter_map(|program| {
                let pair = ["pipe-echo", "tcp-echo"];
                let times =
                    report.times_over(pair, program, what, placement)?;
                Some((program, times))
            })
            .collect();
        if !ratios.is_empty() {
            all.push(Comparison {
                what,
                placement,
                ratios,
            });
        }
    }
    all
}

fn claim(report: &Report) -> Section {
    let all = comparisons(report);
    let rows = all
        .iter()
        .map(|one| {
            let ratio = |program| {
                one.ratios
                    .iter()
                    .find(|(name, _)| *name == program)
                    .map_or_else(String::new, |(_, ratio)| {
                        format!("{ratio:.2}")
                    })
            };
            let mut cells =
                vec![one.what.to_string(), one.placement.to_string()];
            cells.extend(["floor", "Rust", "Node"].map(ratio));
            Row {
                cells,
                look: Look::Plain,
            }
        })
        .collect();
    Section {
        title: "Is a Unix socket twice as fast as TCP on the same host?"
            .to_owned(),
        note: answer(&all),
        head: vec!["how many times as fast", "on", "floor", "Rust", "Node"],
        rows,
        answers: true,
    }
}

/// The claim's answer in words, from the ratios alone.
pub fn answer(all: &[Comparison]) -> String {
    /// From here on a ratio rounds to two.
    const TWICE: f64 = 1.95;

    let of = |latency: bool, placement| {
        let ratios = all
            .iter()
            .filter(|one| one.placement == placement)
            .filter(|one| (one.what.measure == Measure::RoundTrip) == latency)
            .flat_map(|one| &one.ratios)
            .map(|(_, ratio)| *ratio)
            .collect();
        Spread::new(ratios)
    };
    let mut parts = Vec::new();
    for (latency, name) in [(true, "Round trips"), (false, "Throughput")] {
        for placement in [Placement::One, Placement::Two] {
            if let Some(Spread { least, most, .. }) = of(latency, placement) {
                parts.push(format!(
                    "{name} on {placement}: {least:.1} to {most:.1} times."
                ));
            }
        }
    }
    let ratios = all.iter().flat_map(|one| &one.ratios);
    let (mut twice, mut slower, mut count) = (0, 0, 0);
    for (_, ratio) in ratios {
        count += 1;
        twice += usize::from(*ratio >= TWICE);
        slower += usize::from(*ratio < 0.95);
    }
    let verdict = match (twice, count) {
        (_, 0) => return "Not measured.".to_owned(),
        (0, _) => "No, nowhere".to_owned(),
        (twice, count) if twice == count => "Yes, everywhere".to_owned(),
        (twice, count) => format!("In {twice} of {count} cases"),
    };
    let slower = match slower {
        0 => String::new(),
        slower => format!(" In {slower} of {count} it is slower."),
    };
    format!(
        "{verdict} in this run.{slower} {} Each is the median of the ratios \
         within the rounds.",
        parts.join(" ")
    )
}

/// Where the lesson's Rust half did worse than Node in every round; or in
/// more rounds than not, where `even`.
pub fn slower_than_node(report: &Report, even: bool) -> Vec<String> {
    let all = report.against_node();
    all.iter()
        .filter(|one| if even { one.is_even() } else { one.is_slower() })
        .map(|one| {
            let Spread {
                least,
                median,
                most,
            } = one.times;
            format!(
                "{}, {}, {}: {median:.2} times Node ({least:.2}–{most:.2})",
                title(&one.transport),
                one.what,
                one.placement
            )
        })
        .collect()
}

/// A figure with three digits that count.
pub fn figure3(value: f64) -> String {
    let text = match value.abs() {
        0.0 => "0".to_owned(),
        size if size < 0.00995 => format!("{value:.4}"),
        size if size < 0.0995 => format!("{value:.4}"),
        size if size < 0.995 => format!("{value:.3}"),
        size if size < 9.95 => format!("{value:.2}"),
        size if size < 99.5 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    };
    if value.abs() < 9999.5 {
        return text;
    }
    // 12345 -> 12,345
    let mut grouped = String::new();
    for (i, digit) in text.chars().enumerate() {
        let left = text.len() - i;
        if i > 0 && left.is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn range(spread: Spread) -> String {
    format!("{}–{}", figure3(spread.least), figure3(spread.most))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::sample::tests::{report, sample};

    #[test]
    fn figures_have_three_digits_that_count() {
        for (value, text) in [
            (0.0, "0"),
            (0.01234, "0.0123"),
            (0.1234, "0.123"),
            (1.234, "1.23"),
            (12.34, "12.3"),
            (99.96, "100"),
            (1234.5, "1234"),
            (12345.0, "12,345"),
            (1234567.0, "1,234,567"),
        ] {
            assert_eq!(figure3(value), text);
        }
    }

    /// The table of costs in the READMEs, of what `RESULTS.md` says.
    fn costs(results: &str, readme: &str) -> String {
        let mut section = "";
        let mut row = ("", "");
        let mut figures = HashMap::new();
        for line in results.lines() {
            section = line.strip_prefix("## ").unwrap_or(section);
            let cells =
                line.split('|').map(|cell| cell.trim().trim_matches('*'));
            let cells: Vec<_> = cells.collect();
            // Behind the transport, what is measured, and the program.
            let at = match section {
                "Round trips on one core, in µs" => 5,
                "Starting, waiting, logging, on one core" => 4,
                _ => continue,
            };
            let Some(figure) = cells.get(at) else {
                continue;
            };
            if !cells[1].is_empty() {
                row = (cells[1], cells[2]);
            }
            figures.insert((row, cells[3]), *figure);
        }
        let mut table = String::new();
        for transport in crate::transport::all() {
            let name = transport.name();
            table += &format!("| [{name}]({name}/{readme})");
            for what in ["5 B", "first answer", "idle memory"] {
                for program in ["Rust", "Node"] {
                    let row = (transport.title(), what);
                    let figure = figures.get(&(row, program));
                    table += &format!(" | {}", figure.unwrap_or(&"–"));
                }
            }
            table += " |\n";
        }
        table
    }

    #[test]
    fn the_readmes_say_what_the_results_say() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let read = |file: &str| fs::read_to_string(root.join(file)).unwrap();
        let results = read("RESULTS.md");
        for readme in ["README.md", "README.zh-CN.md"] {
            let table = costs(&results, readme);
            let text = read(&format!("../{readme}"));
            assert!(text.contains(&table), "{readme} lacks\n{table}");
        }
    }

    #[test]
    fn what_is_not_pinned_is_said_where_it_counts() {
        let mut report = report();
        let says = |report: &Report| {
            let all = sections(report);
            let notes = all.iter().filter(|one| one.note.contains("pinned"));
            notes.map(|one| one.title.clone()).collect::<Vec<_>>()
        };
        for sample in &mut report.samples {
            sample.transport = "shared-memory".to_owned();
        }
        assert_eq!(says(&report), [""; 0]);
        for sample in &mut report.samples {
            sample.placement = Placement::Two;
        }
        assert_eq!(says(&report), ["Round trips on two cores, in µs"]);
    }

    #[test]
    fn a_failed_run_stands_in_the_table() {
        let mut report = report();
        report.samples[1].error = Some("wrong byte".to_owned());
        report.samples[1].figures = Figures::default();
        let sections = sections(&report);
        let row = &sections[1].rows[1];
        assert_eq!(row.cells[2], "Rust !");
        assert_eq!(row.look, Look::Bad);
        // The other rounds still count.
        assert_eq!(row.cells[4], "8.25");

        for sample in &mut report.samples {
            sample.error = Some("wrong byte".to_owned());
            sample.figures = Figures::default();
        }
        let row = &super::sections(&report)[1].rows[0];
        assert_eq!(row.cells[2..], ["floor !", "FAILED"]);
    }

    #[test]
    fn what_is_slower_than_node_is_named() {
        let mut report = report();
        assert_eq!(slower_than_node(&report, false), Vec::<String>::new());
        report.samples = vec![sample("Rust", 0, 6.0), sample("Node", 0, 3.0)];
        let slower = slower_than_node(&report, false);
        let row = "TCP, round trip 5 B, one core: 0.50 times Node (0.50–0.50)";
        assert_eq!(slower, [row]);
        // Better in one round of three: neither slower nor quicker.
        for (round, rust) in [(1, 4.0), (2, 2.0)] {
            report.samples.push(sample("Rust", round, rust));
            report.samples.push(sample("Node", round, 3.0));
        }
        assert_eq!(slower_than_node(&report, false), Vec::<String>::new());
        let row = "TCP, round trip 5 B, one core: 0.75 times Node (0.50–1.50)";
        assert_eq!(slower_than_node(&report, true), [row]);
    }

    /// The machine is three times as slow in one round, and ten times in
    /// another: the medians over the rounds say 1.1, each round says 2.
    #[test]
    fn the_claim_compares_within_each_round() {
        let mut report = report();
        report.samples.clear();
        for (round, tcp, unix) in
            [(0, 2.0, Some(1.0)), (1, 6.0, None), (2, 20.0, Some(10.0))]
        {
            let mut samples = vec![sample("Rust", round, tcp)];
            samples.extend(unix.map(|unix| {
                let mut one = sample("Rust", round, unix);
                one.transport = "pipe-echo".to_owned();
                one
            }));
            report.samples.extend(samples);
        }
        let all = comparisons(&report);
        assert_eq!(all[0].ratios, [("Rust", 2.0)]);
        // Taken in turns, they stand one below the other all the same.
        let sections = sections(&report);
        let table = sections
            .iter()
            .find(|one| one.title.starts_with("Round trips"))
            .unwrap();
        let first: Vec<_> =
            table.rows.iter().map(|row| row.cells[0].as_str()).collect();
        assert_eq!(first, ["TCP", "Unix socket"]);
    }

    #[test]
    fn the_claim_is_answered_from_the_ratios() {
        let mut report = report();
        assert_eq!(answer(&comparisons(&report)), "Not measured.");
        for (factor, expected) in [
            (2.0, "Yes, everywhere in this run."),
            (1.5, "No, nowhere in this run."),
            (0.5, "No, nowhere in this run. In 3 of 3 it is slower."),
        ] {
            let tcp: Vec<_> = report
                .samples
                .iter()
                .filter(|sample| sample.transport == "tcp-echo")
                .cloned()
                .collect();
            report.samples = tcp.clone();
            report.samples.extend(tcp.into_iter().map(|mut sample| {
                sample.transport = "pipe-echo".to_owned();
                let median = sample.figures.median.unwrap_or_default();
                sample.figures.median = Some(median / factor);
                sample
            }));
            let answer = answer(&comparisons(&report));
            assert!(answer.starts_with(expected), "{answer}");
        }
    }
}
