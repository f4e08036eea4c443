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

use anyhow::{Context, Result, anyhow, ensure};
use clap::Parser as _;
use common::{log, shutdown};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use server_sent_events::parser::Parser;
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
    if let Some(end) = stop.run_until_cancelled(receive(&args)).await {
        end?;
    }
    log::line("disconnected.");
    Ok(())
}

/// 2. Receives events, over one connection after the other.
async fn receive(args: &Args) -> Result<()> {
    let mut parser = Parser::default(); // it also keeps the last event's id
    let mut left = args.count.unwrap_or(u64::MAX);
    let mut was_connected = false;
    loop {
        // 3. Connect. That a server is away for a while is normal; one that
        //    was never there is a mistake, and so is an answer that is no
        //    stream of events.
        match connect(&args.address, &parser.last_id).await {
            Ok(response) => {
                ensure_stream(&response)?;
                log::line("connected.");
                was_connected = true;
                parser.begin();
                let body = response.into_body();
                left = read(body, &mut parser, left).await;
            }
            Err(_) if was_connected => {}
            Err(error) => return Err(error),
        }
        if left == 0 {
            return Ok(());
        }

        // 4. The connection is lost. Wait as long as `retry:` said, and then
        //    ask for what has come since.
        log::line("connection lost, connecting again");
        sleep(parser.retry).await;
    }
}

/// Reads one stream until it ends or falls silent, and prints `left` events at
/// most. Returns how many are still to come. In Node, `EventSource` does this.
async fn read(mut body: Incoming, parser: &mut Parser, mut left: u64) -> u64 {
    loop {
        // Err: silence. None: the end. Some(Err(_)): the connection broke.
        let next = timeout(SILENCE_TIMEOUT, body.frame()).await;
        let Ok(Some(Ok(frame))) = next else {
            return left;
        };
        // The other kind of frame holds trailers: headers after the body.
        let bytes = frame.into_data().unwrap_or_default();
        let Ok(events) = parser.read(&bytes) else {
            return left; // an event that is too long
        };
        for event in events {
            let data = log::shown(&event.data);
            match event.kind.as_str() {
                "message" => {
                    log::line(format_args!("receive: {data}"));
                    left -= 1;
                    if left == 0 {
                        return left;
                    }
                }
                "missed" => log::line(format_args!("missed: {data}")),
                _ => {} // for others
            }
        }
    }
}

/// 5. Asks for the stream, and says which event was the last one.
async fn connect(address: &str, last_id: &str) -> Result<Response<Incoming>> {
    let socket = TcpStream::connect(address)
        .await
        .map_err(|error| anyhow!("connect to {address}: {error}; {ADVICE}"))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(socket)).await?;
    tokio::spawn(connection); // it moves the bytes
    let mut request = Request::get("/events").header("host", address);
    if !last_id.is_empty() {
        request = request.header("last-event-id", last_id);
    }
    let answer = sender.send_request(request.body(String::new())?);
    let response = timeout(SILENCE_TIMEOUT, answer)
        .await
        .context("wait for the answer")?;
    response.context("ask for /events")
}

/// What else could be there: another server, or a proxy's error page.
fn ensure_stream(response: &Response<Incoming>) -> Result<()> {
    let kind = response.headers().get("content-type");
    let is_stream = kind
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let status = response.status();
    ensure!(
        status == 200 && is_stream,
        "no stream of events, but {status}"
    );
    Ok(())
}
