//! What an echo client has sent, and whether all of it came back.

use std::cell::Cell;
use std::io;

use anyhow::ensure;
use tokio::sync::Notify;

/// Compares what comes back with one message, sent over and over. For both
/// directions of a connection at once, on one thread.
#[derive(Debug)]
pub struct Tally<'a> {
    message: &'a [u8],
    /// Bytes.
    sent: Cell<usize>,
    received: Cell<usize>,
    /// Rings when something came back.
    bell: Notify,
}

impl<'a> Tally<'a> {
    /// Nothing sent, nothing received.
    pub fn new(message: &'a str) -> Self {
        Self {
            message: message.as_bytes(),
            sent: Cell::new(0),
            received: Cell::new(0),
            bell: Notify::new(),
        }
    }

    /// The message is being sent once more.
    pub fn sent(&self) {
        self.sent.update(|bytes| bytes + self.message.len());
    }

    /// These bytes came back. They need not begin or end with a message.
    ///
    /// # Errors
    /// When they are not what was sent, or more.
    pub fn received(&self, bytes: &[u8]) -> io::Result<()> {
        let before = self.received.get();
        let begun = before % self.message.len().max(1);
        let expected = self.message.iter().cycle().skip(begun);
        let is_more = before + bytes.len() > self.sent.get();
        if is_more || !expected.take(bytes.len()).eq(bytes) {
            return Err(io::Error::other("this is not what was sent"));
        }
        self.received.set(before + bytes.len());
        self.bell.notify_one();
        Ok(())
    }

    /// Waits until all that was sent so far has come back.
    pub async fn complete(&self) {
        while self.received.get() < self.sent.get() {
            self.bell.notified().await;
        }
    }

    /// The other side says nothing more.
    ///
    /// # Errors
    /// When less came back than was sent.
    pub fn settle(&self) -> anyhow::Result<()> {
        let (sent, received) = (self.sent.get(), self.received.get());
        ensure!(
            received >= sent,
            "only {received} of {sent} bytes came back"
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn pieces_of_any_size_are_what_was_sent() {
        let tally = Tally::new("hello");
        (0..3).for_each(|_| tally.sent());
        for piece in ["hel", "lohellohel", "l"] {
            tally.received(piece.as_bytes()).unwrap();
        }
        assert!(tally.settle().is_err());
        tally.received(b"o").unwrap();
        tally.settle().unwrap();
    }

    #[test]
    fn other_bytes_are_refused() {
        let tally = Tally::new("hello");
        assert!(tally.received(b"h").is_err(), "nothing was sent");
        (0..2).for_each(|_| tally.sent());
        tally.received(b"hell").unwrap();
        assert!(tally.received(b"hello").is_err());
        tally.received(b"ohello").unwrap();
        assert!(tally.received(b"h").is_err(), "it was sent twice");
        assert!(Tally::new("").received(b"x").is_err());
    }
}
