//! Connections that came from a server in Node: it asks how many of them are
//! still open.

use std::collections::HashMap;
use std::sync::{Mutex, Weak};

use crate::elsewhere::{Elsewhere, Questions};
use crate::frames::Descriptor;
use crate::handle::{Identity, Open};

/// The longest key that is kept. Node's are an address and a port, or a path;
/// a peer of another kind must not fill the memory with them.
const LONGEST_KEY: usize = 1024;

/// How many closed connections are kept in mind at least, so that not every
/// new one has all looked through.
const MOST_CLOSED: usize = 64;

/// The connections that came from a server in Node, which wants to know how
/// many are still open before it closes.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    /// The sockets, for each key of Node's.
    keys: HashMap<String, Vec<Identity>>,
    /// The channels over which some of them were handed on.
    elsewhere: HashMap<String, Vec<Elsewhere>>,
    /// The channel that they came over. What goes back over it is known there.
    own: Weak<Mutex<Questions>>,
    /// How many there were when the closed ones were last left out.
    open: usize,
    /// How many have come since then.
    new: usize,
}

impl Connections {
    pub(crate) fn of(own: Weak<Mutex<Questions>>) -> Self {
        Self {
            own,
            ..Self::default()
        }
    }

    pub(crate) fn add(&mut self, key: String, socket: &Descriptor) {
        // To look what is open takes the longer, the more there is. Each time
        // that there is twice as much, is seldom enough.
        if self.new > self.open.max(MOST_CLOSED)
            && let Some(open) = Open::now()
        {
            self.keys.retain(|_, sockets| {
                sockets.retain(|socket| open.contains(socket));
                !sockets.is_empty()
            });
            self.open = self.keys.values().map(Vec::len).sum();
            self.new = 0;
        }
        if key.len() <= LONGEST_KEY
            && let Some(identity) = Identity::of(socket)
        {
            self.keys.entry(key).or_default().push(identity);
            self.new += 1;
        }
    }

    /// Connections with this key were handed on.
    pub(crate) fn hand_on(&mut self, key: String, to: Elsewhere) {
        if key.len() > LONGEST_KEY || to.is(&self.own) {
            return;
        }
        let known = self.elsewhere.entry(key).or_default();
        known.retain(Elsewhere::is_there);
        if !known.iter().any(|one| one.is_same(&to)) {
            known.push(to);
        }
    }

    /// Where connections with this key were handed on to.
    pub(crate) fn elsewhere(&self, key: &str) -> Vec<Elsewhere> {
        self.elsewhere.get(key).cloned().unwrap_or_default()
    }

    /// How many that came with this key are still open in this process.
    ///
    /// Such a socket may be used freely, and dropped without notice: the
    /// system knows what is open.
    pub(crate) fn count(&mut self, key: &str) -> usize {
        let Some(sockets) = self.keys.get_mut(key) else {
            return 0;
        };
        if let Some(open) = Open::now() {
            sockets.retain(|socket| open.contains(socket));
        }
        sockets.len()
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn other_sockets_are_not_taken_for_a_closed_connection() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let connect = || {
            let client = TcpStream::connect(address).unwrap();
            (client, server.accept().unwrap().0)
        };
        let (_client, other) = connect();
        let (client, ours) = connect();
        let ours = Descriptor::from(ours);
        let mut connections = Connections::default();
        connections.add("k".to_owned(), &ours);
        assert_eq!(connections.count("k"), 1);
        // Windows cannot tell which sockets are the same connection.
        #[cfg(unix)]
        let ours = {
            let copy = ours.try_clone().unwrap();
            drop(ours);
            copy
        };
        assert_eq!(connections.count("k"), 1);
        drop(ours);
        assert_eq!(connections.count("k"), 0);
        drop((client, other));
    }

    #[cfg(unix)]
    #[test]
    fn closed_connections_are_forgotten() {
        use std::os::unix::net::UnixStream;

        let mut connections = Connections::default();
        let known = |connections: &Connections| -> usize {
            connections.keys.values().map(Vec::len).sum()
        };
        let mut open: Vec<Descriptor> = Vec::new();
        for count in 0..1000 {
            let (one, _other) = UnixStream::pair().unwrap();
            let one: Descriptor = one.into();
            // Some under keys that nobody asks for again.
            let key = if count % 2 == 0 {
                "k"
            } else {
                &count.to_string()
            };
            connections.add(key.to_owned(), &one);
            assert!(known(&connections) <= 2 * MOST_CLOSED + 2);
            if count % 100 == 0 {
                open.push(one);
            }
        }
        assert_eq!(connections.count("k"), open.len());
        assert!(connections.keys.len() <= MOST_CLOSED + 2);
    }
}
