//! Node's EventEmitter in Rust: the same calls, the same order, checked types.
//!
//! Node twin: `node/emitter.js`. Rust's own way: `channels.rs`.
//!
//!     cargo run -p event-emitter --bin emitter
//!
//! Try this: emit GREET with a number. Rust does not compile it; Node greets
//! a number.

use clap::Parser;
use common::log;
use event_emitter::{Emitter, Event, Listener, Unhandled};

/// Shows what Node's EventEmitter does, in a small Rust one.
#[derive(Parser)]
struct Args {}

// An event is a name, and the type of its argument.
const GREET: Event<&str> = Event::new("greet");
const TICK: Event<u32> = Event::new("tick");
const ERROR: Event<&str> = Event::new("error");

// An error becomes one line on stderr, and status 1.
fn main() -> common::Result {
    Args::parse(); // only --help
    let emitter = Emitter::new();

    // 1. Listeners are called in the order in which they were added, before
    //    emit() returns: nothing waits, and nothing runs at the same time.
    emitter.on(GREET, prints("first"));
    emitter.on(GREET, prints("second"));
    emitter.prepend(GREET, prints("in front"));
    let had_listeners = emitter.emit(GREET, "Ada")?;
    log::line(format_args!("greet had listeners: {had_listeners}"));

    // 2. once() is for one event.
    emitter.remove_all(GREET);
    emitter.once(GREET, prints("once"));
    emitter.emit(GREET, "Bob")?;
    let had_listeners = emitter.emit(GREET, "Bob again")?;
    log::line(format_args!("greet had listeners: {had_listeners}"));

    // 3. off() needs the listener that on() was given: two closures with
    //    the same text are two listeners.
    let hello = prints("hello");
    emitter.on(GREET, hello.clone());
    emitter.off(GREET, &prints("hello"));
    emitter.emit(GREET, "Cleo")?;
    emitter.off(GREET, &hello);
    let count = emitter.listener_count(GREET);
    log::line(format_args!("listeners of greet: {count}"));

    // 4. emit() copies the list first. A listener that is removed meanwhile
    //    still gets this event; one that is added gets only the next. The
    //    emitter comes as an argument: if the closure owned it, the two would
    //    own each other, and neither would ever be freed.
    let leaving = prints("leaving");
    let same = leaving.clone(); // the same listener, for the closure
    let change = Listener::new(move |emitter: &Emitter, _| {
        emitter.off(GREET, &same);
        emitter.on(GREET, prints("new"));
    });
    emitter.once(GREET, change);
    emitter.on(GREET, leaving);
    emitter.emit(GREET, "Dan")?;
    emitter.emit(GREET, "Eve")?;

    // 5. The eleventh listener of one event may be a leak: a warning goes
    //    to stderr, once.
    for _ in 0..11 {
        emitter.on(TICK, Listener::new(|_, _| {}));
    }
    let count = emitter.listener_count(TICK);
    log::line(format_args!("listeners of tick: {count}"));
    emitter.set_max_listeners(20); // all of them are wanted
    for _ in 0..9 {
        emitter.on(TICK, Listener::new(|_, _| {}));
    }

    // 6. An error needs a listener: emit() returns it when there is none, and
    //    with `?` it goes up as far as main(), which then fails.
    if let Err(Unhandled(error)) = emitter.emit(ERROR, "disk full") {
        log::line(format_args!("unhandled error: {error}"));
    }
    emitter.on(ERROR, prints("alarm"));
    emitter.emit(ERROR, "disk full")?;
    Ok(())
}

/// A listener that prints its name and the event's argument.
fn prints(name: &'static str) -> Listener<&'static str> {
    Listener::new(move |_, text| log::line(format_args!("{name}: {text}")))
}
