//! tcp-chat: what one client sends is broadcast to all, the sender included.

use anyhow::{Context, Result, ensure};

use super::start::{QUIET, command, listening};
use super::transport::{Peer, Program, Start, Transport};
use crate::load::exchange::{Exchange, Reply, text};
use crate::load::link::{Fds, Link};
use crate::sample::{Measure, What};

/// The sender's name.
const NAME: &str = "bench";

/// The maximum number of lines in flight. The kernel would take a million of
/// them, which take ten seconds to come back.
const IN_FLIGHT: u64 = 1024;

/// Lines that are broadcast.
pub(super) struct Chat;

impl Transport for Chat {
    fn name(&self) -> &'static str {
        "tcp-chat"
    }

    fn title(&self) -> &'static str {
        "TCP chat"
    }

    fn measures(&self, _: bool) -> Vec<What> {
        let what = |measure, size| What { measure, size };
        vec![
            what(Measure::RoundTrip, 5),
            what(Measure::RoundTrip, 1 << 10),
            what(Measure::Flood, 5),
            what(Measure::FanOut, 64),
            what(Measure::Start, 0),
            what(Measure::Memory, 0),
        ]
    }

    fn exchange(&self, size: usize, turn: usize) -> Exchange {
        let line = text(size, turn);
        Exchange {
            request: [&line[..], b"\n"].concat(),
            reply: Reply::Exact([b"bench: ", &line[..], b"\n"].concat()),
        }
    }

    fn start(&self, program: &Program, _: Start<'_>) -> Result<Peer> {
        let mut command = command(self, program, "server", "")?;
        command.arg("127.0.0.1:0");
        command.env(QUIET, "1");
        let (half, address) = listening(&mut command)?;
        Ok(Peer {
            half,
            connect: Box::new(move || {
                let mut link = Fds::tcp(&address)
                    .with_context(|| format!("connect to {address}"))?;
                introduce(&mut link)?;
                let link = link.with_at_most(IN_FLIGHT);
                let link: Box<dyn Link> = Box::new(link);
                Ok(link)
            }),
        })
    }
}

/// Takes the name, or is told that one of ours has it already. After that,
/// nothing is left to be read.
fn introduce(link: &mut Fds) -> Result<()> {
    let request = format!("/name {NAME}\n");
    ensure!(
        link.send(request.as_bytes())? == request.len(),
        "not even the name could be sent"
    );
    let mut received = Vec::new();
    let mut room = [0; 4096];
    loop {
        let length = link.receive(&mut room)?;
        ensure!(length > 0, "the other side closed");
        received.extend(&room[..length]);
        let lines = String::from_utf8_lossy(&received);
        let answered = |line: &str| {
            line.ends_with(&format!(" is now {NAME}"))
                || line == format!("* the name {NAME} is taken")
        };
        if received.ends_with(b"\n") && lines.lines().any(answered) {
            return Ok(());
        }
    }
}
