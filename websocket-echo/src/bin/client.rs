//! WebSocket echo client: sends hello every three seconds, prints the echo.
//!
//! Node twin: `node/client.js`. Other half: `server.rs`.
//!
//!     cargo run -p websocket-echo --bin server    # in a first terminal
//!     cargo run -p websocket-echo --bin client
//!
//! Try this: stop the server while the client runs, and start it again.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use clap::Parser;
use common::pace::{Pace, Ticks};
use common::{log, shutdown};
use futures_util::SinkExt;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
};
use websocket_echo::access::with_token;
use websocket_echo::closing::{CloseCode, close, give_up};
use websocket_echo::heartbeat::receive;
use websocket_echo::{limits, shown};

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

/// How long connecting may take, the handshake included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The silence after which to ping the server.
const HEARTBEAT: Duration = Duration::from_secs(10);

const ADVICE: &str =
    "start the server first: cargo run -p websocket-echo --bin server";

type WebSocket = WebSocketStream<MaybeTlsStream<TcpStream>>;

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
    let mut lost = 0;
    loop {
        let mut in_flight = 0; // 1 while a message is on its way
        let talked = talk(&mut socket, &args, &mut ticks, &mut in_flight).await;
        let code = match talked {
            Ok(code) => code,
            Err(error) => give_up(&mut socket, error).await, // prints it
        };
        drop(socket); // closes the TCP connection
        log::line(format_args!("disconnected: {code}"));
        lost += in_flight;
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
    match timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok((socket, _response))) => {
            log::line("connected.");
            Ok(socket)
        }
        Ok(Err(Error::Io(error))) => {
            bail!("connect to {url}: {error}; {ADVICE}")
        }
        Ok(Err(error)) => bail!("connect to {url}: {error}"), // a 401, say
        Err(_) => bail!("connect to {url}: the server does not answer"),
    }
}

/// 5. Reconnects with exponential backoff: twice the pause each time, up to
///    five seconds; and with random jitter, so that clients do not all
///    reconnect at the same moment.
async fn reconnect(args: &Args) -> WebSocket {
    let mut pause = Duration::from_millis(500);
    loop {
        sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
        match connect(args).await {
            Ok(socket) => return socket,
            Err(error) => log::error(error),
        }
        pause = (2 * pause).min(Duration::from_secs(5));
    }
}

/// 6. Talks until the connection ends: sends the message at each tick, and
///    waits until it has come back. Returns the close code.
async fn talk(
    socket: &mut WebSocket,
    args: &Args,
    ticks: &mut Ticks,
    in_flight: &mut u64,
) -> Result<CloseCode> {
    loop {
        // Wait for the next tick and for the server, until one of them is
        // here: pings are answered only while receive() is awaited. In Node,
        // `ws` reads by itself.
        tokio::select! {
            // No tick is awaited while a message is on its way.
            is_due = ticks.next(), if *in_flight == 0 => {
                if !is_due {
                    break; // all is sent, or Ctrl-C
                }

                // 7. Send. Back-pressure: this waits while the server does
                //    not read.
                log::line(format_args!("send: {}", args.message));
                *in_flight = 1;
                socket.send(Message::text(&args.message)).await?;
            }
            message = receive(socket, HEARTBEAT) => match message? {
                // 8. Receive. A Close frame ends the connection: receive()
                //    has answered it.
                Message::Close(None) => return Ok(CloseCode::Status), // 1005
                Message::Close(Some(frame)) => return Ok(frame.code),
                message => {
                    log::line(format_args!("receive: {}", shown(&message)));
                    *in_flight = 0;
                }
            }
        }
    }

    // 9. Close. There is no half-close: after a Close frame, a side sends
    //    nothing more. By now, everything has come back. 1000: all is well.
    Ok(close(socket, CloseCode::Normal).await)
}

/// Can it help to reconnect? The server is about to stop (1001), the
/// connection was lost (1006), or the server has a fault of its own.
fn is_temporary(code: CloseCode) -> bool {
    matches!(u16::from(code), 1001 | 1006 | 1011 | 1012 | 1013)
}
