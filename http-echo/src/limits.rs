//! How much and how long a client may ask of the server.

use std::time::Duration;

use hyper::server::conn::http1::Builder;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::socket::Socket;

/// The most bytes that the request line and the headers may have together,
/// as many as Node allows. More: 431.
const HEADER_LIMIT: usize = 16 * 1024;

/// The server's flags for its limits.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct Limits {
    /// Milliseconds that a client may take for a request's headers
    #[arg(long, value_name = "MS", value_parser = ms())]
    #[arg(default_value_t = 10_000)]
    header_timeout: u64,

    /// Milliseconds without a byte that end a connection
    #[arg(long, value_name = "MS", value_parser = ms())]
    #[arg(default_value_t = 5_000)]
    idle_timeout: u64,

    /// Longest body that is read; a longer one is answered with 413
    #[arg(long, value_name = "BYTES", default_value_t = 16 * 1024 * 1024)]
    body_limit: u64,
}

fn ms() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..=86_400_000)
}

impl Limits {
    /// HTTP/1.1 within these limits. What is no HTTP is answered with 400,
    /// what has too much before its body with 431.
    pub fn http(self) -> Builder {
        let mut http = Builder::new();
        // The time begins when the server begins to wait for a request.
        http.timer(TokioTimer::new())
            .header_read_timeout(Duration::from_millis(self.header_timeout))
            .max_header_size(HEADER_LIMIT)
            // For each direction of each connection.
            .max_buf_size(HEADER_LIMIT)
            // Who has said all may still wait for the answer.
            .half_close(true);
        http
    }

    /// A socket for hyper that ends when it is idle for too long.
    pub fn socket(
        self,
        socket: TcpStream,
        stop: &CancellationToken,
    ) -> Socket<TokioIo<TcpStream>> {
        // Small answers leave at once. Fails where the client is gone, which
        // shows when the socket is used.
        let _ = socket.set_nodelay(true);
        let idle = Duration::from_millis(self.idle_timeout);
        Socket::new(TokioIo::new(socket), idle, stop.clone())
    }

    /// The longest body, in bytes.
    pub fn body(self) -> u64 {
        self.body_limit
    }
}
