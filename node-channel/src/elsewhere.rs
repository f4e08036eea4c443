//! Connections of a Node server that were handed on to a third process: it is
//! asked how many of them are still open there.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, Weak};

use serde::Serialize;
use tokio::sync::oneshot;

use crate::frames::{WeakWriter, Writer};
use crate::handle::Connections;
use crate::{Sender, channel::lock};

/// Questions to the peer that it has not answered yet, by the key that they
/// are about. They end with the channel.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    waiting: HashMap<String, VecDeque<oneshot::Sender<usize>>>,
    ended: bool,
}

impl Questions {
    /// The peer has answered one; false when nobody had asked.
    pub(crate) fn answer(&mut self, key: &str, count: usize) -> bool {
        let Some(waiting) = self.waiting.get_mut(key) else {
            return false;
        };
        let asked = waiting.pop_front();
        if waiting.is_empty() {
            self.waiting.remove(key);
        }
        // The caller that asked may have stopped waiting.
        asked.map(|asked| asked.send(count)).is_some()
    }

    /// There will be no more answers.
    pub(crate) fn end(&mut self) {
        self.waiting.clear();
        self.ended = true;
    }
}

/// A channel over which connections were handed on.
#[derive(Clone, Debug)]
pub(crate) struct Elsewhere {
    writer: WeakWriter,
    questions: Weak<Mutex<Questions>>,
}

impl Elsewhere {
    pub(crate) fn new(
        writer: &Writer,
        questions: &Weak<Mutex<Questions>>,
    ) -> Self {
        Self {
            writer: writer.downgrade(),
            questions: questions.clone(),
        }
    }

    /// It is the channel of these questions.
    pub(crate) fn is(&self, questions: &Weak<Mutex<Questions>>) -> bool {
        self.questions.ptr_eq(questions)
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.is(&other.questions)
    }

    /// Somebody still has the channel, so that an answer can come.
    pub(crate) fn is_there(&self) -> bool {
        self.questions.strong_count() > 0
    }

    /// Asks; the answer comes when a task awaits the next message there. `None`
    /// when nobody is there.
    fn ask(&self, key: &str) -> Option<oneshot::Receiver<usize>> {
        #[derive(Serialize)]
        struct Question<'a> {
            cmd: &'static str,
            key: &'a str,
        }
        let questions = self.questions.upgrade()?;
        let writer = self.writer.upgrade()?;
        let (answer, answered) = oneshot::channel();
        {
            let mut questions = lock(&questions);
            if questions.ended {
                return None;
            }
            let key = key.to_owned();
            questions.waiting.entry(key).or_default().push_back(answer);
        }
        // Behind the connections themselves.
        let question = Question {
            cmd: "NODE_SOCKET_GET_COUNT",
            key,
        };
        Sender::of(writer).try_send(&question).ok()?;
        Some(answered)
    }
}

/// How many connections with this key are open, here and elsewhere.
pub(crate) async fn count(
    connections: &Arc<Mutex<Connections>>,
    key: &str,
) -> usize {
    let mut open = 0;
    // Elsewhere first: until it is there for sure, a connection is open here.
    let channels = lock(connections).elsewhere(key);
    for channel in channels {
        if let Some(answered) = channel.ask(key) {
            open += answered.await.unwrap_or(0);
        }
    }
    open + lock(connections).count(key)
}
