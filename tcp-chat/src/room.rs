//! Who is in the chat, and the one place where all lines get their order.
//!
//! Node twin: `node/room.js`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::log;
use tokio::sync::{Notify, mpsc};
use tokio::task;

/// How many lines can wait for one client.
const CAPACITY: usize = 1024;

/// The longest name, in characters.
const LONGEST_NAME: usize = 24;

/// Letters that show nothing: no name may consist of them.
const INVISIBLE: [char; 4] = ['\u{115F}', '\u{1160}', '\u{3164}', '\u{FFA0}'];

/// Everybody who is connected.
#[derive(Debug, Default)]
pub struct Room(Mutex<Clients>);

type Clients = BTreeMap<SocketAddr, Client>;

#[derive(Debug)]
struct Client {
    name: String,
    /// Bounded: a client that does not read must not fill our memory. The
    /// text is shared: a line that waits in 1,000 queues is kept once.
    queue: mpsc::Sender<Arc<str>>,
    /// Wakes `wait_for_space` when lines have left the queue.
    taken: Arc<Notify>,
}

/// The lines that wait for one client.
#[derive(Debug)]
pub struct Queue {
    lines: mpsc::Receiver<Arc<str>>,
    taken: Arc<Notify>,
}

impl Queue {
    /// Waits for lines, and takes all that are there. `None` at the end.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        let mut lines = Vec::new();
        let count = self.lines.recv_many(&mut lines, CAPACITY).await;
        self.taken.notify_one();
        (count > 0).then(|| lines.concat().into_bytes())
    }
}

impl Room {
    /// Takes a client in. Its name is its address until it chooses one.
    pub fn join(&self, address: SocketAddr) -> Queue {
        // One place more, for the line that says why it is dropped.
        let (queue, lines) = mpsc::channel(CAPACITY + 1);
        let taken = Arc::new(Notify::new());
        let client = Client {
            name: address.to_string(),
            queue,
            taken: Arc::clone(&taken),
        };
        let mut clients = self.lock();
        clients.insert(address, client);
        broadcast(&mut clients, &format!("* {address} joined"));
        Queue { lines, taken }
    }

    /// Gives up the client's place, and tells the others. What waits in its
    /// queue is still sent.
    pub fn leave(&self, address: SocketAddr) {
        let mut clients = self.lock();
        if let Some(client) = clients.remove(&address) {
            broadcast(&mut clients, &format!("* {} left", client.name));
        }
    }

    /// Everybody leaves.
    pub fn close(&self) {
        let clients: Vec<SocketAddr> = self.lock().keys().copied().collect();
        for address in clients {
            self.leave(address);
        }
    }

    /// Waits while half of this client's queue still waits for it.
    pub async fn wait_for_space(&self, address: SocketAddr) {
        // One read may have brought many lines: first let the other tasks
        // send what waits for their clients.
        task::yield_now().await;
        while let Some(taken) = self.is_behind(address) {
            taken.notified().await;
        }
    }

    fn is_behind(&self, address: SocketAddr) -> Option<Arc<Notify>> {
        let clients = self.lock();
        let client = clients.get(&address)?;
        let is_behind = client.queue.capacity() <= CAPACITY / 2;
        is_behind.then(|| Arc::clone(&client.taken))
    }

    /// Handles a line from a client: a new name, or text for everybody.
    pub fn handle(&self, address: SocketAddr, line: &str) {
        let mut clients = self.lock();
        let Some(client) = clients.get_mut(&address) else {
            return; // dropped as a slow consumer
        };
        let text = match line.strip_prefix("/name") {
            Some(name) if name.is_empty() || name.starts_with(' ') => {
                let before = client.name.clone();
                match rename(&mut clients, address, name.trim()) {
                    Ok(name) => format!("* {before} is now {name}"),
                    Err(reason) => {
                        drop(clients);
                        return self.tell(address, &reason);
                    }
                }
            }
            _ if line.is_empty() => return,
            // Escaped here, since a client may be a plain `nc`: a control
            // character could clear its screen.
            _ => format!("{}: {}", client.name, log::escaped(line)),
        };
        broadcast(&mut clients, &text);
    }

    /// Tells something to one client only.
    fn tell(&self, address: SocketAddr, text: &str) {
        if let Some(client) = self.lock().get(&address) {
            // Half of its queue is free: see wait_for_space().
            let _ = client.queue.try_send(format!("{text}\n").into());
        }
    }

    // A task that holds this lock puts a line into every queue before another
    // task can. So all clients get all lines in the same order.
    fn lock(&self) -> MutexGuard<'_, Clients> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts a line into every queue and waits for nobody. A slow consumer, whose
/// queue is full, is dropped, and the others are told.
fn broadcast(clients: &mut Clients, text: &str) {
    log::line(log::shown(text));
    let line: Arc<str> = format!("{text}\n").into();
    let mut dropped = Vec::new();
    clients.retain(|_, client| {
        let has_room = client.queue.capacity() > 1;
        let line = match has_room {
            true => Arc::clone(&line),
            false => "* you fell too far behind: goodbye\n".into(),
        };
        let _ = client.queue.try_send(line);
        if !has_room {
            dropped.push(client.name.clone());
        }
        has_room
    });
    for name in dropped {
        broadcast(clients, &format!("* {name} fell too far behind"));
    }
}

/// Gives a client this name.
fn rename(
    clients: &mut Clients,
    address: SocketAddr,
    name: &str,
) -> Result<String, String> {
    let is_good = |c: char| {
        (c.is_alphanumeric() && !INVISIBLE.contains(&c)) || "-_".contains(c)
    };
    let length = name.chars().count();
    if !(1..=LONGEST_NAME).contains(&length) || !name.chars().all(is_good) {
        return Err("* not a name: 1 to 24 letters, digits, - or _".into());
    }
    // "ada" beside "Ada" would deceive people, and so would "server".
    let key = name.to_lowercase();
    let is_taken = clients.iter().any(|(other, client)| {
        *other != address && client.name.to_lowercase() == key
    });
    if is_taken || key == "server" {
        return Err(format!("* the name {name} is taken"));
    }
    if let Some(client) = clients.get_mut(&address) {
        client.name = name.to_owned();
    }
    Ok(name.to_owned())
}
