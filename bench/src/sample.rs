//! What is measured, and what came out: the data behind every table and plot.
//! `--json` writes it as it is; `README.md` describes it.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use crate::machine::Machine;

/// Changes when a program that reads the JSON would have to change.
pub const SCHEMA: u32 = 1;

/// One run of the bench.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Where and with what it was made.
    pub machine: Machine,
    /// How it was made.
    pub settings: Settings,
    /// What could not be measured here, and why. Not a failure.
    pub notes: Vec<String>,
    /// Every sample, failed ones too, in the order in which they were taken.
    pub samples: Vec<Sample>,
}

/// How a run was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settings {
    /// `--quick` was given.
    pub quick: bool,
    /// How many times all took their turn.
    pub rounds: u32,
    /// Milliseconds that the load went on for each sample.
    pub sample_ms: f64,
}

/// Kinds of figures.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// One message after the other, each answered before the next.
    RoundTrip,
    /// As many small messages on their way as the transport takes.
    Flood,
    /// Whole writes of one size, as many as the transport takes.
    Stream,
    /// 64 connections, on each one message on its way.
    Many,
    /// One message at a time, which all clients receive.
    FanOut,
    /// This number of clients connect and receive what is remembered.
    CatchUp,
    /// Events that this number of clients receive unasked.
    Push,
    /// From the start of the program until its first answer.
    Start,
    /// Resident memory with this number of idle connections.
    Memory,
}

/// A kind of figure, and for which size.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct What {
    /// The kind of figure.
    pub measure: Measure,
    /// Bytes of a message; connections for `Memory`, `Many`, `FanOut`,
    /// `CatchUp` and `Push`; else 0.
    pub size: usize,
}

/// Whether the two sides share a core.
///
/// On one core a message costs what the programs and the kernel do. On two,
/// the other core must be woken as well: on a virtual machine that costs 60
/// to 70 µs and hides everything else.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Placement {
    /// Both sides on the same core.
    One,
    /// Each side on a core of its own.
    Two,
}

impl Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::One => "one core",
            Self::Two => "two cores",
        })
    }
}

/// What a sample is a sample of: a row of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The lesson's name.
    pub transport: String,
    /// What was measured.
    #[serde(flatten)]
    pub what: What,
    /// On one core or two.
    pub placement: Placement,
}

/// One run of the load against one program.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// What was measured, and where.
    #[serde(flatten)]
    pub task: Task,
    /// `floor`, `Rust`, `Node`, `events`, `nginx`, or a program's name.
    pub program: String,
    /// From 0; what failed while it warmed up counts to the first.
    pub round: u32,
    /// Why it failed. Then there are no figures.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// It failed for what no other work on the machine explains: a wrong
    /// answer, or an end in the middle.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub wrong: bool,
    /// The figures; which of them there are depends on the measure.
    #[serde(flatten)]
    pub figures: Figures,
}

/// All the figures of a sample. Times in microseconds, unless the name has
/// another unit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    /// Messages sent and answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<u64>,
    /// How long it took, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// The quickest round trip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Half of the round trips took no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub median: Option<f64>,
    /// 99 of 100 took no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99: Option<f64>,
    /// 999 of 1,000 took no longer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p999: Option<f64>,
    /// Messages in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<f64>,
    /// Millions of bytes sent in a second; for a fan-out, received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mb_per_second: Option<f64>,
    /// Processor time of the program measured, per message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_cpu: Option<f64>,
    /// Processor time of the load, per message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_cpu: Option<f64>,
    /// The share of the time that the two sides had to wait for a core. On
    /// two cores, where each has its own, that is other programs' work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waited: Option<f64>,
    /// Milliseconds until the first answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_ms: Option<f64>,
    /// Resident memory, in KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_kib: Option<f64>,
}

/// A kind of figure for a size.
pub const fn what(measure: Measure, size: usize) -> What {
    What { measure, size }
}

/// The figure of most comparisons: a round trip of 5 B.
pub const HELLO: What = what(Measure::RoundTrip, 5);

/// Whether more of a figure is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// As with time and memory.
    Less,
    /// As with messages in a second.
    More,
}

impl Measure {
    /// The figure that stands for this measure.
    pub fn of(self, figures: &Figures) -> Option<f64> {
        match self {
            Self::RoundTrip => figures.median,
            Self::Flood | Self::Many | Self::FanOut | Self::CatchUp => {
                figures.per_second
            }
            Self::Push => figures.server_cpu,
            Self::Stream => figures.mb_per_second,
            Self::Start => figures.start_ms,
            Self::Memory => figures.memory_kib,
        }
    }

    /// Which way that figure is good.
    pub fn better(self) -> Better {
        match self {
            Self::Flood
            | Self::Many
            | Self::FanOut
            | Self::CatchUp
            | Self::Stream => Better::More,
            _ => Better::Less,
        }
    }
}

/// `5 B`, `1 KiB`, `1 MiB`.
pub fn size(bytes: usize) -> String {
    match bytes {
        _ if bytes >= 1 << 20 => format!("{} MiB", bytes >> 20),
        _ if bytes >= 1 << 10 && bytes.is_multiple_of(1 << 10) => {
            format!("{} KiB", bytes >> 10)
        }
        _ => format!("{bytes} B"),
    }
}

impl Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = size(self.size);
        match self.measure {
            Measure::RoundTrip => write!(f, "round trip {size}"),
            Measure::Flood => write!(f, "many {size} in flight"),
            Measure::Stream => write!(f, "writes of {size}"),
            Measure::Many => write!(f, "{} connections", self.size),
            Measure::FanOut => write!(f, "one to {} clients", self.size),
            Measure::CatchUp if self.size == 1 => {
                write!(f, "catch-up, 1 client")
            }
            Measure::CatchUp => write!(f, "catch-up, {} clients", self.size),
            Measure::Push if self.size == 1 => write!(f, "event to 1 client"),
            Measure::Push => write!(f, "event to {} clients", self.size),
            Measure::Start => write!(f, "first answer"),
            Measure::Memory if self.size == 0 => write!(f, "idle memory"),
            Measure::Memory => write!(f, "memory, {} clients", self.size),
        }
    }
}

impl Better {
    /// How many times better `ours` is than `theirs`.
    pub fn times(self, ours: f64, theirs: f64) -> f64 {
        match self {
            Self::Less => theirs / ours,
            Self::More => ours / theirs,
        }
    }
}

impl Sample {
    /// The figure that stands for it, unless it failed.
    pub fn value(&self) -> Option<f64> {
        self.task.what.measure.of(&self.figures)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn hello() -> Task {
        Task {
            transport: "tcp-echo".to_owned(),
            what: HELLO,
            placement: Placement::One,
        }
    }

    pub(crate) fn sample(program: &str, round: u32, median: f64) -> Sample {
        Sample {
            task: hello(),
            program: program.to_owned(),
            round,
            error: None,
            wrong: false,
            figures: Figures {
                messages: Some(100),
                min: Some(median / 2.0),
                median: Some(median),
                p99: Some(median * 3.0),
                p999: Some(median * 9.0),
                ..Figures::default()
            },
        }
    }

    pub(crate) fn report() -> Report {
        let mut samples = Vec::new();
        for (round, drift) in [1.0, 1.5, 1.25].into_iter().enumerate() {
            let round = round as u32;
            samples.push(sample("floor", round, 5.0 * drift));
            samples.push(sample("Rust", round, 6.0 * drift));
            samples.push(sample("Node", round, 12.0 * drift));
        }
        Report {
            schema: SCHEMA,
            machine: Machine::default(),
            settings: Settings {
                quick: false,
                rounds: 3,
                sample_ms: 40.0,
            },
            notes: Vec::new(),
            samples,
        }
    }

    #[test]
    fn more_of_a_rate_is_better_and_less_of_a_time() {
        assert_eq!(Better::Less.times(2.0, 6.0), 3.0);
        assert_eq!(Better::More.times(6.0, 2.0), 3.0);
    }

    #[test]
    fn the_json_comes_back_as_it_was() {
        let mut report = report();
        report.samples[4].error = Some("wrong byte".to_owned());
        report.samples[4].figures = Figures::default();
        let json = serde_json::to_string(&report).unwrap();
        let again: Report = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), json);
        // As README.md describes it.
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        let first = &value["samples"][0];
        assert_eq!(value["schema"], SCHEMA);
        assert_eq!(first["measure"], "round-trip");
        assert_eq!(first["size"], 5);
        assert_eq!(first["placement"], "one");
        assert_eq!(first["median"], 5.0);
        assert!(first.get("error").is_none());
    }

    #[test]
    fn both_readmes_describe_every_field_of_the_json() {
        let mut report = report();
        let full = r#"{
            "messages": 1, "seconds": 1, "min": 1, "median": 1, "p99": 1,
            "p999": 1, "per_second": 1, "mb_per_second": 1, "server_cpu": 1,
            "load_cpu": 1, "waited": 1, "start_ms": 1,
            "memory_kib": 1
        }"#;
        report.samples[0].figures = serde_json::from_str(full).unwrap();
        report.samples[0].error = Some(String::new());
        report.samples[0].wrong = true;
        let value = serde_json::to_value(&report).unwrap();
        let names = |value: &serde_json::Value| -> Vec<String> {
            value.as_object().unwrap().keys().cloned().collect()
        };
        let all = [
            names(&value),
            names(&value["machine"]),
            names(&value["settings"]),
            names(&value["samples"][0]),
        ]
        .concat();
        for readme in [
            include_str!("../README.md"),
            include_str!("../README.zh-CN.md"),
        ] {
            let json = readme.split("\n## ").find(|part| {
                part.lines()
                    .next()
                    .is_some_and(|line| line.ends_with("JSON"))
            });
            for name in &all {
                assert!(json.unwrap().contains(&format!("`{name}`")), "{name}");
            }
        }
    }
}
