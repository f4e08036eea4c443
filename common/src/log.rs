//! Log lines: one per event, whole even when several tasks write.
//!
//! They go through std's stdout, which writes at each line's end, and not
//! through tokio's, which hands every line to another thread.

use std::fmt::{self, Display, Write as _};
use std::io::{self, ErrorKind};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, process};

use crate::shutdown;

/// How many characters of a text from a peer are shown.
const SHOWN: usize = 160;

/// So many bytes hold all that is shown of a text, and one character more.
pub(crate) const ENOUGH: usize = 4 * (SHOWN + 1);

static QUIET: AtomicBool = AtomicBool::new(false);

/// With `QUIET=1` in the environment, programs print only `listening on ...`,
/// which others wait for. For measuring.
static IS_QUIET: LazyLock<bool> =
    LazyLock::new(|| env::var_os("QUIET").is_some_and(|set| !set.is_empty()));

/// `--quiet`, the same for every half.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct Quiet {
    /// Print only what is needed to use the program, for measuring
    #[arg(long)]
    quiet: bool,
}

impl Quiet {
    /// Quiet also where something else asks for it.
    pub fn or(self, other: bool) -> Self {
        Self {
            quiet: self.quiet || other,
        }
    }

    /// From here on, [`line()`] prints nothing.
    pub fn apply(self) {
        QUIET.store(self.quiet, Ordering::Relaxed);
    }

    /// The flag as it was given: for a parent that hands it on to its child.
    pub fn flag(self) -> Option<&'static str> {
        self.quiet.then_some("--quiet")
    }
}

/// Prints one line about what happens, on stdout.
pub fn line(text: impl Display) {
    if !QUIET.load(Ordering::Relaxed) {
        ready(text);
    }
}

/// As [`line`]. On its way out: with `QUIET=1`, `line` prints it, too.
pub fn ready(text: impl Display) {
    // Put together first: stdout looks for a line's end in every piece that
    // it is given.
    let line = format!("{text}\n");
    if *IS_QUIET && !line.starts_with("listening on") {
        return;
    }
    match write_all(&mut std::io::stdout().lock(), line.as_bytes()) {
        Ok(()) => {}
        // Nobody reads any more (`server | head -1`). `println!` would panic;
        // this program ends quietly, as Unix filters do.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {
            shutdown::request();
        }
        Err(failure) => {
            error(format_args!("Error: write to stdout: {failure}"));
            process::exit(1);
        }
    }
}

/// Prints a diagnostic on stderr. Never fails: there is nowhere to say so.
pub fn error(text: impl Display) {
    let line = format!("{}\n", Escaped(&text.to_string()));
    let _ = write_all(&mut std::io::stderr().lock(), line.as_bytes());
}

/// All of it, also where a program that shares this pipe, as Node, has made
/// it non-blocking for both.
fn write_all(
    to: &mut (impl io::Write + Wait),
    mut bytes: &[u8],
) -> io::Result<()> {
    loop {
        let written = match bytes {
            [] => to.flush().map(|()| 0),
            bytes => to.write(bytes),
        };
        match written {
            Ok(0) if bytes.is_empty() => return Ok(()),
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(length) => bytes = &bytes[length..],
            Err(error) if error.kind() == ErrorKind::WouldBlock => to.wait()?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// An output that may have no room now.
trait Wait {
    fn wait(&self) -> io::Result<()>;
}

#[cfg(unix)]
impl<T: std::os::fd::AsFd> Wait for T {
    fn wait(&self) -> io::Result<()> {
        use rustix::event::{PollFd, PollFlags, poll};
        match poll(&mut [PollFd::new(self, PollFlags::OUT)], None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(not(unix))]
impl<T> Wait for T {
    fn wait(&self) -> io::Result<()> {
        Ok(()) // outputs block there
    }
}

/// Makes text of the pieces that one peer sends, and keeps a character whole
/// that was cut in two. One for each direction of each connection.
///
/// JavaScript's `TextDecoder` with `{ stream: true }` does the same.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    /// The beginning of a character whose end has not arrived: at most 3
    /// bytes.
    pending: Piece,
}

impl Decoder {
    /// The text of the next piece. A character whose end is still missing is
    /// shown with the piece that ends it.
    pub fn decode<'a>(&mut self, bytes: &'a [u8]) -> Text<'a> {
        let mut first = std::mem::take(&mut self.pending);
        let mut rest = bytes;
        while first.is_incomplete() {
            let Some((byte, after)) = rest.split_first() else {
                self.pending = first;
                return Text {
                    first: Piece::default(),
                    rest,
                    length: bytes.len(),
                };
            };
            let mut longer = first;
            longer.push(*byte);
            if longer.is_wrong() {
                break; // the byte begins something new
            }
            first = longer;
            rest = after;
        }

        // Only the last three bytes can be a beginning without an end.
        let start = rest.len().saturating_sub(3);
        let lead = rest[start..].iter().rposition(|b| b & 0xC0 != 0x80);
        if let Some(lead) = lead {
            let (before, last) = rest.split_at(start + lead);
            let last = Piece::from(last);
            if last.is_incomplete() {
                self.pending = last;
                rest = before;
            }
        }
        Text {
            first,
            rest,
            length: bytes.len(),
        }
    }

    /// The stream has ended: hands a character whose end never came to
    /// `show`. It is shown as U+FFFD.
    pub fn finish(&mut self, show: impl FnOnce(Text<'_>)) {
        let first = std::mem::take(&mut self.pending);
        let length = first.length;
        if length > 0 {
            show(Text {
                first,
                rest: &[],
                length,
            });
        }
    }
}

/// Up to four bytes: one character, or a part of it.
#[derive(Clone, Copy, Debug, Default)]
struct Piece {
    bytes: [u8; 4],
    length: usize,
}

impl Piece {
    fn from(bytes: &[u8]) -> Self {
        let mut piece = Self::default();
        bytes.iter().for_each(|byte| piece.push(*byte));
        piece
    }

    fn push(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// More bytes could make a character of it.
    fn is_incomplete(&self) -> bool {
        std::str::from_utf8(self.as_bytes())
            .is_err_and(|error| error.error_len().is_none())
    }

    /// No further byte makes a character of it.
    fn is_wrong(&self) -> bool {
        std::str::from_utf8(self.as_bytes())
            .is_err_and(|error| error.error_len().is_some())
    }
}

/// What a peer sent, ready to be shown: U+FFFD for what is not UTF-8, control
/// characters escaped, and cut after 160 characters, with its length in bytes.
///
/// The work is done when it is printed, so it costs nothing under `--quiet`.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    first: Piece,
    rest: &'a [u8],
    length: usize,
}

/// A whole message, ready to be shown.
pub fn shown(message: &str) -> Text<'_> {
    shown_bytes(message.as_bytes())
}

/// A whole message of bytes, ready to be shown.
pub fn shown_bytes(message: &[u8]) -> Text<'_> {
    Text {
        first: Piece::default(),
        rest: message,
        length: message.len(),
    }
}

/// The beginning of a message of `length` bytes: the whole of it, or at least
/// [`ENOUGH`] bytes.
pub(crate) fn beginning(bytes: &[u8], length: usize) -> Text<'_> {
    Text {
        first: Piece::default(),
        rest: bytes,
        length,
    }
}

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of a long text, no more is looked at than is shown. Characters have
        // up to four bytes; mostly they have one.
        let rest = match self.rest.get(..=SHOWN) {
            Some(beginning) if beginning.is_ascii() => beginning,
            _ => &self.rest[..self.rest.len().min(ENOUGH)],
        };
        let chunks = [self.first.as_bytes(), rest];
        let mut left = SHOWN;
        for chunk in chunks.iter().flat_map(|bytes| bytes.utf8_chunks()) {
            let text = chunk.valid();
            let (text, is_cut) = match text.char_indices().nth(left) {
                Some((end, _)) => (&text[..end], true),
                None => (text, false),
            };
            write_escaped(text, f)?;
            left -= text.chars().count();
            if is_cut || (left == 0 && !chunk.invalid().is_empty()) {
                return write!(f, "… ({} bytes)", self.length);
            }
            if !chunk.invalid().is_empty() {
                f.write_char('\u{FFFD}')?;
                left -= 1;
            }
        }
        Ok(())
    }
}

/// A text from a peer in its full length, with what would control the
/// reader's terminal escaped.
pub fn escaped(text: &str) -> String {
    Escaped(text).to_string()
}

/// Text with its control characters escaped, in full length.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_escaped(self.0, f)
    }
}

/// Would this character drive the reader's terminal, or mislead the reader?
/// Control characters, line breaks, and what turns the direction of writing
/// round.
pub fn drives_terminal(character: char) -> bool {
    matches!(
        character,
        '\u{061C}'
            | '\u{200E}'
            | '\u{200F}'
            | '\u{2028}'..='\u{202E}'
            | '\u{2066}'..='\u{2069}'
    ) || character.is_control()
}

/// Writes text so that it cannot drive the reader's terminal.
fn write_escaped(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    // Most text is plain ASCII, which the processor looks through many bytes
    // at a time; characters it can only take one by one.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return f.write_str(text);
    }
    // Whole runs at a time: most text has nothing in it to escape.
    let mut rest = text;
    while let Some(at) = rest.find(drives_terminal) {
        let (run, from) = rest.split_at(at);
        let mut characters = from.chars();
        f.write_str(run)?;
        if let Some(character) = characters.next() {
            write!(f, "{}", character.escape_default())?;
        }
        rest = characters.as_str();
    }
    f.write_str(rest)
}

/// Without what JavaScript's trim() takes away: space of any kind and the
/// byte order mark, but not U+0085, which Rust's takes.
pub fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| {
        c == '\u{FEFF}' || c.is_whitespace() && c != '\u{85}'
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pieces: &[&[u8]]) -> Vec<String> {
        let mut decoder = Decoder::default();
        pieces
            .iter()
            .map(|piece| decoder.decode(piece).to_string())
            .collect()
    }

    #[test]
    fn a_character_split_at_any_byte_is_shown_whole() {
        let text = "a中😀é";
        for at in 0..=text.len() {
            let (left, right) = text.as_bytes().split_at(at);
            assert_eq!(shown(&[left, right]).concat(), text, "split at {at}");
        }
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(shown(&bytes).concat(), text);
        assert_eq!(shown(&bytes)[3], "中");
    }

    /// Whatever the pieces, the text is that of the whole.
    #[test]
    fn what_is_not_utf8_becomes_u_fffd_wherever_it_is_split() {
        for bytes in [
            b"ok\xFFok\xE4\xB8ok".as_slice(),
            b"\xF0\x9F\x98\xF0\x9F\x98\x80",
            b"\xE4\xE4\xB8\xAD\x80\x80\x80\xC0\xAF",
            b"\xED\xA0\x80!",
        ] {
            let whole = String::from_utf8_lossy(bytes);
            for first in 0..=bytes.len() {
                for second in first..=bytes.len() {
                    let pieces = [
                        &bytes[..first],
                        &bytes[first..second],
                        &bytes[second..],
                    ];
                    assert_eq!(shown(&pieces).concat(), whole);
                }
            }
        }
    }

    #[test]
    fn a_peer_cannot_drive_the_terminal() {
        assert_eq!(
            shown(&[b"\x1b[2J\r\n\t\x07\xC2\x9B"]),
            ["\\u{1b}[2J\\r\\n\\t\\u{7}\\u{9b}"]
        );
        assert_eq!(Escaped("a\u{202E}b\nc").to_string(), "a\\u{202e}b\\nc");
    }

    #[test]
    fn a_long_text_is_cut_and_its_length_told() {
        let text = "中".repeat(161);
        let cut = format!("{}… (483 bytes)", "中".repeat(160));
        assert_eq!(shown(&[text.as_bytes()]), [cut]);
        let text = "中".repeat(160);
        assert_eq!(shown(&[text.as_bytes()]), [text]);
    }

    #[test]
    fn half_a_character_at_the_end_is_shown_as_u_fffd() {
        for (bytes, rest) in [
            (b"\xE4\xB8".as_slice(), Some("\u{FFFD}")),
            (b"ok\xF0\x9F\x98", Some("\u{FFFD}")),
            (b"ok", None),
            (b"\xFF", None), // shown already
        ] {
            let mut decoder = Decoder::default();
            let _ = decoder.decode(bytes);
            for rest in [rest, None] {
                let mut shown = None;
                decoder.finish(|text| shown = Some(text.to_string()));
                assert_eq!(shown.as_deref(), rest, "{bytes:?}");
            }
        }
    }
}
