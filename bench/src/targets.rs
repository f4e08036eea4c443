//! The numbers to reach, as this project set them for itself, and whether a
//! run reached them.

use crate::place::Placement;
use crate::report::{Look, Row, Section, figure3, title};
use crate::sample::{Better, Figures, Measure, Report, Spread, What};

/// The dearest that a median round trip of 5 B may be, in times the floor's.
const FLOORS: [(&str, f64); 5] = [
    ("tcp-echo", 1.2),
    ("pipe-echo", 1.4),
    ("udp-echo", 1.3),
    ("stdio-ipc", 1.1),
    ("shared-memory", 1.1),
];

/// The servers whose memory counts.
const SERVERS: [&str; 6] = [
    "tcp-echo",
    "pipe-echo",
    "udp-echo",
    "http-echo",
    "tcp-chat",
    "socketio-chat",
];

const HELLO: What = What {
    measure: Measure::RoundTrip,
    size: 5,
};

/// A number to reach.
#[derive(Clone, Debug)]
pub struct Target {
    /// What it is about.
    pub what: &'static str,
    /// Of which transport; none where it is about all.
    pub transport: String,
    /// What was measured, as a person reads it.
    pub measured: String,
    /// The floor's figure, where that tells what can be reached at all.
    pub floor: String,
    /// What it has to be.
    pub wanted: String,
    /// Whether it is; none where nothing was measured.
    pub reached: Option<bool>,
}

/// All that are asked of what this run measured at all.
pub fn all(report: &Report) -> Vec<Target> {
    let mut all = Vec::new();
    floors(report, &mut all);
    node(report, &mut all);
    all.push(nothing_slower(report));
    many(report, &mut all);
    memory(report, &mut all);
    // A run of some transports only is not asked for the others.
    let measured =
        |name: &String| report.samples.iter().any(|one| one.transport == *name);
    all.retain(|one| one.transport.is_empty() || measured(&one.transport));
    for one in &mut all {
        if !one.transport.is_empty() {
            one.transport = title(&one.transport);
        }
    }
    all
}

/// At most, or at least.
#[derive(Clone, Copy)]
enum Bound {
    Most(f64),
    Least(f64),
}

fn target(
    what: &'static str,
    transport: &str,
    value: Option<f64>,
    bound: Bound,
    unit: &str,
) -> Target {
    // Judged as it is shown, or a row would say that 2.00 is not 2.
    let shown = value.map(figure3);
    let judged = shown
        .as_ref()
        .and_then(|text| text.replace(',', "").parse().ok());
    let (sign, number) = match bound {
        Bound::Most(most) => ("≤", most),
        Bound::Least(least) => ("≥", least),
    };
    let reached = judged.map(|value: f64| match bound {
        Bound::Most(most) => value <= most,
        Bound::Least(least) => value >= least,
    });
    Target {
        what,
        transport: transport.to_owned(),
        measured: shown
            .map_or_else(|| "–".to_owned(), |text| format!("{text}{unit}")),
        floor: String::new(),
        wanted: format!("{sign} {number}{unit}"),
        reached,
    }
}

impl Target {
    /// Beside it, how many times better than Node the floor is.
    fn beside(mut self, floor: Option<f64>) -> Self {
        self.floor = floor.map(figure3).unwrap_or_default();
        self
    }
}

fn floors(report: &Report, all: &mut Vec<Target>) {
    for (transport, most) in FLOORS {
        let pair = ["floor", "Rust"];
        let times = report.times(transport, pair, HELLO, Placement::One);
        let what = "round trip: times the floor's";
        all.push(target(what, transport, times, Bound::Most(most), ""));
    }
}

/// At least so many times better than Node, by the measure's own figure.
fn than_node(
    report: &Report,
    transport: &str,
    asked: (&'static str, What, f64),
    placement: Option<Placement>,
) -> Target {
    let places = match placement {
        Some(one) => vec![one],
        None => vec![Placement::Two, Placement::One],
    };
    let times = |program| {
        let pair = [program, "Node"];
        let mut places = places.iter();
        places.find_map(|place| report.times(transport, pair, asked.1, *place))
    };
    let bound = Bound::Least(asked.2);
    target(asked.0, transport, times("Rust"), bound, "").beside(times("floor"))
}

fn node(report: &Report, all: &mut Vec<Target>) {
    let mut seen: Vec<&str> = Vec::new();
    for sample in &report.samples {
        let name = sample.transport.as_str();
        if sample.what == HELLO && !seen.contains(&name) {
            seen.push(name);
        }
    }
    let one = Some(Placement::One);
    for transport in &seen {
        let what = "round trip: times as fast as Node";
        all.push(than_node(report, transport, (what, HELLO, 2.0), one));
    }
    for transport in &seen {
        let times = |program| {
            let pair = [program, "Node"];
            let p99 = |figures: &Figures| figures.p99;
            let (one, less) = (Placement::One, Better::Less);
            report.times_by(transport, pair, HELLO, one, less, p99)
        };
        let what = "the same at p99";
        let bound = Bound::Least(5.0);
        let rust = target(what, transport, times("Rust"), bound, "");
        all.push(rust.beside(times("floor")));
    }
    let start = What {
        measure: Measure::Start,
        size: 0,
    };
    let what = "a first message: times as soon as Node's";
    all.push(than_node(report, "fork-ipc", (what, start, 40.0), None));
    let mut lines: Vec<(&str, What)> = Vec::new();
    for sample in &report.samples {
        let line = (sample.transport.as_str(), sample.what);
        let logs = sample.what.measure == Measure::LogLine;
        if logs && !lines.contains(&line) {
            lines.push(line);
        }
    }
    for (transport, line) in lines {
        let what = "a log line: times cheaper than Node's";
        all.push(than_node(report, transport, (what, line, 2.0), one));
    }
}

fn nothing_slower(report: &Report) -> Target {
    let compared = report.against_node();
    let slower = compared.iter().filter(|one| one.is_slower()).count();
    Target {
        what: "slower than Node",
        transport: String::new(),
        measured: match compared.len() {
            0 => "–".to_owned(),
            all => format!("{slower} of {all}"),
        },
        floor: String::new(),
        wanted: "nothing".to_owned(),
        reached: (!compared.is_empty()).then_some(slower == 0),
    }
}

fn many(report: &Report, all: &mut Vec<Target>) {
    let busy = What {
        measure: Measure::Many,
        size: 64,
    };
    let one = Placement::One;
    let nginx = report.times("http-echo", ["Rust", "nginx"], busy, one);
    let what = "64 connections: times nginx's requests";
    all.push(target(what, "http-echo", nginx, Bound::Least(1.0), ""));
    let what = "64 connections: times Node's messages";
    for (transport, times) in
        [("http-echo", 2.4), ("tcp-echo", 1.6), ("pipe-echo", 2.0)]
    {
        all.push(than_node(report, transport, (what, busy, times), Some(one)));
    }
}

fn memory(report: &Report, all: &mut Vec<Target>) {
    let clients = |size| What {
        measure: Measure::Memory,
        size,
    };
    for server in SERVERS {
        let what = "idle memory: times less than Node's";
        all.push(than_node(report, server, (what, clients(0), 10.0), None));
    }
    let mib = |transport: &str, what: What| {
        let values = report
            .samples
            .iter()
            .filter(|one| one.transport == transport && one.program == "Rust")
            .filter(|one| one.what == what)
            .filter_map(|one| one.figures.memory_kib)
            .collect();
        Some(Spread::new(values)?.median / 1024.0)
    };
    // `--quick` leaves this one out.
    for server in ["tcp-echo", "pipe-echo", "http-echo"] {
        let value = mib(server, clients(10_000));
        let what = "10,000 waiting connections";
        all.push(target(what, server, value, Bound::Most(32.0), " MiB"));
    }
    let stuck = What {
        measure: Measure::StuckReader,
        size: 0,
    };
    for server in ["tcp-echo", "pipe-echo"] {
        let value = mib(server, stuck);
        let what = "what a stuck reader adds";
        all.push(target(what, server, value, Bound::Most(1.0), " MiB"));
    }
}

/// The same as a table.
pub fn section(report: &Report) -> Section {
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
             tables below; beside it, where Node is the measure, what the \
             floor would reach. Round trips are of 5 B; they, log lines and \
             busy connections on one core.";
    let mut last = "";
    let rows = all
        .iter()
        .map(|one| {
            let what = if one.what == last { "" } else { one.what };
            last = one.what;
            let (verdict, look) = match one.reached {
                Some(true) => ("reached", Look::Plain),
                Some(false) => ("NOT REACHED", Look::Bad),
                None => ("not measured", Look::Plain),
            };
            let Target {
                transport,
                measured,
                floor,
                wanted,
                ..
            } = one;
            let cells = [what, transport, measured, floor, wanted, verdict];
            Row {
                cells: cells.map(str::to_owned).to_vec(),
                look,
            }
        })
        .collect();
    Section {
        title: "The numbers to reach".to_owned(),
        note,
        head: vec!["target", "", "measured", "floor", "wanted", "verdict"],
        rows,
        answers: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::tests::{report, sample};

    fn verdict(report: &Report, what: &str) -> (String, Option<bool>) {
        let all = all(report);
        let found = all.iter().find(|one| one.what == what).unwrap();
        (found.measured.clone(), found.reached)
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
        let all = all(&report());
        let beside = |what: &str| {
            &all.iter().find(|one| one.what == what).unwrap().floor
        };
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

    #[test]
    fn slower_than_node_is_what_is_so_in_every_round() {
        let mut report = report();
        let found = |report: &Report| verdict(report, "slower than Node");
        assert_eq!(found(&report), ("0 of 1".to_owned(), Some(true)));
        let pair = |round, rust| {
            [sample("Rust", round, rust), sample("Node", round, 10.0)]
        };
        report.samples = [pair(0, 11.0), pair(1, 9.0), pair(2, 11.0)].concat();
        assert_eq!(found(&report), ("0 of 1".to_owned(), Some(true)));
        report.samples = [pair(0, 11.0), pair(1, 12.0), pair(2, 11.0)].concat();
        assert_eq!(found(&report), ("1 of 1".to_owned(), Some(false)));
    }
}
