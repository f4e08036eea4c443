//! Takes the samples: all programs in turns, so that drift of the machine
//! hits all alike.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process_group};
use rustix::process::{Rlimit, setrlimit};

use crate::exchange::{Exchange, Reply, TURNS, Wrong};
use crate::link::Link;
use crate::load::{self, Run, Stream};
use crate::place::{Cores, Placement};
use crate::sample::{Figures, Measure, Sample, What};
use crate::transport::{Peer, Program, Start, Transport};

/// The least time that a program has to warm up.
const WARM_UP: Duration = Duration::from_millis(20);

/// The longest that any one sample may take before its program is killed.
const LIMIT: Duration = Duration::from_secs(15);

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
    /// Which cores there are.
    pub cores: &'a Cores,
    /// A folder for sockets.
    pub folder: &'a Path,
    /// How many times all take their turn.
    pub rounds: u32,
    /// How long the load goes on for each sample.
    pub length: Duration,
    /// What is done so far.
    pub bar: ProgressBar,
    /// Kills what hangs.
    pub watchdog: Watchdog,
}

/// One program in its turn: it is started when it is needed, and again when
/// it failed.
struct Turn<'a> {
    transport: &'a dyn Transport,
    program: &'a Program,
    peer: Option<Peer>,
    /// The same without `--quiet`.
    logging: Option<Peer>,
    links: Vec<Box<dyn Link>>,
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
    Logging,
    Fresh,
}

impl Group {
    fn of(what: What) -> Self {
        match what.measure {
            Measure::RoundTrip | Measure::Flood | Measure::Stream => Self::One,
            Measure::Many | Measure::FanOut => Self::Many,
            Measure::LogLine => Self::Logging,
            Measure::Start | Measure::Memory | Measure::StuckReader => {
                Self::Fresh
            }
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
                    let transport = turn.transport;
                    if !transport.takes_part(turn.program, *what) {
                        continue;
                    }
                    let task = Task {
                        transport,
                        what: *what,
                        placement: *placement,
                    };
                    self.show(&task, turn.program);
                    let warming = round == 0;
                    let taken = self.take(turn, &task, warming);
                    let (figures, error) = match taken {
                        Ok(_) if warming => continue,
                        Ok(figures) => (figures, None),
                        Err(error) => (Figures::default(), Some(error)),
                    };
                    samples.push(Sample {
                        transport: transport.name().to_owned(),
                        program: turn.program.to_string(),
                        what: *what,
                        placement: *placement,
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
        task: &Task<'_>,
        warming: bool,
    ) -> std::result::Result<Figures, Reason> {
        let failed = turn.failed.take().filter(|one| one.what == task.what);
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
            true => self.warm_up(turn, task),
            false => Ok(()),
        };
        let taken = warm.and_then(|()| match warming {
            true => Ok(Figures::default()),
            false => self.sample(turn, task, self.length),
        });
        taken.map_err(|error| {
            let why = Reason::from(error);
            turn.start_anew();
            turn.failed = Some(Failed {
                what: task.what,
                times: times + 1,
                why: why.clone(),
            });
            why
        })
    }

    fn show(&self, task: &Task<'_>, program: &Program) {
        self.bar.set_message(format!(
            "{} {} {program}, {}",
            task.transport.title(),
            task.what,
            task.placement
        ));
    }

    fn warm_up(&self, turn: &mut Turn<'_>, task: &Task<'_>) -> Result<()> {
        if Group::of(task.what) == Group::Fresh {
            return Ok(());
        }
        // What a virtual machine compiles, it compiles in the beginning.
        let least = if turn.warm { WARM_UP } else { 3 * WARM_UP };
        turn.warm = true;
        self.sample(turn, task, least.max(self.length / 4))
            .context("warming up")?;
        Ok(())
    }

    fn start(&self, program: &Program, task: &Task<'_>) -> Result<Peer> {
        self.start_as(program, task, true)
    }

    fn start_as(
        &self,
        program: &Program,
        task: &Task<'_>,
        quiet: bool,
    ) -> Result<Peer> {
        let many = matches!(task.what.measure, Measure::Many | Measure::Memory);
        let start = Start {
            quiet,
            many,
            folder: self.folder,
        };
        self.cores
            .start(task.placement, || task.transport.start(program, start))
    }

    /// One sample.
    ///
    /// # Errors
    /// When the program does not start, hangs, ends, or answers wrongly.
    fn sample(
        &self,
        turn: &mut Turn<'_>,
        task: &Task<'_>,
        length: Duration,
    ) -> Result<Figures> {
        let What { measure, size } = task.what;
        if measure == Measure::RoundTrip
            && let Some(figures) = self.own_clock(turn.program, task, length)?
        {
            return Ok(figures);
        }
        match measure {
            Measure::RoundTrip | Measure::Flood | Measure::Stream => {
                self.ready(turn, task, 1)?;
                let (Some(peer), Some(link)) =
                    (&turn.peer, turn.links.first_mut())
                else {
                    bail!("not started");
                };
                let exchanges = task.exchanges(size);
                let link = link.as_mut();
                self.measured(peer, || match measure {
                    Measure::RoundTrip => {
                        load::round_trips(link, &exchanges, length)
                    }
                    _ if link.datagrams() => {
                        load::datagrams(link, &exchanges, length)
                    }
                    _ => load::stream(link, &task.stream()?, length),
                })
            }
            Measure::Many => {
                self.ready(turn, task, size)?;
                let Some(peer) = &turn.peer else {
                    bail!("not started");
                };
                let exchanges = task.exchanges(5);
                let links = &mut turn.links;
                self.measured(peer, || load::many(links, &exchanges, length))
            }
            Measure::FanOut => {
                self.ready(turn, task, size)?;
                let Some(peer) = &turn.peer else {
                    bail!("not started");
                };
                let exchanges: Vec<_> = (0..TURNS)
                    .map(|turn| task.transport.to_all(5, turn))
                    .collect();
                let links = &mut turn.links;
                self.measured(peer, || load::fan_out(links, &exchanges, length))
            }
            Measure::LogLine => self.log_line(turn, task, length),
            Measure::Start => self.first_answer(turn.program, task),
            Measure::Memory => self.memory(turn.program, task),
            Measure::StuckReader => self.stuck_reader(turn.program, task),
        }
    }

    /// Round trips that the programs measure themselves, where nobody else
    /// can.
    fn own_clock(
        &self,
        program: &Program,
        task: &Task<'_>,
        length: Duration,
    ) -> Result<Option<Figures>> {
        let clock =
            || task.transport.own_clock(program, task.what.size, length);
        match task.placement {
            Placement::One => self.cores.start(task.placement, clock),
            // The two choose their cores themselves.
            Placement::Two => {
                self.cores.release()?;
                let figures = clock();
                self.cores.start(task.placement, || figures)
            }
        }
    }

    /// Has the program run, with so many connections.
    fn ready(
        &self,
        turn: &mut Turn<'_>,
        task: &Task<'_>,
        connections: usize,
    ) -> Result<()> {
        if turn.peer.is_none() {
            turn.links.clear();
            turn.peer = Some(self.start(turn.program, task)?);
        }
        let Some(peer) = &turn.peer else {
            bail!("not started");
        };
        let links = &mut turn.links;
        self.watchdog.watching(peer.half.id(), || {
            while links.len() < connections {
                links.push((peer.connect)()?);
            }
            Ok(())
        })
    }

    /// Runs the load and takes both sides' processor time.
    fn measured(
        &self,
        peer: &Peer,
        load: impl FnOnce() -> Result<Run>,
    ) -> Result<Figures> {
        let id = peer.half.id();
        let server = Share::of(id);
        let own = Share::own();
        let run = self.watchdog.watching(id, load)?;
        let own = Share::own().since(own);
        let server = Share::of(id).since(server);
        let per_message = |share: Option<Share>| {
            Some(share?.ran as f64 / 1e3 / run.messages as f64)
        };
        let seconds = run.time.as_secs_f64();
        let mut figures = Figures {
            messages: Some(run.messages),
            seconds: Some(seconds),
            per_second: Some(run.messages as f64 / seconds),
            mb_per_second: Some(run.bytes as f64 / 1e6 / seconds),
            server_cpu: per_message(server),
            load_cpu: per_message(own),
            waited: server.zip(own).map(|(server, own)| {
                (server.waited + own.waited) as f64 / 1e9 / seconds
            }),
            ..Figures::default()
        };
        if let Some(trips) = run.trips {
            let at = |part| Some(trips.value_at_quantile(part) as f64 / 1e3);
            figures.min = Some(trips.min() as f64 / 1e3);
            figures.median = at(0.5);
            figures.p99 = at(0.99);
            figures.p999 = at(0.999);
            figures.histogram = trips
                .iter_recorded()
                .map(|bar| (bar.value_iterated_to(), bar.count_at_value()))
                .collect();
        }
        Ok(figures)
    }

    /// Round trips without log lines, with, with, and without: what a line
    /// costs. So neither of the two is always first, and a machine that gets
    /// slower meanwhile does so for both.
    fn log_line(
        &self,
        turn: &mut Turn<'_>,
        task: &Task<'_>,
        length: Duration,
    ) -> Result<Figures> {
        self.ready(turn, task, 1)?;
        if turn.logging.is_none() {
            let peer = self.start_as(turn.program, task, false)?;
            let watchdog = &self.watchdog;
            let link =
                watchdog.watching(peer.half.id(), || (peer.connect)())?;
            turn.links.push(link);
            turn.logging = Some(peer);
        }
        let (Some(quiet), Some(logging), [first, second]) =
            (&turn.peer, &turn.logging, &mut turn.links[..])
        else {
            bail!("not started");
        };
        let exchanges = task.exchanges(task.what.size);
        let trips = |peer, link: &mut Box<dyn Link>| {
            self.measured(peer, || {
                load::round_trips(link.as_mut(), &exchanges, length / 4)
            })
        };
        let before = trips(quiet, first)?;
        let with = trips(logging, second)?;
        let again = trips(logging, second)?;
        let after = trips(quiet, first)?;
        let cpu = [&before, &with, &again, &after].map(|one| one.server_cpu);
        Ok(Figures {
            log_line: line_cost(cpu, task.transport.lines()),
            ..again
        })
    }

    fn first_answer(
        &self,
        program: &Program,
        task: &Task<'_>,
    ) -> Result<Figures> {
        let exchanges = task.exchanges(5);
        let start = Start {
            quiet: true,
            many: false,
            folder: self.folder,
        };
        let began = Instant::now();
        let first = self.cores.start(task.placement, || {
            task.transport.first_answer(program, start)
        })?;
        let mut time = began.elapsed();
        if first.is_none() {
            let peer = self.start(program, task)?;
            self.watchdog.watching(peer.half.id(), || {
                let mut link = (peer.connect)()?;
                let first = &exchanges[..1];
                load::round_trips(link.as_mut(), first, Duration::ZERO)
            })?;
            time = began.elapsed();
        }
        Ok(Figures {
            start_ms: Some(time.as_secs_f64() * 1e3),
            ..Figures::default()
        })
    }

    fn memory(&self, program: &Program, task: &Task<'_>) -> Result<Figures> {
        let peer = self.start(program, task)?;
        let exchanges = task.exchanges(5);
        let mut links = Vec::new();
        self.watchdog.watching(peer.half.id(), || {
            // With none: one that comes and goes, so that it has begun.
            for _ in 0..task.what.size.max(1) {
                let mut link = (peer.connect)()?;
                // Answered, so it has been accepted; from here on it waits.
                load::round_trips(link.as_mut(), &exchanges, Duration::ZERO)?;
                links.push(link);
            }
            Ok(())
        })?;
        if task.what.size == 0 {
            links.clear();
        }
        Ok(Figures {
            memory_kib: Some(resident(peer.half.id())?),
            ..Figures::default()
        })
    }

    fn stuck_reader(
        &self,
        program: &Program,
        task: &Task<'_>,
    ) -> Result<Figures> {
        const MOST: u64 = 256 << 20;
        const SILENCE: Duration = Duration::from_millis(200);
        let peer = self.start(program, task)?;
        let id = peer.half.id();
        self.watchdog.watching(id, || {
            let mut link = (peer.connect)()?;
            load::round_trips(link.as_mut(), &task.exchanges(5), WARM_UP)?;
            let before = resident(id)?;
            let sent = load::never_read(link.as_mut(), MOST, SILENCE)?;
            let after = resident(id)?;
            if sent >= MOST {
                bail!("it took {} MiB that nobody read", sent >> 20);
            }
            Ok(Figures {
                memory_kib: Some((after - before).max(0.0)),
                ..Figures::default()
            })
        })
    }
}

/// What a line costs, by the processor time of a message without lines, with,
/// with, and without. Less than nothing is noise, and stays: without it, the
/// median of the rounds would be too high.
fn line_cost(cpu: [Option<f64>; 4], lines: f64) -> Option<f64> {
    let [before, with, again, after] = cpu;
    Some((with? + again? - before? - after?) / 2.0 / lines)
}

/// What a sample is taken of.
struct Task<'a> {
    transport: &'a dyn Transport,
    what: What,
    placement: Placement,
}

impl Task<'_> {
    fn exchanges(&self, size: usize) -> Vec<Exchange> {
        (0..TURNS)
            .map(|turn| self.transport.exchange(size, turn))
            .collect()
    }

    /// The messages of a flood, many in a write; or one in a write.
    fn stream(&self) -> Result<Stream> {
        /// Written at once, or repeated after so much.
        const BLOCK: usize = 64 * 1024;

        let size = self.what.size;
        let messages = (BLOCK / size).max(1);
        let mut request = Vec::new();
        let mut answer = Vec::new();
        for turn in 0..messages {
            let exchange = self.transport.exchange(size, turn);
            request.extend(exchange.request);
            match exchange.reply {
                Reply::Exact(bytes) => answer.extend(bytes),
                _ => bail!("not for a stream"),
            }
        }
        let write = match self.what.measure {
            Measure::Flood => request.len(),
            _ => request.len() / messages,
        };
        Ok(Stream {
            request,
            reply: answer,
            messages,
            write,
        })
    }
}

impl<'a> Turn<'a> {
    fn new((transport, program): &'a Side<'a>) -> Self {
        Self::not_running(*transport, program)
    }

    fn not_running(transport: &'a dyn Transport, program: &'a Program) -> Self {
        Self {
            transport,
            program,
            peer: None,
            logging: None,
            links: Vec::new(),
            warm: false,
            failed: None,
        }
    }

    /// Ends what runs; the next sample starts another one.
    fn start_anew(&mut self) {
        *self = Self::not_running(self.transport, self.program);
    }
}

/// Kills a program that does not answer, so that whoever waits for it sees
/// its end.
#[derive(Clone)]
pub struct Watchdog {
    limit: Duration,
    watched: Arc<Mutex<Option<Watch>>>,
}

/// What is watched, and what became of it.
#[derive(Clone, Copy)]
struct Watch {
    id: u32,
    since: Instant,
    killed: bool,
}

impl Watchdog {
    /// Begins to look, twice a second.
    pub fn new() -> Self {
        Self::with_limit(LIMIT)
    }

    fn with_limit(limit: Duration) -> Self {
        let dog = Self {
            limit,
            watched: Arc::default(),
        };
        let watched = Arc::clone(&dog.watched);
        thread::spawn(move || {
            loop {
                thread::sleep(Duration::from_millis(500));
                let mut watched =
                    watched.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(watch) = watched.as_mut() else {
                    continue;
                };
                if watch.since.elapsed() < limit {
                    continue;
                }
                watch.killed = true;
                // Its group: what a script started holds the connection too.
                if let Some(id) = Pid::from_raw(watch.id as i32) {
                    let _ = kill_process_group(id, Signal::KILL);
                }
            }
        });
        dog
    }

    /// Does `work`, for which the program of this id has so long. Where it
    /// was killed, that is why the work failed, and not what it did.
    fn watching<T>(
        &self,
        id: u32,
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        self.set(Some(Watch {
            id,
            since: Instant::now(),
            killed: false,
        }));
        let result = work();
        let killed = self.set(None).is_some_and(|watch| watch.killed);
        match result {
            Err(error) if killed => {
                let limit = self.limit;
                bail!("killed, as it took longer than {limit:?}: {error:#}")
            }
            result => result,
        }
    }

    fn set(&self, to: Option<Watch>) -> Option<Watch> {
        let mut watched =
            self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut watched, to)
    }
}

/// What a process or a thread has had of the processor.
#[derive(Clone, Copy, Debug, Default)]
struct Share {
    /// It ran for so many nanoseconds. The field in `stat` counts in steps
    /// of 10 ms.
    ran: u64,
    /// It could have run, but others did.
    waited: u64,
}

impl Share {
    /// Of all threads of a process.
    fn of(id: u32) -> Self {
        let Ok(threads) = fs::read_dir(format!("/proc/{id}/task")) else {
            return Self::default();
        };
        threads
            .flatten()
            .filter_map(|thread| Self::read(&thread.path().join("schedstat")))
            .fold(Self::default(), |sum, one| Self {
                ran: sum.ran + one.ran,
                waited: sum.waited + one.waited,
            })
    }

    /// Of this thread.
    fn own() -> Self {
        let path = Path::new("/proc/thread-self/schedstat");
        Self::read(path).unwrap_or_default()
    }

    fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let mut fields = text.split(' ');
        Some(Self {
            ran: fields.next()?.parse().ok()?,
            waited: fields.next()?.parse().ok()?,
        })
    }

    /// What came on top of `before`; none where a thread has ended.
    fn since(self, before: Self) -> Option<Self> {
        Some(Self {
            ran: self.ran.checked_sub(before.ran)?,
            waited: self.waited.checked_sub(before.waited)?,
        })
    }
}

/// Whether other programs keep one of the two cores from us: tried, as the
/// system's own load figure lags behind by a minute.
///
/// # Errors
/// What the kernel says.
pub fn busy(cores: &Cores) -> Result<bool> {
    const TRY: Duration = Duration::from_millis(40);
    let spin = || {
        let before = Share::own();
        let began = Instant::now();
        while began.elapsed() < TRY {
            std::hint::spin_loop();
        }
        let waited = Share::own().since(before).map(|share| share.waited);
        Ok(waited.is_some_and(|time| u128::from(time) * 10 > TRY.as_nanos()))
    };
    let server = cores.start(Placement::Two, spin)?;
    Ok(server || spin()?)
}

/// Resident memory in KiB.
fn resident(id: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|text| text.parse().ok())
        .context("the program has ended")
}

/// Raises the limit of open descriptors as far as it goes, for this process
/// and those that it starts; says what it is then.
pub fn raise_descriptor_limit() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// A bar for so many samples; nothing where stderr is no terminal.
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

    use harness::Half;

    use super::*;

    const LENGTH: Duration = Duration::from_millis(100);

    /// Programs that measure themselves, some of them in vain: of each call
    /// it is kept whether it was a sample, or only to warm up.
    #[derive(Default)]
    struct Script {
        /// Or it is one that speaks over a connection, and says nothing.
        is_silent: bool,
        fails: Vec<bool>,
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
            let fails = self.fails.get(calls.len()) == Some(&true);
            calls.push(if length == LENGTH {
                "sample"
            } else {
                "warm up"
            });
            if fails {
                bail!(Wrong("wrong byte".to_owned()));
            }
            Ok(Some(Figures::default()))
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
            cores: &cores,
            folder: Path::new("/"),
            rounds: 3,
            length: LENGTH,
            bar: ProgressBar::hidden(),
            watchdog: Watchdog::with_limit(Duration::ZERO),
        };
        let what = What {
            measure: Measure::RoundTrip,
            size: 5,
        };
        let samples = runner.run(&Contest {
            sides: vec![(script, Program::Rust)],
            tasks: vec![(Placement::One, what)],
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
    fn drift_does_not_look_like_the_cost_of_a_line() {
        // 1 µs more from one load to the next, and two lines of 3 µs each.
        let cpu = [10.0, 17.0, 18.0, 13.0].map(Some);
        assert_eq!(line_cost(cpu, 2.0), Some(3.0));
        // Noise in both directions must cancel out.
        let cpu = [10.0, 9.0, 9.0, 10.0].map(Some);
        assert_eq!(line_cost(cpu, 1.0), Some(-1.0));
        assert_eq!(line_cost([Some(1.0), None, None, Some(1.0)], 1.0), None);
    }

    /// A chat that never lets us in, for example.
    #[test]
    fn who_says_nothing_to_a_new_connection_is_killed() {
        let samples = samples(&Script {
            is_silent: true,
            ..Script::default()
        });
        let why = samples[0].error.as_deref().unwrap();
        assert!(why.contains("killed, as it took longer"), "{why}");
    }

    #[test]
    fn the_end_of_what_was_killed_is_no_crash() {
        let dog = Watchdog::with_limit(LIMIT);
        let closed = || Error::from(Wrong("the other side closed".to_owned()));
        let error = dog.watching(1, || Err::<(), _>(closed())).unwrap_err();
        assert!(error.is::<Wrong>());
        let error = dog
            .watching(1, || {
                // As its thread does.
                dog.watched.lock().unwrap().as_mut().unwrap().killed = true;
                Err::<(), _>(closed())
            })
            .unwrap_err();
        assert!(!error.is::<Wrong>(), "{error:#}");
    }
}
