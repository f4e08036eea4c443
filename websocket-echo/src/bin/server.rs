//! WebSocket echo server: sends back each message that a client sends.
//!
//! Node twin: `node/server.js`. Other half: `client.rs`, or the page.
//!
//!     cargo run -p websocket-echo --bin server
//!     cargo run -p websocket-echo --bin client    # in a second terminal
//!
//! Try this: open <http://127.0.0.1:8888> in a browser.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;
use common::{log, shutdown};
use futures_util::{SinkExt, StreamExt};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncWriteExt, copy, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use websocket_echo::{close_code, close_frame, limits, shown};

/// Sends back each message that a client sends.
#[derive(Parser)]
struct Args {
    /// Where to listen; 0.0.0.0:8888 opens it to other computers
    #[arg(default_value = "127.0.0.1:8888")]
    address: String,

    /// A site whose pages may connect, like https://example.org; may be given
    /// several times
    #[arg(long = "origin", value_name = "URL")]
    origins: Vec<String>,

    /// A file with the token that clients must give; read for each of them
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,

    /// The longest message, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1024 * 1024)]
    limit: usize,

    /// Milliseconds of silence after which to ping a client
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    heartbeat: u64,
}

/// The subprotocol that this server speaks: what the messages mean.
const PROTOCOL: &str = "echo.v1";

/// How long a client may take for a request's headers.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may take to close, after we have.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What all connections share.
struct Server {
    args: Args,
    stop: CancellationToken,
    connections: TaskTracker,
}

type Socket = WebSocketStream<TokioIo<Upgraded>>;

#[tokio::main(flavor = "current_thread")]
// An error becomes one line on stderr, and status 1.
async fn main() -> common::Result {
    let mut args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Listen. Pages of this server itself may connect.
    let listener = TcpListener::bind(&args.address)
        .await
        .with_context(|| format!("listen on {}", args.address))?;
    let own = listener.local_addr()?;
    let local = format!("http://localhost:{}", own.port());
    args.origins.extend([format!("http://{own}"), local]);
    log::line(format_args!("listening on {own}"));

    // 2. Accept clients until Ctrl-C. A task is spawned for each; Node
    //    accepts them by itself.
    let server = Arc::new(Server {
        args,
        stop: stop.clone(),
        connections: TaskTracker::new(), // knows which tasks still run
    });
    while let Some(client) = stop.run_until_cancelled(listener.accept()).await {
        match client {
            Ok((socket, _)) => {
                server.connections.spawn(serve(socket, server.clone()));
            }
            // Out of file descriptors, say: some connections may end.
            Err(error) => {
                log::error(format_args!("accept: {error}"));
                sleep(Duration::from_millis(100)).await;
            }
        }
    }

    // 3. Stop: accept nobody else, and let each connection close: step 12.
    drop(listener);
    server.connections.close(); // no task will be added: now wait() can return
    server.connections.wait().await;
    Ok(())
}

/// 4. Serves one connection: at first it speaks HTTP. hyper calls `answer`
///    for each request.
async fn serve(socket: TcpStream, server: Arc<Server>) {
    let _ = socket.set_nodelay(true); // else small messages may be held back
    let service = service_fn(|request| answer(request, &server));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades(); // keeps the socket open after a 101
    let ended = server.stop.run_until_cancelled(connection).await;
    if let Some(Err(error)) = ended {
        log::error(format_args!("socket: {error}"));
    }
}

/// 5. Answers a request that is for no WebSocket: with the page, or with 426.
async fn answer(
    request: Request<Incoming>,
    server: &Arc<Server>,
) -> Result<Response<String>> {
    if request.headers().contains_key("sec-websocket-key") {
        return upgrade(request, server).await;
    }
    match request.uri().path() {
        "/" => reply(200, include_str!("../../page/index.html")),
        _ => reply(426, "this is a WebSocket server\n"),
    }
}

/// 6. Upgrades to a WebSocket, or refuses. A refusal must come now: after the
///    upgrade, nobody can be told with an HTTP status.
async fn upgrade(
    mut request: Request<Incoming>,
    server: &Arc<Server>,
) -> Result<Response<String>> {
    let Args { origins, token, .. } = &server.args;
    let text = |name| {
        let value = request.headers().get(name);
        value.and_then(|value| value.to_str().ok())
    };
    // The same-origin policy does not apply to WebSockets: a browser lets the
    // page of any site connect, and only says which. Programs send no Origin.
    if let Some(origin) = text("origin")
        && !origins.iter().any(|known| known == origin)
    {
        return reply(403, "not from this origin\n");
    }
    if let Some(file) = token {
        // A browser cannot add a header, so the token is in the URL.
        let token = tokio::fs::read_to_string(file).await?;
        let field = format!("token={}", token.trim());
        let mut fields = request.uri().query().unwrap_or_default().split('&');
        if field == "token=" || !fields.any(|given| given == field) {
            return reply(401, "a token is required\n");
        }
    }

    // 7. The handshake. The accept key is a hash of the client's key: it
    //    shows that we speak WebSocket, and that no cache has answered.
    let key = text("sec-websocket-key").unwrap_or_default();
    let mut response = Response::builder()
        .status(101) // Switching Protocols
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-accept", derive_accept_key(key.as_bytes()));
    let offered = text("sec-websocket-protocol").unwrap_or_default();
    if offered.split(',').any(|name| name.trim() == PROTOCOL) {
        response = response.header("sec-websocket-protocol", PROTOCOL);
    }
    let upgraded = hyper::upgrade::on(&mut request);
    server.connections.spawn(talk(upgraded, server.clone()));
    Ok(response.body(String::new())?)
}

/// 8. Talks with one client, until it closes the connection or we do.
async fn talk(upgraded: OnUpgrade, server: Arc<Server>) {
    let Ok(upgraded) = upgraded.await else {
        return; // the client is gone already
    };
    log::line("socket connected");
    let mut socket = WebSocketStream::from_raw_socket(
        TokioIo::new(upgraded),
        Role::Server,
        Some(limits(server.args.limit)),
    )
    .await;
    let ended = tokio::select! {
        biased; // what has arrived is answered, even after Ctrl-C
        result = echo(&mut socket, server.args.heartbeat) => Some(result),
        () = server.stop.cancelled() => None,
    };
    match ended {
        Some(Ok(())) => {} // the client has closed, tungstenite has answered
        Some(Err(error)) => {
            log::error(format_args!("socket: {error:#}"));
            close(&mut socket, close_code(&error)).await;
        }
        None => close(&mut socket, CloseCode::Away).await, // Ctrl-C: 1001
    }
    log::line("socket disconnected");
}

/// Sends back each message, until the client closes the connection.
async fn echo(socket: &mut Socket, heartbeat: u64) -> Result<()> {
    // 9. Heartbeat: after a time of silence, ping. A client that does not
    //    answer within the same time again is frozen or unreachable.
    let heartbeat = Duration::from_millis(heartbeat);
    let mut is_pinged = false;
    loop {
        // 10. Receive. One message is one message, in however many fragments
        //     and reads it arrives.
        let message = match timeout(heartbeat, socket.next()).await {
            Ok(Some(message)) => message?,
            Ok(None) => return Ok(()),
            Err(_) if is_pinged => bail!("no pong"),
            Err(_) => {
                socket.send(Message::Ping(Bytes::new())).await?;
                is_pinged = true;
                continue;
            }
        };
        is_pinged = false;
        if !message.is_text() && !message.is_binary() {
            continue; // ping, pong, close: tungstenite has answered
        }
        let text = shown(&message);
        log::line(format_args!("receive: {text}"));

        // 11. Send. Back-pressure: this waits while the client does not read,
        //     and meanwhile we read nothing from it. Our memory stays bounded.
        timeout(2 * heartbeat, socket.send(message))
            .await
            .context("the client does not read")??;
        log::line(format_args!("send: {text}"));
    }
}

/// 12. Closes: tells the client why, and waits until it closes too. 1006 is
///     never sent: then the connection is terminated, without a word.
async fn close(socket: &mut Socket, code: CloseCode) {
    if code == CloseCode::Abnormal {
        return; // the socket is dropped
    }
    let closing = async {
        socket.send(close_frame(code)).await?;
        // A socket that is closed with something unread is reset (RST), and
        // the client might lose the code. So read on, and discard it.
        let socket = socket.get_mut();
        socket.shutdown().await?; // half-close
        copy(socket, &mut sink()).await?;
        anyhow::Ok(())
    };
    let _ = timeout(CLOSE_TIMEOUT, closing).await;
}

/// Builds a response that is no upgrade.
fn reply(status: u16, text: &str) -> Result<Response<String>> {
    let response = Response::builder()
        .status(status)
        .header("content-type", "text/html; charset=utf-8")
        .header("upgrade", "websocket") // what else this server speaks
        .body(text.to_owned())?;
    Ok(response)
}
