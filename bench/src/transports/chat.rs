//! tcp-chat: what one client sends is broadcast to all, the sender included.

use anyhow::{Result, ensure};

use crate::load::exchange::{Exchange, Reply, text};
use crate::load::link::{Fds, Link};

/// The sender's name.
const NAME: &str = "bench";

/// The maximum number of lines in flight. The kernel would take a million of
/// them, which take ten seconds to come back.
const IN_FLIGHT: u64 = 1024;

/// Enters the chat.
pub(super) fn connect(address: &str) -> Result<Fds> {
    let mut link = Fds::tcp(address)?;
    introduce(&mut link)?;
    Ok(link.with_at_most(IN_FLIGHT))
}

/// A line, and what all receive.
pub(super) fn exchange(size: usize, turn: usize) -> Exchange {
    let line = text(size, turn);
    let broadcast = [NAME.as_bytes(), b": ", &line, b"\n"].concat();
    Exchange {
        request: [&line[..], b"\n"].concat(),
        reply: Reply::Exact(broadcast),
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
