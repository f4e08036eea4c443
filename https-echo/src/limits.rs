//! Time limits. Without them, a client that is silent or slow would hold its
//! connection indefinitely.

use std::pin::Pin;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutStream;

/// How long a client may take for the TLS handshake and for a request's
/// headers, and how long a connection may be silent.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// A socket with time limits. It has timers, which must not be moved: so it is
/// pinned, in a box.
pub type Socket = Pin<Box<TimeoutStream<TcpStream>>>;

/// A socket that fails when the client sends nothing for [`TIMEOUT`], or stops
/// reading for as long.
pub fn socket(socket: TcpStream) -> Socket {
    let mut socket = TimeoutStream::new(socket);
    socket.set_read_timeout(Some(TIMEOUT));
    socket.set_write_timeout(Some(TIMEOUT));
    Box::pin(socket)
}

/// hyper for HTTP/1.1 and HTTP/2, with a limit for the time that a request's
/// headers may take.
///
/// Slow-loris: a client that sends one byte of its headers now and then would
/// hold its connection indefinitely. Over HTTP/2, nothing else can be sent
/// within a request's headers. So hyper sends a PING after 5 seconds, and
/// closes the connection when no answer has come 5 seconds later.
pub fn http() -> Builder<TokioExecutor> {
    let mut http = Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(TIMEOUT);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(TIMEOUT / 2)
        .keep_alive_timeout(TIMEOUT / 2);
    http
}
