//! Log lines: one per event, and text from a peer made safe to print.
//!
//! They go through std's stdout, which writes at the end of each line, and not
//! through tokio's, which hands every line to another thread.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::panic::Location;
use std::sync::LazyLock;
use std::{env, process};

use encoding_rs::UTF_8;

use crate::shutdown;

/// How many characters of a text from a peer are shown.
const SHOWN: usize = 160;

/// With `QUIET=1` in the environment, programs print only `listening on ...`,
/// which others wait for. For measuring.
static IS_QUIET: LazyLock<bool> =
    LazyLock::new(|| env::var_os("QUIET").is_some_and(|set| !set.is_empty()));

/// With the number of our parent's process in `LOG_PLACES`, each line begins
/// with the place in the source where it is printed. The page, which starts
/// programs so, shows where that is; a child of theirs does not do it.
static SAYS_PLACES: LazyLock<bool> =
    LazyLock::new(|| env::var("LOG_PLACES").is_ok_and(|id| is_parent(&id)));

#[cfg(unix)]
fn is_parent(id: &str) -> bool {
    id == std::os::unix::process::parent_id().to_string()
}

#[cfg(not(unix))]
fn is_parent(_: &str) -> bool {
    false
}

/// What a line begins with.
fn place(of: &Location<'_>) -> String {
    if !*SAYS_PLACES {
        return String::new();
    }
    let file = of.file().rsplit(['/', '\\']).next().unwrap_or_default();
    format!("\u{1f}{file}:{}\u{1f}", of.line())
}

/// Prints one line about what happens, on stdout.
#[track_caller]
pub fn line(text: impl Display) {
    let text = text.to_string();
    if *IS_QUIET && !text.starts_with("listening on") {
        return;
    }
    let line = format!("{}{text}\n", place(Location::caller()));
    match write_all(line.as_bytes()) {
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

/// Prints a diagnostic on stderr. If that fails, there is nowhere to say so.
#[track_caller]
pub fn error(text: impl Display) {
    let place = place(Location::caller());
    let line = format!("{place}{}\n", escaped(&text.to_string()));
    let _ = io::stderr().write_all(line.as_bytes());
}

/// Writes to stdout, also where a Node program that shares the pipe has made
/// it non-blocking for both.
fn write_all(mut bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    loop {
        // stdout keeps the end of a line that did not fit into the pipe.
        let written = match bytes {
            [] => stdout.flush().map(|()| 0),
            bytes => stdout.write(bytes),
        };
        match written {
            Ok(_) if bytes.is_empty() => return Ok(()),
            Ok(length) => bytes = &bytes[length..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                wait_until_writable(&stdout)?;
            }
            Err(error) => return Err(error),
        }
    }
}

#[cfg(unix)]
fn wait_until_writable(stdout: &io::StdoutLock<'_>) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};
    match poll(&mut [PollFd::new(stdout, PollFlags::OUT)], None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
fn wait_until_writable(_: &io::StdoutLock<'_>) -> io::Result<()> {
    Ok(()) // outputs block there
}

/// Decodes the pieces of one stream, and keeps a character whole that was
/// split over two of them. One for each direction of each connection.
///
/// JavaScript's `TextDecoder` with `{ stream: true }` does the same.
pub struct Decoder(encoding_rs::Decoder);

impl Default for Decoder {
    fn default() -> Self {
        Self(UTF_8.new_decoder_without_bom_handling())
    }
}

impl Decoder {
    /// The next piece, ready to be printed. A character whose end is still
    /// missing comes with the piece that ends it.
    pub fn decode(&mut self, bytes: &[u8]) -> String {
        if *IS_QUIET {
            return String::new();
        }
        let room = self.0.max_utf8_buffer_length(bytes.len());
        let mut text = String::with_capacity(room.unwrap_or(0));
        // With that much room it reads all; more pieces are to follow.
        let _ = self.0.decode_to_string(bytes, &mut text, false);
        shown_of(&text, bytes.len())
    }
}

/// A whole message, ready to be printed: escaped, and cut when it is long.
/// What is not UTF-8 becomes U+FFFD.
pub fn shown(message: impl AsRef<[u8]>) -> String {
    if *IS_QUIET {
        return String::new();
    }
    let bytes = message.as_ref();
    shown_of(&String::from_utf8_lossy(bytes), bytes.len())
}

/// The text of a message that had `length` bytes.
fn shown_of(text: &str, length: usize) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => {
            format!("{}… ({length} bytes)", escaped(&text[..end]))
        }
        None => escaped(text),
    }
}

/// Escapes what would control the reader's terminal, or mislead the reader.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if controls_terminal(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// Control characters, line separators, and the marks that change the
/// direction of writing.
fn controls_terminal(character: char) -> bool {
    matches!(
        character,
        '\u{061C}'
            | '\u{200E}'
            | '\u{200F}'
            | '\u{2028}'..='\u{202E}'
            | '\u{2066}'..='\u{2069}'
    ) || character.is_control()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(pieces: &[&[u8]]) -> Vec<String> {
        let mut decoder = Decoder::default();
        pieces.iter().map(|piece| decoder.decode(piece)).collect()
    }

    #[test]
    fn a_character_split_at_any_byte_is_shown_whole() {
        let text = "a中😀é";
        for at in 0..=text.len() {
            let (left, right) = text.as_bytes().split_at(at);
            assert_eq!(decoded(&[left, right]).concat(), text, "split at {at}");
        }
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(decoded(&bytes)[3], "中");
    }

    #[test]
    fn bytes_that_are_not_utf8_become_u_fffd() {
        let pieces: [&[u8]; 3] = [b"ok\xFFok\xE4\xB8", b"ok\xED", b"\xA0\x80!"];
        let whole = String::from_utf8_lossy(&pieces.concat()).into_owned();
        assert_eq!(decoded(&pieces).concat(), whole);
    }

    #[test]
    fn a_peer_cannot_control_the_terminal() {
        assert_eq!(
            decoded(&[b"\x1b[2J\r\n\t\x07\xC2\x9B"]),
            ["\\u{1b}[2J\\r\\n\\t\\u{7}\\u{9b}"]
        );
        assert_eq!(escaped("a\u{202E}b\nc"), "a\\u{202e}b\\nc");
    }

    #[test]
    fn a_long_text_is_cut_and_its_length_shown() {
        let cut = format!("{}… (483 bytes)", "中".repeat(160));
        assert_eq!(shown("中".repeat(161)), cut);
        assert_eq!(decoded(&["中".repeat(161).as_bytes()]), [cut]);
        assert_eq!(shown("中".repeat(160)), "中".repeat(160));
    }
}
