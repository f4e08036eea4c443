//! What can go wrong on a channel.

use std::fmt;
use std::io;

/// What can go wrong on a channel.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The channel is closed: by the peer, by its death, or by us.
    Closed,
    /// A message was not what the serialization demands. It is lost; the next
    /// one arrives.
    Malformed {
        /// What is wrong with it.
        why: String,
        /// The message. In a line, U+FFFD stands for what was not UTF-8.
        bytes: Vec<u8>,
    },
    /// A value cannot be written or sent, or a message is not of the type
    /// that was asked for. The message is still there, and the channel is as
    /// it was.
    Value(String),
    /// The peer did not get the socket that was sent to it, nor when it was
    /// sent three times more.
    HandleRefused,
    /// The system has refused something. The channel has ended if it was the
    /// channel's socket that failed, or if a message was longer than the
    /// limit; it goes on if it was a socket that came with a message.
    Io(io::Error),
}

impl Error {
    /// A message that is not what the serialization demands.
    pub(crate) fn malformed(why: impl fmt::Display, bytes: Vec<u8>) -> Self {
        Self::Malformed {
            why: why.to_string(),
            bytes,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("the channel is closed"),
            Self::Malformed { why, bytes } => {
                let start = &bytes[..bytes.len().min(40)];
                let start = String::from_utf8_lossy(start);
                let dots = if bytes.len() > 40 { "…" } else { "" };
                write!(f, "{why}: '{start}{dots}'")
            }
            Self::Value(why) => f.write_str(why),
            Self::HandleRefused => {
                f.write_str("the peer did not get the socket")
            }
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::Closed;
        }
        // Said by this library, not by the system: nothing has been sent.
        if error.kind() == io::ErrorKind::InvalidInput
            && error.raw_os_error().is_none()
        {
            return Self::Value(error.to_string());
        }
        Self::Io(error)
    }
}

impl From<crate::v8::Invalid> for Error {
    fn from(error: crate::v8::Invalid) -> Self {
        Self::Value(error.to_string())
    }
}
