//! The command line: what to measure, and where to put it.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use harness::{Profile, build, cargo, root};

use crate::machine::Machine;
use crate::measuring::check;
use crate::measuring::contest::{Contest, Runner, bar};
use crate::measuring::cores::Cores;
use crate::measuring::figures::Bench;
use crate::measuring::folder::folder;
use crate::measuring::plan::{Asked, contests};
use crate::measuring::watchdog::Watchdog;
use crate::presenting::output::{self, Outputs};
use crate::sample::{Measure, Report, SCHEMA, Sample, Settings, Task};
use crate::transports::{
    Entry, PROFILE, Program, Transport, all, floor_program,
};

/// How long the load of a `--quick` run goes on altogether. Starting the
/// programs and warming them up takes several times as long.
const QUICK: Duration = Duration::from_secs(12);

/// The same of each round of a full run.
const ROUND: Duration = Duration::from_secs(72);

/// The maximum load for one sample: more of it adds nothing.
const SAMPLE: Duration = Duration::from_millis(400);

/// The minimum load for one sample.
const SHORTEST: Duration = Duration::from_millis(15);

/// How many times that is measured again which cannot be published.
const AGAIN: u32 = 3;

/// Measures every transport: the lessons' Rust halves, their Node twins, and
/// the least that the kernel allows.
#[derive(Parser)]
struct Args {
    /// Print figures and no verdict: two rounds, short loads, fewer sizes
    #[arg(long)]
    quick: bool,

    /// Only these lessons
    #[arg(long, value_name = "LESSONS", value_delimiter = ',')]
    only: Vec<String>,

    /// Only these kinds of figures: round-trip, flood, stream, many, fan-out,
    /// catch-up, push, start, memory
    #[arg(long, value_name = "KINDS", value_delimiter = ',',
          value_parser = measure_named)]
    measure: Vec<Measure>,

    /// How many times all programs take their turn [default: 5, quick: 2]
    #[arg(long, value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,

    /// Measure this program too: FILE for tcp-echo, LESSON=FILE for another
    #[arg(long, value_name = "[LESSON=]FILE")]
    with: Vec<String>,

    /// Write every sample as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write a page with tables and plots
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Write bench/RESULTS.md, and the table of costs in both READMEs, of the
    /// checkout in this folder
    #[arg(long, value_name = "FOLDER", conflicts_with = "quick")]
    publish: Option<PathBuf>,

    /// Measure nothing: show what --json wrote before
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,

    /// Only ask whether anything is slower than Node or answers wrongly: a
    /// yes or no, for all or for --only, and nothing to write down
    #[arg(long, conflicts_with_all = [
        "quick", "measure", "rounds", "with", "json", "html", "publish",
        "from",
    ])]
    check: bool,

    /// Print the lessons that can be measured
    #[arg(long)]
    list: bool,
}

fn measure_named(name: &str) -> Result<Measure, serde_json::Error> {
    serde_json::from_value(name.into())
}

/// The program.
pub fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all went well.
fn run(args: Args) -> Result<bool> {
    if args.list {
        list();
        return Ok(true);
    }
    let outputs = Outputs {
        json: args.json.as_deref(),
        page: args.html.as_deref(),
        published: args.publish.as_deref(),
    };
    outputs.try_out()?;
    if let Some(file) = &args.from {
        let report: Report = serde_json::from_str(&output::read(file)?)
            .with_context(|| format!("understand {}", file.display()))?;
        return outputs.show(&report);
    }
    let mut notes = Vec::new();
    let transports = chosen(&args.only)?;
    let others = others(&args.with, &transports)?;
    if args.check {
        let checked = prepare(&transports, &others, &mut notes)?;
        return check::run(&checked, &notes);
    }
    let report = measure(&args, &transports, &others, notes)?;
    outputs.show(&report)
}

fn list() {
    for transport in all() {
        let programs: Vec<_> = transport
            .programs()
            .iter()
            .map(ToString::to_string)
            .collect();
        // Who closes the screen early has seen enough.
        let _ = writeln!(
            io::stdout(),
            "{:19} {:15} {}",
            transport.name(),
            transport.title(),
            programs.join(", ")
        );
    }
}

fn chosen(only: &[String]) -> Result<Vec<&'static dyn Transport>> {
    let mut all = all();
    for name in only {
        if !all.iter().any(|transport| transport.name() == name) {
            bail!("no lesson {name:?} can be measured; see --list");
        }
    }
    all.retain(|one| {
        only.is_empty() || only.iter().any(|name| one.name() == name)
    });
    Ok(all)
}

/// The programs of `--with`: of each lesson's name and the file.
fn others(
    given: &[String],
    transports: &[&'static dyn Transport],
) -> Result<Vec<(String, Program)>> {
    let mut all: Vec<(String, Program)> = Vec::new();
    for text in given {
        let (lesson, file) = text.split_once('=').unwrap_or(("tcp-echo", text));
        if !transports.iter().any(|one| one.name() == lesson) {
            bail!("--with {text}: {lesson} is not measured here");
        }
        let file = Path::new(file)
            .canonicalize()
            .with_context(|| format!("--with {file}"))?;
        let program = Program::Other(file);
        // Rows and samples go by the name: two would become one.
        let name = program.to_string();
        let ours = ["floor", "Rust", "Node", "events", "nginx"];
        let taken = ours.contains(&name.as_str())
            || all
                .iter()
                .any(|(other, one)| other == lesson && one.to_string() == name);
        if taken {
            bail!("--with {text}: there is a {name} already; rename the file");
        }
        all.push((lesson.to_owned(), program));
    }
    Ok(all)
}

/// Builds what is needed and finds out what is installed.
fn prepare(
    transports: &[&'static dyn Transport],
    others: &[(String, Program)],
    notes: &mut Vec<String>,
) -> Result<Vec<Entry>> {
    let spinner = indicatif::ProgressBar::new_spinner();
    spinner.set_message("building the floor");
    spinner.tick();
    build_floor()?;
    let mut all = Vec::new();
    for transport in transports {
        spinner.set_message(format!("building {}", transport.name()));
        spinner.tick();
        build(transport.name(), PROFILE)?;
        let mut programs = transport.programs();
        programs.extend(
            others
                .iter()
                .filter(|(lesson, _)| lesson == transport.name())
                .map(|(_, program)| program.clone()),
        );
        programs.retain(|program| {
            let lack = transport.lacks(program);
            if let Some(lack) = &lack {
                notes.push(format!("{} {program}: {lack}", transport.name()));
            }
            lack.is_none()
        });
        all.push((*transport, programs));
    }
    spinner.finish_and_clear();
    Ok(all)
}

/// `cargo run` builds the bench only.
fn build_floor() -> Result<()> {
    let debug = PROFILE == Profile::Debug;
    if debug && floor_program()?.is_file() {
        return Ok(()); // cargo builds it for the tests
    }
    let mut cargo = cargo();
    cargo.args(["build", "--quiet", "--locked", "-p", "bench"]);
    cargo.args(["--bin", "floor"]).current_dir(root());
    if !debug {
        cargo.arg("--release");
    }
    let status = cargo.status().context("run cargo")?;
    ensure!(status.success(), "the floor does not build");
    Ok(())
}

fn measure(
    args: &Args,
    transports: &[&'static dyn Transport],
    others: &[(String, Program)],
    mut notes: Vec<String>,
) -> Result<Report> {
    let machine = Machine::find();
    let entries = prepare(transports, others, &mut notes)?;
    if PROFILE == Profile::Debug {
        notes.push("a debug build: none of its figures count".to_owned());
    }
    let cores = Cores::find()?;
    let asked = Asked {
        quick: args.quick,
        measures: &args.measure,
        placements: cores.placements(),
    };
    let contests = contests(&entries, &asked, &mut notes);
    let rounds = args.rounds.unwrap_or(if args.quick { 2 } else { 5 });
    let samples = contests.iter().map(|one| one.samples(rounds)).sum();
    if samples == 0 {
        let why = match notes.is_empty() {
            true => "no such figure of these lessons".to_owned(),
            false => notes.join("; "),
        };
        bail!("nothing to measure: {why}");
    }
    let altogether = if args.quick { QUICK } else { rounds * ROUND };
    let length = altogether.div_f64(samples as f64).clamp(SHORTEST, SAMPLE);
    let folder = folder()?;
    let runner = Runner {
        bench: Bench {
            cores: &cores,
            folder: folder.path(),
            watchdog: Watchdog::new(),
        },
        rounds,
        length,
        bar: bar(samples),
    };
    let samples = contests.iter().flat_map(|one| runner.run(one)).collect();
    let mut report = Report {
        schema: SCHEMA,
        machine,
        settings: Settings {
            quick: args.quick,
            rounds,
            sample_ms: length.as_secs_f64() * 1e3,
        },
        notes,
        samples,
    };
    let tries = if args.publish.is_some() { AGAIN } else { 0 };
    for _ in 0..tries {
        for slow in report.slow_floors() {
            again(&mut report, &runner, &contests, &slow.task);
        }
    }
    runner.bar.finish_and_clear();
    cores.release()?;
    Ok(report)
}

/// Measures once more, for all that took turns in it, what other work has
/// disturbed.
fn again(
    report: &mut Report,
    runner: &Runner<'_>,
    contests: &[Contest<'_>],
    disturbed: &Task,
) {
    let taken = contests.iter().find(|one| {
        one.sides
            .iter()
            .any(|(transport, _)| transport.name() == disturbed.transport)
    });
    let Some(taken) = taken else { return };
    let samples = runner.run(&Contest {
        sides: taken.sides.clone(),
        tasks: vec![(disturbed.placement, disturbed.what)],
    });
    let same = |old: &Sample| samples.iter().any(|new| new.task == old.task);
    let at = report.samples.iter().position(same).unwrap_or_default();
    report.samples.retain(|old| !same(old));
    report.samples.splice(at..at, samples);
}
