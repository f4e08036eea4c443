//! The command line: what to measure, and where to put it.

use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use harness::{Profile, build, cargo, root};

use crate::machine::Machine;
use crate::measuring::check;
use crate::measuring::contest::{Contest, Runner, Side, bar};
use crate::measuring::cores::Cores;
use crate::measuring::figures::Bench;
use crate::measuring::folder::folder;
use crate::measuring::process::raise_descriptor_limit;
use crate::measuring::watchdog::Watchdog;
use crate::presenting::{answers, costs, page, text};
use crate::sample::{Measure, Report, SCHEMA, Sample, Settings, Task, What};
use crate::transports::{Entry, PROFILE, Program, Transport, all};

/// How long the load of a `--quick` run goes on altogether. Starting the
/// programs and warming them up takes twice as long.
const QUICK: Duration = Duration::from_secs(12);

/// The same of a full run.
const FULL: Duration = Duration::from_secs(360);

/// The longest load for one sample: more of it says no more.
const SAMPLE: Duration = Duration::from_millis(400);

/// The shortest load that says anything.
const SHORTEST: Duration = Duration::from_millis(15);

/// Measures every transport: the lessons' Rust halves, their Node twins, and
/// the least that the kernel allows.
#[derive(Parser)]
struct Args {
    /// Take less than a minute: two rounds, short loads, fewer sizes
    #[arg(long)]
    quick: bool,

    /// Only these lessons
    #[arg(long, value_name = "LESSONS", value_delimiter = ',')]
    only: Vec<String>,

    /// Only these kinds of figures: round-trip, flood, stream, many, fan-out,
    /// log-line, start, memory, stuck-reader
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
    let outputs = Outputs(&args);
    outputs.try_out()?;
    if let Some(file) = &args.from {
        let report: Report = serde_json::from_str(&read(file)?)
            .with_context(|| format!("understand {}", file.display()))?;
        return outputs.show(&report);
    }
    let mut notes = Vec::new();
    let transports = chosen(&args.only, &mut notes)?;
    let others = others(&args.with, &transports)?;
    if args.check {
        let checked = prepare(&transports, &others, &mut notes)?;
        return check::run(&checked, &notes);
    }
    let report = measure(&args, &transports, &others, notes)?;
    outputs.show(&report)
}

fn list() {
    let all = all();
    for transport in &all {
        let programs: Vec<_> = transport
            .programs()
            .iter()
            .map(ToString::to_string)
            .collect();
        let here = if transport.is_here() {
            ""
        } else {
            " (not here)"
        };
        print(&format!(
            "{:15} {:20} {}{here}",
            transport.name(),
            transport.title(),
            programs.join(", ")
        ));
    }
    for lesson in harness::LESSONS {
        if !all.iter().any(|one| one.name() == lesson.name) {
            let why = "not measured: all within one process";
            print(&format!("{:15} {why}", lesson.name));
        }
    }
}

fn print(text: &str) {
    // Who closes the screen early has seen enough.
    let _ = writeln!(io::stdout(), "{text}");
}

fn chosen(
    only: &[String],
    notes: &mut Vec<String>,
) -> Result<Vec<&'static dyn Transport>> {
    let all = all();
    for name in only {
        if !all.iter().any(|transport| transport.name() == name) {
            bail!("no lesson {name:?} can be measured; see --list");
        }
    }
    let mut chosen = all;
    chosen.retain(|one| {
        only.is_empty() || only.iter().any(|name| one.name() == name)
    });
    chosen.retain(|one| {
        let here = one.is_here();
        if !here {
            notes.push(format!("{}: not in this checkout", one.name()));
        }
        here
    });
    Ok(chosen)
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
    let mut cargo = cargo();
    cargo.args(["build", "--quiet", "--locked", "-p", "bench"]);
    cargo.args(["--bin", "floor"]).current_dir(root());
    if PROFILE == Profile::Release {
        cargo.arg("--release");
    }
    let status = cargo.status().context("run cargo")?;
    ensure!(status.success(), "the floor does not build");
    Ok(())
}

/// What a quick run asks on two cores as well.
fn is_main(what: What) -> bool {
    match what.measure {
        Measure::RoundTrip => what.size == 5,
        Measure::Stream => what.size >= 64 << 10,
        _ => true,
    }
}

/// Whose ratio answers the claim: they take their turns in the same rounds,
/// or the machine's drift between the two would be the answer.
const RIVALS: [&str; 2] = ["tcp-echo", "pipe-echo"];

/// Who takes turns with whom: the rivals with each other, as both are asked
/// the same; every other transport's programs among themselves.
fn contestants(entries: &[Entry]) -> Vec<&[Entry]> {
    let rivals =
        |one: &Entry, other: &Entry| RIVALS == [one.0.name(), other.0.name()];
    entries.chunk_by(rivals).collect()
}

/// All of them, the same program over each transport in turn: who are
/// compared with each other run one right after the other.
fn in_turns(entries: &[Entry]) -> Vec<Side<'_>> {
    let mut sides: Vec<Side<'_>> = Vec::new();
    let most = entries.iter().map(|(_, programs)| programs.len()).max();
    for i in 0..most.unwrap_or_default() {
        sides.extend(entries.iter().filter_map(|(transport, programs)| {
            Some((*transport, programs.get(i)?.clone()))
        }));
    }
    sides
}

fn measure(
    args: &Args,
    transports: &[&'static dyn Transport],
    others: &[(String, Program)],
    mut notes: Vec<String>,
) -> Result<Report> {
    let machine = Machine::find();
    let entries = prepare(transports, others, &mut notes)?;
    let cores = Cores::find()?;
    let placements = cores.placements();
    if placements.len() < 2 {
        notes.push("two cores: there is only one".to_owned());
    }
    if PROFILE == Profile::Debug {
        notes.push("a debug build: none of its figures count".to_owned());
    }
    let descriptors = raise_descriptor_limit();
    let mut contests: Vec<Contest<'_>> = Vec::new();
    for entries in contestants(&entries) {
        let Some((transport, _)) = entries.first() else {
            continue;
        };
        let mut measures = transport.measures(args.quick);
        measures.retain(|what| {
            args.measure.is_empty() || args.measure.contains(&what.measure)
        });
        let mut tasks = Vec::new();
        for placement in &placements {
            for what in &measures {
                // These say the same on one core and on two.
                let once = match what.measure {
                    Measure::LogLine
                    | Measure::Start
                    | Measure::Memory
                    | Measure::StuckReader => true,
                    _ => args.quick && !is_main(*what),
                };
                let needed = match what.measure {
                    Measure::Memory => what.size as u64 + 100,
                    _ => 0,
                };
                if once && Some(placement) != placements.first() {
                    continue;
                }
                if needed > descriptors {
                    let names: Vec<_> =
                        entries.iter().map(|(one, _)| one.name()).collect();
                    notes.push(format!(
                        "{} {what}: the limit of open files is \
                         {descriptors}, and could not be raised",
                        names.join(", ")
                    ));
                    continue;
                }
                tasks.push((*placement, *what));
            }
        }
        // Those that a running program answers one after the other.
        tasks.sort_by_key(|(place, what)| (*place, what.measure));
        let sides = in_turns(entries);
        contests.push(Contest { sides, tasks });
    }

    let rounds = args.rounds.unwrap_or(if args.quick { 2 } else { 5 });
    let samples = contests.iter().map(|one| one.samples(rounds)).sum();
    if samples == 0 {
        let why = match notes.is_empty() {
            true => "no such figure of these lessons".to_owned(),
            false => notes.join("; "),
        };
        bail!("nothing to measure: {why}");
    }
    let altogether = if args.quick { QUICK } else { FULL };
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
    if args.publish.is_some() {
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
    report.samples.retain(|old| !same(old));
    report.samples.extend(samples);
}

/// Where the report goes besides the screen.
struct Outputs<'a>(&'a Args);

impl Outputs<'_> {
    /// That one of them cannot be written is not to be learnt minutes later.
    /// What the files hold stays there until then.
    fn try_out(&self) -> Result<()> {
        let Self(args) = self;
        let mut files: Vec<PathBuf> = [&args.json, &args.html]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        if let Some(folder) = &args.publish {
            files.push(folder.join("bench/RESULTS.md"));
            for words in &costs::READMES {
                let file = folder.join(words.readme);
                costs::find(words, &read(&file)?)?;
                files.push(file);
            }
        }
        for file in files {
            let mut options = OpenOptions::new();
            let options = options.write(true).create(true).truncate(false);
            options
                .open(&file)
                .with_context(|| format!("write {}", file.display()))?;
        }
        Ok(())
    }

    /// Puts the report where it was asked for; whether no run failed.
    fn show(&self, report: &Report) -> Result<bool> {
        let Self(args) = self;
        let stdout = io::stdout();
        let colour =
            stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none();
        let _ = write!(stdout.lock(), "{}", text::screen(report, colour));
        let mut written = Vec::new();
        if let Some(file) = &args.json {
            let json = serde_json::to_string(report)?;
            written.push(write(file, &(json + "\n")));
        }
        if let Some(file) = &args.html {
            written.push(write(file, &page::page(report)));
        }
        if let Some(folder) = &args.publish {
            written.push(publish(folder, report));
        }
        // One that fails, on a full disk, does not take the others with it.
        written.into_iter().collect::<Result<()>>()?;
        Ok(report.failures().count() == 0)
    }
}

/// Figures that others will quote. Where a floor is slower than a program
/// that stands on it, the run was disturbed, and nothing is written.
fn publish(folder: &Path, report: &Report) -> Result<()> {
    ensure!(
        !report.settings.quick,
        "a quick run is too short to publish"
    );
    let slow = answers::slow_floors(report);
    ensure!(
        slow.is_empty(),
        "nothing is published: a floor is slower than what stands on it: {}",
        slow.join("; ")
    );
    let mut files =
        vec![(folder.join("bench/RESULTS.md"), text::markdown(report))];
    for words in &costs::READMES {
        let file = folder.join(words.readme);
        let text = costs::put(words, report, &read(&file)?)?;
        files.push((file, text));
    }
    for (file, text) in files {
        write(&file, &text)?;
    }
    Ok(())
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("read {}", file.display()))
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tcp_and_unix_sockets_take_turns_with_each_other() {
        let entry = |one: &'static dyn Transport| (one, one.programs());
        let all: Vec<Entry> = all().into_iter().map(entry).collect();
        let groups = contestants(&all);
        assert_eq!(groups.len(), all.len() - 1, "the others by themselves");
        let rivals: Vec<_> = groups[0].iter().map(|one| one.0).collect();
        for quick in [true, false] {
            // So the tasks of the one are those of the other.
            assert_eq!(rivals[0].measures(quick), rivals[1].measures(quick));
        }
        let turns: Vec<_> = in_turns(groups[0])
            .iter()
            .map(|(transport, program)| {
                format!("{} {program}", transport.name())
            })
            .collect();
        assert_eq!(
            turns,
            [
                "tcp-echo floor",
                "pipe-echo floor",
                "tcp-echo Rust",
                "pipe-echo Rust",
                "tcp-echo Node",
                "pipe-echo Node",
                "tcp-echo events",
                "pipe-echo events",
            ]
        );
    }
}
