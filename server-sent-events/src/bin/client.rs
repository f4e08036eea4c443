//! Event client: prints what the server sends, and connects again when the
//! connection is lost.
//!
//! Node twin: `node/client.js`. Other half: `server.rs`.
//!
//!     cargo run -p server-sent-events --bin server   # in a first terminal
//!     cargo run -p server-sent-events --bin client
//!
//! Try this: stop the server, and start it again.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clap::Parser as _;
use common::{log, shutdown};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use server_sent_events::parser::{Event, Parser};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// How long a server may send nothing, not even a heartbeat.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(15);

/// Prints the events of a server.
#[derive(clap::Parser)]
struct Args {
    /// Where the server listens
    #[arg(default_value = "127.0.0.1:8888")]
    address: String,

    /// Stop after this many events; without it, go on until Ctrl-C
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

const ADVICE: &str =
    "start the server first: cargo run -p server-sent-events --bin server";

#[tokio::main(flavor = "current_thread")]
// An error becomes one line on stderr, and status 1.
async fn main() -> common::Result {
    let args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Receive events until Ctrl-C, or until `--count` have come.
    if let Some(result) = stop.run_until_cancelled(receive(&args)).await {
        result?;
    }
    log::line("disconnected.");
    Ok(())
}

/// 2. Receives events, over one connection after the other. That a server is
///    away for a while is normal; one that was never there is a mistake, and so
///    is an answer that is no stream of events.
async fn receive(args: &Args) -> Result<()> {
    let mut parser = Parser::default(); // it also keeps the last event's id
    let mut left = args.count.unwrap_or(u64::MAX);
    let mut response = connect(&args.address, &parser).await?;
    loop {
        ensure_stream(&response)?;
        log::line("connected.");
        left = print(response.into_body(), &mut parser, left).await;
        if left == 0 {
            return Ok(());
        }
        response = reconnect(&args.address, &parser).await;
    }
}

/// 3. Prints events: those of one stream, but `left` at most. Returns how many
///    are left when the stream ends.
async fn print(mut body: Incoming, parser: &mut Parser, mut left: u64) -> u64 {
    parser.begin(); // forget what a broken stream has left unfinished
    // Ok: in time; Some: the stream goes on; Ok: it has not broken.
    while let Ok(Some(Ok(frame))) = timeout(SILENCE_TIMEOUT, body.frame()).await
    {
        // A frame holds bytes, or trailers: headers after the body.
        let bytes = frame.into_data().unwrap_or_default();
        let Ok(events) = parser.read(&bytes) else {
            break; // an event is too long
        };
        for Event { kind, data } in events {
            if kind == "missed" {
                log::line(format_args!("missed: {}", log::shown(data)));
            } else if kind == "message" {
                log::line(format_args!("receive: {}", log::shown(data)));
                left -= 1;
            }
            if left == 0 {
                return 0; // dropping the body closes the connection
            }
        }
    }
    left
}

/// 4. Reconnects. Waits as long as `retry:` said, and asks for what has come
///    since; again and again, until a server is there.
async fn reconnect(address: &str, parser: &Parser) -> Response<Incoming> {
    loop {
        log::line("connection lost, connecting again");
        sleep(parser.retry).await;
        if let Ok(response) = connect(address, parser).await {
            return response;
        }
    }
}

/// 5. Connects: asks for the stream, and says which event was the last one.
async fn connect(address: &str, parser: &Parser) -> Result<Response<Incoming>> {
    let mut request = Request::get("/events").header("host", address);
    if !parser.last_id.is_empty() {
        request = request.header("last-event-id", &parser.last_id);
    }
    let socket = TcpStream::connect(address)
        .await
        .map_err(|error| anyhow!("connect to {address}: {error}; {ADVICE}"))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(socket)).await?;
    tokio::spawn(connection); // a task that reads and writes the socket
    let answer = sender.send_request(request.body(String::new())?);
    let response = timeout(SILENCE_TIMEOUT, answer).await;
    let response = response.context("the server is silent")?;
    response.context("ask for /events")
}

/// Fails unless the answer is a stream of events: another server may be there,
/// or a proxy may have answered with an error page.
fn ensure_stream(response: &Response<Incoming>) -> Result<()> {
    let status = response.status();
    let kind = response.headers().get("content-type");
    let is_stream = kind
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    if status != 200 || !is_stream {
        bail!("no stream of events, but {status}");
    }
    Ok(())
}
