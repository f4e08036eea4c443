//! The body of an answer: a stream of texts, or one text. In Node, `response`
//! takes either.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body_util::Either;
use hyper::body::{Bytes, Frame};
use tokio::sync::mpsc::{self, Receiver, Sender};

/// A stream (`Left`), or a text (`Right`).
pub type Body = Either<Stream, String>;

/// What comes through a channel. hyper takes the next text when the client has
/// read enough of those before.
#[derive(Debug)]
pub struct Stream(Receiver<String>);

/// A body, and the sender of what it consists of.
///
/// The body ends when the sender is dropped. The channel is closed when the
/// client has left, as hyper then drops the body.
pub fn stream() -> (Sender<String>, Body) {
    let (sender, receiver) = mpsc::channel(1); // holds one text
    (sender, Body::Left(Stream(receiver)))
}

impl hyper::body::Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let text = ready!(self.0.poll_recv(context)); // None: the end
        Poll::Ready(text.map(|text| Ok(Frame::data(Bytes::from(text)))))
    }
}
