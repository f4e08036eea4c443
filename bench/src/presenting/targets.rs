//! The numbers to reach, as this project set them for itself, and whether a
//! run reached them: the end of the report.

use super::section::{Look, Row, Section, figure3};
use crate::sample::{Better, HELLO, Measure, Placement, Report, Task, What};
use crate::transports::title;

/// The maximum median round trip of 5 B, in times the floor's.
const FLOORS: [(&str, f64); 5] = [
    ("tcp-echo", 1.2),
    ("pipe-echo", 1.4),
    ("udp-echo", 1.3),
    ("stdio-ipc", 1.1),
    ("shared-memory", 1.1),
];

/// How many times Node's messages on 64 connections.
const MANY: [(&str, f64); 3] =
    [("http-echo", 2.4), ("tcp-echo", 1.6), ("pipe-echo", 2.0)];

/// The servers whose memory counts.
const SERVERS: [&str; 6] = [
    "tcp-echo",
    "pipe-echo",
    "udp-echo",
    "http-echo",
    "tcp-chat",
    "socketio-chat",
];

/// At most, or at least.
#[derive(Clone, Copy)]
enum Bound {
    Most(f64),
    Least(f64),
}

/// A number to reach.
#[derive(Clone, Debug)]
struct Target {
    what: &'static str,
    transport: String,
    measured: String,
    /// The floor's figure, where that tells what can be reached at all.
    floor: String,
    wanted: String,
    /// None where nothing was measured.
    reached: Option<bool>,
}

impl Target {
    fn new(
        what: &'static str,
        transport: &str,
        value: Option<f64>,
        bound: Bound,
        unit: &str,
    ) -> Self {
        let (sign, number) = match bound {
            Bound::Most(most) => ("≤", most),
            Bound::Least(least) => ("≥", least),
        };
        // Judged as it is shown, or a row would say that 2.00 is not 2.
        let shown = value.map(figure3);
        let judged = shown
            .as_ref()
            .and_then(|text| text.replace(',', "").parse().ok());
        let reached = judged.map(|value: f64| match bound {
            Bound::Most(most) => value <= most,
            Bound::Least(least) => value >= least,
        });
        let measured = shown.map(|text| format!("{text}{unit}"));
        Self {
            what,
            transport: title(transport).to_owned(),
            measured: measured.unwrap_or_else(|| "–".to_owned()),
            floor: String::new(),
            wanted: format!("{sign} {number}{unit}"),
            reached,
        }
    }
}

fn task(transport: &str, what: What) -> Task {
    Task {
        transport: transport.to_owned(),
        what,
        placement: Placement::One,
    }
}

/// At least that many times better than Node; and what the floor would reach.
fn than_node(
    report: &Report,
    what: &'static str,
    task: &Task,
    least: f64,
) -> Target {
    let times = |who| Some(report.than_node(task, who)?.median);
    let floor = times("floor").map(figure3).unwrap_or_default();
    let bound = Bound::Least(least);
    Target {
        floor,
        ..Target::new(what, &task.transport, times("Rust"), bound, "")
    }
}

/// All that are asked of what this run measured at all.
fn all(report: &Report) -> Vec<Target> {
    let what = |measure, size| What { measure, size };
    let measured = |name: &str| {
        report.samples.iter().any(|one| one.task.transport == name)
    };
    let mut all = Vec::new();
    for (name, most) in FLOORS {
        let times = report.times(&task(name, HELLO), ["floor", "Rust"]);
        let times = times.map(|times| times.median);
        let what = "round trip: times the floor's";
        all.push((name, Target::new(what, name, times, Bound::Most(most), "")));
    }
    let tasks = report.tasks();
    let hellos = tasks
        .iter()
        .filter(|one| one.what == HELLO && one.placement == Placement::One);
    for task in hellos.clone() {
        let what = "round trip: times as fast as Node";
        all.push((&task.transport, than_node(report, what, task, 2.0)));
    }
    for task in hellos {
        let times = |program| {
            let pair = [(task, program), (task, report.node(task))];
            let times =
                report.times_by(pair, Better::Less, |figures| figures.p99);
            times.map(|times| times.median)
        };
        let (what, bound) = ("the same at p99", Bound::Least(5.0));
        let floor = times("floor").map(figure3).unwrap_or_default();
        let name = &task.transport;
        let rust = Target::new(what, name, times("Rust"), bound, "");
        all.push((name, Target { floor, ..rust }));
    }
    let start = task("fork-ipc", what(Measure::Start, 0));
    let name = "a first message: times as soon as Node's";
    all.push(("fork-ipc", than_node(report, name, &start, 40.0)));
    for task in &tasks {
        if task.what.measure == Measure::LogLine {
            let what = "a log line: times cheaper than Node's";
            all.push((&task.transport, than_node(report, what, task, 2.0)));
        }
    }
    let busy = what(Measure::Many, 64);
    let nginx = report.times(&task("http-echo", busy), ["Rust", "nginx"]);
    let nginx = nginx.map(|times| times.median);
    let name = "64 connections: times nginx's requests";
    let bound = Bound::Least(1.0);
    all.push((
        "http-echo",
        Target::new(name, "http-echo", nginx, bound, ""),
    ));
    for (name, least) in MANY {
        let what = "64 connections: times Node's messages";
        all.push((name, than_node(report, what, &task(name, busy), least)));
    }
    for name in SERVERS {
        let idle = task(name, what(Measure::Memory, 0));
        let what = "idle memory: times less than Node's";
        all.push((name, than_node(report, what, &idle, 10.0)));
    }
    let mib = |name: &str, what| {
        let kib = report.value(&task(name, what), "Rust")?.median;
        Some(kib / 1024.0)
    };
    for name in ["tcp-echo", "pipe-echo", "http-echo"] {
        let value = mib(name, what(Measure::Memory, 10_000));
        let (what, bound) = ("10,000 waiting connections", Bound::Most(32.0));
        all.push((name, Target::new(what, name, value, bound, " MiB")));
    }
    for name in ["tcp-echo", "pipe-echo"] {
        let value = mib(name, what(Measure::StuckReader, 0));
        let (what, bound) = ("what a stuck reader adds", Bound::Most(1.0));
        all.push((name, Target::new(what, name, value, bound, " MiB")));
    }
    // A run of some transports only is not asked for the others.
    all.retain(|(name, _)| measured(name));
    all.into_iter().map(|(_, target)| target).collect()
}

/// The same as a table.
pub fn targets(report: &Report) -> Section {
    let all = all(report);
    let count =
        |verdict| all.iter().filter(|one| one.reached == verdict).count();
    let mut note = format!(
        "{} of {} are reached in this run.",
        count(Some(true)),
        all.len() - count(None)
    );
    if count(None) > 0 {
        note += &format!(" {} are not measured here.", count(None));
    }
    note += " What this project set out to reach, against what stands in the \
             tables above; beside it, where Node is the measure, what the \
             floor would reach. Round trips are of 5 B; all on one core.";
    let mut last = "";
    let rows = all.into_iter().map(|one| {
        let what = if one.what == last { "" } else { one.what };
        last = one.what;
        let (verdict, look) = match one.reached {
            Some(true) => ("reached", Look::Plain),
            Some(false) => ("NOT REACHED", Look::Bad),
            None => ("not measured", Look::Plain),
        };
        let (what, verdict) = (what.to_owned(), verdict.to_owned());
        let Target {
            transport,
            measured,
            floor,
            wanted,
            ..
        } = one;
        let cells = vec![what, transport, measured, floor, wanted, verdict];
        Row { cells, look }
    });
    Section {
        title: "The numbers to reach".to_owned(),
        note,
        head: vec!["target", "", "measured", "floor", "wanted", "verdict"],
        rows: rows.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::tests::report;

    fn found(report: &Report, what: &str) -> Target {
        let mut all = all(report).into_iter();
        all.find(|one| one.what == what).unwrap()
    }

    fn verdict(report: &Report, what: &str) -> (String, Option<bool>) {
        let found = found(report, what);
        (found.measured, found.reached)
    }

    #[test]
    fn a_target_is_judged_by_the_ratio_within_each_round() {
        // Rust 6, floor 5, Node 12, whatever the machine's drift.
        let mut report = report();
        let floor = "round trip: times the floor's";
        let node = "round trip: times as fast as Node";
        assert_eq!(verdict(&report, floor), ("1.20".to_owned(), Some(true)));
        assert_eq!(verdict(&report, node), ("2.00".to_owned(), Some(true)));
        let p99 = verdict(&report, "the same at p99");
        assert_eq!(p99, ("2.00".to_owned(), Some(false)));
        for sample in &mut report.samples {
            if sample.program == "Rust" {
                sample.figures.median =
                    sample.figures.median.map(|value| value * 1.1);
            }
        }
        assert_eq!(verdict(&report, floor), ("1.32".to_owned(), Some(false)));
        assert_eq!(verdict(&report, node).1, Some(false));
    }

    #[test]
    fn what_the_floor_would_reach_stands_beside_it() {
        // Floor 5, Node 12.
        let beside = |what: &str| found(&report(), what).floor;
        assert_eq!(beside("round trip: times as fast as Node"), "2.40");
        assert_eq!(beside("round trip: times the floor's"), "");
    }

    #[test]
    fn what_was_not_measured_is_neither_reached_nor_missed() {
        let report = report();
        let busy = verdict(&report, "64 connections: times Node's messages");
        assert_eq!(busy, ("–".to_owned(), None));
        // And of transports that took no part, nothing is asked.
        let all = all(&report);
        assert!(all.iter().all(|one| one.transport != "UDP"));
    }
}
