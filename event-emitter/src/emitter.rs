//! Node's `EventEmitter`, with the compiler's help: an event's name carries
//! the type of its argument.

use std::any::{Any, TypeId};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt::{self, Display};
use std::io::Write;
use std::marker::PhantomData;
use std::rc::Rc;

/// How many listeners an event has before somebody is told of a leak.
const MAX_LISTENERS: usize = 10;

/// An event: a name, and the type of what its listeners are given.
///
/// Two events with the same name and other types are two events.
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

/// A function that hears events. A clone is the same listener, as two
/// JavaScript variables may hold the same function.
pub struct Listener<T>(Rc<Function<T>>);

/// What a listener does: it is given its emitter, as `this` is in Node, and
/// the argument.
type Function<T> = dyn Fn(&Emitter, &T);

/// Makes a listener of a closure. The closure is given the emitter, so it
/// need not hold it: the two would keep each other alive for ever.
pub fn listener<T>(hear: impl Fn(&Emitter, &T) + 'static) -> Listener<T> {
    Listener(Rc::new(hear))
}

impl<T> Clone for Listener<T> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

/// Nobody listens to the event `error`: here is its argument back. Node
/// throws it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unheard<T>(pub T);

impl<T: Display> Display for Unheard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unhandled error. ('{}')", self.0)
    }
}

impl<T: Display + fmt::Debug> std::error::Error for Unheard<T> {}

/// An event has more listeners than it is thought to need: does somebody add
/// one again and again, and never take it away?
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
    /// Somebody was told that there are too many.
    warned: bool,
}

/// One listener at one place in the list.
#[derive(Clone)]
struct Entry {
    /// A [`Listener`] of the event's type.
    listener: Rc<dyn Any>,
    /// For `once`: it was called.
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
    /// Nobody listens yet. Warnings go to stderr, in Node's words.
    pub fn new() -> Self {
        Self::with_warnings(|warning| {
            let id = std::process::id();
            // Not eprintln!, which panics once nobody reads stderr.
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

    /// Calls `listener` at each `event`, after those that are there already.
    /// One that is added twice is called twice.
    pub fn on<T: 'static>(&self, event: Event<T>, listener: Listener<T>) {
        self.add(event, Entry::of(listener, false), false);
    }

    /// As [`on`](Self::on), and before the others.
    pub fn prepend<T: 'static>(&self, event: Event<T>, listener: Listener<T>) {
        self.add(event, Entry::of(listener, false), true);
    }

    /// Calls `listener` at the next `event` only. It is removed before it is
    /// called, so it may emit the same event.
    pub fn once<T: 'static>(&self, event: Event<T>, listener: Listener<T>) {
        self.add(event, Entry::of(listener, true), false);
    }

    /// As [`once`](Self::once), and before the others.
    pub fn prepend_once<T: 'static>(
        &self,
        event: Event<T>,
        listener: Listener<T>,
    ) {
        self.add(event, Entry::of(listener, true), true);
    }

    /// Removes `listener`; of one that was added several times, the last in
    /// the list. One that does not listen is no mistake.
    pub fn off<T: 'static>(&self, event: Event<T>, listener: &Listener<T>) {
        self.remove(event, |entry| entry.is(listener));
    }

    /// Removes all listeners of `event`.
    pub fn remove_all<T: 'static>(&self, event: Event<T>) {
        let removed = self.events.borrow_mut().remove(&key(event));
        drop(removed); // with nothing borrowed: a closure's end may call us
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
    /// The list is copied first, so a listener that is added meanwhile hears
    /// the next event, and one that is removed still hears this one.
    ///
    /// # Errors
    /// When the event is called `error` and nobody listens: an error must
    /// not get lost.
    pub fn emit<T: 'static>(
        &self,
        event: Event<T>,
        argument: T,
    ) -> Result<bool, Unheard<T>> {
        let entries = match self.events.borrow().get(&key(event)) {
            Some(listeners) => listeners.list.clone(),
            None => Vec::new(),
        };
        if entries.is_empty() && event.name == "error" {
            return Err(Unheard(argument));
        }
        for entry in &entries {
            if let Some(fired) = &entry.fired {
                if fired.replace(true) {
                    continue; // a listener emitted, and it heard that
                }
                self.remove(event, |other| {
                    let other = other.fired.as_ref();
                    other.is_some_and(|other| Rc::ptr_eq(other, fired))
                });
            }
            if let Some(Listener(hear)) = entry.listener::<T>() {
                hear(self, &argument);
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

    /// Removes the last entry that is meant.
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
        drop(removed); // with nothing borrowed: a closure's end may call us
    }
}

fn key<T: 'static>(event: Event<T>) -> (&'static str, TypeId) {
    (event.name, TypeId::of::<T>())
}
