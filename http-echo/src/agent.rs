//! One connection for many requests, opened again where that is needed:
//! what Node's `http.Agent` with `keepAlive` does.

use anyhow::{Context, Result, anyhow};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::header::HOST;
use hyper::{Request, Response, http};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::tls;
use crate::url::Url;

/// What is said when nobody listens.
const ADVICE: &str =
    "start the server first: cargo run -p http-echo --bin server";

/// Asks one server, one request after the other.
pub struct Agent {
    url: Url,
    tls: Option<TlsConnector>,
    open: Option<Connection>,
}

/// An open connection, and the task that reads and writes for it.
struct Connection {
    sender: Sender,
    driver: JoinHandle<()>,
}

enum Sender {
    One(http1::SendRequest<Empty<Bytes>>),
    Two(http2::SendRequest<Empty<Bytes>>),
}

impl Agent {
    /// For the server of this URL, through TLS if there is any. Connects
    /// with the first request.
    pub fn new(url: Url, tls: Option<TlsConnector>) -> Self {
        Self {
            url,
            tls,
            open: None,
        }
    }

    /// Asks for `target`. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When there is no server, or no answer.
    pub async fn get(&mut self, target: &str) -> Result<Response<Incoming>> {
        // The server may have closed the connection since the last request,
        // or may do so at this very moment. To ask again does no harm: GET
        // changes nothing.
        if let Some(open) = &mut self.open
            && open.sender.is_ready().await
            && let Ok(response) = open.sender.get(&self.url, target).await
        {
            return Ok(response);
        }
        let open = self.open.insert(connect(&self.url, &self.tls).await?);
        let response = open.sender.get(&self.url, target).await;
        response.with_context(|| format!("ask for {target}"))
    }

    /// Ends the connection, and says so to the server.
    pub async fn close(self) {
        if let Some(Connection { sender, driver }) = self.open {
            drop(sender);
            let _ = driver.await;
        }
    }
}

impl Sender {
    async fn is_ready(&mut self) -> bool {
        match self {
            Self::One(sender) => sender.ready().await.is_ok(),
            Self::Two(sender) => sender.ready().await.is_ok(),
        }
    }

    async fn get(
        &mut self,
        url: &Url,
        target: &str,
    ) -> Result<Response<Incoming>> {
        Ok(match self {
            Self::One(sender) => {
                let request = Request::get(target).header(HOST, url.host());
                sender.send_request(request.body(Empty::new())?).await?
            }
            // HTTP/2 wants the whole URI, and takes it apart.
            Self::Two(sender) => {
                let uri = http::Uri::builder()
                    .scheme("https")
                    .authority(url.host())
                    .path_and_query(target)
                    .build()?;
                let request = Request::get(uri).body(Empty::new())?;
                sender.send_request(request).await?
            }
        })
    }
}

async fn connect(url: &Url, tls: &Option<TlsConnector>) -> Result<Connection> {
    let address = url.address();
    let socket = TcpStream::connect(&address)
        .await
        .map_err(|error| anyhow!("connect to {address}: {error}; {ADVICE}"))?;
    socket.set_nodelay(true)?;
    let Some(tls) = tls else {
        return open(socket, false).await;
    };
    let socket = tls::connect(tls, url.hostname(), socket)
        .await
        .with_context(|| format!("connect to {address} with TLS"))?;
    let is_h2 = tls::is_h2(socket.get_ref().1.alpn_protocol());
    open(socket, is_h2).await
}

async fn open(
    socket: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    is_h2: bool,
) -> Result<Connection> {
    let socket = TokioIo::new(socket);
    // The task notices when the server closes. Whatever goes wrong there, the
    // request hears of it.
    Ok(if is_h2 {
        let executor = TokioExecutor::new();
        let (sender, driver) = http2::handshake(executor, socket).await?;
        Connection {
            sender: Sender::Two(sender),
            driver: tokio::spawn(async { drop(driver.await) }),
        }
    } else {
        let (sender, driver) = http1::handshake(socket).await?;
        Connection {
            sender: Sender::One(sender),
            driver: tokio::spawn(async { drop(driver.await) }),
        }
    })
}
