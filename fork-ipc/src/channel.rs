//! The upper layer: messages to and from the peer, and Node's own messages
//! kept apart from them.

use std::os::fd::OwnedFd;

use serde::Serialize;

use crate::frames::{self, Frame, Reader, Writer};
use crate::message::{self, Kind, Message};
use crate::{Error, Options};

/// One end of a channel between a parent and a child.
#[derive(Debug)]
pub struct Channel {
    reader: Reader,
    sender: Sender,
}

/// Sends messages. Clones send on the same channel, from any task: whole
/// messages, each sender's in its order.
#[derive(Clone, Debug)]
pub struct Sender {
    writer: Writer,
}

impl Channel {
    /// Makes a channel of one end of a Unix stream socket. Must be called
    /// within a tokio runtime.
    ///
    /// # Errors
    /// When the socket cannot be made non-blocking or registered.
    pub fn new(socket: OwnedFd, options: Options) -> Result<Self, Error> {
        let (reader, writer) =
            frames::open(socket, options.serialization, options.limit)?;
        Ok(Self {
            reader,
            sender: Sender { writer },
        })
    }

    /// Waits for the next message. `None` when the channel has ended: the
    /// peer has disconnected or died. Safe to cancel: no message is lost.
    ///
    /// # Errors
    /// [`Error::Malformed`] when one message is not what it should be; the
    /// next one arrives all the same. Every other error ends the channel.
    pub async fn recv(&mut self) -> Option<Result<Message, Error>> {
        loop {
            let frame = match self.reader.next().await {
                Ok(Some(frame)) => frame,
                Ok(None) => {
                    // Node, too, closes its end then.
                    self.sender.writer.close();
                    return None;
                }
                Err(error) => {
                    self.sender.writer.close();
                    return Some(Err(error.into()));
                }
            };
            match self.sort(frame) {
                Ok(None) => {}
                Ok(Some(message)) => return Some(Ok(message)),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Keeps Node's own messages and answers them; gives back the user's.
    fn sort(&mut self, frame: Frame) -> Result<Option<Message>, Error> {
        let serialization = self.sender.writer.serialization();
        let (kind, message) = message::read(serialization, frame.into_bytes())?;
        match kind {
            Kind::User => Ok(Some(message)),
            // Somebody hands a socket over. Without an answer, nothing else
            // would ever come from there.
            Kind::Internal(cmd) if cmd == "NODE_HANDLE" => {
                let refusal = br#"{"cmd":"NODE_HANDLE_NACK"}"#.to_vec();
                self.sender.writer.post(refusal.into())?;
                Ok(None)
            }
            Kind::Internal(_) => Ok(None),
        }
    }

    /// Sends a message; see [`Sender::send`].
    ///
    /// # Errors
    /// As [`Sender::send`].
    pub async fn send<T: Serialize + ?Sized>(
        &self,
        value: &T,
    ) -> Result<(), Error> {
        self.sender.send(value).await
    }

    /// Sends on this channel from elsewhere.
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// Ends the channel after all that was sent has gone; see
    /// [`Sender::disconnect`].
    ///
    /// # Errors
    /// As [`Sender::disconnect`].
    pub async fn disconnect(&self) -> Result<(), Error> {
        self.sender.disconnect().await
    }
}

impl Sender {
    /// Sends a message. Waits while the peer does not read and 128 KiB wait
    /// already: Node's `send()` would queue without end. Cancelled while it
    /// waits, nothing is sent.
    ///
    /// # Errors
    /// [`Error::Closed`] after the end; [`Error::Value`] when serde cannot
    /// write the value.
    pub async fn send<T: Serialize + ?Sized>(
        &self,
        value: &T,
    ) -> Result<(), Error> {
        let frame = message::write(value)?.into();
        Ok(self.writer.send(frame).await?)
    }

    /// 128 KiB or more wait for the peer to read: where Node's `send()`
    /// returns `false`.
    pub fn would_block(&self) -> bool {
        self.writer.would_block()
    }

    /// Waits until the kernel has all that was sent: it arrives even if this
    /// process ends now.
    ///
    /// # Errors
    /// [`Error::Closed`] when the channel ended before that.
    pub async fn flush(&self) -> Result<(), Error> {
        Ok(self.writer.flush().await?)
    }

    /// Ends the channel, after all that was sent has gone. What the peer had
    /// sent before can still be received.
    ///
    /// # Errors
    /// [`Error::Closed`] when the channel ended before all was gone.
    pub async fn disconnect(&self) -> Result<(), Error> {
        Ok(self.writer.finish().await?)
    }
}
