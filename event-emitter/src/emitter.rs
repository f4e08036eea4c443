//! Node's `EventEmitter`, with the compiler's help: an event's name carries
//! the type of its argument.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt::{self, Display};
use std::io::Write;
use std::marker::PhantomData;
use std::rc::Rc;

/// How many listeners an event has before a warning says that it may leak.
const MAX_LISTENERS: usize = 10;

/// An event: a name, and the type of its argument.
///
/// Two events with the same name and different types are two events.
pub struct Event<T> {
    name: &'static str,
    argument: PhantomData<fn(T)>,
}

impl<T> Event<T> {
    /// The event called `name`. The one called `error` is special: see
    /// [`Emitter::emit`].
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            argument: PhantomData,
        }
    }
}

impl<T> Clone for Event<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Event<T> {}

/// A function that is called for an event. A clone is the same listener, as two
/// JavaScript variables may hold the same function.
pub struct Listener<T>(Rc<Function<T>>);

/// What a listener is called with: its emitter, which is `this` in Node, and
/// the argument.
type Function<T> = dyn Fn(&Emitter, &T);

impl<T> Listener<T> {
    /// Makes a listener of a closure. The closure is called with the emitter,
    /// so it need not hold it: the two would keep each other alive.
    pub fn new(call: impl Fn(&Emitter, &T) + 'static) -> Self {
        Self(Rc::new(call))
    }
}

impl<T> Clone for Listener<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

/// The event `error` was emitted and has no listener: here is its argument
/// back. Node throws it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unhandled<T>(pub T);

impl<T: Display> Display for Unhandled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unhandled error. ('{}')", self.0)
    }
}

impl<T: Display + fmt::Debug> std::error::Error for Unhandled<T> {}

/// An event has more listeners than it should need: perhaps one is added again
/// and again, and never removed.
///
/// [`Display`] has Node's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany {
    /// The event's name.
    pub event: &'static str,
    /// How many it has now.
    pub listeners: usize,
    /// How many it should have at most.
    pub max: usize,
}

impl Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Possible EventEmitter memory leak detected. \
             {} {} listeners added to [EventEmitter]. MaxListeners is {}. \
             Use emitter.setMaxListeners() to increase limit",
            self.listeners, self.event, self.max
        )
    }
}

/// Calls the listeners of an event, one after the other, when it is emitted.
///
/// It does what Node's does, also where a listener adds, removes or emits.
/// It stays on its thread, and holds its listeners until they are removed or
/// it is dropped.
pub struct Emitter {
    events: RefCell<HashMap<(&'static str, TypeId), Listeners>>,
    max: Cell<usize>,
    warn: Box<dyn Fn(TooMany)>,
}

#[derive(Default)]
struct Listeners {
    list: Vec<Entry>,
    /// The warning that there are too many has been given.
    warned: bool,
}

/// One listener at one place in the list.
#[derive(Clone)]
struct Entry {
    /// A [`Listener`] of the event's type.
    listener: Rc<dyn Any>,
    /// For `once`: whether it was called.
    fired: Option<Rc<Cell<bool>>>,
}

impl Entry {
    fn of<T: 'static>(listener: Listener<T>, once: bool) -> Self {
        Self {
            listener: Rc::new(listener),
            fired: once.then(Rc::default),
        }
    }

    fn listener<T: 'static>(&self) -> Option<&Listener<T>> {
        self.listener.downcast_ref()
    }

    fn is<T: 'static>(&self, listener: &Listener<T>) -> bool {
        self.listener::<T>()
            .is_some_and(|own| Rc::ptr_eq(&own.0, &listener.0))
    }
}

impl Default for Emitter {
    fn default() -> Self {
        Self::new()
    }
}

impl Emitter {
    /// An emitter without listeners. Warnings go to stderr, in Node's words.
    pub fn new() -> Self {
        Self::with_warnings(|warning| {
            let id = std::process::id();
            // Not eprintln!, which panics when stderr is closed.
            let _ = writeln!(
                std::io::stderr().lock(),
                "(rust:{id}) MaxListenersExceededWarning: {warning}"
            );
        })
    }

    /// As [`Emitter::new`], with warnings to `warn`.
    pub fn with_warnings(warn: impl Fn(TooMany) + 'static) -> Self {
        Self {
            events: RefCell::default(),
            max: Cell::new(MAX_LISTENERS),
            warn: Box::new(warn),
        }
    }

    /// Calls `listener` for each `event`, after those that were added before.
    /// One that is added twice is called twice.
    pub fn on<T: 'static>(&self, event: Event<T>, listener: Listener<T>) {
        self.add(event, Entry::of(listener, false), false);
    }

    /// As [`on`](Self::on), but before the others.
    pub fn prepend<T: 'static>(&self, event: Event<T>, listener: Listener<T>) {
        self.add(event, Entry::of(listener, false), true);
    }

    /// Calls `listener` for the next `event` only. It is removed before it is
    /// called, so it may emit the same event.
    pub fn once<T: 'static>(&self, event: Event<T>, listener: Listener<T>) {
        self.add(event, Entry::of(listener, true), false);
    }

    /// As [`once`](Self::once), but before the others.
    pub fn prepend_once<T: 'static>(
        &self,
        event: Event<T>,
        listener: Listener<T>,
    ) {
        self.add(event, Entry::of(listener, true), true);
    }

    /// Removes `listener`; if it was added several times, the last in the list.
    /// It is no error if it is not there.
    pub fn off<T: 'static>(&self, event: Event<T>, listener: &Listener<T>) {
        self.remove(event, |entry| entry.is(listener));
    }

    /// Removes all listeners of `event`.
    pub fn remove_all<T: 'static>(&self, event: Event<T>) {
        let removed = self.events.borrow_mut().remove(&key(event));
        drop(removed); // nothing is borrowed now: a closure's drop may call us
    }

    /// How many listeners `event` has.
    pub fn listener_count<T: 'static>(&self, event: Event<T>) -> usize {
        let events = self.events.borrow();
        events.get(&key(event)).map_or(0, |found| found.list.len())
    }

    /// With more listeners than this, an event gives one warning; with 0,
    /// never. Ten at first.
    pub fn set_max_listeners(&self, max: usize) {
        self.max.set(max);
    }

    /// Calls the listeners of `event`, in their order, before it returns.
    /// True if there was one.
    ///
    /// The list is copied first, so a listener that is added meanwhile gets the
    /// next event, and one that is removed still gets this one.
    ///
    /// # Errors
    /// When the event is called `error` and has no listener: an error must not
    /// get lost.
    pub fn emit<T: 'static>(
        &self,
        event: Event<T>,
        argument: T,
    ) -> Result<bool, Unhandled<T>> {
        let entries = match self.events.borrow().get(&key(event)) {
            Some(listeners) => listeners.list.clone(),
            None => Vec::new(),
        };
        if entries.is_empty() && event.name == "error" {
            return Err(Unhandled(argument));
        }
        for entry in &entries {
            if let Some(fired) = &entry.fired {
                if fired.replace(true) {
                    continue; // another listener emitted, and it was called then
                }
                self.remove(event, |other| {
                    let other = other.fired.as_ref();
                    other.is_some_and(|other| Rc::ptr_eq(other, fired))
                });
            }
            if let Some(Listener(call)) = entry.listener::<T>() {
                call(self, &argument);
            }
        }
        Ok(!entries.is_empty())
    }

    fn add<T: 'static>(&self, event: Event<T>, entry: Entry, first: bool) {
        let mut events = self.events.borrow_mut();
        let Listeners { list, warned } = events.entry(key(event)).or_default();
        list.insert(if first { 0 } else { list.len() }, entry);
        let (listeners, max) = (list.len(), self.max.get());
        let too_many = max > 0 && listeners > max && !*warned;
        *warned |= too_many;
        drop(events);
        if too_many {
            (self.warn)(TooMany {
                event: event.name,
                listeners,
                max,
            });
        }
    }

    /// Removes the last entry for which `is_meant` is true.
    fn remove<T: 'static>(
        &self,
        event: Event<T>,
        is_meant: impl Fn(&Entry) -> bool,
    ) {
        let mut events = self.events.borrow_mut();
        let Some(Listeners { list, warned }) = events.get_mut(&key(event))
        else {
            return;
        };
        let removed = list.iter().rposition(is_meant).map(|at| list.remove(at));
        // As in Node, whose list is no list any more with one listener.
        *warned &= list.len() > 1;
        drop(events);
        drop(removed); // nothing is borrowed now: a closure's drop may call us
    }
}

fn key<T: 'static>(event: Event<T>) -> (&'static str, TypeId) {
    (event.name, TypeId::of::<T>())
}
