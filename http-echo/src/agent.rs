//! One connection for many requests, opened again where that is needed:
//! what Node's `http.Agent` with `keepAlive` does.

use anyhow::{Context, Result, anyhow};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::HOST;
use hyper::http;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::url::Url;

/// What is said when nobody listens.
const ADVICE: &str =
    "start the server first: cargo run -p http-echo --bin server";

/// Asks one server, one request after the other.
#[derive(Debug)]
pub struct Agent {
    url: Url,
    open: Option<SendRequest<Empty<Bytes>>>,
}

impl Agent {
    /// For the server of this URL. Connects with the first request.
    pub fn new(url: Url) -> Self {
        Self { url, open: None }
    }

    /// Asks for `target`. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When there is no server, or no answer.
    pub async fn get(&mut self, target: &str) -> Result<Response<Incoming>> {
        // The server may have closed the connection since the last request,
        // or may do so at this very moment. To ask again does no harm: GET
        // changes nothing.
        let request = self.request(target)?;
        if let Some(open) = &mut self.open
            && open.ready().await.is_ok()
            && let Ok(response) = open.send_request(request.clone()).await
        {
            return Ok(response);
        }
        let open = self.open.insert(connect(&self.url.address()).await?);
        let response = open.send_request(request).await;
        response.with_context(|| format!("ask for {target}"))
    }

    fn request(&self, target: &str) -> http::Result<Request<Empty<Bytes>>> {
        Request::get(target)
            .header(HOST, self.url.host())
            .body(Empty::new())
    }
}

async fn connect(address: &str) -> Result<SendRequest<Empty<Bytes>>> {
    let socket = TcpStream::connect(address)
        .await
        .map_err(|error| anyhow!("connect to {address}: {error}; {ADVICE}"))?;
    socket.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(socket)).await?;
    // Reads and writes, and notices when the server closes. Whatever goes
    // wrong there, the request hears of it.
    tokio::spawn(connection);
    Ok(sender)
}
