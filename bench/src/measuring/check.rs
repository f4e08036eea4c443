//! Whether anything is slower than Node or answers wrongly: `--check`.
//!
//! It must not fail because the machine is busy. So the two programs take
//! turns and the best of several rounds counts, as other work can only make
//! a program slower; what looks slow is measured again, and longer.

use std::fmt::{self, Display};
use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rustix::process::nice;

use super::contest::{Contest, Runner, bar};
use super::cores::Cores;
use super::figures::Bench;
use super::folder::folder;
use super::process::raise_descriptor_limit;
use super::watchdog::Watchdog;
use crate::sample::{Better, Measure, Placement, Sample, What};
use crate::transports::{Entry, Program};

/// How much of Node's figure is enough: below it, more than noise.
const ENOUGH: f64 = 0.95;

/// How often a pair is measured before it counts as slow; each time longer.
const TRIES: u32 = 6;

/// How long the load goes on for each sample, the first time.
const LENGTH: Duration = Duration::from_millis(25);

/// Rounds within each try.
const ROUNDS: u32 = 3;

/// How a pair did.
#[derive(Clone, Debug, PartialEq)]
enum Verdict {
    /// So many times better than Node.
    Well(f64),
    /// So many times better than Node, which is less than once.
    Slow(f64),
    /// A run failed, and why.
    Failed(String),
}

impl Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Well(times) if times.is_infinite() => {
                write!(f, "answers rightly")
            }
            Self::Well(times) => write!(f, "{times:.2} times Node"),
            Self::Slow(times) => write!(f, "SLOWER: {times:.2} times Node"),
            Self::Failed(why) => write!(f, "FAILED: {why}"),
        }
    }
}

/// Whether all is well; prints what is not.
///
/// # Errors
/// When nothing could be measured at all.
pub fn run(entries: &[Entry], notes: &[String]) -> Result<bool> {
    let cores = Cores::find()?;
    raise_descriptor_limit();
    // Where we may, go before other work; the programs inherit it. Where we
    // may not, the best of the rounds has to do.
    let _ = nice(-20);
    let folder = folder()?;
    let began = Instant::now();
    let mut well = true;
    let mut checked = false;
    let mut runner = Runner {
        bench: Bench {
            cores: &cores,
            folder: folder.path(),
            watchdog: Watchdog::new(),
        },
        rounds: ROUNDS,
        length: LENGTH,
        bar: bar(0),
    };
    runner
        .bar
        .set_draw_target(indicatif::ProgressDrawTarget::hidden());
    for (transport, programs) in entries {
        let pair: Vec<Program> = programs
            .iter()
            .filter(|one| matches!(one, Program::Rust | Program::Node))
            .cloned()
            .collect();
        // What is absent stands in a note.
        if pair.is_empty() {
            continue;
        }
        checked = true;
        let mut tasks: Vec<(Placement, What)> = transport
            .measures(true)
            .into_iter()
            .filter(|what| asked(*what))
            .map(|what| (Placement::One, what))
            .collect();
        tasks.sort_by_key(|(_, what)| what.measure);
        let contest = |tasks| Contest {
            sides: pair.iter().map(|one| (*transport, one.clone())).collect(),
            tasks,
        };
        // All once, with the same running programs; then those again that
        // look slow. What takes a new program each time differs by far.
        let (once, often): (Vec<_>, Vec<_>) =
            tasks.iter().copied().partition(|(_, what)| is_slow(*what));
        runner.length = LENGTH;
        runner.rounds = ROUNDS;
        let mut all = runner.run(&contest(often));
        runner.rounds = 1;
        all.extend(runner.run(&contest(once)));
        runner.rounds = ROUNDS;
        for task @ (_, what) in tasks {
            let verdict = judge(what, |tried| {
                if tried == 0 {
                    let same = |one: &&Sample| one.task.what == what;
                    return all.iter().filter(same).cloned().collect();
                }
                runner.length = LENGTH * tried;
                runner.run(&contest(vec![task]))
            });
            well &= !matches!(verdict, Verdict::Slow(_) | Verdict::Failed(_));
            say(&format!(
                "{:14} {:22} {verdict}",
                transport.title(),
                what.to_string()
            ));
        }
    }
    cores.release()?;
    for note in notes {
        say(&format!("not checked: {note}"));
    }
    ensure!(checked, "nothing was checked");
    say(&format!(
        "{}, after {} s",
        if well { "all is well" } else { "NOT WELL" },
        began.elapsed().as_secs()
    ));
    Ok(well)
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// What is worth asking each time, on one core. On two, waking the other side
/// takes ten times as long as all that the programs do, and the two differ by
/// chance.
fn asked(what: What) -> bool {
    match what.measure {
        Measure::Memory => what.size == 0,
        _ => true,
    }
}

/// Whether a sample takes long, as it takes a new program.
fn is_slow(what: What) -> bool {
    matches!(what.measure, Measure::Start | Measure::Memory)
}

/// Measures until the pair does well enough, or has had all its tries.
fn judge(what: What, mut measure: impl FnMut(u32) -> Vec<Sample>) -> Verdict {
    let mut all = Vec::new();
    let mut verdict = Verdict::Failed("nothing was measured".to_owned());
    for tried in 0..TRIES {
        all.extend(measure(tried));
        let failed = all.iter().filter(|one| one.error.is_some());
        if let Some(sample) = failed.max_by_key(|one| one.wrong) {
            let why = sample.error.as_deref().unwrap_or_default();
            let why = format!("{}: {why}", sample.program);
            verdict = Verdict::Failed(why.clone());
            // Not for want of time, however busy the machine.
            if sample.wrong {
                return verdict;
            }
            let _ = writeln!(std::io::stderr(), "{what}: {why}; once more");
            all.clear();
            continue;
        }
        if all.is_empty() {
            return verdict;
        }
        if !all.iter().any(|one| one.program == "Node") {
            return Verdict::Well(f64::INFINITY);
        }
        let best = |program| best(&all, program, what.measure.better());
        if let (Some(ours), Some(theirs)) = (best("Rust"), best("Node")) {
            let times = what.measure.better().times(ours, theirs);
            if times >= ENOUGH || ours == theirs {
                return Verdict::Well(times);
            }
            verdict = Verdict::Slow(times);
        }
    }
    verdict
}

fn best(samples: &[Sample], program: &str, better: Better) -> Option<f64> {
    let values = samples
        .iter()
        .filter(|sample| sample.program == program)
        .filter_map(Sample::value);
    match better {
        Better::Less => values.reduce(f64::min),
        Better::More => values.reduce(f64::max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::HELLO;
    use crate::sample::tests::sample;

    fn measured(rust: &[f64], node: &[f64]) -> (Verdict, u32) {
        let mut tries = 0;
        let verdict = judge(HELLO, |tried| {
            tries += 1;
            let of = |program, values: &[f64]| {
                let at = (tried as usize).min(values.len() - 1);
                sample(program, tried, values[at])
            };
            vec![of("Rust", rust), of("Node", node)]
        });
        (verdict, tries)
    }

    #[test]
    fn what_is_quicker_passes_at_once() {
        assert_eq!(measured(&[5.0], &[10.0]), (Verdict::Well(2.0), 1));
    }

    #[test]
    fn a_moment_of_other_work_is_forgiven() {
        let (verdict, tries) = measured(&[50.0, 50.0, 6.0], &[12.0]);
        assert_eq!((verdict, tries), (Verdict::Well(2.0), 3));
    }

    #[test]
    fn what_stays_slower_is_found() {
        assert_eq!(measured(&[20.0], &[10.0]), (Verdict::Slow(0.5), TRIES));
    }

    #[test]
    fn a_wrong_answer_is_never_forgiven_and_one_that_is_late_is() {
        let measured = |wrong, why: &str| {
            judge(HELLO, |tried| {
                let mut first = sample("Rust", 0, 1.0);
                if tried == 0 {
                    first.error = Some(why.to_owned());
                    first.wrong = wrong;
                }
                vec![first, sample("Node", 0, 10.0)]
            })
        };
        for why in ["wrong byte", "the answer is \"HTTP/1.1 503\""] {
            let failed = Verdict::Failed(format!("Rust: {why}"));
            assert_eq!(measured(true, why), failed);
        }
        assert_eq!(measured(false, "timed out"), Verdict::Well(10.0));
    }
}
