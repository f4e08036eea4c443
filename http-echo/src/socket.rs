//! A socket for hyper that ends by itself when nothing happens on it, and
//! that does not cut off the last answer when it is closed.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use tokio::time::{Instant, Sleep, sleep};
use tokio_util::sync::CancellationToken;

/// The transport below HTTP, with the two things that hyper leaves to it.
///
/// **Idle connections.** Hyper limits the time for a request's headers, not
/// that for its body, nor how long a client may leave an answer unread.
///
/// **The last answer.** A server that closes while the client still sends
/// makes the kernel answer with a reset, and the client loses what it has not
/// read yet: just the 413 or 400 that would have told it what was wrong. So
/// the end is said first, and what still arrives is read and dropped until
/// the client has closed too.
#[derive(Debug)]
pub struct Socket<S> {
    inner: S,
    idle: Duration,
    deadline: Pin<Box<Sleep>>,
    stop: CancellationToken,
    closing: bool,
}

impl<S> Socket<S> {
    /// Ends when no byte has come or gone for as long as `idle`. After `stop`
    /// nobody is waited for. Must be called within a tokio runtime.
    pub fn new(inner: S, idle: Duration, stop: CancellationToken) -> Self {
        Self {
            inner,
            idle,
            deadline: Box::pin(sleep(idle)),
            stop,
            closing: false,
        }
    }

    /// Something happened.
    fn touch(&mut self) {
        let idle = self.idle;
        self.deadline.as_mut().reset(Instant::now() + idle);
    }

    /// What an operation that has to wait returns: an error once nothing has
    /// happened for too long.
    fn wait<T>(
        &mut self,
        outcome: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.touch();
            return outcome;
        }
        ready!(self.deadline.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: Read + Unpin> Read for Socket<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_read(context, buffer);
        match self.wait(outcome, context) {
            // As if the client had closed: between two requests that is no
            // error, and in the middle of one hyper says so. The same goes
            // for a client that closes without the goodbye of TLS.
            Poll::Ready(Err(error))
                if [io::ErrorKind::TimedOut, io::ErrorKind::UnexpectedEof]
                    .contains(&error.kind()) =>
            {
                Poll::Ready(Ok(()))
            }
            outcome => outcome,
        }
    }
}

impl<S: Read + Write + Unpin> Write for Socket<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.wait(outcome, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome =
            Pin::new(&mut self.inner).poll_write_vectored(context, bytes);
        self.wait(outcome, context)
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_flush(context);
        // TLS has taken bytes that the client does not take. (Where there
        // is nothing to flush, nothing has happened: no touch.)
        if outcome.is_pending() {
            return self.wait(outcome, context);
        }
        outcome
    }

    fn poll_shutdown(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.closing {
            ready!(Pin::new(&mut self.inner).poll_shutdown(context))?;
            self.closing = true;
            // From here on the time is not prolonged: who goes on sending
            // for ever is not listened to for ever.
            self.touch();
        }
        while !self.stop.is_cancelled() {
            let mut bytes = [0; 4096];
            let mut buffer = ReadBuf::new(&mut bytes);
            let outcome =
                Pin::new(&mut self.inner).poll_read(context, buffer.unfilled());
            let over = self.deadline.as_mut().poll(context).is_ready();
            if outcome.is_pending() && !over {
                return Poll::Pending;
            }
            let failed = matches!(outcome, Poll::Ready(Err(_)));
            if over || failed || buffer.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }
}
