//! WebSocket echo server: sends back each message that a client sends.
//!
//! Node twin: `node/server.js`. Other half: `client.rs`, or the page.
//!
//!     cargo run -p websocket-echo --bin server
//!     cargo run -p websocket-echo --bin client    # in a second terminal
//!
//! Try this: open <http://127.0.0.1:8888> in a browser.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use common::{log, shutdown};
use futures_util::SinkExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_util::task::TaskTracker;
use websocket_echo::access::{Access, header, reply};
use websocket_echo::closing::{CloseCode, close, give_up};
use websocket_echo::heartbeat::receive;
use websocket_echo::{limits, shown};

/// Sends back each message that a client sends.
#[derive(Parser)]
struct Args {
    /// Where to listen; 0.0.0.0:8888 opens it to other computers
    #[arg(default_value = "127.0.0.1:8888")]
    address: String,

    /// The longest message, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1024 * 1024)]
    limit: usize,

    /// Milliseconds of silence after which to ping a client
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    heartbeat: u64,

    #[command(flatten)]
    access: Access, // --origin and --token
}

/// The subprotocol that this server speaks: what the messages mean.
const PROTOCOL: &str = "echo.v1";

#[tokio::main(flavor = "current_thread")]
// An error becomes one line on stderr, and status 1.
async fn main() -> common::Result {
    let mut args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Listen. Pages that this server serves itself may connect.
    let listener = TcpListener::bind(&args.address)
        .await
        .with_context(|| format!("listen on {}", args.address))?;
    let address = listener.local_addr()?;
    args.access.allow_own_pages(address);
    log::line(format_args!("listening on {address}"));

    // 2. Accept clients until Ctrl-C. A task is spawned for each; Node
    //    accepts them by itself.
    let args = Arc::new(args); // shared by all tasks
    let tasks = TaskTracker::new(); // knows which tasks still run
    while let Some(client) = stop.run_until_cancelled(listener.accept()).await {
        match client {
            Ok((socket, _)) => {
                tasks.spawn(serve(socket, args.clone()));
            }
            // Out of file descriptors, say: some connections may end.
            Err(error) => {
                log::error(format_args!("accept: {error}"));
                sleep(Duration::from_millis(100)).await;
            }
        }
    }

    // 3. Stop: accept nobody else, and let each connection close: step 7 sees
    //    that `stop` is cancelled.
    drop(listener);
    tasks.close(); // none will be added: now wait() can return
    tasks.wait().await;
    Ok(())
}

/// 4. Serves one connection, which begins as HTTP: hyper reads a request, and
///    calls answer(). After the upgrade, it is a WebSocket.
async fn serve(socket: TcpStream, args: Arc<Args>) {
    let _ = socket.set_nodelay(true); // else small messages may be held back
    let socket = TokioIo::new(socket); // a socket as hyper wants it
    // hyper calls answer() and sends what it returns, so what becomes of the
    // connection leaves answer() through here: a cell that is set once.
    let upgrade = OnceLock::new();
    let service = service_fn(|request| answer(request, &args, &upgrade));
    let connection = http1::Builder::new()
        .serve_connection(socket, service)
        .with_upgrades(); // keeps the socket open after a 101
    // An error means that this client is gone, or that it speaks no HTTP.
    let _ = shutdown::token().run_until_cancelled(connection).await;
    // None: no client has asked for a WebSocket.
    if let Some(upgrade) = upgrade.into_inner()
        && let Ok(upgraded) = upgrade.await
    {
        talk(upgraded, &args).await;
    }
}

/// 5. Answers a request. A client that may not connect must be told now: after
///    the upgrade, there is no HTTP status any more.
async fn answer(
    mut request: Request<Incoming>,
    args: &Args,
    upgrade: &OnceLock<OnUpgrade>,
) -> Result<Response<String>> {
    let status = args.access.status(&request).await;
    if status != StatusCode::SWITCHING_PROTOCOLS {
        return reply(status); // 200 with the page, 401, 403 or 426
    }

    // 6. Upgrade the connection to WebSocket: the handshake. The answer is 101,
    //    with a hash of the client's key: it shows that we speak WebSocket,
    //    and that no cache has answered.
    let mut response =
        handshake::server::create_response_with_body(&request, String::new)?;
    // The client offers a list of subprotocols, and we choose one or none.
    let mut offered = header(&request, "sec-websocket-protocol").split(',');
    if offered.any(|name| name.trim() == PROTOCOL) {
        let headers = response.headers_mut();
        headers.insert("sec-websocket-protocol", PROTOCOL.parse()?);
    }
    // When hyper has sent this answer, it hands the connection over.
    let _ = upgrade.set(hyper::upgrade::on(&mut request));
    Ok(response)
}

/// 7. Talks with one client, until it closes the connection or we do.
async fn talk(upgraded: Upgraded, args: &Args) {
    log::line("socket connected");
    let upgraded = TokioIo::new(upgraded); // as tokio wants it
    let limits = Some(limits(args.limit)); // the longest message
    let mut socket =
        WebSocketStream::from_raw_socket(upgraded, Role::Server, limits).await;
    let heartbeat = Duration::from_millis(args.heartbeat);
    let echoing = echo(&mut socket, heartbeat);
    match shutdown::token().run_until_cancelled(echoing).await {
        Some(Ok(())) => {} // the client has closed
        Some(Err(error)) => {
            give_up(&mut socket, error).await; // prints it, and tells why
        }
        None => {
            close(&mut socket, CloseCode::Away).await; // Ctrl-C: 1001
        }
    }
    log::line("socket disconnected");
}

/// Sends back each message, until the client closes the connection.
async fn echo(
    socket: &mut WebSocketStream<TokioIo<Upgraded>>,
    heartbeat: Duration,
) -> Result<()> {
    loop {
        // 8. Receive. One message is one message, in however many fragments
        //    and reads it arrives. Heartbeat: after a time of silence,
        //    receive() pings, and fails where no pong comes.
        let message = receive(socket, heartbeat).await?;
        if message.is_close() {
            return Ok(());
        }
        let text = shown(&message);
        log::line(format_args!("receive: {text}"));

        // 9. Send. Back-pressure: this waits while the client does not read,
        //    and meanwhile we read nothing from it. Our memory stays bounded.
        //    A client that takes no bytes for as long as one that answers no
        //    ping is given up, too.
        let sent = timeout(2 * heartbeat, socket.send(message)).await;
        sent.context("the client does not read")??;
        log::line(format_args!("send: {text}"));
    }
}
