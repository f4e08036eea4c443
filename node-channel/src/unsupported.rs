//! What is there where the channel is not: on Windows Node's has another
//! wire (a named pipe, and a header of libuv's own before each piece).
//! Programs compile, and say so when they run.

use std::convert::Infallible;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::process::ExitStatus;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::{TcpListener, TcpStream};

use crate::Serialization;

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
    /// A message is longer than the limit.
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The system has refused something.
    Io(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(WHY)
    }
}

impl std::error::Error for Error {}

/// A message: there is none on this system.
#[derive(Debug)]
pub struct Message {
    never: Infallible,
    /// The socket that came with it.
    pub handle: Option<Handle>,
}

impl Message {
    /// The message as it came.
    pub fn bytes(&self) -> &[u8] {
        match self.never {}
    }

    /// The message as it came.
    pub fn into_bytes(self) -> Vec<u8> {
        match self.never {}
    }

    /// To be shown.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        match self.never {}
    }

    /// The message as a value of yours.
    ///
    /// # Errors
    /// See the other systems.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Error> {
        match self.never {}
    }
}

impl From<Message> for Vec<u8> {
    fn from(message: Message) -> Self {
        message.into_bytes()
    }
}

/// A socket that came with a message.
#[derive(Debug)]
#[non_exhaustive]
pub enum Handle {
    /// Node's `net.Socket`, over TCP.
    TcpStream(TcpStream),
    /// Node's `net.Server`, over TCP.
    TcpListener(TcpListener),
}

impl fmt::Display for Message {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.never {}
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

    /// Waits for the next message and makes a value of yours of it.
    ///
    /// # Errors
    /// See the other systems.
    pub async fn recv_as<T: DeserializeOwned>(
        &mut self,
    ) -> Option<Result<T, Error>> {
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

    /// Sends a message on as it came.
    ///
    /// # Errors
    /// See the other systems.
    pub async fn pass_on(&self, _: Message) -> Result<(), Error> {
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

impl Sender {
    /// Sends a message that is there as bytes already.
    ///
    /// # Errors
    /// See the other systems.
    pub async fn send_raw(&self, _: impl Into<Vec<u8>>) -> Result<(), Error> {
        match self.0 {}
    }

    /// Sends a message and a socket with it.
    ///
    /// # Errors
    /// See the other systems.
    pub async fn send_with<T: Serialize + ?Sized>(
        &self,
        _: &T,
        _: impl Into<Handle>,
    ) -> Result<(), Error> {
        match self.0 {}
    }
}

fn unsupported<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::Unsupported, WHY))
}

/// A worker of a cluster.
pub mod cluster {
    use std::convert::Infallible;
    use std::io;
    use std::net::SocketAddr;

    use tokio::net::TcpStream;

    use super::{Error, Message, Sender, unsupported};

    /// A worker: there is none on this system.
    #[derive(Debug)]
    pub struct Worker(Infallible);

    /// What happens to a worker.
    #[derive(Debug)]
    #[non_exhaustive]
    pub enum Event {
        /// A client has connected.
        Connection(TcpStream),
        /// The primary has sent a message.
        Message(Message),
    }

    /// Makes a worker of this process.
    ///
    /// # Errors
    /// Always, on this system.
    pub async fn worker() -> io::Result<Worker> {
        unsupported()
    }

    impl Worker {
        /// This worker's number.
        pub fn id(&self) -> u32 {
            match self.0 {}
        }

        /// The worker leaves on purpose.
        pub fn is_leaving(&self) -> bool {
            match self.0 {}
        }

        /// Sends messages to the primary.
        pub fn sender(&self) -> Sender {
            match self.0 {}
        }

        /// Has the primary listen at an address.
        ///
        /// # Errors
        /// See the other systems.
        pub async fn listen(
            &mut self,
            _: SocketAddr,
        ) -> Result<SocketAddr, Error> {
            match self.0 {}
        }

        /// Waits for the next connection or message.
        ///
        /// # Errors
        /// See the other systems.
        pub async fn next(&mut self) -> Option<Result<Event, Error>> {
            match self.0 {}
        }

        /// Leaves the cluster.
        ///
        /// # Errors
        /// See the other systems.
        pub async fn disconnect(&mut self) -> Result<(), Error> {
            match self.0 {}
        }
    }
}

/// The child's role.
pub mod child {
    use super::{Channel, unsupported};
    use std::convert::Infallible;
    use std::io;

    /// A channel that is not yet in use: there is none on this system.
    #[derive(Debug)]
    pub struct Inherited(Infallible);

    impl Inherited {
        /// Takes the channel out of the environment.
        ///
        /// # Errors
        /// Always, on this system.
        pub fn take() -> io::Result<Self> {
            unsupported()
        }

        /// Begins to use it.
        ///
        /// # Errors
        /// See the other systems.
        pub fn open(self) -> io::Result<Channel> {
            match self.0 {}
        }
    }

    /// This process's channel to its parent.
    ///
    /// # Errors
    /// Always, on this system.
    pub fn channel() -> io::Result<Channel> {
        unsupported()
    }
}

/// Starts a program with a channel: not on this system.
#[derive(Debug)]
pub struct Fork(tokio::process::Command);

/// A running program: there is none on this system.
#[derive(Debug)]
pub struct Forked {
    /// The channel.
    pub channel: Channel,
    /// The process.
    pub process: tokio::process::Child,
}

impl Fork {
    /// Would start `program`.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Self(tokio::process::Command::new(program))
    }

    /// Would start this program once more.
    ///
    /// # Errors
    /// When the system does not know where this program's file is.
    pub fn this_program() -> io::Result<Self> {
        Ok(Self::new(std::env::current_exe()?))
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.0.arg(argument);
        self
    }

    /// Adds arguments.
    pub fn args<T: AsRef<OsStr>>(
        mut self,
        arguments: impl IntoIterator<Item = T>,
    ) -> Self {
        self.0.args(arguments);
        self
    }

    /// All else that [`tokio::process::Command`] can do.
    pub fn command(&mut self) -> &mut tokio::process::Command {
        &mut self.0
    }

    /// Sets what messages are made of.
    pub fn serialization(self, _: Serialization) -> Self {
        self
    }

    /// Starts the program.
    ///
    /// # Errors
    /// Always, on this system.
    pub fn spawn(&mut self) -> io::Result<Forked> {
        unsupported()
    }
}

impl Forked {
    /// Disconnects and waits for the program's end.
    ///
    /// # Errors
    /// See the other systems.
    pub async fn end(&mut self) -> io::Result<ExitStatus> {
        match self.channel.0 {}
    }
}
