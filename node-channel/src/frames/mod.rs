//! The lower layer: one message's bytes and the descriptors that came with
//! them, nothing interpreted.
//!
//! The channel is one Unix stream socket, or on Windows a named pipe. A stream
//! has no messages, so each side marks where one ends:
//!
//! - [`Serialization::Json`]: a line, JSON text and `\n`;
//! - [`Serialization::Advanced`]: a length of 4 bytes, big-endian, and then
//!   as many bytes.
//!
//! [`Decoder`] is that and no more, without a socket. [`open`] makes a
//! [`Reader`] and a [`Writer`] of a socket.

pub(crate) mod decoder;
mod reader;
#[cfg_attr(windows, path = "pipe.rs")]
mod socket;
mod writer;

use std::fmt;
use std::io::{self, ErrorKind};
use std::sync::Arc;

pub use decoder::Decoder;
pub use reader::Reader;
pub use socket::{Descriptor, Socket};
pub(crate) use writer::WeakWriter;
pub use writer::Writer;

use crate::Serialization;

/// The longest frame that is accepted unless said otherwise: 64 MiB.
pub const LIMIT: usize = 64 * 1024 * 1024;

/// From how many waiting bytes on Node's `send()` says `false`, and ours
/// waits.
pub const HIGH_WATER: usize = 128 * 1024;

/// Room for one read. Node reads as much at once.
const READ: usize = 64 * 1024;

/// How long a buffer may be that is kept from one message to the next: 1 MiB
/// and what else is read with it.
const MOST_KEPT: usize = 20 * READ;

/// The length in front of a frame in advanced mode.
const HEADER: usize = 4;

/// As many descriptors as one message may carry on Linux (`SCM_MAX_FD`), so
/// that the kernel never has to cut the list.
const MOST_DESCRIPTORS: usize = 253;

/// One message as it came: its bytes, without line end or length.
#[derive(Debug, Default)]
pub struct Frame {
    /// The bytes begin at `start`; before them is what framed them.
    buffer: Vec<u8>,
    start: usize,
    /// What came with them. A descriptor that is not taken is closed.
    pub descriptors: Vec<Descriptor>,
}

impl Frame {
    /// The message's bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// The message's bytes, without the descriptors.
    pub fn into_bytes(mut self) -> Vec<u8> {
        self.buffer.drain(..self.start);
        self.buffer
    }
}

impl From<Vec<u8>> for Frame {
    fn from(bytes: Vec<u8>) -> Self {
        Self {
            buffer: bytes,
            start: 0,
            descriptors: Vec::new(),
        }
    }
}

/// A frame is longer than the limit. Where the next one begins is unknown,
/// so nothing more can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// The limit in bytes.
    pub limit: usize,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a message is longer than {} bytes", self.limit)
    }
}

impl std::error::Error for TooLong {}

impl From<TooLong> for io::Error {
    fn from(error: TooLong) -> Self {
        Self::new(ErrorKind::InvalidData, error)
    }
}

/// Makes a reader and a writer of one end of a channel. Must be
/// called within a tokio runtime.
///
/// # Errors
/// When the socket cannot be made non-blocking, duplicated or registered.
pub fn open(
    socket: Socket,
    serialization: Serialization,
    limit: usize,
) -> io::Result<(Reader, Writer)> {
    let (source, link) = socket::open(socket)?;
    let decoder = Decoder::new(serialization, limit);
    let more = Arc::default();
    let reader = Reader::new(source, decoder, Arc::clone(&more));
    Ok((reader, Writer::new(link, serialization, more)))
}

/// The peer is gone: how a socket says so.
fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
    )
}
