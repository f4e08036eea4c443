//! What event-emitter promises: the emitter does what Node's does. Scripts of
//! calls are run with both, and must leave the same traces.

use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command};
use std::rc::{Rc, Weak};

use anyhow::{Context, Result, bail, ensure};
use harness::{Exit, Half, Language, root};
use serde_json::{Value, json};

use harness::testing::echo;
use harness::testing::random::Random;
use harness::testing::server::lesson;
use harness::testing::{NODE, Need, Test, both, test};

use crate::{Emitter, Event, Listener, TooMany, Unhandled};

const NAME: &str = "event-emitter";

pub fn tests() -> Vec<Test> {
    let mut tests: Vec<Test> = BEHAVIOURS
        .iter()
        .map(|behaviour| {
            test(behaviour.promise, || behaviour.check()).needs(NODE)
        })
        .collect();
    tests.extend([
        test("any_script_does_what_it_does_in_node", any_script).needs(NODE),
        test("events_of_other_types_are_other_events", types),
        test("a_removed_listener_is_dropped", dropped),
        test("the_end_of_a_listener_may_call_the_emitter", last_words),
        test("an_unhandled_error_comes_back", unhandled),
    ]);
    let each = [
        both("the_warning_has_nodes_words", warning),
        both("help_and_mistakes", |language| echo::help(NAME, language)),
        both("quiet_prints_nothing", quiet),
        both("a_closed_stdout_ends_it_quietly", closed_stdout),
        both("a_full_disk_ends_it_with_one_line", full_disk)
            .map(|test| test.needs(Need::Proc)),
    ];
    tests.extend(each.into_iter().flatten());
    tests.into_iter().map(|test| test.of(NAME)).collect()
}

/// The three events, as Node has them by name.
const NAMES: [&str; 3] = ["a", "b", "error"];
const EVENTS: [Event<u32>; 3] = [
    Event::new(NAMES[0]),
    Event::new(NAMES[1]),
    Event::new(NAMES[2]),
];

/// One call of an emitter: what, with which event, and a listener or number.
#[derive(Clone, Copy, Debug)]
struct Call(&'static str, usize, usize);

/// Calls of an emitter, and what each of its listeners calls when it gets
/// something.
#[derive(Clone, Debug, Default)]
struct Script {
    calls: Vec<Call>,
    reactions: Vec<Vec<Call>>,
}

/// Listeners that emit could go on for ever: then they only listen.
const CALLS_AT_MOST: usize = 60;
const DEPTH_AT_MOST: usize = 3;

impl Script {
    fn json(&self) -> Value {
        let calls = |calls: &[Call]| -> Value {
            let one = |Call(what, event, n): &Call| json!([what, event, n]);
            calls.iter().map(one).collect()
        };
        let reactions = self.reactions.iter().map(|list| calls(list));
        json!({
            "calls": calls(&self.calls),
            "reactions": reactions.collect::<Value>(),
            "calls_at_most": CALLS_AT_MOST,
            "depth_at_most": DEPTH_AT_MOST,
        })
    }

    /// What happens in the lesson's emitter.
    fn run(&self) -> Vec<String> {
        let log: Rc<RefCell<Vec<String>>> = Rc::default();
        let told = Rc::clone(&log);
        let emitter = Emitter::with_warnings(move |too_many| {
            let TooMany {
                event, listeners, ..
            } = too_many;
            told.borrow_mut()
                .push(format!("warning {listeners} {event}"));
        });
        let run = Rc::new_cyclic(|run: &Weak<Run>| Run {
            log: Rc::clone(&log),
            script: self.clone(),
            listeners: (0..self.reactions.len())
                .map(|number| {
                    let run = Weak::clone(run);
                    Listener::new(move |emitter, value| {
                        if let Some(run) = run.upgrade() {
                            run.receive(emitter, number, *value);
                        }
                    })
                })
                .collect(),
            called: Cell::new(0),
            depth: Cell::new(0),
        });
        for call in &self.calls {
            run.call(&emitter, *call);
        }
        log.take()
    }
}

/// A script that is being run.
struct Run {
    log: Rc<RefCell<Vec<String>>>,
    script: Script,
    listeners: Vec<Listener<u32>>,
    called: Cell<usize>,
    depth: Cell<usize>,
}

impl Run {
    fn say(&self, text: String) {
        self.log.borrow_mut().push(text);
    }

    fn receive(&self, emitter: &Emitter, number: usize, value: u32) {
        self.say(format!("{number} receives {value}"));
        self.called.update(|called| called + 1);
        let too_much = self.called.get() > CALLS_AT_MOST
            || self.depth.get() >= DEPTH_AT_MOST;
        if !too_much {
            self.depth.update(|depth| depth + 1);
            for call in &self.script.reactions[number] {
                self.call(emitter, *call);
            }
            self.depth.update(|depth| depth - 1);
        }
    }

    fn call(&self, emitter: &Emitter, Call(what, event, number): Call) {
        let event = EVENTS[event];
        let listener = || self.listeners[number].clone();
        match what {
            "on" => emitter.on(event, listener()),
            "once" => emitter.once(event, listener()),
            "prepend" => emitter.prepend(event, listener()),
            "prepend_once" => emitter.prepend_once(event, listener()),
            "off" => emitter.off(event, &listener()),
            "remove_all" => emitter.remove_all(event),
            "max" => emitter.set_max_listeners(number),
            "count" => {
                self.say(format!("count {}", emitter.listener_count(event)));
            }
            "emit" => match emitter.emit(event, number as u32) {
                Ok(had) => self.say(format!("emitted {had}")),
                Err(Unhandled(value)) => self.say(format!("unhandled {value}")),
            },
            _ => self.say(format!("no call is named {what}")),
        }
    }
}

/// Node, which runs scripts with its own emitter.
struct Node {
    _half: Half,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Node {
    fn start() -> Result<Self> {
        let script = root().join(NAME).join("tests/script.js");
        let mut command = Command::new("node");
        let (half, from) = Half::start_with_stdout(command.arg(script))?;
        Ok(Self {
            to: half.take_stdin()?,
            from: BufReader::new(from),
            _half: half,
        })
    }

    fn run(&mut self, script: &Script) -> Result<Vec<String>> {
        writeln!(self.to, "{}", script.json())?;
        let mut line = String::new();
        self.from.read_line(&mut line)?;
        serde_json::from_str(&line).context("what Node's emitter did")
    }
}

/// One behaviour of Node's emitter.
struct Behaviour {
    promise: &'static str,
    /// Calls with their event and number: `on a 0; emit a 7`.
    calls: &'static str,
    /// What each listener calls.
    reactions: &'static [&'static str],
    /// What is to happen.
    log: &'static str,
}

impl Behaviour {
    fn check(&self) -> Result<()> {
        let script = Script {
            calls: calls(self.calls)?,
            reactions: self
                .reactions
                .iter()
                .map(|text| calls(text))
                .collect::<Result<_>>()?,
        };
        let (rust, node) = (script.run(), Node::start()?.run(&script)?);
        let (rust, node) = (rust.join("; "), node.join("; "));
        ensure!(rust == self.log, "Rust's emitter: {rust}");
        ensure!(node == self.log, "Node's emitter: {node}");
        Ok(())
    }
}

/// The calls that a text names.
fn calls(text: &'static str) -> Result<Vec<Call>> {
    let call = |text: &'static str| {
        let [what, event, number] =
            text.split_whitespace().collect::<Vec<_>>()[..]
        else {
            bail!("no call: {text:?}");
        };
        let event = NAMES.iter().position(|name| *name == event);
        Ok(Call(what, event.context("no event")?, number.parse()?))
    };
    text.split(';')
        .filter(|text| !text.is_empty())
        .map(call)
        .collect()
}

static BEHAVIOURS: &[Behaviour] = &[
    Behaviour {
        promise: "listeners_are_called_in_their_order",
        calls: "on a 0; on a 1; prepend a 2; on b 1; emit a 7; emit b 8",
        reactions: &["", "", ""],
        log: "2 receives 7; 0 receives 7; 1 receives 7; emitted true; 1 receives 8; \
              emitted true",
    },
    Behaviour {
        promise: "a_listener_added_twice_is_called_twice",
        calls: "on a 0; on a 1; on a 0; emit a 1; off a 0; emit a 2",
        reactions: &["", ""],
        log: "0 receives 1; 1 receives 1; 0 receives 1; emitted true; 0 receives 2; \
              1 receives 2; emitted true",
    },
    Behaviour {
        promise: "once_is_called_for_one_event",
        calls: "once a 0; prepend_once a 1; emit a 1; emit a 2; count a 0",
        reactions: &["", ""],
        log: "1 receives 1; 0 receives 1; emitted true; emitted false; count 0",
    },
    Behaviour {
        promise: "once_may_emit_the_same_event",
        calls: "once a 0; emit a 1",
        reactions: &["emit a 2"],
        log: "0 receives 1; emitted false; emitted true",
    },
    Behaviour {
        promise: "once_is_called_once_although_another_emits_first",
        calls: "once a 0; once a 1; emit a 1",
        reactions: &["emit a 2", ""],
        log: "0 receives 1; 1 receives 2; emitted true; emitted true",
    },
    Behaviour {
        promise: "once_can_be_taken_away",
        calls: "once a 0; off a 0; off a 0; emit a 1",
        reactions: &[""],
        log: "emitted false",
    },
    Behaviour {
        promise: "a_listener_added_meanwhile_gets_the_next_event",
        calls: "on a 0; emit a 1; emit a 2",
        reactions: &["on a 1; prepend a 2", "", ""],
        log: "0 receives 1; emitted true; 2 receives 2; 0 receives 2; 1 receives 2; \
              emitted true",
    },
    Behaviour {
        promise: "a_listener_removed_meanwhile_still_gets_this_event",
        calls: "on a 0; on a 1; on a 2; emit a 1; emit a 2",
        reactions: &["off a 0; off a 1", "", ""],
        log: "0 receives 1; 1 receives 1; 2 receives 1; emitted true; 2 receives 2; \
              emitted true",
    },
    Behaviour {
        promise: "all_may_be_removed_meanwhile",
        calls: "on a 0; on a 1; emit a 1; emit a 2",
        reactions: &["remove_all a 0", ""],
        log: "0 receives 1; 1 receives 1; emitted true; emitted false",
    },
    Behaviour {
        promise: "the_eleventh_listener_gives_one_warning",
        calls: "on a 0; on a 0; on a 0; on a 0; on a 0; on a 0; on a 0; \
                on a 0; on a 0; on a 0; count a 0; on b 0; on a 0; on a 0; \
                count a 0",
        reactions: &[""],
        log: "count 10; warning 11 a; count 12",
    },
    Behaviour {
        promise: "the_limit_can_be_set_and_lifted",
        calls: "max a 1; on a 0; on a 0; on a 0; max a 0; on b 0; on b 0",
        reactions: &[""],
        log: "warning 2 a",
    },
    Behaviour {
        promise: "with_one_listener_left_the_warning_can_come_again",
        calls: "max a 2; on a 0; on a 0; on a 0; off a 0; on a 0; off a 0; \
                off a 0; on a 0; on a 0",
        reactions: &[""],
        log: "warning 3 a; warning 3 a",
    },
    Behaviour {
        promise: "an_error_without_a_listener_is_thrown",
        calls: "emit a 1; emit error 2; once error 0; emit error 3; \
                emit error 4",
        reactions: &[""],
        log: "emitted false; unhandled 2; 0 receives 3; emitted true; unhandled 4",
    },
];

/// Writes scripts.
struct Author(Random);

impl Author {
    fn below(&mut self, limit: usize) -> usize {
        self.0.below(limit as u64) as usize
    }

    fn calls(&mut self, most: usize, listeners: usize) -> Vec<Call> {
        const CALLS: [&str; 12] = [
            "on",
            "on",
            "once",
            "prepend",
            "prepend_once",
            "off",
            "off",
            "emit",
            "emit",
            "emit",
            "count",
            "rare",
        ];
        (0..self.below(most + 1))
            .map(|_| {
                let what = match CALLS[self.below(CALLS.len())] {
                    "rare" => ["remove_all", "max"][self.below(2)],
                    what => what,
                };
                let number = match what {
                    "max" => self.below(4),
                    "emit" => self.below(1000),
                    _ => self.below(listeners),
                };
                Call(what, [0, 0, 0, 1, 1, 2][self.below(6)], number)
            })
            .collect()
    }

    fn script(&mut self) -> Script {
        let listeners = 1 + self.below(5);
        Script {
            calls: self.calls(30, listeners),
            reactions: (0..listeners)
                .map(|_| self.calls(3, listeners))
                .collect(),
        }
    }
}

fn any_script() -> Result<()> {
    let mut node = Node::start()?;
    let mut author = Author(Random(20_261_121));
    let (mut calls, mut warnings, mut unhandled) = (0, 0, 0);
    for _ in 0..3000 {
        let script = author.script();
        let log = script.run();
        let count = |what| log.iter().filter(|l| l.contains(what)).count();
        calls += count(" receives ");
        warnings += count("warning");
        unhandled += count("unhandled");
        let theirs = node.run(&script)?;
        ensure!(log == theirs, "{script:?}\nRust: {log:?}\nNode: {theirs:?}");
    }
    // Scripts in which nothing happens would prove nothing.
    ensure!(calls > 10_000, "only {calls} listeners were called");
    ensure!(warnings > 300 && unhandled > 300, "{warnings}, {unhandled}");
    Ok(())
}

fn types() -> Result<()> {
    let (number, text) = (Event::<u8>::new("x"), Event::<&str>::new("x"));
    let emitter = Emitter::default();
    let got = Rc::new(Cell::new(0));
    let told = Rc::clone(&got);
    emitter.on(number, Listener::new(move |_, value| told.set(*value)));
    ensure!(!emitter.emit(text, "7")?);
    ensure!(emitter.emit(number, 7)? && got.get() == 7);
    ensure!(emitter.listener_count(text) == 0);
    Ok(())
}

fn dropped() -> Result<()> {
    const PING: Event<()> = Event::new("ping");
    let emitter = Emitter::new();
    let held = Rc::new(());
    let holds = |held: &Rc<()>| {
        let held = Rc::clone(held);
        Listener::new(move |_: &Emitter, _: &()| {
            let _ = &held;
        })
    };
    let first = holds(&held);
    emitter.on(PING, first.clone());
    emitter.off(PING, &first);
    drop(first);
    ensure!(Rc::strong_count(&held) == 1, "off() keeps it");
    emitter.once(PING, holds(&held));
    emitter.emit(PING, ()).ok().context("it had no listener")?;
    ensure!(Rc::strong_count(&held) == 1, "once() keeps it");
    emitter.on(PING, holds(&held));
    emitter.remove_all(PING);
    ensure!(Rc::strong_count(&held) == 1, "remove_all() keeps it");
    emitter.on(PING, holds(&held));
    drop(emitter);
    ensure!(Rc::strong_count(&held) == 1, "it outlives its emitter");
    Ok(())
}

/// What a closure holds is dropped with it, and may then call the emitter.
fn last_words() -> Result<()> {
    const PING: Event<()> = Event::new("ping");
    struct Last(Rc<Emitter>, Rc<Cell<usize>>);
    impl Drop for Last {
        fn drop(&mut self) {
            self.1.set(self.0.listener_count(PING) + 10);
        }
    }
    let emitter = Rc::new(Emitter::new());
    let said = Rc::new(Cell::new(0));
    let last = || {
        let last = Last(Rc::clone(&emitter), Rc::clone(&said));
        Listener::new(move |_: &Emitter, _: &()| {
            let _ = &last;
        })
    };
    emitter.on(PING, last());
    emitter.remove_all(PING);
    ensure!(said.take() == 10);
    let held = last();
    emitter.on(PING, held.clone());
    emitter.off(PING, &held);
    drop(held);
    ensure!(said.take() == 10);
    emitter.once(PING, last());
    emitter.emit(PING, ()).ok().context("it had no listener")?;
    ensure!(said.take() == 10);
    Ok(())
}

fn unhandled() -> Result<()> {
    const FAILED: Event<String> = Event::new("error");
    let emitter = Emitter::new();
    let error = emitter.emit(FAILED, "disk full".to_owned());
    let error = error.err().context("it had a listener")?;
    ensure!(error.to_string() == "Unhandled error. ('disk full')");
    ensure!(error == Unhandled("disk full".to_owned()));
    Ok(())
}

fn warning(language: Language) -> Result<()> {
    let mut command = lesson(NAME)?.half(language, "emitter")?;
    let mut program = Half::start(&mut command)?;
    ensure!(program.wait()? == Exit::Code(0));
    // Node adds a second line, on how to see more.
    let stderr = program.stderr();
    let (_, words) = stderr[0].split_once(") ").context("no id")?;
    ensure!(
        words
            == "MaxListenersExceededWarning: Possible EventEmitter memory \
                leak detected. 11 tick listeners added to [EventEmitter]. \
                MaxListeners is 10. \
                Use emitter.setMaxListeners() to increase limit",
        "{words}"
    );
    let count = |text| stderr.iter().filter(|l| l.contains(text)).count();
    ensure!(count("MaxListenersExceeded") == 1, "{stderr:?}");
    Ok(())
}

fn quiet(language: Language) -> Result<()> {
    for program in lesson(NAME)?.halves() {
        let mut command = lesson(NAME)?.half(language, program)?;
        let mut program = Half::start(command.env("QUIET", "1"))?;
        ensure!(program.wait()? == Exit::Code(0));
        ensure!(program.stdout().is_empty(), "{:?}", program.stdout());
    }
    Ok(())
}

fn closed_stdout(language: Language) -> Result<()> {
    for program in lesson(NAME)?.halves() {
        let mut command = lesson(NAME)?.half(language, program)?;
        let (mut program, stdout) = Half::start_with_stdout(&mut command)?;
        drop(stdout);
        let exit = program.wait()?;
        ensure!(exit == Exit::Code(0), "{exit:?}: {:?}", program.stderr());
        let stderr = program.stderr().join("\n");
        ensure!(!stderr.contains("EPIPE") && !stderr.contains("panicked"));
    }
    Ok(())
}

fn full_disk(language: Language) -> Result<()> {
    for program in lesson(NAME)?.halves() {
        let command = lesson(NAME)?.half(language, program)?;
        let mut shell = echo::in_shell("> /dev/full", &command);
        let mut program = Half::start(&mut shell)?;
        ensure!(program.wait()? == Exit::Code(1), "{:?}", program.stderr());
        let stderr = program.stderr();
        // Before it, Node's emitter has perhaps printed its warning.
        let last = stderr.last().context("nothing on stderr")?;
        ensure!(last.starts_with("Error: write to stdout: "), "{stderr:?}");
    }
    Ok(())
}
