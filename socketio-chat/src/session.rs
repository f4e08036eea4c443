//! The client's connection: Socket.IO over WebSocket.

use std::error;
use std::fmt::{self, Display};
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use common::log;
use futures_util::{SinkExt, StreamExt};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{self, Instant, timeout};
use tokio_tungstenite::tungstenite::{self, Message, http::Uri};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
};

use crate::packet::{self, Packet};

/// How long a server may take to open a session.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// What to do with an event: its name, and the first thing that came with it.
type OnEvent = Box<dyn Fn(&str, &Value)>;

const ADVICE: &str =
    "start the server first: cargo run -p socketio-chat --bin server";

/// The server rejected us, or there is no Socket.IO at its address: to wait and
/// retry cannot help.
#[derive(Debug)]
pub struct Refusal(String);

impl Refusal {
    /// The server's own words, which may be any.
    pub fn new(why: &str) -> Self {
        Self(format!("it refuses: {}", log::shown(why)))
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl error::Error for Refusal {}

enum Received {
    /// An event's name.
    Event(String),
    /// The answer to the event that we gave this number.
    Answer(u64, Value),
}

/// An open connection, with what the package `socket.io-client` has in Node.
/// When it is lost, so is what was on its way.
pub struct Session {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    longest_silence: Duration,
    heard: Instant,
    sent: u64,
    on_event: OnEvent,
}

impl Session {
    /// Connects to the server at `url`, `http://HOST:PORT`, and tells it our
    /// name. Calls `on_event` for each event, while one of the methods below
    /// waits.
    ///
    /// # Errors
    /// When there is no such server, or it does not let us in.
    pub async fn open(
        url: &str,
        name: &str,
        on_event: impl Fn(&str, &Value) + 'static,
    ) -> Result<Self> {
        let entering = async {
            Self::enter(&address(url)?, name, Box::new(on_event)).await
        };
        match timeout(ANSWER_TIMEOUT, entering).await {
            Ok(entered) => entered.map_err(|error| explain(error, url)),
            Err(_) => bail!("connect to {url}: it does not answer"),
        }
    }

    async fn enter(
        address: &str,
        name: &str,
        on_event: OnEvent,
    ) -> Result<Self> {
        // true: disable Nagle's algorithm, so that small messages are sent
        // immediately.
        let connecting = connect_async_with_config(address, None, true);
        let (socket, _) = connecting.await?;
        let mut session = Self {
            socket,
            longest_silence: ANSWER_TIMEOUT,
            heard: Instant::now(),
            sent: 0,
            on_event,
        };
        let Packet::Open(heartbeat) = session.receive().await? else {
            bail!("it does not open a session");
        };
        session.longest_silence = heartbeat.longest_silence();
        let auth = json!({ "name": name });
        session.send(packet::connect(&auth)).await?;
        loop {
            match session.receive().await? {
                Packet::Connected => return Ok(session),
                Packet::Refused(why) => bail!(Refusal::new(&why)),
                Packet::Ping => session.send(packet::PONG.into()).await?,
                _ => {} // an event cannot come first, and a noop may
            }
        }
    }

    /// Waits for the first event with this name.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn wait_for(&mut self, event: &str) -> Result<()> {
        loop {
            if let Received::Event(name) = self.next().await?
                && name == event
            {
                return Ok(());
            }
        }
    }

    /// Sends an event, and waits for the server's answer to it, the
    /// acknowledgement.
    ///
    /// # Errors
    /// When the connection is lost. The server may have the event or not.
    pub async fn ask(
        &mut self,
        event: &str,
        data: impl Serialize,
    ) -> Result<Value> {
        self.sent += 1;
        let number = self.sent;
        let data = serde_json::to_value(data)?;
        self.send(packet::event(number, event, &data)).await?;
        loop {
            if let Received::Answer(to, answer) = self.next().await?
                && to == number
            {
                return Ok(answer);
            }
        }
    }

    /// Waits for something else, and receives events meanwhile.
    ///
    /// # Errors
    /// When the connection is lost. Then `future` is dropped.
    pub async fn until<T>(
        &mut self,
        future: impl Future<Output = T>,
    ) -> Result<T> {
        let mut future = pin!(future);
        loop {
            tokio::select! {
                output = &mut future => return Ok(output),
                received = self.next() => {
                    received?;
                }
            }
        }
    }

    /// Waits for the next event or answer, and answers the server's pings (the
    /// heartbeat) meanwhile. May be dropped while it waits; nothing is lost.
    async fn next(&mut self) -> Result<Received> {
        loop {
            match self.receive().await? {
                Packet::Event(name, mut data) => {
                    let data = data.drain(..).next().unwrap_or_default();
                    (self.on_event)(&name, &data);
                    return Ok(Received::Event(name));
                }
                Packet::Ack(number, mut data) => {
                    let data = data.drain(..).next().unwrap_or_default();
                    return Ok(Received::Answer(number, data));
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

/// Why we could not connect, and what to do about it.
fn explain(error: Error, url: &str) -> Error {
    let error = match error.downcast_ref() {
        // A web server that answered, but not with a WebSocket.
        Some(tungstenite::Error::Http(answer)) => {
            let status = answer.status();
            let why = format!(
                "no WebSocket there ({status}), and this client has nothing \
                 else; the page and node/client.js have long polling"
            );
            if status.is_client_error() {
                Refusal(why).into()
            } else {
                anyhow!(why)
            }
        }
        Some(error) => anyhow!("{error}; {ADVICE}"),
        None => error,
    };
    error.context(format!("connect to {url}"))
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
        Session::open(&url, "Ada", |_, _| {}).await
    }

    async fn heard(says: &'static [&'static str]) -> String {
        let mut session = with(says).await.unwrap();
        session.wait_for("b").await.unwrap_err().to_string()
    }

    fn a_server_that_falls_silent_is_given_up() {
        block_on(async {
            assert_eq!(heard(&[OPEN, "40"]).await, "the server is silent");
        });
    }

    fn pings_and_noops_are_between_two_events() {
        block_on(async {
            let says = &[OPEN, "2", "40", "6", "2", "42[\"a\",1,2]", "431[7]"];
            let mut session = with(says).await.unwrap();
            session.wait_for("a").await.unwrap();
            assert_eq!(session.ask("b", "").await.unwrap(), json!(7));
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
            let says = &[OPEN, "44{\"message\":\"too early\"}"];
            let error = with(says).await.err().unwrap();
            assert_eq!(error.root_cause().to_string(), "it refuses: too early");
            assert!(error.is::<Refusal>());
            assert!(with(&["42[\"a\"]"]).await.is_err());
            for url in ["https://127.0.0.1", "127.0.0.1:1", "http://", "", "ö"]
            {
                let opened = Session::open(url, "Ada", |_, _| {}).await;
                assert!(opened.is_err(), "{url}");
            }
        });
    }
}
