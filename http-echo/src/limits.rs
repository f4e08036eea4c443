//! How much and how long a client may ask of the server.

use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::timer::OneTimer;

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
    pub fn http1(self) -> http1::Builder {
        let mut http = http1::Builder::new();
        // The time begins when the server begins to wait for a request.
        http.timer(OneTimer::unset())
            .header_read_timeout(self.header_timeout())
            .max_header_size(HEADER_LIMIT)
            // For each direction of each connection.
            .max_buf_size(HEADER_LIMIT)
            // Who has said all may still wait for the answer.
            .half_close(true)
            // Head and body of a short answer leave in one piece. To send
            // two from where they are takes the kernel longer.
            .writev(false);
        http
    }

    /// HTTP/2 within these limits.
    pub fn http2(self) -> http2::Builder<TokioExecutor> {
        let mut http = http2::Builder::new(TokioExecutor::new());
        http.timer(TokioTimer::new())
            // Who has sent half of a request's headers may send nothing
            // else before the other half: no answer to a PING either.
            .keep_alive_interval(self.header_timeout())
            .keep_alive_timeout(self.header_timeout())
            .max_header_list_size(HEADER_LIMIT as u32)
            // How many requests of one connection are answered at once, and
            // how much of each answer waits for the client to read it.
            .max_concurrent_streams(100)
            .max_send_buf_size(HEADER_LIMIT);
        http
    }

    /// For the request line and all headers together; also for a handshake.
    pub fn header_timeout(self) -> Duration {
        Duration::from_millis(self.header_timeout)
    }

    /// Without a byte in either direction.
    pub fn idle_timeout(self) -> Duration {
        Duration::from_millis(self.idle_timeout)
    }

    /// The longest body, in bytes.
    pub fn body(self) -> u64 {
        self.body_limit
    }
}
