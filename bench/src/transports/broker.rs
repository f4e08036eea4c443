//! What goes through Redis: the bench sends, and reads what the lesson's half
//! prints that receives. On its way a message passes through the server.

use std::fs::File;
use std::io::{self, Read};
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::process::{ChildStdout, Command};
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::{Half, redis};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;
use rustix::net::{RecvFlags, recv};

use super::child::shown;
use super::start::{TIMEOUT, at_a_free_port, command};
use super::transport::{Peer, Program, Start, Transport};
use crate::load::exchange::{Exchange, Reply, text};
use crate::load::link::{Fds, Link};
use crate::sample::{Measure, What, what};

/// Where the lesson listens unless told otherwise.
const CHANNEL: &str = "channel";

/// The queue of work-queue, and how its entries are called.
const QUEUE: &str = "jobs";

/// The maximum number of messages in flight. Nothing slows down who sends:
/// Redis keeps it all.
const IN_FLIGHT: u64 = 64;

/// A broker between the two.
struct Broker {
    name: &'static str,
    title: &'static str,
    /// The half that receives.
    half: &'static str,
    /// What the bench sends, in words.
    command: fn(String) -> Vec<String>,
    /// What the half prints.
    printed: fn(&[u8]) -> Vec<u8>,
}

/// In the order of the table.
pub(super) fn all() -> Vec<&'static dyn Transport> {
    vec![&PUBSUB, &QUEUES]
}

static PUBSUB: Broker = Broker {
    name: "redis-pubsub",
    title: "Redis pub/sub",
    half: "consumer",
    command: |message| vec!["PUBLISH".to_owned(), CHANNEL.to_owned(), message],
    printed,
};

static QUEUES: Broker = Broker {
    name: "work-queue",
    title: "work queue",
    half: "worker",
    command: |job| {
        let words = ["XADD", QUEUE, "*", "job"];
        [&words.map(str::to_owned)[..], &[job]].concat()
    },
    printed: |job| {
        let job = shown(job);
        [b"taken: ", &job[..], b"\ndone: ", &job[..], b"\n"].concat()
    },
};

impl Transport for Broker {
    fn name(&self) -> &'static str {
        self.name
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn measures(&self, _: bool) -> Vec<What> {
        vec![
            what(Measure::RoundTrip, 5),
            what(Measure::RoundTrip, 1 << 10),
            what(Measure::Flood, 5),
            what(Measure::Memory, 0),
        ]
    }

    fn exchange(&self, size: usize, turn: usize) -> Exchange {
        let message = text(size, turn);
        let reply = Reply::Exact((self.printed)(&message));
        let message = String::from_utf8_lossy(&message).into_owned();
        let words = (self.command)(message);
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request += &format!("${}\r\n{word}\r\n", word.len());
        }
        Exchange {
            request: request.into_bytes(),
            reply,
        }
    }

    fn start(&self, program: &Program, _: Start<'_>) -> Result<Peer> {
        let (server, address) = start_server()?;
        // Never quiet: what it prints is what is waited for.
        let mut command = command(self, program, self.half, "")?;
        command.args(["--redis", &format!("redis://{address}")]);
        let (half, stdout) = Half::start_with_stdout(&mut command)?;
        let stdout = ready(&half, stdout, TIMEOUT)?;
        let server = Rc::new(server);
        Ok(Peer::new(half, move || {
            let server_link = TcpStream::connect(&address)?;
            server_link.set_nodelay(true)?;
            let redis = OwnedFd::from(server_link);
            Ok(Published {
                fds: Fds::pair(stdout.try_clone()?, redis.try_clone()?),
                redis,
                _server: Rc::clone(&server),
            })
        }))
    }
}

/// What the lesson's consumer prints for a message.
fn printed(message: &[u8]) -> Vec<u8> {
    let head = format!("Received from {CHANNEL}: ");
    [head.as_bytes(), &shown(message), b"\n"].concat()
}

/// Reads until the consumer listens.
fn ready(half: &Half, stdout: ChildStdout, limit: Duration) -> Result<OwnedFd> {
    let mut stdout = File::from(OwnedFd::from(stdout));
    let deadline = Instant::now() + limit;
    let mut said = Vec::new();
    let mut byte = [0];
    while !said.ends_with(b"\n") || !said.starts_with(b"listening on") {
        if said.ends_with(b"\n") {
            said.clear();
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let limit = Timespec::try_from(left)?;
        let mut waited = [PollFd::new(&stdout, PollFlags::IN)];
        ensure!(
            retry_on_intr(|| poll(&mut waited, Some(&limit)))? > 0,
            "it does not print that it listens: {}",
            half.stderr().join("; ")
        );
        ensure!(
            stdout.read(&mut byte)? > 0,
            "it ended: {}",
            half.stderr().join("; ")
        );
        said.push(byte[0]);
    }
    Ok(stdout.into())
}

fn start_server() -> Result<(Half, String)> {
    at_a_free_port("redis-server", |port| {
        let program = redis::program().context("there is no Redis here")?;
        let mut command = Command::new(program);
        command
            .args(["--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "no", "--port"])
            .arg(port.to_string());
        Ok(command)
    })
}

/// Messages go to the server and come out of the consumer.
struct Published {
    fds: Fds,
    redis: OwnedFd,
    _server: Rc<Half>,
}

impl Link for Published {
    fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.fds.send(bytes)
    }

    fn receive(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let length = self.fds.receive(room)?;
        // The server's own answer, the number of subscribers, is discarded.
        let mut answers = [0_u8; 16 * 1024];
        let _ = recv(&self.redis, &mut answers, RecvFlags::DONTWAIT);
        Ok(length)
    }

    fn most_in_flight(&self) -> Option<u64> {
        Some(IN_FLIGHT)
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
    use super::*;

    #[test]
    fn a_consumer_that_never_listens_is_not_waited_for_for_ever() {
        let mut command = Command::new("cat");
        let (half, stdout) = Half::start_with_stdout(&mut command).unwrap();
        let _open = half.take_stdin().unwrap();
        let error = ready(&half, stdout, Duration::ZERO).unwrap_err();
        assert!(error.to_string().contains("does not print"), "{error}");
    }
}
