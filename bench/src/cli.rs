//! The command line: what to measure, and where to put it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use harness::{Profile, build};
use tempfile::TempDir;

use crate::check;
use crate::floor;
use crate::html;
use crate::machine::Machine;
use crate::place::Cores;
use crate::run::{
    Contest, Runner, Side, Watchdog, bar, raise_descriptor_limit,
};
use crate::sample::{Measure, Report, SCHEMA, Settings, What};
use crate::text;
use crate::transport::{PROFILE, Program, Transport, all};

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
#[command(args_conflicts_with_subcommands = true)]
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

    /// Write the tables as Markdown, as bench/RESULTS.md has them
    #[arg(long, value_name = "FILE")]
    results: Option<PathBuf>,

    /// Measure nothing: show what --json wrote before
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,

    /// Only ask whether anything is slower than Node or answers wrongly: a
    /// yes or no, for all or for --only, and nothing to write down
    #[arg(long, conflicts_with_all = [
        "quick", "measure", "rounds", "with", "json", "html", "results",
        "from",
    ])]
    check: bool,

    /// Print the lessons that can be measured
    #[arg(long)]
    list: bool,

    #[command(subcommand)]
    role: Option<Role>,
}

fn measure_named(name: &str) -> Result<Measure, serde_json::Error> {
    serde_json::from_value(name.into())
}

/// What the bench starts itself as.
#[derive(Subcommand)]
enum Role {
    /// The least that the kernel allows
    #[command(hide = true)]
    Floor {
        kind: String,
        #[arg(default_value = "")]
        address: String,
    },
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
    if let Some(Role::Floor { kind, address }) = &args.role {
        floor::run(kind, address)?;
        return Ok(true);
    }
    if args.list {
        list();
        return Ok(true);
    }
    let files = Files::open(&args)?;
    if let Some(file) = &args.from {
        let json = fs::read_to_string(file)
            .with_context(|| format!("read {}", file.display()))?;
        let report: Report = serde_json::from_str(&json)
            .with_context(|| format!("understand {}", file.display()))?;
        return show(&report, files);
    }
    let mut notes = Vec::new();
    let transports = chosen(&args.only, &mut notes)?;
    let others = others(&args.with, &transports)?;
    if args.check {
        let checked = prepare(&transports, &others, &mut notes)?;
        return check::run(&checked, &notes);
    }
    let report = measure(&args, &transports, &others, notes)?;
    show(&report, files)
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
        let ours = ["floor", "Rust", "Node", "nginx"];
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

/// A transport and who takes part.
pub type Entry = (&'static dyn Transport, Vec<Program>);

/// Builds what is needed and finds out what is installed.
fn prepare(
    transports: &[&'static dyn Transport],
    others: &[(String, Program)],
    notes: &mut Vec<String>,
) -> Result<Vec<Entry>> {
    let spinner = indicatif::ProgressBar::new_spinner();
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
        cores: &cores,
        folder: folder.path(),
        rounds,
        length,
        bar: bar(samples),
        watchdog: Watchdog::new(),
    };
    let samples = contests.iter().flat_map(|one| runner.run(one)).collect();
    runner.bar.finish_and_clear();
    cores.release()?;
    Ok(Report {
        schema: SCHEMA,
        machine,
        settings: Settings {
            quick: args.quick,
            rounds,
            sample_ms: length.as_secs_f64() * 1e3,
        },
        notes,
        samples,
    })
}

/// A folder for sockets and the like. On Ctrl-C it is removed, and with it
/// end all programs that run.
pub fn folder() -> Result<TempDir> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().to_owned();
    ctrlc::set_handler(move || {
        harness::end_all();
        let _ = fs::remove_dir_all(&path);
        // What a shell calls a program that was interrupted.
        std::process::exit(130);
    })?;
    Ok(folder)
}

/// Where the report goes besides the screen. Opened before anything is
/// measured: that one of them cannot be written is not to be learnt minutes
/// later. What they hold stays there until then.
struct Files {
    json: Option<Destination>,
    html: Option<Destination>,
    results: Option<Destination>,
}

/// An open file, and its name for messages.
type Destination = (File, PathBuf);

impl Files {
    fn open(args: &Args) -> Result<Self> {
        let open = |name: &Option<PathBuf>| {
            let Some(name) = name else { return Ok(None) };
            let mut options = OpenOptions::new();
            let file = options.write(true).create(true).truncate(false);
            let file = file
                .open(name)
                .with_context(|| format!("write {}", name.display()))?;
            anyhow::Ok(Some((file, name.clone())))
        };
        Ok(Self {
            json: open(&args.json)?,
            html: open(&args.html)?,
            results: open(&args.results)?,
        })
    }
}

/// Puts the report where it was asked for; whether no run failed.
fn show(report: &Report, files: Files) -> Result<bool> {
    let stdout = io::stdout();
    let colour = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let _ = write!(stdout.lock(), "{}", text::screen(report, colour));
    let write = |to: Option<Destination>, text: &dyn Fn() -> Result<String>| {
        let Some((mut file, name)) = to else {
            return Ok(());
        };
        let text = text()?;
        // A pipe or a terminal has no length.
        let _ = file.set_len(0);
        file.write_all(text.as_bytes())
            .with_context(|| format!("write {}", name.display()))
    };
    // One that fails, on a full disk, does not take the others with it.
    let json = || Ok(serde_json::to_string(report)? + "\n");
    let written = [
        write(files.json, &json),
        write(files.html, &|| Ok(html::page(report))),
        write(files.results, &|| Ok(text::markdown(report))),
    ];
    written.into_iter().collect::<Result<()>>()?;
    Ok(report.failures().count() == 0)
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
            ]
        );
    }
}
