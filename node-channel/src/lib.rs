#![doc = include_str!("../README.md")]

mod arguments;
#[cfg(unix)]
mod channel;
#[cfg(unix)]
pub mod child;
#[cfg(all(unix, feature = "cluster"))]
pub mod cluster;
#[cfg(unix)]
mod error;
mod exit;
#[cfg(unix)]
pub mod frames;
#[cfg(unix)]
mod handle;
#[cfg(unix)]
mod message;
#[cfg(unix)]
pub mod parent;
pub mod pool;
pub mod protocol;
mod scalars;
#[cfg(all(unix, feature = "stream"))]
mod stream;
#[cfg(unix)]
mod text;
#[cfg(not(unix))]
mod unsupported;
pub mod v8;

pub use arguments::parse_arguments;
#[cfg(unix)]
pub use channel::{Channel, Incoming, Sender};
#[cfg(unix)]
pub use child::ChildError;
#[cfg(unix)]
pub use error::Error;
pub use exit::describe;
#[cfg(unix)]
pub use handle::Handle;
#[cfg(unix)]
pub use message::Message;
#[cfg(unix)]
pub use parent::{Fork, Forked};
#[cfg(all(unix, feature = "stream"))]
pub use stream::MessageSink;
#[cfg(not(unix))]
pub use unsupported::*;

/// What messages are made of: Node's option `serialization`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Serialization {
    /// Lines of JSON: what both sides know how to read.
    #[default]
    Json,
    /// V8's own format: Map, Set, Date, Buffer and more, and cycles.
    Advanced,
}

/// How a channel is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// What messages are made of.
    pub serialization: Serialization,
    /// How many bytes a message from the peer may have. A longer one ends the
    /// channel.
    pub limit: usize,
}

impl Options {
    /// The same with another serialization.
    pub fn serialization(mut self, serialization: Serialization) -> Self {
        self.serialization = serialization;
        self
    }

    /// The same with another limit.
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            serialization: Serialization::Json,
            limit: 64 * 1024 * 1024,
        }
    }
}
