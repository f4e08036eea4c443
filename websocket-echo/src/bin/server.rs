//! WebSocket echo server: sends back each message that a client sends.
//!
//! Node twin: `node/server.js`. Other half: `client.rs`, or the page.
//!
//!     cargo run -p websocket-echo --bin server
//!     cargo run -p websocket-echo --bin client    # in a second terminal
//!
//! Try this: open <http://127.0.0.1:8888> in a browser.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use common::{log, shutdown};
use futures_util::{SinkExt, TryStreamExt};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncWriteExt, copy, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_util::task::TaskTracker;
use websocket_echo::access::{Access, header, reply};
use websocket_echo::{close_code, close_frame, limits, shown};

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
    heartbeat: u64,

    #[command(flatten)]
    access: Access, // --origin and --token
}

/// The subprotocol that this server speaks: what the messages mean.
const PROTOCOL: &str = "echo.v1";

/// How long a client may take to close, after we have.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

type WebSocket = WebSocketStream<TokioIo<Upgraded>>;

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
    // Knows which tasks still run. Its clones share one list.
    let tasks = TaskTracker::new();
    while let Some(client) = stop.run_until_cancelled(listener.accept()).await {
        match client {
            Ok((socket, _)) => {
                tasks.spawn(serve(socket, args.clone(), tasks.clone()));
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
///    calls `answer`.
async fn serve(socket: TcpStream, args: Arc<Args>, tasks: TaskTracker) {
    let _ = socket.set_nodelay(true); // else small messages may be held back
    let socket = TokioIo::new(socket); // a socket as hyper wants it
    let service = service_fn(|request| answer(request, &args, &tasks));
    let connection = http1::Builder::new()
        .serve_connection(socket, service)
        .with_upgrades(); // keeps the socket open after a 101
    // An error means that this client is gone, or that it speaks no HTTP.
    let _ = shutdown::token().run_until_cancelled(connection).await;
}

/// 5. Answers an HTTP request. A client that may not connect must be told now:
///    403 for a page of another site, 401 without the token. After the
///    upgrade, there is no HTTP status any more. What asks for no WebSocket
///    gets the page, or 426.
async fn answer(
    request: Request<Incoming>,
    args: &Arc<Args>,
    tasks: &TaskTracker,
) -> Result<Response<String>> {
    match args.access.status(&request).await {
        StatusCode::SWITCHING_PROTOCOLS => upgrade(request, args, tasks),
        other => reply(other), // 200 with the page, or an error
    }
}

/// 6. Upgrades the connection from HTTP to WebSocket: the handshake.
fn upgrade(
    mut request: Request<Incoming>,
    args: &Arc<Args>,
    tasks: &TaskTracker,
) -> Result<Response<String>> {
    // The accept key is a hash of the client's key: it shows that we speak
    // WebSocket, and that no cache has answered.
    let key = header(&request, "sec-websocket-key");
    let mut response = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS) // 101
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-accept", derive_accept_key(key.as_bytes()));
    // The client offers a list of subprotocols, and we choose one or none.
    let mut offered = header(&request, "sec-websocket-protocol").split(',');
    if offered.any(|name| name.trim() == PROTOCOL) {
        response = response.header("sec-websocket-protocol", PROTOCOL);
    }
    // A future: when hyper has sent the answer that this function returns, it
    // hands the connection over. So talk() is a task of its own.
    let upgraded = hyper::upgrade::on(&mut request);
    tasks.spawn(talk(upgraded, args.clone()));
    Ok(response.body(String::new())?)
}

/// 7. Talks with one client, until it closes the connection or we do.
async fn talk(upgraded: OnUpgrade, args: Arc<Args>) {
    let Ok(upgraded) = upgraded.await else {
        return; // the client is gone already
    };
    log::line("socket connected");
    let upgraded = TokioIo::new(upgraded); // as tokio wants it
    let limits = Some(limits(args.limit)); // the longest message
    let mut socket =
        WebSocketStream::from_raw_socket(upgraded, Role::Server, limits).await;
    let stop = shutdown::token();
    match stop.run_until_cancelled(echo(&mut socket, &args)).await {
        Some(Ok(())) => {} // the client has closed
        Some(Err(error)) => {
            log::error(format_args!("socket: {error:#}"));
            // Say what it has done wrong. In Node, `ws` does that.
            close(&mut socket, close_code(&error)).await;
        }
        None => close(&mut socket, CloseCode::Away).await, // Ctrl-C: 1001
    }
    log::line("socket disconnected");
}

/// 8. Sends back each message, until the client closes the connection.
async fn echo(socket: &mut WebSocket, args: &Args) -> Result<()> {
    let heartbeat = Duration::from_millis(args.heartbeat);
    while let Some(message) = receive(socket, heartbeat).await? {
        if !message.is_text() && !message.is_binary() {
            continue; // ping, pong, close: tungstenite has dealt with it
        }
        let text = shown(&message);
        log::line(format_args!("receive: {text}"));

        // 9. Send. Back-pressure: this waits while the client does not read,
        //    and meanwhile we read nothing from it. Our memory stays bounded.
        //    A client that accepts no bytes for as long as one that answers no
        //    ping is given up, too. Two layers: too late, or an error.
        let sent = timeout(2 * heartbeat, socket.send(message)).await;
        sent.context("the client does not read")??;
        log::line(format_args!("send: {text}"));
    }
    Ok(())
}

/// 10. Receives: one message is one message, in however many fragments and
///     reads it arrives. Heartbeat: after a time of silence, ping. A client
///     that does not answer within the same time again is frozen or
///     unreachable.
async fn receive(
    socket: &mut WebSocket,
    heartbeat: Duration,
) -> Result<Option<Message>> {
    match timeout(heartbeat, socket.try_next()).await {
        Ok(Ok(message)) => return Ok(message), // None: the client has closed
        Ok(Err(error)) => return Err(error.into()),
        Err(_) => {} // nothing in time, and what has come in part is kept
    }
    // Silence. Ping, and wait once more: any message is a sign of life.
    let ping_and_receive = async {
        socket.send(Message::Ping(Bytes::new())).await?;
        socket.try_next().await
    };
    let received = timeout(heartbeat, ping_and_receive).await;
    Ok(received.context("no pong")??)
}

/// 11. Closes: tells the client why, and waits until it closes too, for
///     CLOSE_TIMEOUT at most.
async fn close(socket: &mut WebSocket, code: CloseCode) {
    if code == CloseCode::Abnormal {
        return; // 1006 is never sent: the connection is closed without a word
    }
    let closing = async {
        socket.send(close_frame(code)).await?;
        // A socket that is closed with something unread is reset (RST), and
        // the client might lose the code. So read on, and discard it.
        let socket = socket.get_mut();
        socket.shutdown().await?; // half-close
        copy(socket, &mut sink()).await?;
        anyhow::Ok(()) // Ok, with the type of its errors
    };
    let _ = timeout(CLOSE_TIMEOUT, closing).await;
}
