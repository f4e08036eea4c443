//! One run of a pair: its lines in the order of cause and effect, each with
//! its step; what can be done to it meanwhile; and its end, always.

use std::io::Write;
use std::process::{ChildStdin, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use harness::half::{ask_for_places, placed};
use harness::order::{Line, Order};
use harness::readme::transcripts;
use harness::{
    Arguments, Exit, Half, Language, Lesson, Meet, Remote, Signal, rabbit, root,
};
use serde::{Deserialize, Serialize};

use crate::content::{Pages, Role};
use crate::render::step_of;

/// What a page asks for. Nothing in it is a program, a path or a flag.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The lesson's name.
    pub lesson: String,
    /// Its other pair of halves, where it has one.
    pub also: bool,
    /// What each half is written in: `rust` or `node`.
    pub languages: [Tongue; 2],
    /// How many messages; without it, until it is stopped.
    pub count: Option<u32>,
    /// How many milliseconds lie between two of them.
    pub every: u32,
}

/// A language, as the page names it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tongue {
    /// Rust
    Rust,
    /// Node
    Node,
}

impl From<Tongue> for Language {
    fn from(tongue: Tongue) -> Self {
        match tongue {
            Tongue::Rust => Self::Rust,
            Tongue::Node => Self::Node,
        }
    }
}

/// What a page is told, one after the other.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Told {
    /// The programs are being built.
    Building,
    /// A half was started, by a command like this.
    Started {
        /// Which half.
        half: usize,
        /// What to type for the same.
        command: String,
    },
    /// A half has printed a line.
    Line {
        /// Which half.
        half: usize,
        /// The line.
        text: String,
        /// The half's name and the step's number, `server-5`.
        step: Option<String>,
        /// The line in the source.
        at: Option<usize>,
        /// It has its cause in a line of the other half.
        caused: bool,
    },
    /// Something was done to a half.
    Note {
        /// Which half.
        half: usize,
        /// What.
        text: &'static str,
    },
    /// A half has ended.
    Ended {
        /// Which half.
        half: usize,
        /// Its status, or the signal's name.
        how: String,
        /// Whether that is a failure.
        failed: bool,
    },
    /// It could not go on.
    Failed {
        /// Why.
        why: String,
    },
    /// The run is over.
    Over,
}

/// What happens in a run, and what is to be done with it.
pub enum Event {
    /// From the thread that starts the halves.
    Started(usize, String, Remote, Option<ChildStdin>),
    /// From the threads that read their output.
    Printed(usize, String),
    /// From the threads that wait for their ends.
    Ended(usize, Exit),
    /// Nothing more is to be started, or could be.
    Complete(Result<()>),
    /// From the page.
    Do(Act),
}

/// What a page can do with a run.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields, tag = "act")]
pub enum Act {
    /// Ctrl-C for both.
    Stop,
    /// `kill -9`
    Kill {
        /// Which half.
        half: usize,
    },
    /// SIGSTOP
    Freeze {
        /// Which half.
        half: usize,
    },
    /// SIGCONT
    Thaw {
        /// Which half.
        half: usize,
    },
    /// A line for a half that reads what is typed.
    Send {
        /// The line.
        text: String,
    },
}

/// How long a run may take.
const LIMIT: Duration = Duration::from_secs(180);
/// How much it may print, in bytes.
const MOST: usize = 256 * 1024;
/// How long the halves may take to end after Ctrl-C.
const GRACE: Duration = Duration::from_secs(10);
/// A server whose client has ended is stopped when it has said nothing for
/// this long.
const QUIET: Duration = Duration::from_secs(2);
/// How often it is looked at whether the page is still there.
const LOOK: Duration = Duration::from_millis(250);
/// The longest line that can be sent, in bytes.
pub const LONGEST: usize = 1000;

/// The flags of a lesson's halves: those of its README's first transcripts,
/// with another count and pace.
pub fn flags(lesson: &Lesson, wanted: &Wanted) -> Result<[Vec<String>; 2]> {
    let blocks = transcripts(&lesson.folder().join("README.md"))?;
    let scenarios = lesson.scenarios(&blocks, "");
    let scenario = scenarios.first().context("its README shows no run")?;
    Ok([0, 1].map(|half| {
        let shown = scenario[half].half(lesson.name);
        let shown = shown.map(|(_, arguments)| arguments).unwrap_or_default();
        let mut flags = Vec::new();
        let mut shown = shown.into_iter();
        let mut is_paced = false;
        while let Some(flag) = shown.next() {
            match flag {
                "--count" | "--every" => {
                    is_paced = true;
                    shown.next();
                }
                flag => flags.push(flag.to_owned()),
            }
        }
        if is_paced {
            if let Some(count) = wanted.count {
                flags.extend(["--count".to_owned(), count.to_string()]);
            }
            if half == 0 || !lesson.server_sets_pace() {
                flags.extend(["--every".to_owned(), wanted.every.to_string()]);
            }
        }
        flags
    }))
}

/// Runs a pair. `events` is for the halves' threads, `told` for the page; the
/// run ends when nobody listens there.
pub fn run(
    pages: &Pages,
    lesson: &'static Lesson,
    wanted: &Wanted,
    (events, happened): (Sender<Event>, Receiver<Event>),
    told: &tokio::sync::mpsc::Sender<Told>,
) {
    let languages = wanted.languages.map(Language::from);
    let _ = told.blocking_send(Told::Building);
    let flags = match flags(lesson, wanted) {
        Ok(flags) => flags,
        Err(error) => {
            let why = format!("{error:#}");
            let _ = told.blocking_send(Told::Failed { why });
            return;
        }
    };
    thread::scope(|scope| {
        // The halves end with the thread that started them, which therefore
        // lasts as long as they do.
        scope.spawn(move || {
            let done = start(lesson, languages, &flags, &events);
            let _ = events.send(Event::Complete(done));
        });
        Board::new(pages, lesson, languages, told).watch(&happened);
    });
    let _ = told.blocking_send(Told::Over);
}

/// Starts both halves, and waits until both have ended.
fn start(
    lesson: &'static Lesson,
    languages: [Language; 2],
    flags: &[Vec<String>; 2],
    events: &Sender<Event>,
) -> Result<()> {
    for language in languages {
        if let Some(missing) = lesson.missing(language) {
            anyhow::bail!("{missing}");
        }
    }
    if lesson.meet() == Meet::RabbitMq {
        rabbit::begin_shared();
    }
    let flags = flags
        .each_ref()
        .map(|flags| flags.iter().map(String::as_str).collect::<Vec<&str>>());
    let arguments = Arguments {
        first: &flags[0],
        second: &flags[1],
    };
    let started = |half: usize, command: &mut Command| {
        let shown = shown(lesson, languages[half], half, command);
        let lines = events.clone();
        let running =
            Half::start_together(ask_for_places(command), move |text| {
                let text = text.to_owned();
                let _ = lines.send(Event::Printed(half, text));
            })?;
        let stdin = lesson.is_typed().then(|| running.take_stdin().ok());
        let stdin = stdin.flatten().filter(|_| half == 1);
        let remote = running.remote();
        let _ = events.send(Event::Started(half, shown, remote, stdin));
        Ok(running)
    };
    let mut pair = lesson.start(languages, arguments, LIMIT, started)?;
    let ended = |half: usize, running: &mut Half| {
        // The board ends what takes too long; this waits a little longer.
        if let Ok(exit) = running.wait_at_most(LIMIT + GRACE + GRACE) {
            let _ = events.send(Event::Ended(half, exit));
        }
    };
    thread::scope(|scope| {
        if let Some(second) = &mut pair.second {
            scope.spawn(|| ended(1, second));
        }
        ended(0, &mut pair.first);
    });
    Ok(())
}

/// What a reader would type for this half.
fn shown(
    lesson: &Lesson,
    language: Language,
    half: usize,
    command: &Command,
) -> String {
    let name = lesson.halves()[half];
    let arguments = command.get_args().map(|it| it.to_string_lossy());
    let mut arguments: Vec<String> = arguments.map(Into::into).collect();
    let mut words = lesson.typed(language, name);
    if language == Language::Node {
        arguments.remove(0); // the script
    }
    if !arguments.is_empty() && language == Language::Rust {
        words.push_str(" --");
    }
    // From the workspace's folder.
    let here = format!("{}{}", root().display(), std::path::MAIN_SEPARATOR);
    for argument in arguments {
        words.push(' ');
        words.push_str(argument.strip_prefix(&here).unwrap_or(&argument));
    }
    words
}

/// What is known of a run.
struct Board<'a> {
    pages: &'a Pages,
    lesson: &'static Lesson,
    languages: [Language; 2],
    told: &'a tokio::sync::mpsc::Sender<Told>,
    order: Order,
    /// Where the lines that wait to be shown were printed.
    places: [std::collections::VecDeque<Option<String>>; 2],
    halves: [Option<Running>; 2],
    printed: usize,
    /// When the last line came.
    last: Instant,
    /// When whatever still runs is killed.
    deadline: Instant,
    is_stopping: bool,
    last_half: Option<usize>,
}

struct Running {
    remote: Remote,
    stdin: Option<ChildStdin>,
    has_ended: bool,
    is_frozen: bool,
}

impl<'a> Board<'a> {
    fn new(
        pages: &'a Pages,
        lesson: &'static Lesson,
        languages: [Language; 2],
        told: &'a tokio::sync::mpsc::Sender<Told>,
    ) -> Self {
        Self {
            pages,
            lesson,
            languages,
            told,
            order: Order::of(lesson),
            places: Default::default(),
            halves: [None, None],
            printed: 0,
            last: Instant::now(),
            deadline: Instant::now() + LIMIT,
            is_stopping: false,
            last_half: None,
        }
    }

    /// Until all has ended, or the page has gone.
    fn watch(mut self, happened: &Receiver<Event>) {
        loop {
            let event = match happened.recv_timeout(LOOK) {
                Ok(event) => Some(event),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if let Some(Event::Complete(done)) = event {
                self.show_rest();
                if let Err(error) = done {
                    let why = format!("{error:#}");
                    self.tell(Told::Failed { why });
                }
                break;
            }
            if let Some(event) = event {
                self.take(event);
            }
            let too_late = Instant::now() >= self.deadline;
            if too_late || self.printed > MOST || self.told.is_closed() {
                self.end_all();
            } else if self.is_done() {
                self.interrupt(0);
            }
        }
        self.end_all();
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Started(half, command, remote, stdin) => {
                // Building took its time before.
                if half == 0 && !self.is_stopping {
                    self.deadline = Instant::now() + LIMIT;
                }
                self.halves[half] = Some(Running {
                    remote,
                    stdin,
                    has_ended: false,
                    is_frozen: false,
                });
                self.tell(Told::Started { half, command });
                if self.is_stopping {
                    self.interrupt(half);
                }
            }
            Event::Printed(half, line) => {
                self.last = Instant::now();
                self.printed += line.len();
                let (place, text) = placed(&line);
                let half = self.lesson.speaker(half, text);
                self.places[half].push_back(place.map(str::to_owned));
                let text = text.to_owned();
                self.order.push(Line { half, text });
                self.show_free();
            }
            Event::Ended(half, exit) => {
                self.last = Instant::now();
                self.order.end(half);
                self.show_free();
                if let Some(running) = &mut self.halves[half] {
                    running.has_ended = true;
                }
                let (how, failed) = match exit {
                    Exit::Code(code) => (code.to_string(), code != 0),
                    Exit::Signal(number) => (format!("signal {number}"), true),
                };
                self.tell(Told::Ended { half, how, failed });
            }
            Event::Complete(_) => {}
            Event::Do(act) => self.act(act),
        }
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Stop => {
                self.is_stopping = true;
                self.deadline = Instant::now() + GRACE;
                // The client first: so a server sees it leave.
                for half in [1, 0] {
                    self.interrupt(half);
                }
            }
            Act::Kill { half } => self.signal(half, Signal::Kill, "kill -9"),
            Act::Freeze { half } => {
                self.signal(half, Signal::Freeze, "kill -STOP");
            }
            Act::Thaw { half } => self.signal(half, Signal::Thaw, "kill -CONT"),
            Act::Send { text } => {
                let typed: String =
                    text.chars().filter(|c| !c.is_control()).collect();
                if let Some(running) = &mut self.halves[1]
                    && !running.is_frozen
                    && let Some(stdin) = &mut running.stdin
                {
                    let _ = stdin.write_all(format!("{typed}\n").as_bytes());
                }
            }
        }
    }

    /// As Ctrl-C, also where it was frozen.
    fn interrupt(&mut self, half: usize) {
        let Some(running) = &mut self.halves[half] else {
            return;
        };
        if running.has_ended {
            return;
        }
        if running.is_frozen {
            running.is_frozen = false;
            let _ = running.remote.signal(Signal::Thaw);
        }
        if running.remote.signal(Signal::Interrupt).is_ok() {
            self.tell(Told::Note { half, text: "^C" });
        }
        self.deadline = self.deadline.min(Instant::now() + GRACE);
    }

    fn signal(&mut self, half: usize, signal: Signal, text: &'static str) {
        // A child is its parent's, and only the system knows where it is.
        let child = self.lesson.meet() == Meet::Parent && half == 1;
        let place = if child { 0 } else { half };
        let Some(Some(running)) = self.halves.get_mut(place) else {
            return;
        };
        if running.has_ended {
            return;
        }
        let sent = match child {
            true => running.remote.signal_child(signal),
            false => running.remote.signal(signal),
        };
        if sent.is_ok() {
            match signal {
                Signal::Freeze if !child => running.is_frozen = true,
                Signal::Thaw if !child => running.is_frozen = false,
                _ => {}
            }
            self.tell(Told::Note { half, text });
        }
    }

    /// Has a client ended, and the server said all that it has to say?
    fn is_done(&self) -> bool {
        let [Some(first), Some(second)] = &self.halves else {
            return false;
        };
        second.has_ended
            && !first.has_ended
            && !first.is_frozen
            && !self.is_stopping
            && self.lesson.meet() != Meet::Nobody
            && self.last.elapsed() > QUIET
            && self.deadline > Instant::now() + GRACE
    }

    fn end_all(&mut self) {
        for running in self.halves.iter().flatten() {
            if !running.has_ended {
                running.remote.end();
            }
        }
    }

    fn show_free(&mut self) {
        while let Some(line) = self.order.next_free() {
            self.show(line);
        }
    }

    fn show_rest(&mut self) {
        while let Some(line) = self.order.next_of_rest() {
            self.show(line);
        }
    }

    fn show(&mut self, line: Line) {
        let caused = self.last_half.is_some_and(|last| last != line.half)
            && self.order.has_cause(&line);
        let Line { half, text } = line;
        let place = self.places[half].pop_front().flatten();
        let role = self.pages.role(self.lesson.halves()[half]);
        let found = role.and_then(|role| {
            self.exact(role, half, place.as_deref())
                .or_else(|| Some((step_of(role, &text)?, None)))
        });
        let step = found.and_then(|(step, _)| Some(role?.id(step)));
        let at = found.and_then(|(_, at)| at);
        self.last_half = Some(half);
        self.tell(Told::Line {
            half,
            text,
            step,
            at,
            caused,
        });
    }

    /// The step at the place that the program itself has named.
    fn exact(
        &self,
        role: &Role,
        half: usize,
        place: Option<&str>,
    ) -> Option<(usize, Option<usize>)> {
        let (file, line) = place?.rsplit_once(':')?;
        let line = line.parse().ok()?;
        let source = &role.sources[match self.languages[half] {
            Language::Node => 0,
            Language::Rust => 1,
        }];
        let is_it = source.path.rsplit('/').next() == Some(file);
        let step = is_it.then(|| source.step_at(line)).flatten()?;
        Some((step, Some(line)))
    }

    fn tell(&self, told: Told) {
        // A page that has gone is noticed where this is waited for.
        let _ = self.told.blocking_send(told);
    }
}
