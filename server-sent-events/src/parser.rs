//! Makes events of the bytes of a stream, by the rules of the HTML standard.
//! In Node, the package `eventsource` does this.

use std::mem;
use std::time::Duration;

use anyhow::{Result, ensure};

/// The longest event that is accepted, in bytes: one without an end would fill
/// the memory.
const MAX_EVENT: usize = 1024 * 1024;

/// What the standard leaves to the client, until the server says `retry:`.
const RETRY: Duration = Duration::from_secs(3);

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub struct Event {
    /// What `event:` said; `message` unless it said something.
    pub kind: String,
    /// The lines of `data:`, joined by line breaks.
    pub data: String,
}

/// What has been read of a stream so far.
#[derive(Debug)]
pub struct Parser {
    /// What `id:` said last: for `Last-Event-ID`. Empty: nothing.
    pub last_id: String,
    /// What `retry:` said last: how long to wait before connecting again.
    pub retry: Duration,
    is_first_line: bool,
    after_cr: bool,
    line: Vec<u8>,
    kind: String,
    data: String,
    id: String,
}

impl Default for Parser {
    fn default() -> Self {
        Self {
            last_id: String::new(),
            retry: RETRY,
            is_first_line: true,
            after_cr: false,
            line: Vec::new(),
            kind: String::new(),
            data: String::new(),
            id: String::new(),
        }
    }
}

impl Parser {
    /// A new stream begins. Half an event of the last one is forgotten; its
    /// last id and `retry:` are kept.
    pub fn begin(&mut self) {
        *self = Self {
            last_id: self.last_id.clone(),
            id: self.last_id.clone(),
            retry: self.retry,
            ..Self::default()
        };
    }

    /// Reads the next piece, and returns the events that it completes. A piece
    /// may end anywhere, also within a character.
    ///
    /// # Errors
    /// When an event is longer than 1 MiB.
    pub fn read(&mut self, bytes: &[u8]) -> Result<Vec<Event>> {
        let mut events = Vec::new();
        for &byte in bytes {
            match byte {
                // A line ends with CR LF, with LF or with CR.
                b'\n' if self.after_cr => {}
                b'\r' | b'\n' => events.extend(self.end_line()),
                _ => self.line.push(byte),
            }
            self.after_cr = byte == b'\r';
            let length = self.data.len() + self.line.len();
            ensure!(length <= MAX_EVENT, "an event is longer than 1 MiB");
        }
        Ok(events)
    }

    /// Takes in one line; an empty one ends an event.
    fn end_line(&mut self) -> Option<Event> {
        let line = mem::take(&mut self.line);
        let mut line = &*String::from_utf8_lossy(&line);
        if mem::take(&mut self.is_first_line) {
            line = line.strip_prefix('\u{FEFF}').unwrap_or(line); // a BOM
        }
        if line.is_empty() {
            return self.end_event();
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.kind = value.to_owned(),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => self.id = value.to_owned(),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                if let Ok(milliseconds) = value.parse() {
                    self.retry = Duration::from_millis(milliseconds);
                }
            }
            // A comment, which begins with the colon; or a field of tomorrow.
            _ => {}
        }
        None
    }

    /// Without any `data:` there is no event, but its id counts.
    fn end_event(&mut self) -> Option<Event> {
        self.last_id.clone_from(&self.id);
        let kind = mem::take(&mut self.kind);
        let mut data = mem::take(&mut self.data);
        data.pop()?; // the last line break
        Some(Event {
            kind: match kind.is_empty() {
                true => "message".to_owned(),
                false => kind,
            },
            data,
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test")]
pub(crate) mod tests {
    use harness::testing::Test;

    use super::*;

    pub fn tests() -> Vec<Test> {
        harness::unit_tests![
            events_are_what_the_standard_says,
            a_stream_may_be_cut_anywhere,
            a_new_stream_keeps_the_id_and_forgets_half_an_event,
            an_event_without_end_is_an_error,
        ]
    }

    fn message(data: &str) -> Event {
        Event {
            kind: "message".to_owned(),
            data: data.to_owned(),
        }
    }

    fn events_are_what_the_standard_says() {
        for (stream, expected) in [
            ("data: a\n\n", vec![message("a")]),
            (
                "data:a\r\rdata:  b\r\n\r\n",
                vec![message("a"), message(" b")],
            ),
            ("data: a\ndata: b\ndata\n\n", vec![message("a\nb\n")]),
            (": a comment\n\n: another\ndata: a\n\n", vec![message("a")]),
            ("\u{FEFF}data: a\n\n\u{FEFF}data: b\n\n", vec![message("a")]),
            ("data\n\ndata\ndata\n\n", vec![message(""), message("\n")]),
            ("event: x\n\nid: 7\n\nfield: y\n\ndata: cut", vec![]),
            ("data: 中\u{2028}\n\n", vec![message("中\u{2028}")]),
        ] {
            let events = Parser::default().read(stream.as_bytes()).unwrap();
            assert_eq!(events, expected, "{stream:?}");
        }
        let mut parser = Parser::default();
        let stream = "event: missed\nid: 5\nretry: 70\ndata: a\n\nid: 6\n";
        let events = parser.read(stream.as_bytes()).unwrap();
        assert_eq!((&*events[0].kind, &*events[0].data), ("missed", "a"));
        // The id of an event that is not complete does not count yet.
        assert_eq!(parser.last_id, "5");
        assert_eq!(parser.retry, Duration::from_millis(70));
        parser
            .read(b"id: 8\0\nretry: +7\nretry: 7s\nretry\n\n")
            .unwrap();
        assert_eq!(parser.last_id, "6");
        assert_eq!(parser.retry, Duration::from_millis(70));
    }

    fn a_stream_may_be_cut_anywhere() {
        let stream = "id: 1\r\ndata: 中\r\ndata: b\r\n\r\n: c\rdata: d\n\n";
        let stream = stream.as_bytes();
        let whole = Parser::default().read(stream).unwrap();
        assert_eq!(whole, [message("中\nb"), message("d")]);
        for at in 0..=stream.len() {
            let mut parser = Parser::default();
            let mut events = parser.read(&stream[..at]).unwrap();
            events.extend(parser.read(&stream[at..]).unwrap());
            assert_eq!(events, whole, "cut at {at}");
        }
    }

    fn a_new_stream_keeps_the_id_and_forgets_half_an_event() {
        let mut parser = Parser::default();
        parser
            .read(b"id: 1\nretry: 5\ndata: a\n\nid: 2\ndata: b")
            .unwrap();
        parser.begin();
        let events = parser.read("\u{FEFF}data: c\n\n".as_bytes()).unwrap();
        assert_eq!(events, [message("c")]);
        assert_eq!((&*parser.last_id, parser.retry.as_millis()), ("1", 5));
    }

    fn an_event_without_end_is_an_error() {
        for line in
            ["data: a".to_owned(), format!("data: {}\n", "a".repeat(99))]
        {
            let mut parser = Parser::default();
            let error = (0..MAX_EVENT).find_map(|_| {
                let outcome = parser.read(line.as_bytes());
                outcome.err()
            });
            assert!(error.is_some(), "{line}");
        }
    }
}
