//! What is there where the channel is not: on Windows Node's has another
//! wire (a named pipe, and a header of libuv's own before each piece).
//! Programs compile, and say so when they run.

use std::convert::Infallible;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::process::ExitStatus;

use serde::Serialize;

const WHY: &str = "the channel of child processes needs POSIX: \
    on this system Node's is another one";

/// What can go wrong on a channel.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The channel is closed.
    Closed,
    /// A message was not what the serialization demands.
    Malformed {
        /// What is wrong with it.
        why: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(WHY)
    }
}

impl std::error::Error for Error {}

/// A message: there is none on this system.
#[derive(Debug)]
pub struct Message(Infallible);

impl fmt::Display for Message {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {}
    }
}

/// A channel: there is none on this system.
#[derive(Debug)]
pub struct Channel(Infallible);

impl Channel {
    /// Waits for the next message.
    ///
    /// # Errors
    /// See the other systems.
    pub async fn recv(&mut self) -> Option<Result<Message, Error>> {
        match self.0 {}
    }

    /// Sends a message.
    ///
    /// # Errors
    /// See the other systems.
    pub async fn send<T: Serialize + ?Sized>(
        &self,
        _: &T,
    ) -> Result<(), Error> {
        match self.0 {}
    }

    /// Sends on this channel from elsewhere.
    pub fn sender(&self) -> Sender {
        match self.0 {}
    }

    /// Ends the channel.
    ///
    /// # Errors
    /// See the other systems.
    pub async fn disconnect(&self) -> Result<(), Error> {
        match self.0 {}
    }
}

/// Sends messages: there are none on this system.
#[derive(Clone, Debug)]
pub struct Sender(Infallible);

impl Sender {
    /// Sends a message.
    ///
    /// # Errors
    /// See the other systems.
    pub async fn send<T: Serialize + ?Sized>(
        &self,
        _: &T,
    ) -> Result<(), Error> {
        match self.0 {}
    }
}

/// The child's role.
pub mod child {
    use super::{Channel, WHY};
    use std::io;

    /// This process's channel to its parent.
    ///
    /// # Errors
    /// Always, on this system.
    pub fn channel() -> io::Result<Channel> {
        Err(io::Error::new(io::ErrorKind::Unsupported, WHY))
    }
}

/// Starts a program with a channel: not on this system.
#[derive(Debug)]
pub struct Fork;

/// A running program: there is none on this system.
#[derive(Debug)]
pub struct Child {
    /// The channel.
    pub channel: Channel,
}

impl Fork {
    /// Would start `program`.
    pub fn new(_: impl AsRef<OsStr>) -> Self {
        Self
    }

    /// Would start this program once more.
    ///
    /// # Errors
    /// Never.
    pub fn this_program() -> io::Result<Self> {
        Ok(Self)
    }

    /// Adds an argument.
    pub fn arg(self, _: impl AsRef<OsStr>) -> Self {
        self
    }

    /// Adds arguments.
    pub fn args<T: AsRef<OsStr>>(self, _: impl IntoIterator<Item = T>) -> Self {
        self
    }

    /// Starts the program.
    ///
    /// # Errors
    /// Always, on this system.
    pub fn spawn(self) -> io::Result<Child> {
        Err(io::Error::new(io::ErrorKind::Unsupported, WHY))
    }
}

impl Child {
    /// Disconnects and waits for the program's end.
    ///
    /// # Errors
    /// See the other systems.
    pub async fn end(
        &mut self,
        _: impl Future<Output = ()>,
    ) -> io::Result<ExitStatus> {
        match self.channel.0 {}
    }
}
