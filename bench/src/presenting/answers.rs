//! What a person asks who has to choose: which transport to take, whether a
//! Unix socket is twice as fast as TCP, and where Node is quicker. Only a
//! whole run can answer; a quick one is too short.

use super::ratios::{Compared, Spread};
use super::section::{Look, Row, Section, figure3, range};
use crate::sample::{HELLO, Measure, Placement, Report, Task, what};
use crate::transports::title;

/// The programs for which TCP and Unix sockets are compared.
pub const PROGRAMS: [&str; 4] = ["floor", "Rust", "Node", "events"];

/// "Which should I take?", in a few lines; fewer where not all was measured.
pub fn which(report: &Report) -> Vec<String> {
    let hello = |transport: &str| Task {
        transport: transport.to_owned(),
        what: HELLO,
        placement: Placement::One,
    };
    let time = |transport| {
        let median = report.value(&hello(transport), "Rust")?.median;
        Some(format!("{} ({} µs)", title(transport), figure3(median)))
    };
    let other_computer = || {
        Some(format!(
            "The other side may be on another computer: {}; {} where others \
             have to use it too; {} where a lost message does no harm.",
            time("tcp-echo")?,
            time("http-echo")?,
            time("udp-echo")?
        ))
    };
    let this_computer = || {
        let [unix, tcp] = ["pipe-echo", "tcp-echo"].map(hello);
        let better = HELLO.measure.better();
        let pair = [(&unix, "Rust"), (&tcp, "Rust")];
        let times =
            report.times_by(pair, better, |one| HELLO.measure.of(one))?;
        Some(format!(
            "Both run on this computer: {}, {:.2} times as fast as TCP, and \
             file permissions decide who may connect.",
            time("pipe-echo")?,
            times.median
        ))
    };
    let child = || {
        Some(format!(
            "One starts the other: {}, which any program has; {} where one of \
             them is Node; {} only where nothing else is fast enough.",
            time("stdio-ipc")?,
            time("fork-ipc")?,
            time("shared-memory")?
        ))
    };
    let browser = || {
        let events = Task {
            what: what(Measure::Push, 64),
            ..hello("server-sent-events")
        };
        Some(format!(
            "One of them is a browser: {}; SSE, that is server-sent events ({} \
             µs of processor time for each of 64 clients), where only the \
             server speaks; {} with rooms and reconnecting ready-made.",
            time("websocket-echo")?,
            figure3(report.value(&events, "Rust")?.median),
            time("socketio-chat")?
        ))
    };
    let many = || {
        Some(format!(
            "Many take part: {} for your own clients, {} where a lost message \
             does no harm, {} where each job must be done.",
            time("tcp-chat")?,
            time("redis-pubsub")?,
            time("work-queue")?
        ))
    };
    let all = [
        other_computer(),
        this_computer(),
        child(),
        browser(),
        many(),
    ];
    all.into_iter().flatten().collect()
}

/// How to read the figures in those lines.
pub const WHICH_NOTE: &str = "In brackets: a round trip of 5 B with the \
    lesson's Rust program, both sides on one core.";

/// How many times better a Unix socket does than TCP: the median of the
/// ratios within the rounds.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What was measured, and where.
    pub task: Task,
    /// By whom, and how many times better.
    pub ratios: Vec<(&'static str, f64)>,
}

/// The comparisons for "a Unix socket is twice as fast as TCP".
pub fn comparisons(report: &Report) -> Vec<Comparison> {
    let compared = |tcp: Task| {
        let what = tcp.what;
        let unix = Task {
            transport: "pipe-echo".to_owned(),
            ..tcp.clone()
        };
        let better = what.measure.better();
        let ratio = |program| {
            let pair = [(&unix, program), (&tcp, program)];
            let times =
                report.times_by(pair, better, |one| what.measure.of(one))?;
            Some((program, times.median))
        };
        let ratios = PROGRAMS.into_iter().filter_map(ratio).collect();
        Comparison { task: tcp, ratios }
    };
    let asked = |task: &Task| {
        use Measure::{Flood, Many, RoundTrip, Stream};
        let all = [RoundTrip, Flood, Stream, Many];
        task.transport == "tcp-echo" && all.contains(&task.what.measure)
    };
    let tasks = report.tasks().into_iter().filter(asked);
    let mut all: Vec<_> = tasks.map(compared).collect();
    all.retain(|one| !one.ratios.is_empty());
    all
}

/// The claim's answer, and each size.
pub fn claim(report: &Report) -> Section {
    let all = comparisons(report);
    let row = |one: &Comparison| {
        let ratio = |program| {
            let found = one.ratios.iter().find(|(name, _)| *name == program);
            found.map_or_else(String::new, |(_, times)| format!("{times:.2}"))
        };
        let task = &one.task;
        let mut cells = vec![task.what.to_string(), task.placement.to_string()];
        cells.extend(PROGRAMS.map(ratio));
        Row {
            cells,
            look: Look::Plain,
        }
    };
    let mut head = vec!["how many times as fast", "on"];
    head.extend(PROGRAMS);
    Section {
        title: "Is a Unix socket twice as fast as TCP on the same host?"
            .to_owned(),
        note: answer(&all),
        head,
        rows: all.iter().map(row).collect(),
    }
}

/// The claim's answer in words, from the ratios alone.
pub fn answer(all: &[Comparison]) -> String {
    /// From here on a ratio rounds to two.
    const TWICE: f64 = 1.95;

    let of = |latency: bool, placement| {
        let ratios = all
            .iter()
            .filter(|one| one.task.placement == placement)
            .filter(|one| {
                (one.task.what.measure == Measure::RoundTrip) == latency
            })
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

/// Where Rust was slower than Node: a title, and each case.
pub fn against_node(report: &Report) -> Vec<(String, Vec<String>)> {
    let all = report.against_node();
    let lines = |chosen: fn(&Compared) -> bool| -> Vec<String> {
        let lines = all.iter().filter(|one| chosen(one));
        lines.map(line).collect()
    };
    let slower = lines(Compared::is_slower);
    let title = match slower.is_empty() {
        _ if all.is_empty() => "Nothing was compared with Node.",
        true => "Nothing was slower than Node.",
        false => "Slower than Node:",
    };
    let mut endings = vec![(title.to_owned(), slower)];
    let even = lines(Compared::is_even);
    if !even.is_empty() {
        let title = "No faster than Node, in some rounds slower:";
        endings.push((title.to_owned(), even));
    }
    endings
}

/// In what, and how many times Node.
fn line(one: &Compared) -> String {
    let Task {
        transport,
        what,
        placement,
    } = &one.task;
    format!(
        "{}, {what}, {placement}: {:.2} times Node ({:.2}–{:.2})",
        title(transport),
        one.times.median,
        one.times.least,
        one.times.most
    )
}

/// The floors that cannot be right, in words.
pub fn slow_floors(report: &Report) -> Vec<String> {
    let shown = |one: Compared| {
        let Task {
            transport,
            what,
            placement,
        } = &one.task;
        let range = range(one.times);
        format!("{}, {what}, {placement}: {range} times", title(transport))
    };
    report.slow_floors().into_iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::tests::{report, sample};

    #[test]
    fn what_is_slower_than_node_is_named() {
        let mut report = report();
        let said = |report: &Report| against_node(report);
        let nothing = ("Nothing was slower than Node.".to_owned(), vec![]);
        assert_eq!(said(&report)[0], nothing);
        report.samples = vec![sample("Rust", 0, 6.0), sample("Node", 0, 3.0)];
        let row = "TCP, round trip 5 B, one core: 0.50 times Node (0.50–0.50)";
        let slower = ("Slower than Node:".to_owned(), vec![row.to_owned()]);
        assert_eq!(said(&report), [slower]);
        // Better in one round of three: neither slower nor faster.
        for (round, rust) in [(1, 4.0), (2, 2.0)] {
            report.samples.push(sample("Rust", round, rust));
            report.samples.push(sample("Node", round, 3.0));
        }
        let row = "TCP, round trip 5 B, one core: 0.75 times Node (0.50–1.50)";
        let all = said(&report);
        assert_eq!(all[0], nothing);
        assert_eq!(all[1].1, [row]);
        report.samples.retain(|one| one.program != "Node");
        assert_eq!(said(&report)[0].0, "Nothing was compared with Node.");
    }

    #[test]
    fn the_choice_is_answered_from_the_figures() {
        let mut report = report();
        assert_eq!(which(&report), [""; 0]);
        for (name, median) in [("pipe-echo", 5.0), ("udp-echo", 8.0)] {
            for (round, drift) in [(0, 1.0), (1, 1.5), (2, 1.25)] {
                let mut one = sample("Rust", round, median * drift);
                one.task.transport = name.to_owned();
                report.samples.push(one);
            }
        }
        // Without HTTP there is no line on other computers.
        let lines = which(&report);
        assert_eq!(lines.len(), 1);
        let said = "Unix socket (6.25 µs), 1.20 times as fast as TCP";
        assert!(lines[0].contains(said), "{}", lines[0]);
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
                one.task.transport = "pipe-echo".to_owned();
                one
            }));
            report.samples.extend(samples);
        }
        assert_eq!(comparisons(&report)[0].ratios, [("Rust", 2.0)]);
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
            report
                .samples
                .retain(|one| one.task.transport == "tcp-echo");
            let unix = report.samples.clone().into_iter().map(|mut sample| {
                sample.task.transport = "pipe-echo".to_owned();
                let median = sample.figures.median.unwrap_or_default();
                sample.figures.median = Some(median / factor);
                sample
            });
            report.samples.extend(unix.collect::<Vec<_>>());
            let answer = answer(&comparisons(&report));
            assert!(answer.starts_with(expected), "{answer}");
        }
    }
}
