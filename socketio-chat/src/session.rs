//! The client's connection: Socket.IO over WebSocket.

use std::error;
use std::fmt::{self, Display};
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use common::log;
use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{self, Instant, timeout};
use tokio_tungstenite::tungstenite::{self, Message, http::Uri};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
};

use crate::packet::{self, Packet};

/// How long a server may take to open a session.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// What comes from the server.
#[derive(Clone, Debug, PartialEq)]
pub enum Received {
    /// An event's name, and the first thing that came with it.
    Event(String, Value),
    /// The answer to one of our events. They are answered in turn.
    Answer(Value),
}

/// The server rejected the connection: do not retry.
#[derive(Debug)]
pub struct Refusal(pub String);

impl Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it refuses: {}", log::shown(&self.0))
    }
}

impl error::Error for Refusal {}

/// An open connection. When it is lost, so is what was on its way.
#[derive(Debug)]
pub struct Session {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    longest_silence: Duration,
    heard: Instant,
    sent: u64,
    unanswered: u64,
}

impl Session {
    /// Connects to the server at `url`, `http://HOST:PORT`, and tells it who
    /// we are.
    ///
    /// # Errors
    /// When there is no such server, or it does not let us in.
    pub async fn open(url: &str, auth: &Value) -> Result<Self> {
        timeout(ANSWER_TIMEOUT, Self::enter(&address(url)?, auth))
            .await
            .context("it does not answer")?
    }

    async fn enter(address: &str, auth: &Value) -> Result<Self> {
        // true: disable Nagle's algorithm, so that small messages are sent
        // immediately.
        let connecting = connect_async_with_config(address, None, true);
        let (socket, _) = connecting.await?;
        let mut session = Self {
            socket,
            longest_silence: ANSWER_TIMEOUT,
            heard: Instant::now(),
            sent: 0,
            unanswered: 0,
        };
        let Packet::Open(heartbeat) = session.receive().await? else {
            bail!("it does not open a session");
        };
        session.longest_silence = heartbeat.longest_silence();
        session.send(packet::connect(auth)).await?;
        loop {
            match session.receive().await? {
                Packet::Connected => return Ok(session),
                Packet::Refused(why) => bail!(Refusal(why)),
                Packet::Ping => session.send(packet::PONG.into()).await?,
                _ => {} // an event cannot come first, and a noop may
            }
        }
    }

    /// Sends an event. The answer to it comes from [`Session::next`].
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn emit(
        &mut self,
        event: &str,
        data: impl Serialize,
    ) -> Result<()> {
        self.sent += 1;
        self.unanswered += 1;
        let data = serde_json::to_value(data)?;
        self.send(packet::event(self.sent, event, &data)).await
    }

    /// Waits for the next event or answer, and answers the server's pings (the
    /// heartbeat) meanwhile. May be dropped while it waits; nothing is lost.
    ///
    /// # Errors
    /// When the connection is lost, or the server sends what is no Socket.IO.
    pub async fn next(&mut self) -> Result<Received> {
        loop {
            match self.receive().await? {
                Packet::Event(name, mut data) => {
                    let data = data.drain(..).next().unwrap_or_default();
                    return Ok(Received::Event(name, data));
                }
                Packet::Ack(_, mut data) => {
                    self.unanswered = self.unanswered.saturating_sub(1);
                    let data = data.drain(..).next().unwrap_or_default();
                    return Ok(Received::Answer(data));
                }
                Packet::Ping => self.send(packet::PONG.into()).await?,
                Packet::Close | Packet::Disconnected => {
                    bail!("the server closed it")
                }
                Packet::Noop | Packet::Open(_) | Packet::Connected => {}
                Packet::Refused(why) => bail!("the server refuses: {why}"),
            }
        }
    }

    /// How many of our events the server has not answered. That one has been
    /// sent says little: until the answer is here, the connection may still
    /// be lost.
    pub fn unanswered(&self) -> u64 {
        self.unanswered
    }

    /// Disconnects, and waits until the server has closed the connection.
    pub async fn leave(mut self) {
        let closing = async {
            self.send(packet::DISCONNECT.into()).await?;
            self.socket.close(None).await?;
            while let Some(Ok(_)) = self.socket.next().await {}
            Ok::<_, anyhow::Error>(())
        };
        let _ = timeout(Duration::from_secs(1), closing).await;
    }

    async fn send(&mut self, text: String) -> Result<()> {
        Ok(self.socket.send(Message::text(text)).await?)
    }

    async fn receive(&mut self) -> Result<Packet> {
        loop {
            // Heartbeat: a server that was unplugged sends no ping either.
            let gone = time::sleep_until(self.heard + self.longest_silence);
            let message = tokio::select! {
                message = self.socket.next() => message,
                () = gone => bail!("the server is silent"),
            };
            self.heard = Instant::now();
            match message.context("the server closed it")?? {
                Message::Text(text) => return packet::parse(&text),
                Message::Close(_) => bail!("the server closed it"),
                Message::Binary(_) => {
                    bail!("binary data, which this client cannot take")
                }
                // WebSocket has pings of its own, answered by the library.
                _ => {}
            }
        }
    }
}

/// Is it of no use to wait and retry? The server has rejected us, or there is
/// no Socket.IO server at this address (HTTP's 4xx).
pub fn is_final(error: &Error) -> bool {
    match error.downcast_ref() {
        Some(tungstenite::Error::Http(answer)) => {
            answer.status().is_client_error()
        }
        _ => error.is::<Refusal>(),
    }
}

/// Why we could not connect at all, and what to do about it.
pub fn advise(error: Error, url: &str, advice: &str) -> Error {
    match error.downcast_ref() {
        // A web server that answered, but not with a WebSocket.
        Some(tungstenite::Error::Http(answer)) => anyhow!(
            "connect to {url}: no WebSocket there ({}), and this client \
             has nothing else; the page and node/client.js have long polling",
            answer.status()
        ),
        Some(_) => anyhow!("connect to {url}: {error:#}; {advice}"),
        None => error.context(format!("connect to {url}")),
    }
}

/// Where the WebSocket is, for a server at `url`.
fn address(url: &str) -> Result<String> {
    let parsed: Uri = url.parse().context("this is no URL")?;
    let scheme = parsed.scheme_str();
    ensure!(
        scheme != Some("https"),
        "this client has no TLS; node/client.js has"
    );
    ensure!(scheme == Some("http"), "the URL must begin with http://");
    common::url::check(url, &["http"])?;
    let host = parsed.authority().context("the URL has no host")?;
    ensure!(parsed.path() == "/", "the URL must end after the host");
    Ok(format!("ws://{host}/socket.io/?EIO=4&transport=websocket"))
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;
    use tokio::net::TcpListener;
    use tokio_tungstenite::accept_async;

    use super::*;

    pub(crate) fn tests() -> Vec<harness::testing::Test> {
        harness::unit_tests![
            a_server_that_falls_silent_is_given_up,
            pings_and_noops_are_between_two_events,
            what_the_client_cannot_take_ends_the_session_in_words,
            who_is_not_let_in_hears_why,
        ]
    }

    fn block_on(test: impl Future<Output = ()>) {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap().block_on(test);
    }

    const OPEN: &str = r#"0{"pingInterval":100,"pingTimeout":100}"#;

    /// A session with a server that says this, and then nothing more.
    async fn with(says: &'static [&'static str]) -> Result<Session> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async move {
            let (socket, _) = listener.accept().await.unwrap();
            let mut socket = accept_async(socket).await.unwrap();
            for text in says {
                let message = match *text {
                    "binary" => Message::binary(vec![1, 2, 3]),
                    text => Message::text(text),
                };
                socket.send(message).await.unwrap();
            }
            while let Some(Ok(_)) = socket.next().await {}
        });
        Session::open(&url, &json!({ "name": "Ada" })).await
    }

    async fn heard(says: &'static [&'static str]) -> String {
        let mut session = with(says).await.unwrap();
        session.next().await.unwrap_err().to_string()
    }

    fn a_server_that_falls_silent_is_given_up() {
        block_on(async {
            assert_eq!(heard(&[OPEN, "40"]).await, "the server is silent");
        });
    }

    fn pings_and_noops_are_between_two_events() {
        block_on(async {
            let mut session =
                with(&[OPEN, "2", "40", "6", "2", "42[\"a\",1,2]", "430[{}]"])
                    .await
                    .unwrap();
            let event = Received::Event("a".into(), json!(1));
            assert_eq!(session.next().await.unwrap(), event);
            let answer = Received::Answer(json!({}));
            assert_eq!(session.next().await.unwrap(), answer);
        });
    }

    fn what_the_client_cannot_take_ends_the_session_in_words() {
        block_on(async {
            let binary = "binary data, which this client cannot take";
            assert_eq!(heard(&[OPEN, "40", "binary"]).await, binary);
            assert_eq!(heard(&[OPEN, "40", "451-[\"x\"]"]).await, binary);
            let closed = "the server closed it";
            assert_eq!(heard(&[OPEN, "40", "1"]).await, closed);
            assert_eq!(heard(&[OPEN, "40", "41"]).await, closed);
        });
    }

    fn who_is_not_let_in_hears_why() {
        block_on(async {
            let error = with(&[OPEN, "44{\"message\":\"too early\"}"])
                .await
                .unwrap_err();
            assert_eq!(error.to_string(), "it refuses: too early");
            assert!(with(&["42[\"a\"]"]).await.is_err());
            for url in ["https://127.0.0.1", "127.0.0.1:1", "http://", "", "ö"]
            {
                assert!(Session::open(url, &json!({})).await.is_err(), "{url}");
            }
        });
    }
}
