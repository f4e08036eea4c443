//! A worker of Node's `cluster`: a Rust program that a Node primary starts,
//! and that serves from the sockets which the primary hands to it.
//!
//! `cluster.fork()` runs `process.execPath`, with the option `exec` as its
//! script: a primary that sets only `exec` has Node read the program as
//! JavaScript. It takes both:
//!
//! ```js
//! cluster.setupPrimary({ exec: program, args: [], execArgv: [] })
//! process.execPath = program
//! ```
//!
//! The primary owns the port. A worker asks it to listen (`queryServer`), and
//! gets either single connections, in turn with the other workers
//! (`SCHED_RR`, the default), or the listening socket itself, shared with
//! them (`SCHED_NONE`). [`Worker::next`] hides the difference.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};

use crate::child::{self, ChildError, Inherited};
#[cfg(unix)]
use crate::frames::Descriptor;
use crate::{Channel, Error, Handle, Incoming, Message, Sender};

/// How many clients may wait to be accepted, in Node.
const BACKLOG: i32 = 511;

/// What the messages of a cluster are called.
const CMD: &str = "NODE_CLUSTER";

/// A worker of a Node cluster.
#[derive(Debug)]
pub struct Worker {
    channel: Channel,
    id: u32,
    /// The number of the next message to the primary.
    sequence: u64,
    listeners: Vec<Listener>,
    /// How many servers have been asked for at an address and a port.
    asked: HashMap<(IpAddr, u16), usize>,
    /// What came while an answer was awaited.
    early: VecDeque<Result<Event, Error>>,
    /// The primary has asked to stop: all but the channel's end is done.
    leaving: bool,
    /// The channel has ended, from here or from there.
    stopped: bool,
}

#[derive(Debug)]
struct Listener {
    /// What the primary calls it.
    key: String,
    /// The socket itself, where the workers share it.
    shared: Option<TcpListener>,
}

/// What happens to a worker.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// A client has connected.
    Connection(TcpStream),
    /// The primary has sent a message: `worker.send()` in Node.
    Message(Message),
}

/// What the primary says.
#[derive(Debug, Deserialize)]
struct FromPrimary {
    cmd: String,
    act: Option<String>,
    ack: Option<u64>,
    seq: Option<u64>,
    key: Option<String>,
    errno: Option<i32>,
    sockname: Option<Name>,
}

impl FromPrimary {
    /// Why there is no socket: an error of the system's, below 0.
    fn refusal(&self) -> Option<i32> {
        self.errno.filter(|code| *code < 0)
    }

    /// This answers a question for a server, and the primary has it.
    fn granted(&self) -> bool {
        self.ack.is_some() && self.key.is_some() && self.refusal().is_none()
    }
}

/// An address as Node writes it.
#[derive(Debug, Deserialize)]
struct Name {
    address: Option<IpAddr>,
    port: Option<u16>,
}

/// What a worker says.
#[derive(Clone, Debug, Default, Serialize)]
struct ToPrimary<'a> {
    cmd: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<&'static str>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    server: Option<Server>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ack: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted: Option<bool>,
    seq: u64,
}

/// A server as Node describes it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Server {
    index: usize,
    data: Option<()>,
    address: IpAddr,
    port: u16,
    address_type: u8,
    flags: u8,
    backlog: i32,
}

/// Makes a worker of this process. Once, before the first thread, and within
/// a tokio runtime, as [`crate::child::channel`].
///
/// # Errors
/// When there is no channel, or the parent is not the primary of a cluster:
/// after [`ChildError::NotAWorker`], [`child::channel`] still finds it.
pub async fn worker() -> Result<Worker, ChildError> {
    let id = child::worker()?;
    let channel = Inherited::take()?.open()?;
    let worker = Worker::new(channel, id).await;
    worker.map_err(|error| ChildError::Io(std::io::Error::other(error)))
}

impl Worker {
    /// Tells the primary that worker `id` is online, on its channel.
    ///
    /// # Errors
    /// When the channel has ended.
    pub async fn new(channel: Channel, id: u32) -> Result<Self, Error> {
        let mut worker = Self {
            channel,
            id,
            sequence: 0,
            listeners: Vec::new(),
            asked: HashMap::new(),
            early: VecDeque::new(),
            leaving: false,
            stopped: false,
        };
        worker.act("online")?;
        Ok(worker)
    }

    /// This worker's number: `cluster.worker.id` in Node.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The worker leaves on purpose: the primary has asked it to, or
    /// [`Self::disconnect`] was called. When [`Self::next`] says that it is
    /// time to stop and this is false, the primary has died. Node's own
    /// workers end at once then, and let no client finish.
    pub fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Sends messages to the primary, where they are `'message'` events of
    /// the worker.
    pub fn sender(&self) -> Sender {
        self.channel.sender()
    }

    /// Has the primary listen at `address`; returns the address with its
    /// port. All workers that ask for the same address share it; to ask for
    /// it a second time makes a second server there.
    ///
    /// Cancelled, the primary may listen there all the same: its answer is
    /// taken, and the socket given back, by whatever is called next.
    ///
    /// # Errors
    /// [`Error::Io`] when the primary cannot listen there, and
    /// [`Error::Closed`] when it has gone or wants this worker to leave:
    /// [`Self::next`] says the rest.
    pub async fn listen(
        &mut self,
        address: SocketAddr,
    ) -> Result<SocketAddr, Error> {
        if self.leaving {
            return Err(Error::Closed);
        }
        // As Node counts: the order of other addresses does not matter.
        let place = (address.ip(), address.port());
        let index = self.asked.get(&place).copied().unwrap_or(0);
        let mut server = Server {
            index,
            data: None,
            address: address.ip(),
            port: address.port(),
            address_type: if address.is_ipv6() { 6 } else { 4 },
            flags: 0,
            backlog: BACKLOG,
        };
        let asked = self.say(ToPrimary {
            act: Some("queryServer"),
            server: Some(server.clone()),
            ..ToPrimary::default()
        })?;
        // Whatever comes of it: Node dies of a question for what this worker
        // has already.
        self.asked.insert(place, index + 1);
        let (answer, handle) = loop {
            if let Some(answer) = self.receive(asked).await? {
                break answer;
            }
            // There will be no answer.
            if self.leaving {
                return Err(Error::Closed);
            }
        };
        if let Some(code) = answer.refusal() {
            // It has forgotten this one, and the other workers will ask for
            // it again.
            self.asked.insert(place, index);
            let error = std::io::Error::from_raw_os_error(code.wrapping_neg());
            return Err(error.into());
        }
        let key = answer.key.unwrap_or_default();
        let shared = match shared(handle) {
            Ok(shared) => shared,
            Err(error) => {
                or_closed(self.close(&key))?;
                // Given back: the next question is for the same one.
                self.asked.insert(place, index);
                return Err(error.into());
            }
        };
        let mut bound = address;
        if let Some((_, address)) = &shared {
            bound = *address;
        } else if let Some(name) = &answer.sockname {
            bound.set_ip(name.address.unwrap_or(bound.ip()));
            bound.set_port(name.port.unwrap_or(bound.port()));
        }
        let shared = shared.map(|(listener, _)| listener);
        self.listeners.push(Listener { key, shared });
        server.port = bound.port();
        self.say(ToPrimary {
            act: Some("listening"),
            server: Some(server),
            ..ToPrimary::default()
        })?;
        Ok(bound)
    }

    /// Waits for the next connection or message. `None` when it is time to
    /// stop: the primary has said so, or has gone. Connections that are open
    /// then may be finished. Safe to cancel.
    ///
    /// # Errors
    /// As [`Channel::recv`], and when a connection cannot be accepted.
    pub async fn next(&mut self) -> Option<Result<Event, Error>> {
        loop {
            if let Some(early) = self.early.pop_front() {
                return Some(early);
            }
            if self.stopped {
                return None;
            }
            if self.leaving {
                match self.leave().await {
                    // There may be events that came meanwhile.
                    Ok(()) | Err(Error::Closed) => continue,
                    Err(error) => return Some(Err(error)),
                }
            }
            let incoming = tokio::select! {
                accepted = accept(&self.listeners) => {
                    let accepted = accepted.map(Event::Connection);
                    return Some(accepted.map_err(Error::Io));
                }
                incoming = self.channel.recv_any() => incoming,
            };
            let event = match incoming {
                Some(Ok(incoming)) => self.handle(incoming).transpose(),
                Some(Err(error)) => Some(Err(error)),
                None => {
                    self.stopped = true;
                    None
                }
            };
            if event.is_some() {
                return event;
            }
        }
    }

    /// Answers at once, without waiting: what has been taken from the channel
    /// must not be lost when somebody stops waiting.
    fn handle(&mut self, incoming: Incoming) -> Result<Option<Event>, Error> {
        let mut message = match incoming {
            Incoming::Message(message) => {
                return Ok(Some(Event::Message(message)));
            }
            Incoming::Internal(message) => message,
        };
        let Some(said) = of_primary(&message)? else {
            return Ok(None);
        };
        let key = said.key.as_deref().unwrap_or_default();
        let ours = self.listeners.iter().any(|one| one.key == key);
        match said.act.as_deref() {
            Some("newconn") => {
                let stream = match message.handle.take() {
                    Some(Handle::TcpStream(stream)) if ours => Some(stream),
                    // The primary gives it to another worker.
                    _ => None,
                };
                let answer = ToPrimary {
                    ack: said.seq,
                    accepted: Some(stream.is_some()),
                    ..ToPrimary::default()
                };
                or_closed(self.say(answer))?;
                Ok(stream.map(Event::Connection))
            }
            Some("disconnect") => {
                self.leaving = true;
                or_closed(self.close_listeners())?;
                Ok(None)
            }
            // An answer that somebody has ceased to wait for.
            None if said.granted() && !ours => {
                or_closed(self.close(key))?;
                Ok(None)
            }
            _ => Ok(None),
        }
    }

    /// Leaves the cluster: no more connections, then the end of the channel.
    /// The primary knows then that it was on purpose, and does not start
    /// another worker. [`Self::next`] hands out what has come before.
    ///
    /// # Errors
    /// When the channel has ended before.
    pub async fn disconnect(&mut self) -> Result<(), Error> {
        // From now on, clients that come are given back.
        self.close_listeners()?;
        let said = self.act("exitedAfterDisconnect")?;
        // Cancelled from here on, `next` goes on with it.
        self.leaving = true;
        // Node answers this one in any case.
        while self.receive(said).await?.is_none() {}
        self.leave().await
    }

    /// Ends the channel. What comes meanwhile is kept: with it comes the
    /// acknowledgement of a socket that is on its way to the primary.
    async fn leave(&mut self) -> Result<(), Error> {
        let sender = self.channel.sender();
        let listening = async {
            while let Some(incoming) = self.channel.recv_any().await {
                self.keep(incoming);
            }
            // Then the other one ends, too.
            std::future::pending().await
        };
        let ended = tokio::select! {
            ended = sender.disconnect() => ended,
            never = listening => never,
        };
        self.stopped = true;
        ended
    }

    fn close_listeners(&mut self) -> Result<(), Error> {
        for listener in std::mem::take(&mut self.listeners) {
            self.close(&listener.key)?;
        }
        Ok(())
    }

    /// Gives a server back to the primary.
    fn close(&mut self, key: &str) -> Result<u64, Error> {
        self.say(ToPrimary {
            act: Some("close"),
            key: Some(key),
            ..ToPrimary::default()
        })
    }

    fn act(&mut self, act: &'static str) -> Result<u64, Error> {
        self.say(ToPrimary {
            act: Some(act),
            ..ToPrimary::default()
        })
    }

    /// Sends a message to the primary; returns its number. It is queued if
    /// the primary does not read: it says little before it has an answer.
    fn say(&mut self, message: ToPrimary<'_>) -> Result<u64, Error> {
        let seq = self.sequence;
        self.sequence += 1;
        let message = ToPrimary {
            cmd: CMD,
            seq,
            ..message
        };
        self.channel.try_send(&message)?;
        Ok(seq)
    }

    /// Waits for what comes next: the primary's answer to message `seq`, or
    /// something else, which is dealt with, and the events of it are kept.
    async fn receive(
        &mut self,
        seq: u64,
    ) -> Result<Option<(FromPrimary, Option<Handle>)>, Error> {
        let incoming = self.channel.recv_any().await;
        let mut incoming = incoming.ok_or(Error::Closed)?;
        if let Ok(Incoming::Internal(message)) = &mut incoming
            && let Ok(Some(said)) = of_primary(message)
            && said.ack == Some(seq)
        {
            return Ok(Some((said, message.handle.take())));
        }
        self.keep(incoming);
        Ok(None)
    }

    /// Deals with what has come, and keeps the event of it.
    fn keep(&mut self, incoming: Result<Incoming, Error>) {
        let event = incoming.and_then(|incoming| self.handle(incoming));
        self.early.extend(event.transpose());
    }
}

/// The socket that the workers share, if they do, and its address.
fn shared(
    handle: Option<Handle>,
) -> std::io::Result<Option<(TcpListener, SocketAddr)>> {
    let listener = match handle {
        Some(Handle::TcpListener(listener)) => listener,
        // The primary has only bound it; to listen is left to us.
        #[cfg(unix)]
        Some(Handle::TcpStream(bound)) => {
            let bound = bound.into_std()?;
            // Or not even that: Node hands it out all the same when the
            // address is in use, and it would listen anywhere.
            if bound.local_addr()?.port() == 0 {
                return Err(rustix::io::Errno::ADDRINUSE.into());
            }
            rustix::net::listen(&bound, BACKLOG)?;
            TcpListener::from_std(Descriptor::from(bound).into())?
        }
        _ => return Ok(None),
    };
    let address = listener.local_addr()?;
    Ok(Some((listener, address)))
}

/// A message of the cluster's. What else is Node's own is for nobody here.
fn of_primary(message: &Message) -> Result<Option<FromPrimary>, Error> {
    #[derive(Deserialize)]
    struct Named {
        cmd: String,
    }
    match message.parse::<FromPrimary>() {
        Ok(said) => Ok((said.cmd == CMD).then_some(said)),
        Err(error) => match message.parse::<Named>() {
            Ok(named) if named.cmd == CMD => Err(error),
            _ => Ok(None),
        },
    }
}

/// The primary has gone: its end is to be received next, after all that it
/// has sent.
fn or_closed<T>(said: Result<T, Error>) -> Result<(), Error> {
    match said {
        Ok(_) | Err(Error::Closed) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The next connection to a socket that is shared with the other workers;
/// waits indefinitely when there is none.
async fn accept(listeners: &[Listener]) -> std::io::Result<TcpStream> {
    std::future::poll_fn(|context| {
        for listener in listeners.iter().filter_map(|one| one.shared.as_ref()) {
            if let std::task::Poll::Ready(accepted) =
                listener.poll_accept(context)
            {
                return std::task::Poll::Ready(
                    accepted.map(|(stream, _)| stream),
                );
            }
        }
        std::task::Poll::Pending
    })
    .await
}
