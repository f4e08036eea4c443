//! What is sent, and what must come back.

use std::fmt::{self, Display};

use anyhow::{Result, bail};

/// How many different messages take turns, so that an answer that comes one
/// message late is noticed.
pub const TURNS: usize = 16;

/// One message and its answer.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The bytes to send.
    pub request: Vec<u8>,
    /// What has to come back.
    pub reply: Reply,
}

/// What has to come back for one message.
#[derive(Clone, Debug)]
pub enum Reply {
    /// These bytes, and no others.
    Exact(Vec<u8>),
    /// An HTTP/1.1 response with status 200 and this body. Its header holds
    /// the date, so it is not known beforehand.
    Http(Vec<u8>),
    /// These bytes, but for some digits in between that are a time.
    Dated {
        /// What comes before the time.
        head: Vec<u8>,
        /// How many digits the time has.
        digits: usize,
        /// What comes after it.
        tail: Vec<u8>,
    },
}

/// What no other work on the machine explains: a wrong answer, or one too
/// many, or an end in the middle.
#[derive(Clone, Debug)]
pub struct Wrong(pub String);

impl Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Wrong {}

/// How far an answer has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is more to come.
    Partly,
    /// It is complete; not yet compared.
    Whole,
}

impl Exchange {
    /// An echo: the answer is the message.
    pub fn echo(message: Vec<u8>) -> Self {
        Self {
            reply: Reply::Exact(message.clone()),
            request: message,
        }
    }
}

impl Reply {
    /// Room that the answer needs at most.
    pub fn room(&self) -> usize {
        match self {
            Self::Exact(bytes) => bytes.len(),
            Self::Http(body) => body.len() + 4096,
            Self::Dated { head, digits, tail } => {
                head.len() + digits + tail.len()
            }
        }
    }

    /// Whether `received` is all of it: the part of the check that must be
    /// done while the clock runs.
    ///
    /// # Errors
    /// When there is more than was asked for, or no HTTP response.
    pub fn progress(&self, received: &[u8]) -> Result<Progress> {
        let whole = match self {
            Self::Exact(_) | Self::Dated { .. } => self.room(),
            Self::Http(_) => match Head::parse(received)? {
                Some(head) => head.length + head.body,
                None => return Ok(Progress::Partly),
            },
        };
        match received.len() {
            length if length < whole => Ok(Progress::Partly),
            length if length == whole => Ok(Progress::Whole),
            length => bail!(Wrong(format!(
                "{length} bytes came back instead of {whole}"
            ))),
        }
    }

    /// Compares a whole answer with what it has to be.
    ///
    /// # Errors
    /// With the first wrong byte.
    pub fn check(&self, received: &[u8]) -> Result<()> {
        match self {
            Self::Exact(bytes) => compare(bytes, received),
            Self::Http(body) => match Head::parse(received)? {
                Some(head) => compare(body, &received[head.length..]),
                None => {
                    bail!(Wrong("no whole HTTP header came back".to_owned()))
                }
            },
            Self::Dated { head, digits, tail } => {
                let parts = received.split_at_checked(head.len());
                let (first, rest) = parts.unwrap_or((received, b""));
                compare(head, first)?;
                let parts = rest.split_at_checked(*digits);
                let (time, last) = parts.unwrap_or((rest, b""));
                if !time.iter().all(u8::is_ascii_digit) {
                    let why = "wrong byte: the time is no number";
                    bail!(Wrong(why.to_owned()));
                }
                compare(tail, last)
            }
        }
    }
}

/// Compares what came back with what was sent.
///
/// # Errors
/// With the place of the first byte that differs.
pub fn compare(expected: &[u8], received: &[u8]) -> Result<()> {
    if expected == received {
        return Ok(());
    }
    let at = expected
        .iter()
        .zip(received)
        .position(|(ours, theirs)| ours != theirs)
        .unwrap_or(expected.len().min(received.len()));
    bail!(Wrong(format!(
        "wrong byte: {:?} came back instead of {:?}, {at} bytes into {}",
        received.get(at).map(|byte| char::from(*byte)),
        expected.get(at).map(|byte| char::from(*byte)),
        expected.len()
    )))
}

/// What is needed of an HTTP response's header.
struct Head {
    /// Bytes up to the body.
    length: usize,
    /// Bytes of the body.
    body: usize,
}

impl Head {
    fn parse(received: &[u8]) -> Result<Option<Self>> {
        let end = received.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let Some(end) = end else { return Ok(None) };
        if !received.starts_with(b"HTTP/1.1 200 ") {
            let line = received.split(|byte| *byte == b'\r').next();
            let line = String::from_utf8_lossy(line.unwrap_or_default());
            bail!(Wrong(format!("the answer is {line:?}")));
        }
        let length =
            received[..end]
                .split(|byte| *byte == b'\n')
                .find_map(|line| {
                    let (name, value) = line.split_at_checked(15)?;
                    name.eq_ignore_ascii_case(b"content-length:").then(
                        || std::str::from_utf8(value).ok()?.trim().parse().ok(),
                    )?
                });
        match length {
            Some(body) => Ok(Some(Self {
                length: end + 4,
                body,
            })),
            None => {
                bail!(Wrong("the answer has no content-length".to_owned()))
            }
        }
    }
}

/// `length` letters and digits, another text for each `turn`. Plain text, so
/// that it is also a line, a JSON string and a part of a URL.
pub fn text(length: usize, turn: usize) -> Vec<u8> {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz012345";
    // xorshift: quick, and no two turns are alike.
    let mut state = (turn as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            LETTERS[(state % 32) as usize]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_byte_is_found_wherever_it_is() {
        for length in [1, 5, 1000] {
            let sent = text(length, 0);
            for at in [0, length / 2, length - 1] {
                let mut received = sent.clone();
                received[at] ^= 1;
                let error = compare(&sent, &received).unwrap_err().to_string();
                assert!(error.contains(&format!("{at} bytes into")), "{error}");
            }
            compare(&sent, &sent).unwrap();
            compare(&sent, &sent[1..]).unwrap_err();
        }
    }

    #[test]
    fn a_message_of_another_turn_is_a_wrong_one() {
        let all: Vec<_> = (0..TURNS).map(|turn| text(5, turn)).collect();
        for (i, one) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|other| other != one));
        }
    }

    #[test]
    fn an_answer_with_more_than_was_asked_for_is_an_error() {
        let reply = Reply::Exact(b"hello".to_vec());
        assert_eq!(reply.progress(b"hell").unwrap(), Progress::Partly);
        assert_eq!(reply.progress(b"hello").unwrap(), Progress::Whole);
        let error = reply.progress(b"hellohello").unwrap_err();
        assert!(error.is::<Wrong>());
    }

    #[test]
    fn an_http_answer_is_checked_for_status_length_and_body() {
        let reply = Reply::Http(b"/hello".to_vec());
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n/hello";
        for cut in 0..answer.len() {
            let progress = reply.progress(&answer[..cut]).unwrap();
            assert_eq!(progress, Progress::Partly);
        }
        assert_eq!(reply.progress(answer).unwrap(), Progress::Whole);
        reply.check(answer).unwrap();
        let wrong = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n/hallo";
        assert_eq!(reply.progress(wrong).unwrap(), Progress::Whole);
        reply.check(wrong).unwrap_err();
        let wrong = b"HTTP/1.1 503 No\r\ncontent-length: 6\r\n\r\n/hello";
        assert!(reply.progress(wrong).unwrap_err().is::<Wrong>());
        let wrong = b"HTTP/1.1 200 OK\r\n\r\n/hello";
        reply.progress(wrong).unwrap_err();
    }
}
