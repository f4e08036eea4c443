//! The upper layer: messages to and from the peer, sockets that go with
//! them, and Node's own messages kept apart.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::elsewhere::{self, Elsewhere, Questions};
use crate::frames::{self, Descriptor, Frame, Reader, Socket, Writer};
use crate::handle::{Connections, Handle};
use crate::message::{self, Enveloped, Kind, Label, Message};
use crate::v8::Value;
use crate::{Error, Options, Serialization};

/// How often Node sends a socket again that did not arrive.
const REPEATED: u32 = 3;

/// How many envelopes may be in one another. Node makes two of what it
/// repeats.
const ENVELOPES: usize = 8;

/// One end of a channel between a parent and a child.
#[derive(Debug)]
pub struct Channel {
    reader: Reader,
    sender: Sender,
    connections: Arc<Mutex<Connections>>,
    /// What the peer was asked about connections that it has now.
    questions: Arc<Mutex<Questions>>,
    /// How often the peer has asked about a key, while others are being asked.
    counting: Arc<Mutex<HashMap<String, usize>>>,
    /// The last message was one to be answered.
    answered: bool,
    /// Waits for room for the next answer.
    room: Option<Room>,
    /// Keys whose connections are being watched until they are closed.
    watched: Arc<Mutex<HashSet<String>>>,
}

/// Somebody waits for room.
struct Room(Pin<Box<dyn Future<Output = ()> + Send + Sync>>);

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Room")
    }
}

/// Sends messages. Clones send on the same channel, from any task: whole
/// messages, each sender's in its order.
///
/// The channel stays open as long as there is a clone, also without its
/// [`Channel`]; [`Self::disconnect`] ends it for all of them.
#[derive(Clone, Debug)]
pub struct Sender {
    pub(crate) writer: Writer,
    /// Of the channel, as long as that is there.
    questions: Weak<Mutex<Questions>>,
}

/// What a peer can send.
#[derive(Debug)]
#[non_exhaustive]
pub enum Incoming {
    /// A message of the user's.
    Message(Message),
    /// One of Node's own, an object whose `cmd` begins with `NODE_`. Those
    /// that belong to the passing of sockets are not among them.
    Internal(Message),
}

impl Channel {
    /// Makes a channel of one end of a Unix stream socket. Must be called
    /// within a tokio runtime.
    ///
    /// # Errors
    /// When the socket cannot be made non-blocking, duplicated or registered.
    pub fn new(socket: Socket, options: Options) -> Result<Self, Error> {
        let (reader, writer) =
            frames::open(socket, options.serialization, options.limit)?;
        let questions = Arc::default();
        let connections = Connections::of(Arc::downgrade(&questions));
        let sender = Sender {
            writer,
            questions: Arc::downgrade(&questions),
        };
        Ok(Self {
            reader,
            sender,
            questions,
            connections: Arc::new(Mutex::new(connections)),
            counting: Arc::default(),
            answered: false,
            room: None,
            watched: Arc::default(),
        })
    }

    /// Waits for the next message. `None` when the channel has ended: the
    /// peer has disconnected or died. Safe to cancel: no message is lost.
    ///
    /// One bad message is one `Err` here, and the next one arrives. All of a
    /// message is looked at before it is handed out, in both serializations:
    /// what comes as `Ok` is JSON, or a value of V8's, to its end. That
    /// [`Message::parse`] makes a value of your type of it is another matter.
    ///
    /// Somebody must be waiting here for sockets to be sent, too: their
    /// acknowledgements arrive on this way.
    ///
    /// # Errors
    /// [`Error::Malformed`], with its bytes, when one message is not what it
    /// should be; the next one arrives all the same. Receive on after any
    /// other error, too: if it has ended the channel, `None` comes next.
    pub async fn recv(&mut self) -> Option<Result<Message, Error>> {
        loop {
            match self.recv_any().await? {
                Ok(Incoming::Message(message)) => return Some(Ok(message)),
                Ok(Incoming::Internal(_)) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Waits for the next message and makes a value of yours of it. Otherwise
    /// as [`Self::recv`], and quicker than [`Message::parse`] after it: the
    /// message is read once, where it lies.
    ///
    /// # Errors
    /// As [`Self::recv`]; [`Error::Malformed`], with its bytes, also when it
    /// is not a `T`, or no Rust value can hold it;
    /// [`Error::UnexpectedHandle`], with the message, when a socket came with
    /// it.
    pub async fn recv_as<T: DeserializeOwned>(
        &mut self,
    ) -> Option<Result<T, Error>> {
        let serialization = self.sender.serialization();
        loop {
            self.make_room().await;
            let look = |bytes: &_| message::read_as(serialization, bytes);
            match self.reader.peek(look).await {
                Ok(Some(Some(value))) => return Some(Ok(value)),
                // Not a `T`, or not for the user.
                Ok(Some(None)) => {}
                Ok(None) => return self.end(None),
                Err(error) => return self.end(Some(error)),
            }
            match self.recv_any().await? {
                Ok(Incoming::Message(message)) => {
                    return Some(match message.handle {
                        None => parsed(&message),
                        Some(_) => {
                            Err(Error::UnexpectedHandle(Box::new(message)))
                        }
                    });
                }
                Ok(Incoming::Internal(_)) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Waits for the next message, makes a value of yours of it, and hands
    /// out the socket that came with it.
    ///
    /// # Errors
    /// As [`Self::recv`]; [`Error::Malformed`], with its bytes, also when it
    /// is not a `T`, or no Rust value can hold it.
    pub async fn recv_with<T: DeserializeOwned>(
        &mut self,
    ) -> Option<Result<(T, Option<Handle>), Error>> {
        let mut message = match self.recv().await? {
            Ok(message) => message,
            Err(error) => return Some(Err(error)),
        };
        let handle = message.handle.take();
        Some(parsed(&message).map(|value| (value, handle)))
    }

    /// As [`Self::recv`], with Node's own messages.
    ///
    /// # Errors
    /// As [`Self::recv`].
    pub async fn recv_any(&mut self) -> Option<Result<Incoming, Error>> {
        loop {
            self.make_room().await;
            let frame = match self.reader.next().await {
                Ok(Some(frame)) => frame,
                Ok(None) => return self.end(None),
                Err(error) => return self.end(Some(error)),
            };
            match self.sort(frame) {
                Ok(None) => {}
                Ok(Some(incoming)) => return Some(Ok(incoming)),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Waits until the last answer has not too many before it.
    ///
    /// The waiting is kept when the caller is cancelled, or polled as a
    /// stream: the task that waits is still woken then.
    async fn make_room(&mut self) {
        if !self.answered {
            return;
        }
        let writer = &self.sender.writer;
        if !writer.is_ready_first() {
            let room = self.room.get_or_insert_with(|| {
                let writer = writer.clone();
                Room(Box::pin(async move { writer.ready_first().await }))
            });
            room.0.as_mut().await;
        }
        self.room = None;
        self.answered = false;
    }

    /// The peer has said all, or the channel is of no more use. Node, too,
    /// closes its end then; here, what was sent before still goes out.
    fn end<T>(&self, error: Option<io::Error>) -> Option<Result<T, Error>> {
        lock(&self.questions).end();
        match error {
            None => self.sender.writer.end(),
            Some(_) => self.sender.writer.close(),
        }
        error.map(|error| Err(error.into()))
    }

    /// Keeps what belongs to the passing of sockets and answers it.
    fn sort(&mut self, mut frame: Frame) -> Result<Option<Incoming>, Error> {
        let serialization = self.sender.serialization();
        // One socket per message; others, and those that nothing announces,
        // are closed here.
        let descriptors = std::mem::take(&mut frame.descriptors);
        let (kind, message) = message::read(serialization, frame)?;
        let Kind::Internal(cmd) = kind else {
            return Ok(Some(Incoming::Message(message)));
        };
        self.answered = true;
        match &*cmd {
            "NODE_HANDLE" => {
                let descriptor = descriptors.into_iter().next();
                return self.take_handle(&message, descriptor);
            }
            "NODE_HANDLE_ACK" => {
                self.sender.writer.answered();
            }
            "NODE_HANDLE_NACK" => {
                // Without a socket under way, an answer to nothing.
                if self.sender.writer.is_held()
                    && !self.sender.writer.repeat(REPEATED)
                {
                    return Err(Error::HandleRefused);
                }
            }
            "NODE_SOCKET_GET_COUNT" => self.tell_count(&message)?,
            "NODE_SOCKET_NOTIFY_CLOSE" => self.watch(&message)?,
            "NODE_SOCKET_COUNT" => {
                let key = key(&message)?;
                let count = count_in(&message)?;
                if !lock(&self.questions).answer(&key, count) {
                    return Ok(Some(Incoming::Internal(message)));
                }
            }
            _ => return Ok(Some(Incoming::Internal(message))),
        }
        Ok(None)
    }

    /// Answers a `NODE_HANDLE` exactly once, whatever is in it: without an
    /// answer the peer would send nothing more, and two kill a Node process.
    fn take_handle(
        &mut self,
        message: &Message,
        descriptor: Option<Descriptor>,
    ) -> Result<Option<Incoming>, Error> {
        let Some(descriptor) = descriptor else {
            self.acknowledge("NODE_HANDLE_NACK")?;
            return Ok(None);
        };
        self.acknowledge("NODE_HANDLE_ACK")?;
        let mut envelope = message::open(message)?;
        for _ in 0..ENVELOPES {
            let (kind, inner) = message::read(
                message.serialization(),
                std::mem::take(&mut envelope.message).into(),
            )?;
            // What Node repeats is in one more envelope.
            if matches!(&kind, Kind::Internal(cmd) if cmd == "NODE_HANDLE") {
                envelope = message::open(&inner)?;
                continue;
            }
            if let Some(key) = envelope.label.key.clone() {
                lock(&self.connections).add(key, &descriptor);
            }
            let handle = Handle::from_descriptor(descriptor)?;
            let mut label = envelope.label;
            label.counted = Arc::downgrade(&self.connections);
            let inner = inner.received(handle, label);
            return Ok(Some(match kind {
                Kind::User => Incoming::Message(inner),
                Kind::Internal(_) => Incoming::Internal(inner),
            }));
        }
        let bytes = message.bytes().to_vec();
        Err(Error::malformed("an envelope without an end", bytes))
    }

    fn acknowledge(&self, cmd: &'static str) -> Result<(), Error> {
        #[derive(Serialize)]
        struct Answer {
            cmd: &'static str,
        }
        self.answer(&Answer { cmd })
    }

    /// Sends an answer, if the peer is still there to get it. What has
    /// arrived before its end is good all the same.
    fn answer<T: Serialize>(&self, answer: &T) -> Result<(), Error> {
        match self.sender.try_send_first(answer) {
            Err(Error::Closed) => Ok(()),
            sent => sent,
        }
    }

    /// A Node server asks how many of its connections are open here, or where
    /// they were handed on to.
    fn tell_count(&self, message: &Message) -> Result<(), Error> {
        let key = key(message)?;
        if lock(&self.connections).elsewhere(&key).is_empty() {
            let count = lock(&self.connections).count(&key);
            return self.answer(&Count::new(&key, count));
        }
        let mut counting = lock(&self.counting);
        let times = counting.entry(key.clone()).or_default();
        *times += 1;
        if *times > 1 {
            return Ok(()); // the others are being asked already
        }
        // Not a sender of its own: it would keep the channel open.
        let writer = self.sender.writer.downgrade();
        let connections = Arc::clone(&self.connections);
        let counting = Arc::clone(&self.counting);
        tokio::spawn(async move {
            let count = elsewhere::count(&connections, &key).await;
            let times = lock(&counting).remove(&key).unwrap_or(0);
            for _ in 0..times {
                let Some(writer) = writer.upgrade() else {
                    return;
                };
                let count = Count::new(&key, count);
                let _ = Sender::of(writer).try_send_first(&count);
            }
        });
        Ok(())
    }

    /// A Node server wants to close, and to be told when the last of its
    /// connections is closed here.
    fn watch(&self, message: &Message) -> Result<(), Error> {
        let key = key(message)?;
        if !lock(&self.watched).insert(key.clone()) {
            return Ok(());
        }
        // Not a sender of its own: it would keep the channel open.
        let writer = self.sender.writer.downgrade();
        let connections = Arc::clone(&self.connections);
        let watched = Arc::clone(&self.watched);
        tokio::spawn(async move {
            // The system does not say when something is closed.
            while elsewhere::count(&connections, &key).await > 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
                if writer.upgrade().is_none_or(|writer| writer.is_closed()) {
                    return;
                }
            }
            lock(&watched).remove(&key);
            let Some(writer) = writer.upgrade() else {
                return;
            };
            #[derive(Serialize)]
            struct Closed<'a> {
                cmd: &'static str,
                key: &'a str,
            }
            let _ = Sender::of(writer).try_send_first(&Closed {
                cmd: "NODE_SOCKET_ALL_CLOSED",
                key: &key,
            });
        });
        Ok(())
    }

    /// Sends on this channel from elsewhere.
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// What messages are made of.
    pub fn serialization(&self) -> Serialization {
        self.sender.serialization()
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

    /// Sends a message and a socket; see [`Sender::send_with`].
    ///
    /// # Errors
    /// As [`Sender::send_with`].
    pub async fn send_with<T: Serialize + ?Sized>(
        &self,
        value: &T,
        handle: impl Into<Handle>,
    ) -> Result<(), Error> {
        self.sender.send_with(value, handle).await
    }

    /// Sends a message that is there as bytes; see [`Sender::send_raw`].
    ///
    /// # Errors
    /// As [`Sender::send_raw`].
    pub async fn send_raw(&self, bytes: impl Into<Frame>) -> Result<(), Error> {
        self.sender.send_raw(bytes).await
    }

    /// Sends such a message and a socket; see [`Sender::send_raw_with`].
    ///
    /// # Errors
    /// As [`Sender::send_raw_with`].
    pub async fn send_raw_with(
        &self,
        bytes: impl Into<Frame>,
        handle: impl Into<Handle>,
    ) -> Result<(), Error> {
        self.sender.send_raw_with(bytes, handle).await
    }

    /// Sends a value of JavaScript's; see [`Sender::send_value`].
    ///
    /// # Errors
    /// As [`Sender::send_value`].
    pub async fn send_value(&self, value: &Value) -> Result<(), Error> {
        self.sender.send_value(value).await
    }

    /// Sends such a value and a socket; see [`Sender::send_value_with`].
    ///
    /// # Errors
    /// As [`Sender::send_value_with`].
    pub async fn send_value_with(
        &self,
        value: &Value,
        handle: impl Into<Handle>,
    ) -> Result<(), Error> {
        self.sender.send_value_with(value, handle).await
    }

    /// Sends a message on as it came; see [`Sender::pass_on`].
    ///
    /// # Errors
    /// As [`Sender::pass_on`].
    pub async fn pass_on(&self, message: Message) -> Result<(), Error> {
        self.sender.pass_on(message).await
    }

    /// Sends a message without waiting; see [`Sender::try_send`].
    ///
    /// # Errors
    /// As [`Sender::try_send`].
    pub fn try_send<T: Serialize + ?Sized>(
        &self,
        value: &T,
    ) -> Result<bool, Error> {
        self.sender.try_send(value)
    }

    /// Sends bytes without waiting; see [`Sender::try_send_raw`].
    ///
    /// # Errors
    /// As [`Sender::try_send_raw`].
    pub fn try_send_raw(&self, bytes: impl Into<Frame>) -> Result<bool, Error> {
        self.sender.try_send_raw(bytes)
    }

    /// Sends a message and a socket without waiting; see [`Sender::try_send_with`].
    ///
    /// # Errors
    /// As [`Sender::try_send_with`].
    pub fn try_send_with<T: Serialize + ?Sized>(
        &self,
        value: &T,
        handle: impl Into<Handle>,
    ) -> Result<bool, Error> {
        self.sender.try_send_with(value, handle)
    }

    /// Whether it would be better to wait; see [`Sender::would_block`].
    pub fn would_block(&self) -> bool {
        self.sender.would_block()
    }

    /// Waits until the kernel has all that was sent; see [`Sender::flush`].
    ///
    /// # Errors
    /// As [`Sender::flush`].
    pub async fn flush(&self) -> Result<(), Error> {
        self.sender.flush().await
    }

    /// Ends the channel after all that was sent has gone; see [`Sender::disconnect`].
    ///
    /// # Errors
    /// As [`Sender::disconnect`].
    pub async fn disconnect(&self) -> Result<(), Error> {
        self.sender.disconnect().await
    }
}

fn with_socket(bytes: Vec<u8>, handle: Handle) -> Result<Frame, Error> {
    let mut frame = Frame::from(bytes);
    frame.descriptors.push(handle.into_sendable()?);
    Ok(frame)
}

fn parsed<T: DeserializeOwned>(message: &Message) -> Result<T, Error> {
    let parsed = message.parse();
    parsed.map_err(|error| Error::malformed(error, message.bytes().to_vec()))
}

/// An answer about the connections with a key.
#[derive(Serialize)]
struct Count<'a> {
    cmd: &'static str,
    key: &'a str,
    count: usize,
}

impl<'a> Count<'a> {
    fn new(key: &'a str, count: usize) -> Self {
        Self {
            cmd: "NODE_SOCKET_COUNT",
            key,
            count,
        }
    }
}

/// The peer's answer.
fn count_in(message: &Message) -> Result<usize, Error> {
    #[derive(serde::Deserialize)]
    struct Counted {
        count: usize,
    }
    Ok(parsed::<Counted>(message)?.count)
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The key of Node's that a message is about.
fn key(message: &Message) -> Result<String, Error> {
    #[derive(serde::Deserialize)]
    struct Keyed {
        key: String,
    }
    Ok(parsed::<Keyed>(message)?.key)
}

impl Sender {
    /// One that hands no connections on.
    pub(crate) fn of(writer: Writer) -> Self {
        Self {
            writer,
            questions: Weak::new(),
        }
    }

    /// What messages are made of.
    pub fn serialization(&self) -> Serialization {
        self.writer.serialization()
    }

    /// Sends a message. Waits while the peer does not read and 128 KiB wait
    /// already: Node's `send()` would queue without end. Cancelled while it
    /// waits, nothing is sent.
    ///
    /// `Ok` means that it is on its way: in the kernel, or still in a queue
    /// here, of which nothing is left when the process ends.
    /// [`Self::flush`] or [`Self::disconnect`] before that.
    ///
    /// A message is written at once, unless the peer's next message has arrived
    /// already: then it waits for the answer to that one, to be written
    /// together, but no longer than the task runs before it awaits something,
    /// and about a millisecond if the task blocks.
    ///
    /// Objects whose `cmd` begins with `NODE_` are Node's own. The peer does
    /// not hand them out as messages, and a Node process dies of an
    /// acknowledgement that it does not expect.
    ///
    /// # Errors
    /// [`Error::Closed`] after the end; [`Error::Value`] when serde cannot
    /// write the value, or there is a line end in it, as only a `RawValue`
    /// can have one.
    pub async fn send<T: Serialize + ?Sized>(
        &self,
        value: &T,
    ) -> Result<(), Error> {
        let bytes = self.written(value)?;
        Ok(self.writer.send(bytes.into()).await?)
    }

    /// Sends a message that is there as bytes already: JSON text without a
    /// line end, or V8's format with its header. They are not checked
    /// further, and a Node process dies of what it cannot read.
    ///
    /// A [`Message`] that was received goes on as it came, without a copy.
    ///
    /// # Errors
    /// [`Error::Closed`] after the end; [`Error::Value`] for a line end in a
    /// line, and for no bytes at all.
    pub async fn send_raw(&self, bytes: impl Into<Frame>) -> Result<(), Error> {
        Ok(self.writer.send(bytes.into()).await?)
    }

    /// Sends a value of JavaScript's, in advanced mode: also what no type of
    /// yours becomes, as a Map, a Date, or an object that contains itself.
    ///
    /// # Errors
    /// [`Error::Closed`] after the end; [`Error::Value`] when the value
    /// cannot be written, or the channel carries JSON.
    pub async fn send_value(&self, value: &Value) -> Result<(), Error> {
        let bytes = message::write_value(self.serialization(), value)?;
        self.send_raw(bytes).await
    }

    /// Sends a message and a socket with it, which is closed here as soon as
    /// the peer has it. Messages that are sent after it wait for that.
    ///
    /// Somebody must be at [`Channel::recv`] meanwhile, and not in the same
    /// task: once 128 KiB wait behind the socket, `send` waits for the peer's
    /// acknowledgement, which only `recv` can read. The socket is made
    /// non-blocking, and so is every duplicate of it.
    ///
    /// # Errors
    /// As [`Self::send`]; [`Error::Value`] for what would harm a Node
    /// process: all but TCP, UDP and Unix stream sockets, and pipes.
    pub async fn send_with<T: Serialize + ?Sized>(
        &self,
        value: &T,
        handle: impl Into<Handle>,
    ) -> Result<(), Error> {
        let handle = handle.into();
        let envelope = Enveloped {
            cmd: "NODE_HANDLE",
            kind: handle.kind(),
            msg: value,
            key: None,
            datagrams: handle.datagrams(),
        };
        let bytes = self.written(&envelope)?;
        self.send_enveloped(bytes, handle).await
    }

    /// As [`Self::send_raw`], and a socket with it, as [`Self::send_with`].
    ///
    /// # Errors
    /// As these two; [`Error::Value`] when the bytes are no message, as they
    /// have to be looked at here.
    pub async fn send_raw_with(
        &self,
        bytes: impl Into<Frame>,
        handle: impl Into<Handle>,
    ) -> Result<(), Error> {
        let (frame, handle) = (bytes.into(), handle.into());
        let bytes = message::envelop_raw(
            self.serialization(),
            frame.bytes(),
            &handle,
            &Label::default(),
        )?;
        self.send_enveloped(bytes, handle).await
    }

    /// Sends a message on to somebody else as it came, with its socket and
    /// what the first sender called that: see [`Message::handle_kind`].
    ///
    /// # Errors
    /// As [`Self::send_raw_with`]; [`Error::Value`] when this channel has
    /// another serialization than the message.
    pub async fn pass_on(&self, mut message: Message) -> Result<(), Error> {
        let serialization = self.serialization();
        if message.serialization() != serialization {
            let why = "the message has another serialization";
            return Err(Error::Value(why.to_owned()));
        }
        let Some(handle) = message.handle.take() else {
            return self.send_raw(message).await;
        };
        let label = message.take_label();
        let bytes = message::envelop_raw(
            serialization,
            message.bytes(),
            &handle,
            &label,
        )?;
        self.send_enveloped(bytes, handle).await?;
        // The server that it came from asks us, and we ask there.
        if let (Some(key), Some(counted)) = (label.key, label.counted.upgrade())
        {
            let to = Elsewhere::new(&self.writer, &self.questions);
            lock(&counted).hand_on(key, to);
        }
        Ok(())
    }

    /// As [`Self::send_value`], and a socket with it, as
    /// [`Self::send_with`].
    ///
    /// # Errors
    /// As these two.
    pub async fn send_value_with(
        &self,
        value: &Value,
        handle: impl Into<Handle>,
    ) -> Result<(), Error> {
        let handle = handle.into();
        let serialization = self.serialization();
        let label = Label::default();
        let bytes =
            message::envelop_value(serialization, value, &handle, &label)?;
        self.send_enveloped(bytes, handle).await
    }

    async fn send_enveloped(
        &self,
        bytes: Vec<u8>,
        handle: Handle,
    ) -> Result<(), Error> {
        let frame = with_socket(bytes, handle)?;
        Ok(self.writer.send_and_hold(frame).await?)
    }

    /// Sends a message without waiting, as Node's `send()` does: false when
    /// 128 KiB or more wait, and it would be better to wait. Must be called
    /// within a tokio runtime.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn try_send<T: Serialize + ?Sized>(
        &self,
        value: &T,
    ) -> Result<bool, Error> {
        let bytes = self.written(value)?;
        Ok(self.writer.try_send(bytes.into())?)
    }

    /// As [`Self::try_send`], for bytes as [`Self::send_raw`] takes them.
    ///
    /// # Errors
    /// As [`Self::send_raw`].
    pub fn try_send_raw(&self, bytes: impl Into<Frame>) -> Result<bool, Error> {
        Ok(self.writer.try_send(bytes.into())?)
    }

    /// As [`Self::try_send`], and a socket with it, as [`Self::send_with`].
    ///
    /// # Errors
    /// As [`Self::send_with`].
    pub fn try_send_with<T: Serialize + ?Sized>(
        &self,
        value: &T,
        handle: impl Into<Handle>,
    ) -> Result<bool, Error> {
        let handle = handle.into();
        let envelope = Enveloped {
            cmd: "NODE_HANDLE",
            kind: handle.kind(),
            msg: value,
            key: None,
            datagrams: handle.datagrams(),
        };
        let frame = with_socket(self.written(&envelope)?, handle)?;
        Ok(self.writer.try_send_and_hold(frame)?)
    }

    /// Sends before all that waits.
    fn try_send_first<T: Serialize>(&self, value: &T) -> Result<(), Error> {
        let bytes = self.written(value)?;
        self.writer.try_send_first(bytes.into())?;
        Ok(())
    }

    fn written<T: Serialize + ?Sized>(
        &self,
        value: &T,
    ) -> Result<Vec<u8>, Error> {
        let buffer = self.writer.buffer();
        message::write(self.serialization(), value, buffer)
    }

    /// 128 KiB or more wait for the peer to read: where Node's `send()`
    /// returns `false`.
    pub fn would_block(&self) -> bool {
        self.writer.would_block()
    }

    /// Waits until the kernel has all that was sent until now: it arrives even
    /// if this process ends then.
    ///
    /// # Errors
    /// [`Error::Closed`] when the channel ended before that.
    pub async fn flush(&self) -> Result<(), Error> {
        Ok(self.writer.flush().await?)
    }

    /// Ends the channel, after all that was sent has gone and every socket
    /// has been acknowledged. What the peer had sent before can still be
    /// received, but not on Windows. From now on nothing can be sent, by no clone either, also
    /// when this is cancelled. Once more, it does nothing.
    ///
    /// It is `Ok`, too, when the peer has all the bytes and dies without an
    /// answer to a socket: whether it has taken that one is not known then.
    ///
    /// # Errors
    /// [`Error::Closed`] when the channel ended before all was gone.
    pub async fn disconnect(&self) -> Result<(), Error> {
        Ok(self.writer.finish().await?)
    }
}
