//! What one client has still to be sent: a queue with a bound.
//!
//! Everybody's lines go into everybody's queue, so the queue of a client that
//! does not read fills up. It must neither grow without end nor make the
//! others wait; at its bound, the client is given up.
//!
//! Node twin: `node/queue.js`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// What a queue may hold, in bytes.
pub const CAPACITY: usize = 1024 * 1024;

/// What a line counts at least: a bound on bytes alone would let in a
/// million empty lines.
const LEAST: usize = 1024;

/// How much is written at once. Many small lines leave together.
const BATCH: usize = 16 * 1024;

/// Lines on their way to one client. The lines themselves are shared by all
/// queues: a thousand queues hold one copy.
#[derive(Debug, Default)]
pub struct Queue {
    state: Mutex<State>,
    /// Something is there, or nothing will be any more.
    filled: Notify,
    /// There is room again, or nothing will be taken any more.
    emptied: Notify,
}

#[derive(Debug, Default)]
struct State {
    lines: VecDeque<Arc<str>>,
    cost: usize,
    ended: bool,
}

impl Queue {
    /// Puts a line at the end; false when there is no room for it.
    pub fn push(&self, line: &Arc<str>) -> bool {
        let mut state = self.lock();
        let cost = state.cost + cost(line);
        if cost > CAPACITY {
            return false;
        }
        state.cost = cost;
        state.lines.push_back(Arc::clone(line));
        drop(state);
        self.filled.notify_one();
        true
    }

    /// Nothing more will come: what is in it is still sent.
    pub fn end(&self) {
        self.lock().ended = true;
        self.filled.notify_one();
        self.emptied.notify_one();
    }

    /// Throws away what is in it, and ends with this line instead.
    pub fn end_with(&self, word: Arc<str>) {
        let mut state = self.lock();
        state.lines.clear();
        state.cost = cost(&word);
        state.lines.push_back(word);
        drop(state);
        self.end();
    }

    /// What to write next: as many whole lines as go together. Waits for
    /// the first; `None` at the end. For one task at a time.
    pub async fn next(&self) -> Option<Vec<u8>> {
        loop {
            if let Some(batch) = self.take() {
                self.emptied.notify_one();
                return Some(batch);
            }
            if self.lock().ended {
                return None;
            }
            self.filled.notified().await;
        }
    }

    /// Waits until it is at most half full, or has ended. For one task at a
    /// time.
    pub async fn half_empty(&self) {
        loop {
            {
                let state = self.lock();
                if state.ended || state.cost <= CAPACITY / 2 {
                    return;
                }
            }
            self.emptied.notified().await;
        }
    }

    fn take(&self) -> Option<Vec<u8>> {
        let mut state = self.lock();
        let mut batch = Vec::new();
        while batch.len() < BATCH {
            let Some(line) = state.lines.pop_front() else {
                break;
            };
            state.cost -= cost(&line);
            batch.extend_from_slice(line.as_bytes());
        }
        (!batch.is_empty()).then_some(batch)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cost(line: &str) -> usize {
    line.len().max(LEAST)
}
