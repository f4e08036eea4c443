//! The message channel of Node's `child_process.fork()`: for Rust programs that
//! start Node children, and for Rust programs that Node starts.
//!
//! In Node, a parent and its child send each other messages with
//! `child.send(message)` and `process.send(message)`. This crate is the other
//! end, in both roles, byte for byte: a Node program on the other side needs
//! no change, and does not know. Sockets that are sent along arrive, in both
//! directions; so do all values of JavaScript, with Node's option
//! `serialization: 'advanced'`. Nothing on the way is unbounded: `send` waits
//! while the peer does not read.
//!
//! # Rust starts Node
//!
//! ```
//! use node_channel::Fork;
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! #   if std::process::Command::new("node").arg("-v").output().is_err() {
//! #       return Ok(()); // there is none here
//! #   }
//!     let script = "process.on('message', n => process.send(n * 2))";
//!     let mut child = Fork::new("node").args(["-e", script]).spawn()?;
//!
//!     child.channel.send(&21).await?;
//!     let answer = child.channel.recv_as::<u32>().await;
//!     assert_eq!(answer.ok_or("node has ended")??, 42);
//!
//!     // Disconnects: the script has nothing else to do, and ends.
//!     assert!(child.end().await?.success());
//!     Ok(())
//! }
//! ```
//!
//! [`pool::Pool`] does this with several children and a queue of jobs.
//!
//! # Node starts Rust
//!
//! In Node, `spawn(program, { stdio: [0, 1, 2, 'ipc'] })`, then `.send(21)` and
//! `.on('message', console.log)`. In Rust, take the channel **before** the
//! runtime starts its threads, as that changes the environment:
//!
//! ```standalone_crate
//! use node_channel::child::Inherited;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//! #   if std::env::var_os("NODE_CHANNEL_FD").is_none() {
//! #       return as_parent();
//! #   }
//!     let inherited = Inherited::take()?;
//!     tokio::runtime::Runtime::new()?.block_on(double(inherited))
//! }
//!
//! async fn double(
//!     inherited: Inherited,
//! ) -> Result<(), Box<dyn std::error::Error>> {
//!     let mut channel = inherited.open()?;
//!     // Until the parent disconnects.
//!     while let Some(number) = channel.recv_as::<u32>().await {
//!         channel.send(&(number? * 2)).await?;
//!     }
//!     Ok(())
//! }
//! #
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn as_parent() -> Result<(), Box<dyn std::error::Error>> {
//! #     let mut child = node_channel::Fork::this_program()?.spawn()?;
//! #     child.channel.send(&21).await?;
//! #     let answer = child.channel.recv_as::<u32>().await;
//! #     assert_eq!(answer.ok_or("the child has ended")??, 42);
//! #     assert!(child.end().await?.success());
//! #     Ok(())
//! # }
//! ```
//!
//! With `#[tokio::main(flavor = "current_thread")]`, which starts no thread,
//! [`child::channel`] in the first line of `main` does both.
//!
//! # What becomes what
//!
//! [`Channel::recv`] hands out a [`Message`], which is all that came.
//! [`Channel::recv_as`] makes a type of yours of it, with serde:
//!
//! | in Node | with JSON | with `advanced` |
//! |---|---|---|
//! | a string | `String` | `String` |
//! | half a surrogate pair in it | [`Message::bytes`] | [`v8::Value`] |
//! | a number | any number that it fits | the same |
//! | NaN, Infinity | `None` | `f64` |
//! | a BigInt | Node cannot send it | any whole number, to `u128` |
//! | `true`, `null` | `bool`, `None` | the same |
//! | `undefined` in an object | is left out | `None` |
//! | an object | a struct, a map | the same |
//! | an array | `Vec`, a tuple | the same |
//! | a Date | `String`, ISO 8601 | `f64`, milliseconds since 1970 |
//! | a Map | an empty object | a map, a struct |
//! | a Set | an empty object | `Vec`, a set |
//! | a Buffer | `{ type, data }` | `Vec<u8>` |
//! | a typed array | an object of numbers | `Vec` of its numbers |
//! | an Error, a RegExp | an empty object | [`v8::Value`] |
//! | an object in itself | Node cannot send it | [`v8::Value`] |
//! | a socket or server with it | [`Channel::recv_with`] | the same |
//!
//! A type that takes any value, such as `serde_json::Value`, gets an error
//! where it would lose a Date, a Map or a Set.
//!
//! # Where to look
//!
//! - [`Fork`] starts a child, [`child`] is the child's role, and [`Channel`] and
//!   [`Sender`] are what both have then;
//! - [`pool`]: jobs for several children; `cluster`: a worker of Node's
//!   `cluster`;
//! - [`v8`]: V8's format for values, also without a channel;
//! - `frames`: the bytes of each message and no more, and a decoder that does
//!   not need a socket;
//! - [`protocol`]: what is on the wire, each fact with its source.
//!
//! # Features
//!
//! Both are on unless you say `default-features = false`:
//!
//! - `cluster`: the module of that name;
//! - `stream`: a [`Channel`] is a `Stream`, and `Sender::sink` makes a `Sink`.
//!
//! V8's format and the passing of sockets are always there. Neither brings a
//! dependency; without the first, [`Serialization`] would be another type, and
//! even a program that wants no sockets has to answer a peer that sends one:
//! Node sends nothing more until then.
//!
//! # Systems
//!
//! Linux, macOS and Windows. It is tested with Node 20, 22, 24 and 26 on Linux,
//! and with Windows' Node 20 and 22 under Wine; not on Windows itself.
//!
//! On Windows the channel is a named pipe, and less is possible:
//!
//! - TCP sockets and servers can be received, but not sent: that is an
//!   [`Error::Value`]. A `cluster` was not tried there.
//! - A pipe has no half-close. [`Sender::disconnect`] waits until the peer has
//!   read all, and then both directions end: what the peer sends afterwards is
//!   lost, and a Node process gets an `EPIPE`.
//! - A [`Fork`]'s program has this one's stdin, stdout and stderr, and its
//!   process is a type of this crate's, with the same names as tokio's.
//!
//! The oldest Rust that compiles it is 1.88. To need a newer one is a minor
//! release.

mod arguments;
mod channel;
pub mod child;
#[cfg(feature = "cluster")]
pub mod cluster;
#[cfg_attr(windows, allow(dead_code, reason = "no socket is handed on there"))]
mod elsewhere;
mod error;
mod exit;
mod forked;
pub mod frames;
#[cfg_attr(windows, path = "windows/handle.rs")]
mod handle;
mod message;
#[cfg_attr(windows, path = "windows/parent.rs")]
pub mod parent;
pub mod pool;
pub mod protocol;
mod scalars;
#[cfg(feature = "stream")]
mod stream;
mod text;
pub mod v8;

pub use arguments::parse_arguments;
pub use channel::{Channel, Incoming, Sender};
pub use child::ChildError;
pub use error::Error;
pub use exit::describe;
pub use forked::Forked;
pub use handle::Handle;
pub use message::Message;
pub use parent::Fork;
#[cfg(feature = "stream")]
pub use stream::MessageSink;

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

/// The README's examples are compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
