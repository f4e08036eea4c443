//! Framing: lines out of a stream of bytes.
//!
//! TCP has no messages. What one side writes at once may arrive in pieces,
//! and ten writes may arrive as one. So both sides agree on a mark: here, a
//! message ends with a line feed. Whoever reads puts the pieces together, and
//! must know when to stop: a line that never ends would fill the memory.
//!
//! Node twin: `node/lines.js`.

use std::io;
use std::mem;

use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;

/// How much is read at once.
const PIECE: usize = 16 * 1024;

/// The longest line that may be said, in bytes, without its line feed.
pub const LONGEST: usize = 64 * 1024;

/// One message, or why it is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// Its text, without the line end.
    Text(String),
    /// It was longer than it may be. Its bytes were thrown away.
    TooLong,
    /// It was not UTF-8.
    NotUtf8,
}

/// Puts lines together from the pieces that one peer sends.
#[derive(Clone, Debug)]
pub struct Lines {
    /// The beginning of a line whose end has not arrived.
    begun: Vec<u8>,
    longest: usize,
    /// The line that arrives now is too long: nothing of it is kept.
    skipping: bool,
}

impl Lines {
    /// Takes lines of at most `longest` bytes, not counting the line feed.
    pub fn new(longest: usize) -> Self {
        Self {
            begun: Vec::new(),
            longest,
            skipping: false,
        }
    }

    /// The next line. Moves `piece` on behind what was used; `None` when all
    /// of it was, and more must be read.
    ///
    /// Each byte is looked at once, whatever the pieces are.
    pub fn next(&mut self, piece: &mut &[u8]) -> Option<Line> {
        while !piece.is_empty() {
            let end = piece.iter().position(|byte| *byte == b'\n');
            let (bytes, rest) = match end {
                Some(at) => (&piece[..at], &piece[at + 1..]),
                None => (*piece, &[][..]),
            };
            *piece = rest;

            if self.skipping {
                // The line feed ends the line that was refused, and the
                // next line is a good one again.
                self.skipping = end.is_none();
            } else if self.begun.len() + bytes.len() > self.longest {
                self.begun = Vec::new();
                self.skipping = end.is_none();
                return Some(Line::TooLong);
            } else {
                self.begun.extend_from_slice(bytes);
                if end.is_some() {
                    return Some(self.complete());
                }
            }
        }
        None
    }

    /// The stream has ended: what was begun is a line too, as the last line
    /// of a file is one without its line feed.
    pub fn last(&mut self) -> Option<Line> {
        (!self.begun.is_empty()).then(|| self.complete())
    }

    fn complete(&mut self) -> Line {
        // A quiet peer holds no buffer.
        let mut line = mem::take(&mut self.begun);
        // telnet and Windows end lines with CR LF.
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        // Only a whole line can be decoded: a piece may end within a
        // character.
        String::from_utf8(line).map_or(Line::NotUtf8, Line::Text)
    }
}

/// The lines that arrive on a socket.
#[derive(Debug)]
pub struct Incoming {
    socket: OwnedReadHalf,
    lines: Lines,
    /// What was read last, and how much of it was used.
    bytes: Vec<u8>,
    used: usize,
}

impl Incoming {
    /// Takes lines of at most `longest` bytes.
    pub fn new(socket: OwnedReadHalf, longest: usize) -> Self {
        Self {
            socket,
            lines: Lines::new(longest),
            bytes: Vec::new(),
            used: 0,
        }
    }

    /// The next line; `None` when the other side has no more to say.
    ///
    /// # Errors
    /// Whatever `recv(2)` says: it was broken off.
    pub async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            // One read is not one line: it may hold half a line, or ten.
            let mut piece = &self.bytes[self.used..];
            let line = self.lines.next(&mut piece);
            self.used = self.bytes.len() - piece.len();
            if line.is_some() {
                return Ok(line);
            }
            // Wait first, take a buffer then: a thousand quiet clients
            // hold none.
            self.bytes = Vec::new();
            self.used = 0;
            self.socket.readable().await?;
            self.bytes.reserve(PIECE);
            // Not `try_read_buf`: this one remembers that a read which did
            // not fill the buffer took all there was. The other would ask
            // the kernel again, once for each line.
            if self.socket.read_buf(&mut self.bytes).await? == 0 {
                return Ok(self.lines.last());
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn tests() -> Vec<harness::testing::Test> {
        harness::unit_tests![
            lines_do_not_depend_on_the_pieces,
            what_is_not_utf8_is_no_line,
            a_line_that_is_too_long_is_told_once_and_not_kept,
        ]
    }

    fn cut(pieces: &[&[u8]]) -> Vec<Line> {
        let mut lines = Lines::new(5);
        let mut found = Vec::new();
        for mut piece in pieces.iter().copied() {
            found.extend(std::iter::from_fn(|| lines.next(&mut piece)));
        }
        found.extend(lines.last());
        found
    }

    fn text(text: &str) -> Line {
        Line::Text(text.to_owned())
    }

    /// Wherever the reads end, the lines are the same.
    fn lines_do_not_depend_on_the_pieces() {
        let bytes =
            "a\n\nb中\r\n12345\n123456\n\n1234567890\nok\n\u{FF}é".as_bytes();
        let whole = cut(&[bytes]);
        assert_eq!(
            whole,
            [
                text("a"),
                text(""),
                text("b中"),
                text("12345"),
                Line::TooLong,
                text(""),
                Line::TooLong,
                text("ok"),
                text("ÿé"),
            ]
        );
        for first in 0..=bytes.len() {
            for second in first..=bytes.len() {
                let (left, right) = bytes.split_at(second);
                let (left, middle) = left.split_at(first);
                assert_eq!(cut(&[left, middle, right]), whole);
            }
        }
        let one_at_a_time: Vec<&[u8]> = bytes.chunks(1).collect();
        assert_eq!(cut(&one_at_a_time), whole);
    }

    fn what_is_not_utf8_is_no_line() {
        assert_eq!(cut(&[b"\xFF\nok\n"]), [Line::NotUtf8, text("ok")]);
        assert_eq!(cut(&[b"\xE4\xB8"]), [Line::NotUtf8]);
    }

    fn a_line_that_is_too_long_is_told_once_and_not_kept() {
        let mut lines = Lines::new(1000);
        let mut told = 0;
        for _ in 0..1000 {
            let mut piece = &[b'x'; 100][..];
            told += usize::from(lines.next(&mut piece).is_some());
            assert!(lines.begun.capacity() <= 2000);
        }
        assert_eq!(told, 1);
        assert_eq!(lines.last(), None);
    }
}
