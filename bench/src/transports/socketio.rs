//! socketio-chat: events over a WebSocket, by a client that knows no more of
//! either protocol than it has to.

use std::rc::Rc;

use anyhow::{Context, Result, ensure};
use harness::Half;
use memchr::memmem;
use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use super::start::{QUIET, command, listening};
use super::transport::{Peer, Program, Start, Transport};
use crate::load::exchange::{Exchange, Reply, text};
use crate::load::link::{Fds, Link};
use crate::sample::{Measure, What};

/// Chat over Socket.IO.
pub(super) struct SocketIo;

impl Transport for SocketIo {
    fn name(&self) -> &'static str {
        "socketio-chat"
    }

    fn title(&self) -> &'static str {
        "Socket.IO"
    }

    // No floor: parsing is the point here, as with HTTP.
    fn programs(&self) -> Vec<Program> {
        vec![Program::Rust, Program::Node]
    }

    fn measures(&self, _: bool) -> Vec<What> {
        let what = |measure, size| What { measure, size };
        vec![
            what(Measure::RoundTrip, 5),
            what(Measure::RoundTrip, 1 << 10),
            what(Measure::FanOut, 64),
            what(Measure::LogLine, 5),
            what(Measure::Start, 0),
            what(Measure::Memory, 0),
        ]
    }

    /// An event that all receive, the sender included, and its acknowledgement.
    fn exchange(&self, size: usize, turn: usize) -> Exchange {
        let text = message(size, turn);
        let acknowledged = frame(&format!("43{turn}[{{}}]"));
        Exchange {
            request: masked(&format!("42{turn}[\"chat message\",\"{text}\"]")),
            reply: received(&text, &acknowledged),
        }
    }

    /// The same, without an acknowledgement.
    fn to_all(&self, size: usize, turn: usize) -> Exchange {
        let text = message(size, turn);
        Exchange {
            request: masked(&format!("42[\"chat message\",\"{text}\"]")),
            reply: received(&text, b""),
        }
    }

    fn lines(&self) -> f64 {
        1.0 // who sent what
    }

    fn start(&self, program: &Program, start: Start<'_>) -> Result<Peer> {
        let mut command = command(self, program, "server", "")?;
        // No notifications of the time in between.
        command.args(["127.0.0.1:0", "--every", "86400000"]);
        if start.quiet {
            command.env(QUIET, "1");
        }
        let (half, address): (Half, String) = listening(&mut command)?;
        let count = Rc::new(Cell::new(0_u32));
        let sender = Rc::default();
        Ok(Peer {
            half,
            connect: Box::new(move || {
                let number = count.get();
                count.set(number + 1);
                let name = match number {
                    0 => NAME.to_owned(),
                    number => format!("{NAME} {number}"),
                };
                let fds = Fds::tcp(&address)
                    .with_context(|| format!("connect to {address}"))?;
                let mut link = WebSocket::new(fds, Rc::clone(&sender));
                link.enter(&name)?;
                let link: Box<dyn Link> = Box::new(link);
                Ok(link)
            }),
        })
    }
}

/// The sender's name.
const NAME: &str = "bench";

fn message(size: usize, turn: usize) -> String {
    String::from_utf8_lossy(&text(size, turn)).into_owned()
}

/// What comes back: with the time, which is not known beforehand, and then
/// what follows it.
fn received(text: &str, after: &[u8]) -> Reply {
    const DIGITS: &str = "0123456789012";

    let event = |time: &str| {
        format!(
            "42[\"chat message\",{{\"name\":\"{NAME}\",\"text\":\"{text}\",\
             \"time\":{time}}}]"
        )
    };
    let whole = frame(&event(DIGITS));
    let tail = b"}]";
    let head = whole.len() - DIGITS.len() - tail.len();
    Reply::Dated {
        head: whole[..head].to_vec(),
        digits: DIGITS.len(),
        tail: [tail, after].concat(),
    }
}

/// A text frame from the server.
fn frame(text: &str) -> Vec<u8> {
    [&header(text.len(), 0)[..], text.as_bytes()].concat()
}

/// A text frame from a client: it must be masked. Masked with zeros, it stays
/// as it is.
fn masked(text: &str) -> Vec<u8> {
    let header = header(text.len(), 0x80);
    [&header[..], &[0; 4], text.as_bytes()].concat()
}

fn header(length: usize, mask: u8) -> Vec<u8> {
    const TEXT: u8 = 0x81;
    match length {
        0..=125 => vec![TEXT, mask | length as u8],
        126..=0xFFFF => {
            let [high, low] = (length as u16).to_be_bytes();
            vec![TEXT, mask | 126, high, low]
        }
        _ => {
            let length = (length as u64).to_be_bytes();
            [&[TEXT, mask | 127], &length[..]].concat()
        }
    }
}

/// The bytes of the first frame, its header among them, once it is whole.
fn first_frame(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (begin, length) = match *bytes.get(1)? & 0x7F {
        126 => {
            let field = bytes.get(2..4)?.try_into().ok()?;
            (4, usize::from(u16::from_be_bytes(field)))
        }
        127 => {
            let field = bytes.get(2..10)?.try_into().ok()?;
            (10, usize::try_from(u64::from_be_bytes(field)).ok()?)
        }
        length => (2, usize::from(length)),
    };
    let end = begin + length;
    Some((bytes.get(..end)?, bytes.get(begin..end)?))
}

/// A connection whose frames come as they are, but for the questions whether
/// we still live: these are answered here.
struct WebSocket {
    fds: Fds,
    /// Received, and not yet a whole frame.
    begun: Vec<u8>,
    /// Whole frames, not yet received by the load.
    whole: Vec<u8>,
    /// The field with the id of the first connection, which sends. The server
    /// makes the id up, so the load cannot know it: this is taken out of what
    /// comes back.
    sender: Rc<RefCell<Vec<u8>>>,
}

impl WebSocket {
    fn new(fds: Fds, sender: Rc<RefCell<Vec<u8>>>) -> Self {
        Self {
            fds,
            sender,
            begun: Vec::new(),
            whole: Vec::new(),
        }
    }

    /// Shakes hands, thrice: HTTP, Engine.IO, Socket.IO.
    fn enter(&mut self, name: &str) -> Result<()> {
        let request = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n\
                       Host: localhost\r\nConnection: Upgrade\r\n\
                       Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        self.fds.send(request.as_bytes())?;
        let mut answer = Vec::new();
        let mut room = [0; 4096];
        let end = loop {
            if let Some(end) = memmem::find(&answer, b"\r\n\r\n") {
                break end + 4;
            }
            let length = self.fds.receive(&mut room)?;
            ensure!(length > 0, "it closed instead of an answer");
            answer.extend(&room[..length]);
        };
        ensure!(
            answer.starts_with(b"HTTP/1.1 101 "),
            "no WebSocket: {:?}",
            String::from_utf8_lossy(&answer[..end])
        );
        self.take(&answer[end..])?;
        self.wait_for("0{")?;
        self.send(&masked(&format!("40{{\"name\":\"{name}\"}}")))?;
        let accepted = self.wait_for("40{")?;
        if self.sender.borrow().is_empty() {
            let id = accepted.split('"').nth(3).context("no id")?;
            self.sender
                .replace(format!("\"id\":\"{id}\",").into_bytes());
        }
        self.wait_for("42[\"greeting\"")?;
        self.whole.clear();
        Ok(())
    }

    /// Waits for a message that begins like this.
    fn wait_for(&mut self, start: &str) -> Result<String> {
        loop {
            while let Some((all, message)) = first_frame(&self.whole) {
                let text = String::from_utf8_lossy(message).into_owned();
                let length = all.len();
                self.whole.drain(..length);
                ensure!(!text.starts_with("44"), "not let in: {text}");
                if text.starts_with(start) {
                    return Ok(text);
                }
            }
            let mut room = [0; 4096];
            let length = self.fds.receive(&mut room)?;
            ensure!(length > 0, "it closed before {start}");
            self.take(&room[..length])?;
        }
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        const PING: &[u8] = b"2";

        self.begun.extend(bytes);
        let mut done = 0;
        while let Some((all, message)) = first_frame(&self.begun[done..]) {
            let sender = self.sender.borrow();
            if message == PING {
                self.fds.send(&masked("3"))?;
            } else if let Some(at) = memmem::find(message, &sender)
                && !sender.is_empty()
            {
                let after = at + sender.len();
                let length = message.len() - sender.len();
                self.whole.extend(header(length, 0));
                self.whole.extend(&message[..at]);
                self.whole.extend(&message[after..]);
            } else {
                self.whole.extend(all);
            }
            done += all.len();
        }
        self.begun.drain(..done);
        Ok(())
    }
}

impl Link for WebSocket {
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
        if length == 0 {
            return Err(ErrorKind::InvalidInput.into());
        }
        room[..length].copy_from_slice(&self.whole[..length]);
        self.whole.drain(..length);
        Ok(length)
    }

    fn set_blocking(&mut self, blocking: bool) -> io::Result<()> {
        self.fds.set_blocking(blocking)
    }

    fn wait(&mut self, or_send: bool, limit: Duration) -> io::Result<()> {
        match self.whole.is_empty() {
            true => self.fds.wait(or_send, limit),
            false => Ok(()),
        }
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None // a whole frame may wait here, where no descriptor tells of it
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_the_length_that_their_header_says() {
        for length in [0, 1, 125, 126, 1024, 65_535, 65_536] {
            let text = "x".repeat(length);
            let frame = frame(&text);
            let (all, message) = first_frame(&frame).unwrap();
            assert_eq!(all.len(), frame.len());
            assert_eq!(message, text.as_bytes());
            assert!(first_frame(&frame[..frame.len() - 1]).is_none());
        }
        // As in RFC 6455, 5.7, but for the mask.
        assert_eq!(frame("Hello"), b"\x81\x05Hello");
        assert_eq!(masked("Hello"), b"\x81\x85\0\0\0\0Hello");
    }

    #[test]
    fn what_is_heard_may_have_any_time_and_nothing_else() {
        let reply = received("hello", b"!");
        let said = "42[\"chat message\",{\"name\":\"bench\",\"text\":\"hello\",\
                    \"time\":1795249859123}]";
        let good = [&frame(said)[..], b"!"].concat();
        reply.check(&good).unwrap();
        for wrong in ["hallo", "time\":x", "!?"] {
            let bad = match wrong {
                "hallo" => said.replace("hello", "hallo"),
                "time\":x" => said.replace("time\":1", "time\":x"),
                _ => said.replace("}]", "]}"),
            };
            let bad = [&frame(&bad)[..], b"!"].concat();
            reply.check(&bad).unwrap_err();
        }
    }
}
