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
use super::websocket::{self, first_frame, frame, header, masked};
use crate::load::exchange::{Exchange, Reply, text};
use crate::load::link::{Fds, Link};
use crate::sample::{Measure, What, what};

/// Chat over Socket.IO.
pub(super) struct SocketIo;

impl Transport for SocketIo {
    fn name(&self) -> &'static str {
        "socketio-chat"
    }

    fn title(&self) -> &'static str {
        "Socket.IO"
    }

    fn measures(&self, _: bool) -> Vec<What> {
        vec![
            what(Measure::RoundTrip, 5),
            what(Measure::RoundTrip, 1 << 10),
            what(Measure::FanOut, 64),
            what(Measure::Start, 0),
            what(Measure::Memory, 0),
        ]
    }

    /// An event that all receive, the sender included, and its acknowledgement.
    fn exchange(&self, size: usize, turn: usize) -> Exchange {
        let text = message(size, turn);
        let acknowledged = frame(format!("43{turn}[{{}}]").as_bytes());
        let request = format!("42{turn}[\"chat message\",\"{text}\"]");
        Exchange {
            request: masked(request.as_bytes()),
            reply: received(&text, &acknowledged),
        }
    }

    /// The same, without an acknowledgement.
    fn to_all(&self, size: usize, turn: usize) -> Exchange {
        let text = message(size, turn);
        let request = format!("42[\"chat message\",\"{text}\"]");
        Exchange {
            request: masked(request.as_bytes()),
            reply: received(&text, b""),
        }
    }

    fn start(&self, program: &Program, _: Start<'_>) -> Result<Peer> {
        let mut command = command(self, program, "server", "")?;
        // No notifications of the time in between.
        command.args(["127.0.0.1:0", "--every", "86400000"]);
        command.env(QUIET, "1");
        let (half, address): (Half, String) = listening(&mut command)?;
        let count = Rc::new(Cell::new(0_u32));
        let sender = Rc::default();
        Ok(Peer::new(half, move || {
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
            Ok(link)
        }))
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
    let whole = frame(event(DIGITS).as_bytes());
    let tail = b"}]";
    let head = whole.len() - DIGITS.len() - tail.len();
    Reply::Dated {
        head: whole[..head].to_vec(),
        digits: DIGITS.len(),
        tail: [tail, after].concat(),
    }
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
        let behind = websocket::upgrade(
            &mut self.fds,
            "/socket.io/?EIO=4&transport=websocket",
        )?;
        self.take(&behind)?;
        self.wait_for("0{")?;
        let name = format!("40{{\"name\":\"{name}\"}}");
        self.send(&masked(name.as_bytes()))?;
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
                self.fds.send(&masked(b"3"))?;
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
    fn what_is_heard_may_have_any_time_and_nothing_else() {
        let reply = received("hello", b"!");
        let said = "42[\"chat message\",{\"name\":\"bench\",\"text\":\"hello\",\
                    \"time\":1795249859123}]";
        let good = [&frame(said.as_bytes())[..], b"!"].concat();
        reply.check(&good).unwrap();
        for wrong in ["hallo", "time\":x", "!?"] {
            let bad = match wrong {
                "hallo" => said.replace("hello", "hallo"),
                "time\":x" => said.replace("time\":1", "time\":x"),
                _ => said.replace("}]", "]}"),
            };
            let bad = [&frame(bad.as_bytes())[..], b"!"].concat();
            reply.check(&bad).unwrap_err();
        }
    }
}
