//! Event server: sends what happens to every client, unasked.
//!
//! Node twin: `node/server.js`. Other halves: `client.rs`, a browser, curl.
//!
//!     cargo run -p server-sent-events --bin server
//!     curl -N http://127.0.0.1:8888/events      # in a second terminal
//!
//! Try this: open http://127.0.0.1:8888 in a browser.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;
use common::pace::Pace;
use common::{log, shutdown};
use http_body_util::channel::{Channel, Sender};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use server_sent_events::history::{Event, History};
use tokio::net::{TcpListener, TcpStream};
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
    let history = History::default(); // the newest 100 events
    tokio::spawn(publish(args, history.clone()));
    let connections = GracefulShutdown::new(); // hyper's, for step 3
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

    // 3. Stop: accept nobody else, and end each stream as it should end. (Each
    //    looks at the token by itself.)
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

/// Serves one connection: hyper reads its requests, and calls `answer` for
/// each. In Node this is out of sight.
async fn serve(socket: TcpStream, history: History, watcher: Watcher) {
    // Disable Nagle's algorithm, so that small events are sent immediately.
    let _ = socket.set_nodelay(true); // if it fails, they are only slower
    // Cancelled when the connection ends, or its stream: then the other one
    // ends, too.
    let gone = CancellationToken::new();
    let service =
        service_fn(|request| answer(request, history.clone(), gone.clone()));
    let connection = http1::Builder::new()
        .max_buf_size(16 * 1024) // what hyper queues for a slow client
        .serve_connection(TokioIo::new(socket), service);
    gone.run_until_cancelled(watcher.watch(connection)).await;
    gone.cancel();
}

/// 5. Answers one request: with the stream, with the page, or with 404.
async fn answer(
    request: Request<Incoming>,
    history: History,
    gone: CancellationToken,
) -> Result<Response<Channel<Bytes>>> {
    // What is sent to `sender` is the body. It ends when `sender` is dropped.
    let (mut sender, body) = Channel::new(1);
    let response = Response::builder();
    let asked = format!("{} {}", request.method(), request.uri());
    let response = match asked.as_str() {
        "GET /events" => {
            let last_id = request.headers().get("last-event-id");
            let last_id = last_id.and_then(|id| id.to_str().ok()?.parse().ok());
            tokio::spawn(stream(sender, history, last_id.unwrap_or(0), gone));
            response
                .header("content-type", "text/event-stream")
                .header("cache-control", "no-store")
                .header("connection", "close")
                // A proxy may collect an answer before it passes it on. This
                // tells nginx not to.
                .header("x-accel-buffering", "no")
        }
        "GET /" => {
            let page = Bytes::from(include_str!("../../page/index.html"));
            let _ = sender.try_send(Frame::data(page)); // one piece has room
            response.header("content-type", "text/html; charset=utf-8")
        }
        _ => response.status(404),
    };
    Ok(response.body(body)?)
}

/// 6. Sends one client its stream, until one of the two ends it.
async fn stream(
    mut sender: Sender<Bytes>,
    history: History,
    last_id: u64,
    gone: CancellationToken,
) {
    log::line("client connected");
    let stop = shutdown::token();
    tokio::select! {
        _ = send_events(&mut sender, history, last_id) => gone.cancel(),
        () = gone.cancelled() => {}
        () = stop.cancelled() => {} // `sender` is dropped: the body ends
    }
    log::line("client disconnected");
}

/// Sends events until an error ends it.
async fn send_events(
    sender: &mut Sender<Bytes>,
    history: History,
    mut last_id: u64,
) -> Result<()> {
    write(sender, format!("retry: {RETRY}\n\n")).await?;
    loop {
        // 7. Take the next event from the history, where a client that was
        //    away finds what it missed. Nothing is queued for one client: a
        //    slow one is only further behind.
        let next = timeout(HEARTBEAT, history.next(last_id)).await;

        // 8. There is none: send a comment as heartbeat. It shows the client
        //    and the proxies between that the connection lives; and if the
        //    client does not, we get an error.
        let Ok(Event { id, text }) = next else {
            write(sender, ": heartbeat\n\n".to_owned()).await?;
            continue;
        };

        // 9. Send it. If others between have been forgotten, say so first. A
        //    line break would end the field: each line is a `data:` of its own.
        if last_id > 0 && id > last_id + 1 {
            let missed = "event: missed\ndata: some events are forgotten\n\n";
            write(sender, missed.to_owned()).await?;
        }
        log::line(format_args!("send: {}", log::shown(&text)));
        let lines = text.replace("\r\n", "\n").replace('\r', "\n");
        let data = lines.replace('\n', "\ndata: ");
        write(sender, format!("id: {id}\ndata: {data}\n\n")).await?;
        last_id = id;
    }
}

/// 10. Writes a piece. Back-pressure: this waits while the client does not
///     read. One that reads nothing at all is dropped: it can connect again
///     and say which event was its last one.
async fn write(sender: &mut Sender<Bytes>, text: String) -> Result<()> {
    let sent = sender.send_data(Bytes::from(text));
    let Ok(sent) = timeout(WRITE_TIMEOUT, sent).await else {
        log::line("client dropped: it does not read");
        bail!("it does not read");
    };
    Ok(sent?)
}
