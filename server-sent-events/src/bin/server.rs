//! Event server: sends what happens to every client, unasked.
//!
//! Node twin: `node/server.js`. Other halves: `client.rs`, a browser, curl.
//!
//!     cargo run -p server-sent-events --bin server
//!     curl -N http://127.0.0.1:8888/events      # in a second terminal
//!
//! Try this: open http://127.0.0.1:8888 in a browser.

use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use common::pace::Pace;
use common::{log, shutdown};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use server_sent_events::body::{self, Body};
use server_sent_events::history::{Event, History};
use server_sent_events::page;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::Sender;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// How long a client is to wait before it connects again; milliseconds.
const RETRY: u64 = 1000;

/// After how long without an event a comment is sent.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How long a client may read nothing before it is dropped.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends events to every client.
#[derive(Parser)]
struct Args {
    /// Where to listen; 0.0.0.0:8888 opens it to other computers
    #[arg(default_value = "127.0.0.1:8888")]
    address: String,

    /// What each event says, before its number
    #[arg(long, value_name = "TEXT", default_value = "tick")]
    message: String,

    #[command(flatten)]
    pace: Pace, // --every and --count
}

#[tokio::main(flavor = "current_thread")]
// An error becomes one line on stderr, and status 1.
async fn main() -> common::Result {
    let args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Listen. From here on the kernel queues clients, so anybody who has
    //    read this line can connect.
    let listener = TcpListener::bind(&args.address)
        .await
        .with_context(|| format!("listen on {}", args.address))?;
    log::line(format_args!("listening on {}", listener.local_addr()?));

    // 2. Publish events, whether or not a client is there, and accept clients
    //    until Ctrl-C. A task is spawned for each; Node accepts them by itself.
    let history = History::default(); // the newest 100; its clones share them
    tokio::spawn(publish(args, history.clone()));
    let connections = GracefulShutdown::new(); // knows which are open
    while let Some(client) = stop.run_until_cancelled(listener.accept()).await {
        match client {
            Ok((socket, _)) => {
                let watcher = connections.watcher();
                tokio::spawn(serve(socket, history.clone(), watcher));
            }
            Err(error) => {
                // Out of file descriptors, say: some connections may end.
                log::error(format_args!("accept: {error}"));
                sleep(Duration::from_millis(100)).await;
            }
        }
    }

    // 3. Stop: accept nobody else, and end each stream as it should: step 7
    //    sees that `stop` is cancelled. Here we wait for the connections.
    drop(listener);
    connections.shutdown().await;
    Ok(())
}

/// 4. Publishes an event at each tick.
async fn publish(args: Args, history: History) {
    let mut ticks = args.pace.ticks(shutdown::token());
    let mut number = 0;
    while ticks.next().await {
        number += 1;
        history.publish(format!("{} {number}", args.message));
    }
}

/// 5. Serves each connection: hyper reads its requests, and calls `answer`.
async fn serve(socket: TcpStream, history: History, watcher: Watcher) {
    // Disable Nagle's algorithm, so that small events are sent immediately.
    let _ = socket.set_nodelay(true); // if it fails, they are only slower
    // Like `stop`, but for this client: step 7 cancels it, to close the
    // connection of a client that does not read.
    let client = CancellationToken::new();
    let service =
        service_fn(|request| answer(request, history.clone(), client.clone()));
    let connection =
        http1::Builder::new().serve_connection(TokioIo::new(socket), service);
    client.run_until_cancelled(watcher.watch(connection)).await;
}

/// 6. Answers a request: with the stream, or with what page.rs has for it.
async fn answer(
    request: Request<Incoming>,
    history: History,
    client: CancellationToken,
) -> Result<Response<Body>> {
    let asked = format!("{} {}", request.method(), request.uri());
    if asked != "GET /events" {
        return page::answer(&asked);
    }
    // What goes into `sender` is sent as the body of the answer. It holds one
    // text: the next one waits until hyper has taken it.
    let (sender, body) = body::stream();
    let response = Response::builder()
        .header("content-type", "text/event-stream")
        .header("cache-control", "no-store")
        .header("connection", "close") // when the stream ends
        // A proxy may collect an answer before it passes it on. This tells
        // nginx not to.
        .header("x-accel-buffering", "no")
        .body(body)?;
    // A task of its own: first this answer is returned, and then events go into
    // its body.
    tokio::spawn(stream(sender, history, last_event_id(&request), client));
    Ok(response)
}

/// Which event the client had last: 0 if it is a new one.
fn last_event_id(request: &Request<Incoming>) -> u64 {
    let header = request.headers().get("last-event-id");
    let text = header.and_then(|value| value.to_str().ok());
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// 7. Streams to one client, until one of the two ends it.
async fn stream(
    sender: Sender<String>,
    history: History,
    last_id: u64,
    client: CancellationToken,
) {
    log::line("client connected");
    let stop = shutdown::token();
    // All three at once, until one is over: that drops the others.
    tokio::select! {
        biased; // when several are over, take the first
        () = sender.closed() => {} // the client has left
        () = stop.cancelled() => {} // the body ends, as we drop `sender`
        Err(error) = send_events(&sender, history, last_id) => {
            log::line(format_args!("client dropped: {error}"));
            client.cancel(); // closes its connection
        }
    }
    log::line("client disconnected");
}

/// 8. Sends events to one client, until sending fails. Nothing is queued for
///    it: from the history, a slow client takes its next event later, and one
///    that was away finds what it missed.
async fn send_events(
    sender: &Sender<String>,
    history: History,
    mut last_id: u64,
) -> Result<()> {
    let mut text = format!("retry: {RETRY}\n\n");
    loop {
        // 9. Write. Back-pressure: this waits while the client does not read.
        //    One that reads nothing at all is dropped: it can connect again
        //    and say which event was its last one.
        let sent = timeout(WRITE_TIMEOUT, sender.send(text)).await;
        sent.context("it does not read")??; // too late, or it left

        // 10. Take the next event. Heartbeat: if there is none for a while,
        //     send a comment. It shows the client, and the proxies between,
        //     that the connection lives.
        let next = timeout(HEARTBEAT, history.next(last_id)).await;
        if let Ok(event) = next {
            log::line(format_args!("send: {}", log::shown(&event.text)));
            last_id = event.id;
            text = encode(event);
        } else {
            text = ": heartbeat\n\n".to_owned();
        }
    }
}

/// 11. Encodes an event: a field in each line, and an empty line at its end.
fn encode(Event { id, kind, text }: Event) -> String {
    // A line break would end the field: each line is a `data:` of its own.
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    let data = lines.replace('\n', "\ndata: ");
    format!("id: {id}\nevent: {kind}\ndata: {data}\n\n")
}
