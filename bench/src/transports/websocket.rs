//! WebSocket, as far as a client needs it that knows what will come back: the
//! handshake and whole text frames. For websocket-echo and socketio-chat.

use std::io::{self, ErrorKind};

use anyhow::Result;
use memchr::memmem;

use crate::load::exchange::{Exchange, Reply, text};
use crate::load::link::{Fds, Link};

/// A client's key. RFC 6455 has it as an example, with its answer.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// A client's frames must be masked. With zeros they would stay as they are,
/// but `ws` notices that and saves itself the work.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The maximum number of messages in flight. The kernel would take hundreds of
/// thousands of small ones, which take seconds to come back.
const IN_FLIGHT: u64 = 1024;

/// Connects to an echo.
pub(super) fn connect(address: &str) -> Result<Fds> {
    let mut fds = Fds::tcp(address)?;
    upgrade(&mut fds, "/")?;
    Ok(fds.with_at_most(IN_FLIGHT))
}

/// A message that comes back.
pub(super) fn echo(size: usize, turn: usize) -> Exchange {
    let message = text(size, turn);
    Exchange {
        request: masked(&message),
        reply: Reply::Exact(frame(&message)),
    }
}

/// The handshake. Returns what has arrived behind it.
///
/// # Errors
/// When the answer is not 101.
pub(super) fn upgrade(fds: &mut Fds, target: &str) -> io::Result<Vec<u8>> {
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {KEY}\r\n\r\n"
    );
    fds.send(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut room = [0; 4096];
    let end = loop {
        if let Some(end) = memmem::find(&answer, b"\r\n\r\n") {
            break end + 4;
        }
        match fds.receive(&mut room)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            length => answer.extend(&room[..length]),
        }
    };
    if !answer.starts_with(b"HTTP/1.1 101 ") {
        let head = String::from_utf8_lossy(&answer[..end]);
        return Err(io::Error::other(format!("no WebSocket: {head:?}")));
    }
    Ok(answer.split_off(end))
}

/// A text frame from a server.
pub(super) fn frame(text: &[u8]) -> Vec<u8> {
    [&header(text.len(), 0)[..], text].concat()
}

/// A text frame from a client.
pub(super) fn masked(text: &[u8]) -> Vec<u8> {
    let mut frame = header(text.len(), 0x80);
    frame.extend(MASK);
    let bytes = text.iter().zip(MASK.iter().cycle());
    frame.extend(bytes.map(|(byte, mask)| byte ^ mask));
    frame
}

/// What stands before a text of this length.
pub(super) fn header(length: usize, mask: u8) -> Vec<u8> {
    const TEXT: u8 = 0x81;
    match length {
        0..=125 => vec![TEXT, mask | length as u8],
        126..=0xFFFF => {
            let [high, low] = (length as u16).to_be_bytes();
            vec![TEXT, mask | 126, high, low]
        }
        _ => {
            let length = (length as u64).to_be_bytes();
            [&[TEXT, mask | 127], &length[..]].concat()
        }
    }
}

/// A server's first frame once it is whole: all of it, and its text.
pub(super) fn first_frame(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (begin, length) = match *bytes.get(1)? & 0x7F {
        126 => {
            let field = bytes.get(2..4)?.try_into().ok()?;
            (4, usize::from(u16::from_be_bytes(field)))
        }
        127 => {
            let field = bytes.get(2..10)?.try_into().ok()?;
            (10, usize::try_from(u64::from_be_bytes(field)).ok()?)
        }
        length => (2, usize::from(length)),
    };
    let end = begin + length;
    Some((bytes.get(..end)?, bytes.get(begin..end)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_have_the_length_that_their_header_says() {
        for length in [0, 1, 125, 126, 1024, 65_535, 65_536] {
            let text = vec![b'x'; length];
            let frame = frame(&text);
            let (all, message) = first_frame(&frame).unwrap();
            assert_eq!(all.len(), frame.len());
            assert_eq!(message, text);
            assert!(first_frame(&frame[..frame.len() - 1]).is_none());
        }
        // As in RFC 6455, 5.7.
        assert_eq!(frame(b"Hello"), b"\x81\x05Hello");
        let expected = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        assert_eq!(masked(b"Hello"), expected);
    }
}
