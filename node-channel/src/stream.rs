//! A [`Channel`] as a `Stream`, and a [`Sender`] as a `Sink`, for programs that
//! are made of the `futures` crates' combinators.

use std::fmt;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use futures_core::Stream;
use futures_sink::Sink;
use serde::Serialize;

use crate::{Channel, Error, Message, Sender};

/// [`Channel::recv`].
impl Stream for Channel {
    type Item = Result<Message, Error>;

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Self::Item>> {
        // Dropped here, the future loses nothing: what it waits for is kept in
        // the channel, with this waker.
        pin!(self.get_mut().recv()).poll(context)
    }
}

/// Takes values of type `T` and sends them: [`Sender::sink`] makes one. It is
/// ready while fewer than 128 KiB wait, and to close it is to disconnect.
pub struct MessageSink<T> {
    sender: Sender,
    waiting: Option<(What, Waiting)>,
    takes: PhantomData<fn(T)>,
}

type Waiting = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// What a sink waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Ready,
    Flushed,
    Closed,
}

impl Sender {
    /// This sender as a `Sink` of values of type `T`.
    pub fn sink<T: Serialize>(&self) -> MessageSink<T> {
        MessageSink {
            sender: self.clone(),
            waiting: None,
            takes: PhantomData,
        }
    }
}

impl<T> MessageSink<T> {
    fn poll(
        &mut self,
        what: What,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        let (_, waiting) = match &mut self.waiting {
            Some(known) if known.0 == what => known,
            other => {
                let sender = self.sender.clone();
                let waiting: Waiting = Box::pin(async move {
                    match what {
                        What::Ready => sender.writer.ready().await,
                        What::Flushed => sender.flush().await?,
                        What::Closed => sender.disconnect().await?,
                    }
                    Ok(())
                });
                other.insert((what, waiting))
            }
        };
        let done = waiting.as_mut().poll(context);
        if done.is_ready() {
            self.waiting = None;
        }
        done
    }
}

impl<T: Serialize> Sink<T> for MessageSink<T> {
    type Error = Error;

    fn poll_ready(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        match self.sender.would_block() {
            true => self.get_mut().poll(What::Ready, context),
            false => Poll::Ready(Ok(())),
        }
    }

    fn start_send(self: Pin<&mut Self>, value: T) -> Result<(), Error> {
        let sink = self.get_mut();
        // What is flushed now has one message more.
        sink.waiting = None;
        sink.sender.try_send(&value).map(drop)
    }

    fn poll_flush(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        self.get_mut().poll(What::Flushed, context)
    }

    fn poll_close(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), Error>> {
        self.get_mut().poll(What::Closed, context)
    }
}

impl<T> fmt::Debug for MessageSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.waiting.as_ref().map(|(what, _)| what);
        f.debug_struct("MessageSink")
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}
