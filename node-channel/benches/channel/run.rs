//! The run as a whole.

use std::env;
use std::ffi::OsString;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use node_channel::Serialization;

use super::pairs::{self, FLOOR, NODE};
use super::payload::Payload;
use super::table::{Rounds, number, row};
use super::{floor, receive, roles};

/// Measures the channel: round trips in every pairing of Rust and Node, the
/// memory of a child, and how the time to receive grows with the length.
///
/// All processes share one core, and the last line says how much of it they
/// had. Where that is much below 100 %, other work has spoilt the numbers.
#[derive(Parser)]
#[command(name = "cargo bench -p node-channel --")]
#[command(
    disable_help_subcommand = true,
    args_conflicts_with_subcommands = true
)]
struct Args {
    /// Few and short rounds: to see that it works
    #[arg(long)]
    quick: bool,

    /// How often each pair has its turn [default: 7, quick: 3]
    #[arg(long, value_name = "N")]
    rounds: Option<usize>,

    /// How long a turn is, in milliseconds [default: 150, quick: 20]
    #[arg(long, value_name = "MS")]
    time: Option<u64>,

    /// What cargo says to every bench
    #[arg(long, hide = true)]
    bench: bool,

    #[command(subcommand)]
    role: Option<Role>,
}

/// What this program is when it is started by itself.
#[derive(Subcommand)]
enum Role {
    #[command(hide = true)]
    Parent {
        mode: String,
        compare: String,
        #[arg(last = true)]
        program: Vec<OsString>,
    },
    #[command(hide = true)]
    Echo { answer: String },
    #[command(hide = true)]
    FloorParent {
        mode: String,
        #[arg(long)]
        epoll: bool,
    },
    #[command(hide = true)]
    FloorChild {
        mode: String,
        #[arg(long)]
        epoll: bool,
    },
}

/// Of a column of round trips.
const WIDTH: usize = 20;

const MODES: [Serialization; 2] =
    [Serialization::Json, Serialization::Advanced];

fn mode(name: &str) -> Serialization {
    match name == pairs::name(Serialization::Advanced) {
        true => Serialization::Advanced,
        false => Serialization::Json,
    }
}

/// Runs one role, or all of it.
pub fn main() -> Result<()> {
    let args = Args::parse();
    match args.role {
        None => {}
        Some(Role::Parent {
            mode: name,
            compare,
            program,
        }) => return roles::parent(mode(&name), compare == "bytes", &program),
        Some(Role::Echo { answer }) => return roles::echo(answer == "bytes"),
        Some(Role::FloorParent { mode: name, epoll }) => {
            return floor::parent(mode(&name), epoll);
        }
        Some(Role::FloorChild { mode: name, epoll }) => {
            return floor::child(mode(&name), epoll);
        }
    }
    let rounds = args.rounds.unwrap_or(if args.quick { 3 } else { 7 }).max(1);
    let time = args.time.unwrap_or(if args.quick { 20 } else { 150 });
    let core = pin().context("pin to one core")?;
    let begun = Instant::now();
    println!(
        "{core}; {rounds} rounds of {time} ms; Node {}",
        node_version()?
    );
    for mode in MODES {
        round_trips(mode, rounds, Duration::from_millis(time))?;
    }
    memory(if args.quick { 10 } else { 200 })?;
    linear(rounds)?;
    if let Some(share) = share(begun) {
        println!("\nThe bench had {share:.0} % of its core.");
    }
    Ok(())
}

fn node_version() -> Result<String> {
    let output = Command::new("node").arg("--version").output();
    let output = output.context("run node")?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// How much of the core's time this process and its children have had, in
/// percent. One of them always has something to do.
#[cfg(target_os = "linux")]
fn share(begun: Instant) -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the program's name; the four times come 12 fields later.
    let (_, fields) = stat.rsplit_once(')')?;
    let times = fields.split_whitespace().skip(11).take(4);
    let ticks: f64 = times.flat_map(str::parse::<f64>).sum();
    let seconds = ticks / rustix::param::clock_ticks_per_second() as f64;
    Some(100.0 * seconds / begun.elapsed().as_secs_f64())
}

#[cfg(not(target_os = "linux"))]
fn share(_: Instant) -> Option<f64> {
    None
}

/// Puts this process on one core, and with it all that it starts.
#[cfg(target_os = "linux")]
fn pin() -> Result<String> {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let allowed = sched_getaffinity(None)?;
    // The last one: the system's own work is mostly on the first.
    let core = (0..CpuSet::MAX_CPU)
        .rev()
        .find(|core| allowed.is_set(*core));
    let core = core.context("no core")?;
    let mut only = CpuSet::new();
    only.set(core);
    sched_setaffinity(None, &only)?;
    Ok(format!("all processes on core {core}"))
}

#[cfg(not(target_os = "linux"))]
fn pin() -> Result<String> {
    Ok("this system pins no process to a core".to_owned())
}

/// Each pair in its turn, with each payload.
fn round_trips(
    mode: Serialization,
    rounds: usize,
    time: Duration,
) -> Result<()> {
    let mut pairs = pairs::all(mode)?;
    let payloads = Payload::all();
    let mut found = vec![vec![Rounds::default(); payloads.len()]; pairs.len()];
    for (column, (_, payload, at_once)) in payloads.iter().enumerate() {
        for round in 0..=rounds {
            for (pair, row) in pairs.iter_mut().zip(&mut found) {
                let took = pair.round(payload, *at_once, time)?;
                // The first one is to warm up: Node compiles what is hot.
                if round > 0 {
                    row[column].add(took);
                }
            }
        }
    }
    let names: Vec<_> = pairs.iter().map(|pair| pair.name).collect();
    pairs.into_iter().try_for_each(pairs::Pair::end)?;

    let mode = pairs::name(mode);
    let head: Vec<_> =
        payloads.iter().map(|(name, ..)| (*name).into()).collect();
    println!("\nOne round trip in µs, {mode}: median (lowest - highest)");
    println!("The last column has 1,024 messages on their way.");
    println!("{}", row("", WIDTH, &head));
    for (name, rounds) in names.iter().zip(&found) {
        let cells: Vec<_> = rounds.iter().map(Rounds::text).collect();
        println!("{}", row(name, WIDTH, &cells));
    }

    let medians = |wanted: &str| -> Vec<f64> {
        let at = names.iter().position(|name| *name == wanted);
        let rounds = at.map(|at| &*found[at]).unwrap_or_default();
        rounds.iter().map(Rounds::median).collect()
    };
    let (node, floor) = (medians(NODE), medians(FLOOR));
    println!("\nTimes faster than {NODE}, times as long as {FLOOR}");
    for name in &names {
        let cells = medians(name).into_iter().zip(&node).zip(&floor);
        let cells: Vec<_> = cells
            .map(|((own, node), floor)| {
                let floor = own / floor;
                format!("{}, {floor:.2}", number(node / own))
            })
            .collect();
        println!("{}", row(name, WIDTH, &cells));
    }
    Ok(())
}

/// A child that echoes messages of 1 MiB.
fn memory(messages: usize) -> Result<()> {
    let this = env::current_exe()?.into_os_string();
    println!(
        "\nMost memory of a child that echoes 1 MiB {messages} times, MiB"
    );
    println!(
        "{}",
        row("", 12, &MODES.map(|mode| pairs::name(mode).into()))
    );
    for (name, program) in [
        ("Rust, bytes", pairs::echo(&this, "bytes")),
        ("Rust", pairs::echo(&this, "values")),
        ("Node", pairs::node_child()),
    ] {
        let mut cells = Vec::new();
        for mode in MODES {
            let peak = receive::memory(mode, &program, messages)?;
            cells.push(peak.map_or("-".to_owned(), number));
        }
        println!("{}", row(name, 12, &cells));
    }
    Ok(())
}

/// Twice as long must take twice the time: whoever looks at the bytes again
/// with each piece that arrives needs four times as much.
fn linear(rounds: usize) -> Result<()> {
    const SIZES: [usize; 5] = [1, 4, 16, 64, 256];
    println!("\nTo receive one message, µs for each MiB: median");
    let head = SIZES.map(|mib| format!("{mib} MiB"));
    println!("{}{:>14}", row("", 12, &head), "last / first");
    for mode in MODES {
        let mut found = SIZES.map(|_| Rounds::default());
        for _ in 0..rounds {
            for (mib, rounds) in SIZES.into_iter().zip(&mut found) {
                rounds.add(receive::receive(mode, mib)?);
            }
        }
        let medians = found.each_ref().map(Rounds::median);
        let cells = medians.map(number);
        let ratio = medians[SIZES.len() - 1] / medians[0];
        let line = row(pairs::name(mode), 12, &cells);
        println!("{line}{ratio:>14.2}");
    }
    Ok(())
}
