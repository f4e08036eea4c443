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

use anyhow::{Context, Error, Result, anyhow, bail};
use clap::Parser;
use common::pace::{Pace, Ticks};
use common::{log, shutdown};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
};
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

    /// The longest message to receive, in bytes
    #[arg(long, value_name = "BYTES", default_value_t = 1024 * 1024)]
    limit: usize,

    /// Milliseconds of silence after which the server is given up
    #[arg(long, value_name = "MS", default_value_t = 25_000)]
    timeout: u64,

    #[command(flatten)]
    pace: Pace, // --every and --count
}

/// The subprotocol that we speak: what the messages mean.
const PROTOCOL: &str = "echo.v1";

const ADVICE: &str =
    "start the server first: cargo run -p websocket-echo --bin server";

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

#[tokio::main(flavor = "current_thread")]
// An error becomes one line on stderr, and status 1.
async fn main() -> common::Result {
    let args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Connect. The first time, it is an error when nobody is there: then
    //    no server was started.
    let mut socket = match connect(&args).await {
        Ok(socket) => socket,
        Err(error) if is_refusal(&error) => return Err(error.into()),
        Err(error) => return Err(anyhow!("{error:#}; {ADVICE}").into()),
    };

    // 2. Talk until all is sent. When the connection ends before, reconnect,
    //    unless the server has closed it for a reason that will not go away.
    let mut ticks = args.pace.ticks(stop.clone());
    let mut lost = 0;
    loop {
        let code = talk(socket, &args, &mut ticks, &mut lost).await;
        log::line(format_args!("disconnected: {code}"));
        if ticks.is_over() || !is_temporary(code) {
            break;
        }
        match stop.run_until_cancelled(reconnect(&args)).await {
            Some(reconnected) => socket = reconnected?,
            None => break, // Ctrl-C
        }
        ticks.restart(); // the next message is due at once
    }

    // 3. Did everything come back? What was on its way in a connection that
    //    was lost is lost, too: WebSocket does not send it again.
    if lost != 0 {
        return Err(anyhow!("{lost} messages did not come back").into());
    }
    Ok(())
}

/// 4. Connects: an HTTP request that asks for an upgrade, answered by a 101.
async fn connect(args: &Args) -> Result<Socket> {
    let mut url = args.url.clone();
    if let Some(file) = &args.token {
        // Read each time: tokens expire, and a stale one is refused.
        let token = tokio::fs::read_to_string(file)
            .await
            .with_context(|| format!("read {}", file.display()))?;
        url = format!("{url}/?token={}", token.trim());
    }
    let request =
        ClientRequestBuilder::new(url.parse()?).with_sub_protocol(PROTOCOL);
    let limits = Some(limits(args.limit));
    let no_delay = true; // send small messages immediately
    let connecting = connect_async_with_config(request, limits, no_delay);
    let connected = timeout(Duration::from_millis(args.timeout), connecting)
        .await
        .context("the server does not answer")?;
    let (socket, _response) =
        connected.with_context(|| format!("connect to {}", args.url))?;
    log::line("connected.");
    Ok(socket)
}

/// 5. Reconnects with exponential backoff: twice the pause each time, up to
///    five seconds; and with random jitter, so that clients do not all
///    reconnect at the same moment. A refusal (HTTP's 4xx) ends it.
async fn reconnect(args: &Args) -> Result<Socket> {
    let mut pause = Duration::from_millis(500);
    loop {
        sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
        match connect(args).await {
            Err(error) if !is_refusal(&error) => log::error(error),
            connected => return connected,
        }
        pause = (2 * pause).min(Duration::from_secs(5));
    }
}

/// 6. Talks: sends and receives at the same time, until the connection ends.
///    Returns the close code.
async fn talk(
    socket: Socket,
    args: &Args,
    ticks: &mut Ticks,
    lost: &mut i64,
) -> CloseCode {
    let (mut writer, reader) = socket.split();
    let mut sent = 0;
    // A number that one function changes and another one waits for.
    let (arrived, received) = watch::channel(0);
    // pin!: so that it can be awaited in two places.
    let mut receiving = pin!(receive(reader, args.timeout, arrived));
    let sending = send(&mut writer, args, ticks, &mut sent, received.clone());
    let ended = tokio::select! {
        ended = &mut receiving => ended,
        // All is sent, or that failed. Why, receive() will learn.
        _ = sending => receiving.await,
    };
    *lost += sent - *received.borrow();
    let code = ended.unwrap_or_else(|error| {
        log::error(format_args!("socket: {error:#}"));
        close_code(&error)
    });
    if code != CloseCode::Abnormal {
        // If the server has sent what we do not accept, tell it.
        let _ = writer.send(close_frame(code)).await;
    }
    code
}

/// 7. Sends the message at each tick, until the last one or Ctrl-C.
async fn send(
    writer: &mut SplitSink<Socket, Message>,
    args: &Args,
    ticks: &mut Ticks,
    sent: &mut i64,
    mut received: watch::Receiver<i64>,
) -> Result<()> {
    while ticks.next().await {
        log::line(format_args!("send: {}", args.message));
        *sent += 1;
        // Back-pressure: this waits while the server does not read.
        writer.send(Message::text(&args.message)).await?;
    }
    // There is no half-close: after a Close frame, the server sends nothing
    // more. So close when everything has come back. 1000: all is well.
    received.wait_for(|received| *received >= *sent).await?;
    writer.send(close_frame(CloseCode::Normal)).await?;
    Ok(())
}

/// 8. Receives and prints what comes back, until the connection ends.
async fn receive(
    mut reader: SplitStream<Socket>,
    silence: u64,
    arrived: watch::Sender<i64>,
) -> Result<CloseCode> {
    // 1006: no Close frame came. It is never sent.
    let mut code = CloseCode::Abnormal;
    loop {
        // Heartbeat: the server pings a silent client, so if nothing arrives,
        // it is frozen or unreachable.
        let silence = Duration::from_millis(silence);
        match timeout(silence, reader.next()).await {
            Ok(Some(message)) => match message? {
                Message::Close(Some(frame)) => code = frame.code,
                Message::Close(None) => code = CloseCode::Status, // 1005
                Message::Ping(_) | Message::Pong(_) => {} // already answered
                message => {
                    arrived.send_modify(|received| *received += 1);
                    log::line(format_args!("receive: {}", shown(&message)));
                }
            },
            Ok(None) => return Ok(code),
            Err(_) => bail!("the server is silent"),
        }
    }
}

/// Can it help to reconnect? The server is about to stop (1001), the
/// connection was lost (1006), or the server has a trouble of its own.
fn is_temporary(code: CloseCode) -> bool {
    matches!(u16::from(code), 1001 | 1006 | 1011 | 1012 | 1013)
}

/// Has the server answered, and refused? Then it will do so again.
fn is_refusal(error: &Error) -> bool {
    match error.downcast_ref() {
        Some(tungstenite::Error::Http(answer)) => {
            answer.status().is_client_error()
        }
        _ => false,
    }
}
