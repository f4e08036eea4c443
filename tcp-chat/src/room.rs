//! Who is there, and the one place where all that is said gets its order.
//!
//! Node twin: `node/room.js`.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::log;
use tokio::time;
use tokio_util::sync::CancellationToken;

use crate::lines::{LONGEST, Line};
use crate::queue::Queue;

/// How long somebody who has left may take to read the rest.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest name, in characters.
const LONGEST_NAME: usize = 24;

/// Letters that show nothing at all: no name may hide behind one.
const INVISIBLE: [char; 4] = ['\u{115F}', '\u{1160}', '\u{3164}', '\u{FFA0}'];

/// Everybody who is connected.
#[derive(Clone, Debug, Default)]
pub struct Room(Arc<Mutex<Present>>);

#[derive(Debug, Default)]
struct Present {
    /// How many have ever joined: the newest member's number.
    joined: u64,
    members: BTreeMap<u64, Entry>,
}

#[derive(Debug)]
struct Entry {
    name: String,
    queue: Arc<Queue>,
    gone: CancellationToken,
}

/// One client's place in the room. Dropped, it is left.
#[derive(Debug)]
pub struct Member {
    room: Room,
    number: u64,
    address: SocketAddr,
    queue: Arc<Queue>,
    /// Has left, or was dropped.
    gone: CancellationToken,
}

impl Room {
    /// Takes a client in. Its name is its address until it chooses one.
    pub fn join(&self, address: SocketAddr) -> Member {
        let name = address.to_string();
        let (queue, gone) = (Arc::default(), CancellationToken::new());
        let mut present = self.lock();
        present.joined += 1;
        let number = present.joined;
        let announcement = format!("* {name} joined");
        let entry = Entry {
            name,
            queue: Arc::clone(&queue),
            gone: gone.clone(),
        };
        present.members.insert(number, entry);
        present.tell_all(announcement);
        Member {
            room: self.clone(),
            number,
            address,
            queue,
            gone,
        }
    }

    // Whoever holds this lock puts a line into every queue before anybody
    // else can put in theirs. So everybody hears all lines in one order.
    fn lock(&self) -> MutexGuard<'_, Present> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Present {
    /// Puts a line into every queue. Nobody is waited for: a client whose
    /// queue is full loses its place, and the others are told.
    fn tell_all(&mut self, text: String) {
        let mut texts = VecDeque::from([text]);
        while let Some(text) = texts.pop_front() {
            log::line(log::shown(&text));
            let line: Arc<str> = format!("{text}\n").into();
            let behind =
                |_: &u64, member: &mut Entry| !member.queue.push(&line);
            for (_, member) in self.members.extract_if(.., behind) {
                let word = "* you fell too far behind: goodbye\n";
                member.queue.end_with(word.into());
                member.gone.cancel();
                let name = &member.name;
                texts.push_back(format!("* {name} fell too far behind"));
            }
        }
    }

    fn rename(&mut self, number: u64, name: &str) -> Result<(), String> {
        let is_good = |c: char| {
            (c.is_alphanumeric() && !INVISIBLE.contains(&c))
                || matches!(c, '-' | '_')
        };
        let length = name.chars().count();
        if !(1..=LONGEST_NAME).contains(&length) || !name.chars().all(is_good) {
            return Err(format!(
                "* not a name: 1 to {LONGEST_NAME} letters, digits, - or _"
            ));
        }
        // "ada" beside "Ada" is for deceiving people.
        let key = name.to_lowercase();
        let taken = self.members.iter().any(|(other, member)| {
            *other != number && member.name.to_lowercase() == key
        });
        if taken || key == "server" {
            return Err(format!("* the name {name} is taken"));
        }
        if let Some(member) = self.members.get_mut(&number) {
            let before = std::mem::replace(&mut member.name, name.to_owned());
            self.tell_all(format!("* {before} is now {name}"));
        }
        Ok(())
    }
}

impl Member {
    /// Takes one line from this client: a name, or words for everybody.
    ///
    /// Waits while much of what it has still to be sent is unread: who does
    /// not read is not listened to, and so cannot flood itself out.
    pub async fn say(&self, line: Line) {
        self.queue.half_empty().await;
        let mut present = self.room.lock();
        let Some(member) = present.members.get(&self.number) else {
            return; // it has lost its place
        };
        let refused = match line {
            Line::Text(text) => match text.strip_prefix("/name") {
                Some(name) if name.is_empty() || name.starts_with(' ') => {
                    present.rename(self.number, log::trimmed(name)).err()
                }
                _ if text.is_empty() => None,
                // Also those who listen with a plain `nc` must be safe.
                _ => {
                    let text = text.replace(log::drives_terminal, " ");
                    let said = format!("{}: {text}", member.name);
                    present.tell_all(said);
                    None
                }
            },
            Line::TooLong => {
                Some(format!("* not sent: a line may have {LONGEST} bytes"))
            }
            Line::NotUtf8 => {
                Some("* not sent: a line must be UTF-8".to_owned())
            }
        };
        if let Some(why) = refused {
            // Half of its queue is free.
            self.queue.push(&format!("{why}\n").into());
        }
    }

    /// Gives up the place; the others are told.
    pub fn leave(&self) {
        let mut present = self.room.lock();
        if let Some(member) = present.members.remove(&self.number) {
            present.tell_all(format!("* {} left", member.name));
        }
        self.queue.end();
        self.gone.cancel();
    }

    /// What to write to this client next; `None` when that was all.
    pub async fn next(&self) -> Option<Vec<u8>> {
        self.queue.next().await
    }

    /// Where it came from.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Goes on with `serving`, but for at most ten seconds after it has
    /// left or was dropped.
    ///
    /// # Errors
    /// Those of `serving`.
    pub async fn unless_overdue<T>(
        &self,
        serving: impl Future<Output = io::Result<T>>,
    ) -> io::Result<()> {
        let overdue = async {
            self.gone.cancelled().await;
            time::sleep(PATIENCE).await;
        };
        tokio::select! {
            served = serving => served.map(drop),
            () = overdue => Ok(()),
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.leave();
    }
}
