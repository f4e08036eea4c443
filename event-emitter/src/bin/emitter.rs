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
use event_emitter::{Emitter, Event, Listener, Unheard, listener};

/// Shows what Node's EventEmitter does, in a small Rust one.
#[derive(Parser)]
struct Args {
    #[command(flatten)]
    quiet: log::Quiet,
}

// An event is a name, and the type of what comes with it.
const GREET: Event<&str> = Event::new("greet");
const TICK: Event<u32> = Event::new("tick");
const ERROR: Event<&str> = Event::new("error");

fn main() -> common::Result {
    Args::parse().quiet.apply();
    let emitter = Emitter::new();

    // 1. Listeners are called in the order in which they were added, before
    //    emit() returns: nothing waits, and nothing runs at the same time.
    emitter.on(GREET, says("first"));
    emitter.on(GREET, says("second"));
    emitter.prepend(GREET, says("in front"));
    let heard = emitter.emit(GREET, "Ada")?;
    log::line(format_args!("greet was heard: {heard}"));

    // 2. once() hears one event.
    emitter.remove_all(GREET);
    emitter.once(GREET, says("once"));
    emitter.emit(GREET, "Bob")?;
    let heard = emitter.emit(GREET, "Bob again")?;
    log::line(format_args!("greet was heard: {heard}"));

    // 3. off() needs the listener that on() was given: two closures with
    //    the same text are two listeners.
    let hello = says("hello");
    emitter.on(GREET, hello.clone());
    emitter.off(GREET, &says("hello"));
    emitter.emit(GREET, "Cleo")?;
    emitter.off(GREET, &hello);
    let count = emitter.listener_count(GREET);
    log::line(format_args!("listeners of greet: {count}"));

    // 4. emit() copies the list first. Whoever is removed meanwhile still
    //    hears this event; whoever is added hears only the next one. The
    //    emitter comes as an argument: a closure that held it would keep
    //    it, and thereby itself, alive for ever.
    let leaving = says("leaving");
    let also = leaving.clone();
    emitter.once(
        GREET,
        listener(move |emitter: &Emitter, _| {
            emitter.off(GREET, &also);
            emitter.on(GREET, says("new"));
        }),
    );
    emitter.on(GREET, leaving);
    emitter.emit(GREET, "Dan")?;
    emitter.emit(GREET, "Eve")?;

    // 5. The eleventh listener of one event may be a leak: a warning goes
    //    to stderr, once.
    for _ in 0..11 {
        emitter.on(TICK, listener(|_, _| {}));
    }
    let count = emitter.listener_count(TICK);
    log::line(format_args!("listeners of tick: {count}"));
    emitter.set_max_listeners(20); // all of them are wanted
    for _ in 0..9 {
        emitter.on(TICK, listener(|_, _| {}));
    }

    // 6. Events may go unheard, but not an error: emit() gives it back, and
    //    with `?` it goes up as far as main(), which then fails.
    if let Err(Unheard(error)) = emitter.emit(ERROR, "disk full") {
        log::line(format_args!("nobody heard the error: {error}"));
    }
    emitter.on(ERROR, says("alarm"));
    emitter.emit(ERROR, "disk full")?;
    Ok(())
}

fn says(who: &'static str) -> Listener<&'static str> {
    listener(move |_, text| log::line(format_args!("{who}: {text}")))
}
