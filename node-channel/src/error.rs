//! What can go wrong on a channel.

use std::fmt;
use std::io;

use crate::Message;
use crate::frames::TooLong;

/// What can go wrong on a channel.
///
/// `Debug` is for people, too: it is what a `main` that returns an error
/// prints. It shows the reason behind the error as well, as `{:#}` does.
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
    /// A message is longer than the limit. The channel has ended: where the
    /// next message begins is not known.
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A value cannot be written or sent, or a message is not of the type
    /// that was asked for. The message is still there, and the channel is as
    /// it was.
    Value(String),
    /// A socket came with a message, where nothing but a value was asked for:
    /// [`Channel::recv_with`](crate::Channel::recv_with) asks for both.
    UnexpectedHandle(Box<Message>),
    /// The peer did not get the socket that was sent to it, nor when it was
    /// sent three times more.
    HandleRefused,
    /// The system has refused something. The channel has ended if it was the
    /// channel's socket that failed; it goes on if it was a socket that came
    /// with a message.
    Io(io::Error),
}

/// The reason for a failure of this library's own, within an [`io::Error`]:
/// what the system says has none of these.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reason {
    Closed,
    Unsendable(&'static str),
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
            Self::TooLong { limit } => TooLong { limit: *limit }.fmt(f),
            Self::Value(why) => f.write_str(why),
            Self::UnexpectedHandle(_) => f.write_str(
                "a socket came with the message: use recv_with, or recv",
            ),
            Self::HandleRefused => {
                f.write_str("the peer did not get the socket")
            }
            Self::Io(error) => system(f, error),
        }
    }
}

/// The reason belongs to [`std::error::Error::source`], and to `{:#}`.
pub(crate) fn system(
    f: &mut fmt::Formatter<'_>,
    error: &io::Error,
) -> fmt::Result {
    f.write_str("a system call failed")?;
    match f.alternate() {
        true => write!(f, ": {error}"),
        false => Ok(()),
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#}")
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the channel is closed",
            Self::Unsendable(why) => why,
        })
    }
}

impl std::error::Error for Reason {}

impl From<Reason> for io::Error {
    fn from(reason: Reason) -> Self {
        let kind = match reason {
            Reason::Closed => io::ErrorKind::BrokenPipe,
            Reason::Unsendable(_) => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, reason)
    }
}

/// What [`frames`](crate::frames) has said becomes the error that it means.
/// All else stays what it is: a broken pipe of yours is not this channel's
/// end.
impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        let Some(inner) = error.get_ref() else {
            return Self::Io(error);
        };
        if let Some(TooLong { limit }) = inner.downcast_ref() {
            return Self::TooLong { limit: *limit };
        }
        match inner.downcast_ref() {
            Some(Reason::Closed) => Self::Closed,
            Some(Reason::Unsendable(why)) => Self::Value((*why).to_owned()),
            None => Self::Io(error),
        }
    }
}

impl From<crate::v8::Invalid> for Error {
    fn from(error: crate::v8::Invalid) -> Self {
        Self::Value(error.to_string())
    }
}
