//! server-sent-events: the server speaks unasked, so there are no round trips.
//! The bench is a client that reads whole events and checks their order.

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use memchr::memmem;

use super::start::{QUIET, command, listening};
use super::transport::{Peer, Program, Start, Transport};
use crate::load;
use crate::load::exchange::{Exchange, Reply};
use crate::load::link::{Fds, Link};
use crate::sample::{Measure, What, what};

/// Events to every client.
pub(super) struct Events;

/// How many events the server remembers for those who come later.
const REMEMBERED: usize = 100;

/// What each event says, before its number.
const MESSAGE: &str = "hello";

/// An event as the load receives it: without its id and its number.
const EVENT: &[u8] = b"data: hello\n\n";

/// What a new client asks for.
const REQUEST: &str = "GET /events HTTP/1.1\r\nHost: bench\r\n";

impl Transport for Events {
    fn name(&self) -> &'static str {
        "server-sent-events"
    }

    fn title(&self) -> &'static str {
        "SSE"
    }

    fn measures(&self, quick: bool) -> Vec<What> {
        // Most clients first: they warm the server up for the few.
        let clients: &[usize] = if quick { &[64, 1] } else { &[64, 8, 1] };
        let memory: &[usize] = match quick {
            true => &[0, 1000],
            false => &[0, 1000, 3000, 10_000],
        };
        let mut all = vec![
            what(Measure::CatchUp, 1),
            what(Measure::CatchUp, 64),
            what(Measure::Start, 0),
        ];
        all.extend(clients.iter().map(|size| what(Measure::Push, *size)));
        all.extend(memory.iter().map(|size| what(Measure::Memory, *size)));
        all
    }

    /// The first event.
    fn exchange(&self, _: usize, _: usize) -> Exchange {
        Exchange {
            request: b"\r\n".to_vec(), // connecting sends the rest
            reply: Reply::Exact(EVENT.to_vec()),
        }
    }

    /// All that is remembered.
    fn to_all(&self, _: usize, _: usize) -> Exchange {
        Exchange {
            reply: Reply::Exact(EVENT.repeat(REMEMBERED)),
            ..self.exchange(0, 0)
        }
    }

    fn start(&self, program: &Program, start: Start<'_>) -> Result<Peer> {
        let mut command = command(self, program, "server", "")?;
        command.args(["127.0.0.1:0", "--message", MESSAGE]);
        command.args(match start.measure {
            Measure::CatchUp => ["--every=1", "--count=100"], // REMEMBERED
            Measure::Push => ["--every=20", "--count=1000000"],
            _ => ["--every=1", "--count=1"],
        });
        command.env(QUIET, "1");
        let (half, address) = listening(&mut command)?;
        let newest = Rc::new(Cell::new(0));
        let is_push = start.measure == Measure::Push;
        let peer = Peer::new(half, move || {
            let mut fds = Fds::tcp(&address)
                .with_context(|| format!("connect to {address}"))?;
            let mut request = REQUEST.to_owned();
            if is_push {
                // What comes is to be new, and not what is remembered.
                let id = newest.get();
                request += &format!("Last-Event-ID: {id}\r\n");
            }
            fds.send(request.as_bytes())?;
            Ok(Stream::new(fds, Rc::clone(&newest)))
        });
        if start.measure == Measure::CatchUp {
            // Until everything has been published that is to be remembered.
            let all = self.to_all(0, 0);
            load::catch_up(&peer.connect, 1, &all, Duration::ZERO)?;
        }
        Ok(peer)
    }
}

/// One response without an end, of which the load receives the events.
struct Stream {
    fds: Fds,
    /// Whether the head of the response has arrived.
    answered: bool,
    /// Received, and not yet a whole chunk.
    begun: Vec<u8>,
    /// What the chunks hold, and is not yet a whole event.
    text: Vec<u8>,
    /// Events that the load has not yet received.
    whole: Vec<u8>,
    /// The id and the number of the last event.
    last: Option<[u64; 2]>,
    /// The greatest id that any client has received.
    newest: Rc<Cell<u64>>,
}

impl Stream {
    fn new(fds: Fds, newest: Rc<Cell<u64>>) -> Self {
        Self {
            fds,
            answered: false,
            begun: Vec::new(),
            text: Vec::new(),
            whole: Vec::new(),
            last: None,
            newest,
        }
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.begun.extend(bytes);
        if !self.answered {
            let Some(end) = memmem::find(&self.begun, b"\r\n\r\n") else {
                return Ok(());
            };
            if !self.begun.starts_with(b"HTTP/1.1 200 ") {
                return Err(wrong("no stream", &self.begun[..end]));
            }
            self.begun.drain(..end + 4);
            self.answered = true;
        }
        let mut done = 0;
        while let Some((chunk, length)) = first_chunk(&self.begun[done..])? {
            self.text.extend(chunk);
            done += length;
        }
        self.begun.drain(..done);
        let mut done = 0;
        while let Some(end) = memmem::find(&self.text[done..], b"\n\n") {
            let text = &self.text[done..done + end];
            if let Some(event) = parsed(text, self.last.is_none())? {
                let next = self
                    .last
                    .is_none_or(|last| event == last.map(|number| number + 1));
                if !next {
                    return Err(wrong("not the next event", text));
                }
                self.last = Some(event);
                self.newest.set(event[0].max(self.newest.get()));
                self.whole.extend(EVENT);
            }
            done += end + 2;
        }
        self.text.drain(..done);
        Ok(())
    }
}

/// What the first chunk holds, and how long all of it is, once it is whole.
fn first_chunk(bytes: &[u8]) -> io::Result<Option<(&[u8], usize)>> {
    let Some(head) = memmem::find(bytes, b"\r\n") else {
        return Ok(None);
    };
    let length = std::str::from_utf8(&bytes[..head]).ok();
    let length = length.and_then(|text| usize::from_str_radix(text, 16).ok());
    let Some(length @ 1..) = length else {
        return Err(wrong("no further chunk", &bytes[..head]));
    };
    let (begin, end) = (head + 2, head + 2 + length);
    Ok(bytes
        .get(begin..end + 2)
        .map(|_| (&bytes[begin..end], end + 2)))
}

/// The id and the number of an event; none for what a client passes over. Only
/// what comes `first` may say that others were missed.
fn parsed(text: &[u8], first: bool) -> io::Result<Option<[u64; 2]>> {
    let lines = String::from_utf8_lossy(text);
    let field = |name: &str| {
        let mut lines = lines.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    };
    let Some(data) = field("data") else {
        return Ok(None); // a comment, or `retry`
    };
    match field("event") {
        Some("missed") if first => return Ok(None),
        // A busy machine does that, too.
        Some("missed") => {
            return Err(io::Error::other("the server fell behind"));
        }
        _ => {}
    }
    let number = data.strip_prefix(MESSAGE).map(str::trim_start);
    let number = number.and_then(|text| text.parse().ok());
    let id = field("id").and_then(|text| text.parse().ok());
    match (id, number) {
        (Some(id), Some(number)) => Ok(Some([id, number])),
        _ => Err(wrong("no event of ours", text)),
    }
}

fn wrong(what: &str, bytes: &[u8]) -> io::Error {
    let bytes = String::from_utf8_lossy(bytes);
    io::Error::new(ErrorKind::InvalidData, format!("{what}: {bytes:?}"))
}

impl Link for Stream {
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.fds.send(bytes)
    }

    fn receive(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let mut bytes = [0; 16 * 1024];
        while self.whole.is_empty() {
            match self.fds.receive(&mut bytes)? {
                0 => return Ok(0),
                length => self.take(&bytes[..length])?,
            }
        }
        let length = self.whole.len().min(room.len());
        room[..length].copy_from_slice(&self.whole[..length]);
        self.whole.drain(..length);
        Ok(length)
    }

    fn set_blocking(&mut self, blocking: bool) -> io::Result<()> {
        self.fds.set_blocking(blocking)
    }

    fn wait(&mut self, or_send: bool, limit: Duration) -> io::Result<()> {
        self.fds.wait(or_send, limit)
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    /// What a client makes of this answer, which comes a byte at a time.
    fn received(answer: &str) -> io::Result<Vec<u8>> {
        let (ours, _) = UnixStream::pair()?;
        let (one, other) = (ours.try_clone()?, ours);
        let fds = Fds::pair(OwnedFd::from(one), OwnedFd::from(other));
        let mut stream = Stream::new(fds, Rc::default());
        for byte in answer.bytes() {
            stream.take(&[byte])?;
        }
        Ok(stream.whole)
    }

    #[test]
    fn whole_events_arrive_however_they_are_cut() {
        let answer = "HTTP/1.1 200 OK\r\nDate: today\r\n\r\n\
             d\r\nretry: 1000\n\n\r\n16\r\nid: 41\ndata: hello 1\n\n\r\n\
             d\r\n: heartbeat\n\n\r\n5\r\nid: 4\r\n11\r\n2\ndata: hello 2\n\n\r\n";
        assert_eq!(received(answer).unwrap(), EVENT.repeat(2));
    }

    #[test]
    fn an_event_that_is_left_out_or_spoilt_fails_the_run() {
        let answer = |events: &str| {
            let length = events.len();
            let head = "HTTP/1.1 200 OK\r\n\r\n";
            received(&format!("{head}{length:x}\r\n{events}\r\n"))
        };
        let first = "id: 41\ndata: hello 1\n\n";
        assert_eq!(answer(first).unwrap(), EVENT);
        for second in [
            "id: 43\ndata: hello 2\n\n",
            "id: 42\ndata: hello 3\n\n",
            "id: 42\nevent: message\ndata: hallo 2\n\n",
        ] {
            let error = answer(&format!("{first}{second}")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{second}");
        }
        // A new client has missed something, and one that listens must not.
        let missed = "id: 9\nevent: missed\ndata: some events\n\n";
        assert_eq!(answer(&format!("{missed}{first}")).unwrap(), EVENT);
        answer(&format!("{first}{missed}")).unwrap_err();
        received("HTTP/1.1 404 Not Found\r\n\r\n").unwrap_err();
        received("HTTP/1.1 200 OK\r\n\r\n0\r\n").unwrap_err();
    }
}
