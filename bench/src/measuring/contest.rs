//! All programs in turns, so that drift of the machine hits all alike.

use std::time::{Duration, Instant};

use anyhow::{Context, Error};
use indicatif::{ProgressBar, ProgressStyle};

use super::figures::{Bench, Job, Running};
use crate::load::exchange::Wrong;
use crate::sample::{Figures, Measure, Placement, Sample, Task, What};
use crate::transports::{Program, Transport};

/// A program is warm once the rates of two such windows lie this close
/// together. Node's compiler needs hundreds of milliseconds.
const WINDOW: Duration = Duration::from_millis(50);
const STEADY: f64 = 0.95;

/// The maximum time for warming up.
const WARM_UP: Duration = Duration::from_secs(2);

/// What takes turns.
pub struct Contest<'a> {
    /// Who takes part, in the order of their turns.
    pub sides: Vec<Side<'a>>,
    /// What is measured, and where.
    pub tasks: Vec<(Placement, What)>,
}

/// Who takes part: a program, and how it is spoken to.
pub type Side<'a> = (&'a dyn Transport, Program);

/// Takes samples.
pub struct Runner<'a> {
    /// Takes one of them.
    pub bench: Bench<'a>,
    /// How many times all take their turn.
    pub rounds: u32,
    /// How long the load goes on for each sample.
    pub length: Duration,
    /// What is done so far.
    pub bar: ProgressBar,
}

/// One program in its turn.
struct Turn<'a> {
    side: &'a Side<'a>,
    running: Running,
    warm: bool,
    failed: Option<Failed>,
}

/// What failed, how many times in a row, and why.
struct Failed {
    what: What,
    times: u32,
    why: Reason,
}

/// Why there are no figures.
#[derive(Clone, Debug)]
struct Reason {
    text: String,
    /// No other work on the machine explains it.
    wrong: bool,
}

impl From<Error> for Reason {
    fn from(error: Error) -> Self {
        Self {
            text: format!("{error:#}"),
            wrong: error.is::<Wrong>(),
        }
    }
}

/// What can be asked of the same running program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    One,
    Many,
    CatchUp,
    Push,
    Fresh,
}

impl Group {
    fn of(what: What) -> Self {
        match what.measure {
            Measure::RoundTrip | Measure::Flood | Measure::Stream => Self::One,
            Measure::Many | Measure::FanOut => Self::Many,
            Measure::CatchUp => Self::CatchUp,
            Measure::Push => Self::Push,
            Measure::Start | Measure::Memory => Self::Fresh,
        }
    }
}

impl Contest<'_> {
    /// How many samples that makes.
    pub fn samples(&self, rounds: u32) -> u64 {
        let turns = self.tasks.iter().flat_map(|(_, what)| {
            let takes = |(transport, program): &&Side<'_>| {
                transport.takes_part(program, *what)
            };
            self.sides.iter().filter(takes)
        });
        turns.count() as u64 * u64::from(rounds)
    }
}

impl Runner<'_> {
    /// All samples of one contest, failed ones too.
    pub fn run(&self, contest: &Contest<'_>) -> Vec<Sample> {
        let mut samples = Vec::new();
        let mut turns = Vec::new();
        let mut running = None;
        for (placement, what) in &contest.tasks {
            let group = Some((*placement, Group::of(*what)));
            if running != group {
                turns = contest.sides.iter().map(Turn::new).collect();
                running = group;
            }
            // One more round to warm up, of which only failures are kept.
            for round in 0..=self.rounds {
                for turn in &mut turns {
                    let (transport, program) = turn.side;
                    if !transport.takes_part(program, *what) {
                        continue;
                    }
                    let job = Job {
                        transport: *transport,
                        program,
                        what: *what,
                        placement: *placement,
                    };
                    self.show(job);
                    let warming = round == 0;
                    let taken = self.take(turn, job, warming);
                    let (figures, error) = match taken {
                        Ok(_) if warming => continue,
                        Ok(figures) => (figures, None),
                        Err(error) => (Figures::default(), Some(error)),
                    };
                    samples.push(Sample {
                        task: Task {
                            transport: transport.name().to_owned(),
                            what: *what,
                            placement: *placement,
                        },
                        program: program.to_string(),
                        round: round.saturating_sub(1),
                        wrong: error.as_ref().is_some_and(|one| one.wrong),
                        error: error.map(|one| one.text),
                        figures,
                    });
                    if !warming {
                        self.bar.inc(1);
                    }
                }
            }
        }
        samples
    }

    /// One sample, or a warming up without figures; or why there is none.
    /// What fails twice in a row is not tried again: each time might take as
    /// long as a hang may.
    fn take(
        &self,
        turn: &mut Turn<'_>,
        job: Job<'_>,
        warming: bool,
    ) -> Result<Figures, Reason> {
        let failed = turn.failed.take().filter(|one| one.what == job.what);
        let times = failed.as_ref().map_or(0, |one| one.times);
        if let Some(failed) = failed
            && times > 1
        {
            let why = failed.why.clone();
            turn.failed = Some(failed);
            return Err(why);
        }
        // Also after a failure, or the next sample would be a cold one.
        let warm = match warming || !turn.warm {
            true => self.warm_up(turn, job),
            false => Ok(()),
        };
        let taken = warm.and_then(|()| match warming {
            true => Ok(Figures::default()),
            false => self.bench.sample(&mut turn.running, job, self.length),
        });
        taken.map_err(|error| {
            let why = Reason::from(error);
            *turn = Turn::new(turn.side);
            turn.failed = Some(Failed {
                what: job.what,
                times: times + 1,
                why: why.clone(),
            });
            why
        })
    }

    fn show(&self, job: Job<'_>) {
        self.bar.set_message(format!(
            "{} {} {}, {}",
            job.transport.title(),
            job.what,
            job.program,
            job.placement
        ));
    }

    /// Keeps the program at work until its rate is steady.
    fn warm_up(&self, turn: &mut Turn<'_>, job: Job<'_>) -> anyhow::Result<()> {
        if Group::of(job.what) == Group::Fresh {
            return Ok(());
        }
        // What has served one task needs less for the next.
        let limit = if turn.warm { WARM_UP / 4 } else { WARM_UP };
        turn.warm = true;
        let began = Instant::now();
        let mut before: Option<f64> = None;
        while began.elapsed() < limit {
            let figures = self
                .bench
                .sample(&mut turn.running, job, WINDOW)
                .context("warming up")?;
            let rate = match job.what.measure {
                Measure::Push => figures.server_cpu, // its rate is a timer's
                _ => figures.per_second,
            };
            // None where each sample takes programs of its own.
            let Some(rate) = rate else {
                return Ok(());
            };
            let steady = before.is_some_and(|before| {
                before.min(rate) >= STEADY * before.max(rate)
            });
            if steady {
                return Ok(());
            }
            before = Some(rate);
        }
        Ok(())
    }
}

impl<'a> Turn<'a> {
    fn new(side: &'a Side<'a>) -> Self {
        Self {
            side,
            running: Running::default(),
            warm: false,
            failed: None,
        }
    }
}

/// A progress bar for this number of samples; nothing where stderr is no terminal.
pub fn bar(samples: u64) -> ProgressBar {
    let bar = ProgressBar::new(samples);
    let style = ProgressStyle::with_template(
        "{bar:30} {pos}/{len} {elapsed} {wide_msg}",
    );
    if let Ok(style) = style {
        bar.set_style(style.progress_chars("━╸─"));
    }
    bar
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::path::Path;
    use std::sync::Mutex;

    use anyhow::{Result, bail};
    use harness::Half;

    use super::*;
    use crate::load::exchange::Exchange;
    use crate::measuring::cores::Cores;
    use crate::measuring::watchdog::Watchdog;
    use crate::sample::HELLO;
    use crate::transports::{Peer, Start};

    const LENGTH: Duration = Duration::from_millis(100);

    /// Programs that measure themselves, some of them in vain: of each call
    /// it is kept whether it was a sample, or only to warm up.
    #[derive(Default)]
    struct Script {
        /// Or it is one that accepts connections, and never answers.
        is_silent: bool,
        fails: Vec<bool>,
        /// The rate that each call reports.
        rates: Vec<f64>,
        calls: Mutex<Vec<&'static str>>,
    }

    impl Transport for Script {
        fn name(&self) -> &'static str {
            "script"
        }

        fn title(&self) -> &'static str {
            "script"
        }

        fn measures(&self, _: bool) -> Vec<What> {
            Vec::new()
        }

        fn exchange(&self, size: usize, _: usize) -> Exchange {
            Exchange::echo(vec![0; size])
        }

        fn start(&self, _: &Program, _: Start<'_>) -> Result<Peer> {
            let mut command = std::process::Command::new("cat");
            let (half, stdout) = Half::start_with_stdout(&mut command)?;
            let stdin = half.take_stdin()?;
            let stdout = Mutex::new(stdout);
            Ok(Peer {
                half,
                connect: Box::new(move || {
                    let _open = &stdin;
                    let mut stdout = stdout.lock().unwrap();
                    let length = stdout.read(&mut [0])?;
                    bail!("{length} bytes of a greeting")
                }),
            })
        }

        fn own_clock(
            &self,
            _: &Program,
            _: usize,
            length: Duration,
        ) -> Result<Option<Figures>> {
            if self.is_silent {
                return Ok(None);
            }
            let mut calls = self.calls.lock().unwrap();
            let at = calls.len();
            calls.push(if length == LENGTH {
                "sample"
            } else {
                "warm up"
            });
            if self.fails.get(at) == Some(&true) {
                bail!(Wrong("wrong byte".to_owned()));
            }
            Ok(Some(Figures {
                per_second: self.rates.get(at).copied(),
                ..Figures::default()
            }))
        }
    }

    fn run(fails: &[bool]) -> (Vec<Sample>, Vec<&'static str>) {
        let script = Script {
            fails: fails.to_vec(),
            ..Script::default()
        };
        (samples(&script), script.calls.into_inner().unwrap())
    }

    fn samples(script: &Script) -> Vec<Sample> {
        let cores = Cores::find().unwrap();
        let runner = Runner {
            bench: Bench {
                cores: &cores,
                folder: Path::new("/"),
                watchdog: Watchdog::with_limit(Duration::ZERO),
            },
            rounds: 3,
            length: LENGTH,
            bar: ProgressBar::hidden(),
        };
        let samples = runner.run(&Contest {
            sides: vec![(script, Program::Rust)],
            tasks: vec![(Placement::One, HELLO)],
        });
        // This thread may be the next test's.
        cores.release().unwrap();
        samples
    }

    #[test]
    fn a_failure_while_warming_up_is_reported() {
        let (samples, _) = run(&[true]);
        let errors: Vec<_> =
            samples.iter().map(|one| one.error.as_deref()).collect();
        let why = Some("warming up: wrong byte");
        assert_eq!(errors, [why, None, None, None]);
        assert!(samples[0].wrong && !samples[1].wrong);
    }

    #[test]
    fn a_program_started_anew_is_warmed_up_again() {
        let (samples, calls) = run(&[false, true]);
        assert!(samples[0].error.is_some() && samples[1].error.is_none());
        let expected = ["warm up", "sample", "warm up", "sample", "sample"];
        assert_eq!(calls, expected);
    }

    #[test]
    fn a_program_is_warmed_up_until_its_rate_is_steady() {
        let warm_ups = |rates: &[f64]| {
            let script = Script {
                rates: rates.to_vec(),
                ..Script::default()
            };
            samples(&script);
            let calls = script.calls.into_inner().unwrap();
            calls.iter().filter(|one| **one == "warm up").count()
        };
        assert_eq!(warm_ups(&[100.0, 101.0, 200.0]), 2);
        // As Node gets quicker while it compiles; and noise goes down, too.
        assert_eq!(warm_ups(&[10.0, 50.0, 100.0, 98.0, 200.0]), 4);
        assert_eq!(warm_ups(&[100.0, 50.0, 51.0]), 3);
    }

    /// A chat that never lets us in, for example.
    #[test]
    fn a_program_that_never_answers_a_new_connection_is_killed() {
        let samples = samples(&Script {
            is_silent: true,
            ..Script::default()
        });
        let why = samples[0].error.as_deref().unwrap();
        assert!(why.contains("killed, as it took longer"), "{why}");
    }
}
