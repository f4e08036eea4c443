//! The lines of a stream, to be shown.

use std::io;

use memchr::memchr;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::task;

use crate::log::{self, Text};

/// Has every line shown that comes from a stream, until it ends.
///
/// # Errors
/// When it cannot be read.
pub async fn each(
    mut from: impl AsyncRead + Unpin,
    mut show: impl FnMut(Text<'_>),
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    let mut lines = Lines::default();
    loop {
        // One read is not one line: it may hold half of one, or three.
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            lines.finish(show);
            return Ok(());
        }
        lines.feed(&buffer[..length], &mut show);
        // There may be thousands of lines in a piece. While more comes at
        // once, tokio would let us go on for 128 pieces; Ctrl-C comes first.
        task::yield_now().await;
    }
}

/// Cuts a stream into lines. Of each it keeps only what is shown, so that a
/// line of many MiB costs no more memory than a short one.
///
/// A line ends with `\n` or `\r\n`, and the last one also with the stream.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// The beginning of the line that has not ended.
    kept: Vec<u8>,
    /// Its length so far, in bytes.
    length: usize,
    /// Its last byte is a `\r`.
    is_returned: bool,
}

impl Lines {
    /// Takes the next bytes, and has each line shown that they complete.
    pub fn feed(&mut self, bytes: &[u8], mut show: impl FnMut(Text<'_>)) {
        let mut rest = bytes;
        while let Some(end) = memchr(b'\n', rest) {
            self.push(&rest[..end]);
            if self.is_returned {
                self.length -= 1;
                self.kept.truncate(self.length);
            }
            self.show(&mut show);
            rest = &rest[end + 1..];
        }
        self.push(rest);
    }

    /// The stream has ended: has the last line shown, where none of the
    /// line's end was sent.
    pub fn finish(&mut self, show: impl FnMut(Text<'_>)) {
        if self.length > 0 {
            self.show(show);
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        let room = log::ENOUGH - self.kept.len();
        self.kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.length += bytes.len();
        if let Some(last) = bytes.last() {
            self.is_returned = *last == b'\r';
        }
    }

    fn show(&mut self, mut show: impl FnMut(Text<'_>)) {
        show(log::beginning(&self.kept, self.length));
        self.kept.clear();
        self.length = 0;
        self.is_returned = false;
    }
}

#[cfg(test)]
mod tests {
    use super::Lines;

    fn shown(pieces: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut shown = Vec::new();
        for piece in pieces {
            lines.feed(piece, |text| shown.push(text.to_string()));
        }
        lines.finish(|text| shown.push(text.to_string()));
        shown
    }

    /// Wherever the reads cut it.
    #[test]
    fn lines_are_the_same_for_any_pieces() {
        let text = "one\r\n\n中\u{ff}\r\r\nlast".as_bytes();
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let pieces =
                    [&text[..first], &text[first..second], &text[second..]];
                assert_eq!(shown(&pieces), ["one", "", "中ÿ\\r", "last"]);
            }
        }
    }

    #[test]
    fn a_final_line_end_makes_no_empty_line() {
        assert_eq!(shown(&[b"a\n"]), ["a"]);
        assert_eq!(shown(&[b"a\n\n"]), ["a", ""]);
        assert!(shown(&[b""]).is_empty());
    }

    #[test]
    fn a_long_line_is_cut_and_keeps_no_memory() {
        let mut lines = Lines::default();
        for _ in 0..1000 {
            lines.feed(&[b'x'; 1000], |_| panic!("no line yet"));
        }
        assert!(lines.kept.capacity() < 4096);
        let mut last = String::new();
        lines.feed(b"\r\n", |text| last = text.to_string());
        assert_eq!(last, format!("{}… (1000000 bytes)", "x".repeat(160)));
    }

    #[test]
    fn no_cut_of_ours_is_ever_seen() {
        for text in ["😀".repeat(200), format!("a{}", "😀".repeat(200))] {
            let cut: String = text.chars().take(160).collect();
            let expected = format!("{cut}… ({} bytes)", text.len());
            assert_eq!(shown(&[text.as_bytes()]), [expected]);
        }
        let text = "😀".repeat(160);
        assert_eq!(shown(&[text.as_bytes()]), [text]);
    }
}
