//! The newest events, kept for clients that were away.

use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::watch;

/// How many events are kept, for all clients together.
const KEPT: usize = 100;

/// What was published.
#[derive(Clone, Debug)]
pub struct Event {
    /// Ascends by one with each event.
    pub id: u64,
    /// `message`; or `missed`, which stands for events that are forgotten.
    pub kind: &'static str,
    /// What happened.
    pub text: String,
}

/// All streams read from one history; clones share it.
#[derive(Clone, Debug)]
pub struct History(watch::Sender<Kept>); // also wakes those who wait

#[derive(Debug)]
struct Kept {
    events: VecDeque<Event>,
    last_id: u64,
}

impl Default for History {
    /// An empty one. Its ids begin at the time in milliseconds, so that they
    /// ascend also when the server starts again.
    fn default() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_millis();
        Self(watch::Sender::new(Kept {
            events: VecDeque::new(),
            last_id: u64::try_from(now).unwrap_or(0),
        }))
    }
}

impl History {
    /// Adds an event, forgets the oldest, and wakes those who wait.
    pub fn publish(&self, text: String) {
        self.0.send_modify(|kept| {
            kept.last_id += 1;
            kept.events.push_back(Event {
                id: kept.last_id,
                kind: "message",
                text,
            });
            if kept.events.len() > KEPT {
                kept.events.pop_front();
            }
        });
    }

    /// The next event for a client that had the one with this id last; 0: it
    /// had none. Waits until there is one.
    pub async fn next(&self, id: u64) -> Event {
        let mut kept = self.0.subscribe();
        loop {
            if let Some(event) = kept.borrow_and_update().next(id) {
                return event;
            }
            let _ = kept.changed().await; // never fails: we hold the sender
        }
    }
}

impl Kept {
    /// The next event after this id, if it is there. Where events between are
    /// forgotten, first one that says so.
    fn next(&self, id: u64) -> Option<Event> {
        let next = self.events.iter().find(|event| event.id > id)?;
        if id > 0 && next.id > id + 1 {
            return Some(Event {
                id: next.id - 1,
                kind: "missed",
                text: "some events are forgotten".to_owned(),
            });
        }
        Some(next.clone())
    }
}
