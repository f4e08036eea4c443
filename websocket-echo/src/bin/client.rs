//! WebSocket echo client: sends hello every three seconds, prints the echo.
//!
//! Node twin: `node/client.js`. Other half: `server.rs`.
//!
//!     cargo run -p websocket-echo --bin server    # in a first terminal
//!     cargo run -p websocket-echo --bin client
//!
//! Try this: stop the server while the client runs, and start it again.

use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use common::pace::{Pace, Ticks};
use common::{log, shutdown};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt, TryStreamExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
};
use websocket_echo::access::with_token;
use websocket_echo::{close_code, close_frame, limits, shown};

/// Sends messages to a WebSocket echo server and prints what comes back.
#[derive(Parser)]
struct Args {
    /// Where the server listens
    #[arg(default_value = "ws://127.0.0.1:8888")]
    url: String,

    /// What to send
    #[arg(long, value_name = "TEXT", default_value = "hello")]
    message: String,

    /// A file with the token that the server wants; read for each connection
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,

    #[command(flatten)]
    pace: Pace, // --every and --count
}

/// The subprotocol that we speak: what the messages mean.
const PROTOCOL: &str = "echo.v1";

/// The longest message that we accept, in bytes.
const LIMIT: usize = 1024 * 1024;

/// How long the server may be silent. It pings after ten seconds.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(25);

const ADVICE: &str =
    "start the server first: cargo run -p websocket-echo --bin server";

type WebSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;
type Writer = SplitSink<WebSocket, Message>;
type Reader = SplitStream<WebSocket>;

/// 1 while a message is on its way, else 0: send() and receive() set it, and
/// send() can wait until it changes. A channel that holds one value; nothing
/// of it goes over the network.
type InFlight = watch::Sender<u64>;

#[tokio::main(flavor = "current_thread")]
// An error becomes one line on stderr, and status 1.
async fn main() -> common::Result {
    let args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Connect. The first time, it is an error when nobody is there: then
    //    no server was started.
    let mut socket = connect(&args).await?;

    // 2. Talk until all is sent. When the connection ends before, reconnect,
    //    unless the server has closed it for a reason that will not go away.
    let mut ticks = args.pace.ticks(stop.clone());
    let in_flight = InFlight::new(0);
    let mut lost = 0;
    loop {
        let code = talk(socket, &args, &mut ticks, &in_flight).await;
        log::line(format_args!("disconnected: {code}"));
        let unanswered = in_flight.send_replace(0); // the value until now
        lost += unanswered;
        if ticks.is_over() || !is_temporary(code) {
            break;
        }
        let reconnecting = stop.run_until_cancelled(reconnect(&args));
        let Some(connected) = reconnecting.await else {
            break; // Ctrl-C
        };
        socket = connected;
        ticks.restart(); // the next message is due at once
    }

    // 3. Did everything come back? A message that was on its way when the
    //    connection broke is lost: WebSocket does not send it again.
    if lost > 0 {
        return Err(anyhow!("{lost} messages did not come back").into());
    }
    Ok(())
}

/// 4. Connects: an HTTP request that asks for an upgrade, answered by a 101.
async fn connect(args: &Args) -> Result<WebSocket> {
    // The token is read each time: tokens expire, and a stale one is refused.
    let url = with_token(&args.url, args.token.as_deref()).await?;
    let request =
        ClientRequestBuilder::new(url.parse()?).with_sub_protocol(PROTOCOL);
    let limits = Some(limits(LIMIT));
    let no_delay = true; // send small messages immediately
    let connecting = connect_async_with_config(request, limits, no_delay);
    let url = &args.url; // without the token
    let (socket, _response) = timeout(SILENCE_TIMEOUT, connecting)
        .await
        .with_context(|| format!("connect to {url}"))?
        .map_err(|error| match error {
            Error::Io(_) => anyhow!("connect to {url}: {error}; {ADVICE}"),
            other => anyhow!("connect to {url}: {other}"),
        })?;
    log::line("connected.");
    Ok(socket)
}

/// 5. Reconnects with exponential backoff: twice the pause each time, up to
///    five seconds; and with random jitter, so that clients do not all
///    reconnect at the same moment.
async fn reconnect(args: &Args) -> WebSocket {
    let mut pause = Duration::from_millis(500);
    loop {
        sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
        match connect(args).await {
            Ok(socket) => return socket,
            Err(error) => log::error(error),
        }
        pause = (2 * pause).min(Duration::from_secs(5));
    }
}

/// 6. Talks: sends and receives at the same time, until the connection ends.
///    Returns the close code.
async fn talk(
    socket: WebSocket,
    args: &Args,
    ticks: &mut Ticks,
    in_flight: &InFlight,
) -> CloseCode {
    let (mut writer, reader) = socket.split();
    // Pinned, so that select! can borrow it: when send() ends first, this is
    // not dropped, and goes on where it was.
    let mut receiving = pin!(receive(reader, in_flight));
    let result = tokio::select! {
        result = &mut receiving => result,
        // All is sent, or sending failed: receive() learns why. Either way,
        // receive until the end.
        _ = send(&mut writer, args, ticks, in_flight) => receiving.await,
    };
    match result {
        Ok(code) => code,
        Err(error) => give_up(writer, error).await,
    }
}

/// Ends the connection after an error: tells the server what it has done
/// wrong. In Node, `ws` does that.
async fn give_up(mut writer: Writer, error: anyhow::Error) -> CloseCode {
    log::error(format_args!("socket: {error:#}"));
    let code = close_code(&error);
    if code != CloseCode::Abnormal {
        let _ = writer.send(close_frame(code)).await;
    }
    code
}

/// 7. Sends the message at each tick, until the last one or Ctrl-C, and waits
///    until it has come back.
async fn send(
    writer: &mut Writer,
    args: &Args,
    ticks: &mut Ticks,
    in_flight: &InFlight,
) -> Result<()> {
    while ticks.next().await {
        log::line(format_args!("send: {}", args.message));
        in_flight.send_replace(1);
        // Back-pressure: this waits while the server does not read.
        writer.send(Message::text(&args.message)).await?;
        in_flight.subscribe().wait_for(|count| *count == 0).await?;
    }
    // There is no half-close: after a Close frame, the server sends nothing
    // more. By now, everything has come back. 1000: all is well.
    writer.send(close_frame(CloseCode::Normal)).await?;
    Ok(())
}

/// 8. Receives and prints what comes back, until the connection ends. Returns
///    the close code.
async fn receive(
    mut reader: Reader,
    in_flight: &InFlight,
) -> Result<CloseCode> {
    let mut code = CloseCode::Abnormal; // 1006: no Close frame came
    loop {
        // Heartbeat: the server pings a silent client, so if nothing arrives,
        // it is frozen or unreachable.
        let received = timeout(SILENCE_TIMEOUT, reader.try_next()).await;
        let received = received.context("the server is silent")??;
        let Some(message) = received else {
            return Ok(code);
        };
        match message {
            Message::Close(Some(frame)) => code = frame.code,
            Message::Close(None) => code = CloseCode::Status, // 1005
            Message::Ping(_) | Message::Pong(_) => {} // already answered
            message => {
                log::line(format_args!("receive: {}", shown(&message)));
                in_flight.send_replace(0);
            }
        }
    }
}

/// Can it help to reconnect? The server is about to stop (1001), the
/// connection was lost (1006), or the server has a fault of its own.
fn is_temporary(code: CloseCode) -> bool {
    matches!(u16::from(code), 1001 | 1006 | 1011 | 1012 | 1013)
}
