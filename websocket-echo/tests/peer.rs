//! A WebSocket peer that we drive frame by frame: it can do what no library
//! would.

use std::io::{ErrorKind, Read, Write};

use anyhow::{Context, Result, ensure};
use harness::testing::peer::Peer;
use harness::testing::server::Server;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;
/// The bit that marks the last fragment of a message.
pub const FIN: u8 = 0x80;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// One side of an open WebSocket, or a request for one.
pub struct WebSocket {
    pub peer: Peer,
    /// A client masks what it sends.
    masks: bool,
}

/// An HTTP request for an upgrade, to the path with these header lines.
pub fn request(path: &str, headers: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {KEY}\r\n{headers}\r\n"
    )
}

/// Reads the head of a request or an answer, its empty line included.
pub fn read_head(peer: &mut Peer) -> Result<String> {
    peer.read_head()?.context("closed before a head")
}

/// The value of a header, if it is there.
pub fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(": ")?;
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}

impl WebSocket {
    /// A client of this server, after the handshake.
    pub fn connect(server: &Server) -> Result<Self> {
        Self::over(server.connect()?)
    }

    /// As [`WebSocket::connect`], on a connection that is open.
    pub fn over(mut peer: Peer) -> Result<Self> {
        peer.write_all(request("/", "").as_bytes())?;
        let head = read_head(&mut peer)?;
        ensure!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let accept = header(&head, "sec-websocket-accept");
        ensure!(accept == Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        Ok(Self { peer, masks: true })
    }

    /// The server of this client, after the handshake. With the request's head.
    pub fn accept(mut peer: Peer) -> Result<(Self, String)> {
        let head = read_head(&mut peer)?;
        let key = header(&head, "sec-websocket-key").context("no key")?;
        let accept = derive_accept_key(key.as_bytes());
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Protocol: echo.v1\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        peer.write_all(answer.as_bytes())?;
        let socket = Self { peer, masks: false };
        Ok((socket, head))
    }

    /// Sends a frame whose first byte is `first`: an opcode, and `FIN`.
    pub fn send(&mut self, first: u8, payload: &[u8]) -> Result<()> {
        Ok(self.peer.write_all(&frame(first, payload, self.masks))?)
    }

    /// Sends a Close frame.
    pub fn send_close(&mut self, code: u16) -> Result<()> {
        self.send(FIN | CLOSE, &code.to_be_bytes())
    }

    /// The next frame: its first byte, and its payload.
    pub fn receive(&mut self) -> Result<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.peer.read_exact(&mut head).context("read a frame")?;
        let masked = head[1] & 0x80 != 0;
        ensure!(masked != self.masks, "wrongly masked: {head:?}");
        let length = match head[1] & 0x7F {
            126 => {
                let mut length = [0; 2];
                self.peer.read_exact(&mut length)?;
                u64::from(u16::from_be_bytes(length))
            }
            127 => {
                let mut length = [0; 8];
                self.peer.read_exact(&mut length)?;
                u64::from_be_bytes(length)
            }
            length => u64::from(length),
        };
        let mut mask = [0; 4];
        if masked {
            self.peer.read_exact(&mut mask)?;
        }
        let mut payload = vec![0; usize::try_from(length)?];
        self.peer.read_exact(&mut payload)?;
        for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        Ok((head[0], payload))
    }

    /// The next frame must be this one.
    pub fn expect(&mut self, first: u8, payload: &[u8]) -> Result<()> {
        let (found, bytes) = self.receive()?;
        ensure!(
            found == first && bytes == payload,
            "not {first:#x} with {} bytes: {found:#x} {:?}",
            payload.len(),
            bytes[..bytes.len().min(100)].escape_ascii().to_string()
        );
        Ok(())
    }

    /// What comes next that is no ping must be a Close frame with this code;
    /// after it, the other side closes.
    pub fn expect_close(&mut self, code: u16) -> Result<()> {
        loop {
            match self.receive()? {
                (first, _) if first == FIN | PING => {}
                (first, payload) if first == FIN | CLOSE => {
                    let found = payload.get(..2);
                    let expected = code.to_be_bytes();
                    ensure!(found == Some(&expected), "{code}: {payload:?}");
                    return Ok(());
                }
                other => anyhow::bail!("no Close: {other:?}"),
            }
        }
    }

    /// The other side closes or resets the connection, and sends no frame
    /// before, unless it is a ping.
    pub fn expect_end(&mut self) -> Result<()> {
        let mut rest = Vec::new();
        match self.peer.read_to_end(&mut rest) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => {
                return Err(error).context("wait for the end");
            }
            _ => {}
        }
        let pings = rest.chunks(2).all(|frame| frame == [FIN | PING, 0]);
        ensure!(pings, "{:?}", rest.escape_ascii().to_string());
        Ok(())
    }

    /// "hello" comes back.
    pub fn echoes(&mut self) -> Result<()> {
        self.send(FIN | TEXT, b"hello")?;
        self.expect(FIN | TEXT, b"hello")
    }
}

/// The bytes of a frame; with a mask of zeros if it has one.
pub fn frame(first: u8, payload: &[u8], masked: bool) -> Vec<u8> {
    let mut frame = head(first, payload.len() as u64, masked);
    frame.extend(payload);
    frame
}

/// The head of a frame that says it has so many bytes.
pub fn head(first: u8, length: u64, masked: bool) -> Vec<u8> {
    let mask = if masked { 0x80 } else { 0 };
    let mut head = vec![first];
    match length {
        0..126 => head.push(mask | length as u8),
        126..0x1_0000 => {
            head.push(mask | 126);
            head.extend((length as u16).to_be_bytes());
        }
        _ => {
            head.push(mask | 127);
            head.extend(length.to_be_bytes());
        }
    }
    if masked {
        head.extend([0; 4]);
    }
    head
}
