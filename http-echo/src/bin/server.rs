//! HTTP echo server: answers each request with the path that it asks for.
//!
//! Node twin: `node/server.js`. Other half: `client.rs`, or curl.
//!
//!     cargo run -p http-echo --bin server
//!     curl -i http://127.0.0.1:8888/hello       # in a second terminal
//!
//! Try this: ask for the same page in a browser.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use common::{log, shutdown};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

/// How long a client may take for a request's headers (which includes the time
/// between two requests), and how long it may pause within a body.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The longest body that is accepted, in bytes.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// Answers each HTTP request with the path that it asks for.
#[derive(Parser)]
struct Args {
    /// Where to listen; 0.0.0.0:8888 opens it to other computers
    #[arg(default_value = "127.0.0.1:8888")]
    address: String,
}

#[tokio::main(flavor = "current_thread")]
// An error becomes one line on stderr, and status 1.
async fn main() -> common::Result {
    let Args { address } = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Listen. From here on the kernel queues clients, so anybody who has
    //    read this line can connect.
    let listener = TcpListener::bind(&address)
        .await
        .with_context(|| format!("listen on {address}"))?;
    log::line(format_args!("listening on {}", listener.local_addr()?));

    // 2. Accept clients until Ctrl-C. A task is spawned for each; Node
    //    accepts them by itself.
    let connections = GracefulShutdown::new(); // hyper's, for step 3
    while let Some(client) = stop.run_until_cancelled(listener.accept()).await {
        match client {
            Ok((socket, _)) => {
                tokio::spawn(serve(socket, connections.watcher()));
            }
            Err(error) => {
                // Out of file descriptors, say: some connections may end.
                log::error(format_args!("accept: {error}"));
                sleep(Duration::from_millis(100)).await;
            }
        }
    }

    // 3. Stop: accept nobody else, finish the answers, close the rest. What
    //    takes longer than 1.5 seconds is cut off by `shutdown`.
    drop(listener);
    connections.shutdown().await; // tells each watcher of step 4
    Ok(())
}

/// 4. Serves each connection: hyper reads its requests, one after the other,
///    and calls `answer` for each. An error ends no other connection.
async fn serve(socket: TcpStream, watcher: Watcher) {
    // Disable Nagle's algorithm, so that small answers are sent immediately.
    let _ = socket.set_nodelay(true); // if it fails, they are only slower
    let connection = http1::Builder::new()
        // Slow-loris: a client that sends one byte of its headers every few
        // seconds would hold its connection indefinitely.
        .timer(TokioTimer::new())
        .header_read_timeout(TIMEOUT)
        // A client may send its request, half-close, and await the answer.
        .half_close(true)
        .serve_connection(TokioIo::new(socket), service_fn(answer));
    if let Err(error) = watcher.watch(connection).await {
        let error = anyhow::Error::from(error);
        log::error(format_args!("socket: {error:#}")); // #: with its cause
    }
}

/// 5. Answers one request, whatever its method, with its path.
async fn answer(request: Request<Incoming>) -> Result<Response<String>> {
    let url = request.uri().to_string();
    log::line(format_args!("url {}", log::shown(&url)));

    // 6. Read the body: the next request begins where it ends. Keep nothing
    //    of it, or a client could fill our memory.
    let mut body = request.into_body();
    let mut length = 0;
    while let Some(frame) = timeout(TIMEOUT, body.frame()).await? {
        // The first `?` is for a pause that is too long, this one for a
        // connection that broke. A frame holds bytes, or trailers: headers
        // after the body, for which we take no bytes.
        let bytes = frame?.into_data().unwrap_or_default();
        length += bytes.len();
        if length > BODY_LIMIT {
            // Go on reading for a while. To close a socket that still
            // receives would reset the connection (RST), and the client
            // might lose this answer.
            tokio::spawn(timeout(TIMEOUT, async move {
                while let Some(Ok(_)) = body.frame().await {}
            }));
            return reply(StatusCode::PAYLOAD_TOO_LARGE, String::new());
        }
    }
    reply(StatusCode::OK, url)
}

/// 7. Builds the response: hyper sends it, and adds its length.
fn reply(status: StatusCode, text: String) -> Result<Response<String>> {
    let response = Response::builder()
        .status(status)
        // The client chose this text. Without these two headers, a browser
        // could take it for HTML and run a script in it (XSS).
        .header("content-type", "text/plain; charset=utf-8")
        .header("x-content-type-options", "nosniff")
        .body(text)?;
    Ok(response)
}
