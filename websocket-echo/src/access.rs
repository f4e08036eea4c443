//! Who may connect: the pages of which sites, and with which token. What
//! everybody else gets is plain HTTP. Node twin: `node/access.js`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use common::log;
use hyper::{Request, Response, StatusCode};
use tokio::fs;
use tokio_tungstenite::tungstenite::handshake;

/// The server's flags for it.
#[derive(clap::Args)]
pub struct Access {
    /// A site whose pages may connect, like `https://example.org`; may be
    /// given several times
    #[arg(long = "origin", value_name = "URL")]
    origins: Vec<String>,

    /// A file with the token that clients must give; read for each of them
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
}

impl Access {
    /// Lets the pages connect that the server at `address` serves itself.
    pub fn allow_own_pages(&mut self, address: SocketAddr) {
        let local = format!("http://localhost:{}", address.port());
        self.origins.extend([format!("http://{address}"), local]);
    }

    /// The status of the answer: 101 for a client that may connect, 403 for
    /// the page of another site, 401 without the right token. For a request
    /// that wants no WebSocket, 200 with the page, or 426.
    pub async fn status<B>(&self, request: &Request<B>) -> StatusCode {
        if !wants_websocket(request) {
            return match request.uri().path() {
                "/" => StatusCode::OK,
                _ => StatusCode::UPGRADE_REQUIRED,
            };
        }
        // The same-origin policy does not apply to WebSockets: a browser lets
        // the page of any site connect, and only says which. Programs send no
        // Origin.
        let has_origin = request.headers().contains_key("origin");
        let origin = header(request, "origin");
        if has_origin && !self.origins.iter().any(|known| known == origin) {
            return StatusCode::FORBIDDEN;
        }
        match self.has_token(request).await {
            Ok(true) => StatusCode::SWITCHING_PROTOCOLS,
            Ok(false) => StatusCode::UNAUTHORIZED,
            Err(error) => {
                log::error(format_args!("{error:#}"));
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    /// Is the token in the request's URL? An empty one never is; where none
    /// is needed, all is well.
    async fn has_token<B>(&self, request: &Request<B>) -> Result<bool> {
        let Some(file) = &self.token else {
            return Ok(true);
        };
        let token = read(file).await?;
        let field = format!("token={token}");
        let query = request.uri().query().unwrap_or("");
        let is_given = query.split('&').any(|given| given == field);
        Ok(!token.is_empty() && is_given)
    }
}

/// An answer with this status that is no upgrade. 200: the page.
pub fn reply(status: StatusCode) -> Result<Response<String>> {
    let text = match status {
        StatusCode::OK => include_str!("../page/index.html").to_owned(),
        _ => format!("{status}\n"),
    };
    let response = Response::builder()
        .status(status)
        .header("content-type", "text/html; charset=utf-8")
        .header("upgrade", "websocket") // what else this server speaks
        .body(text)?;
    Ok(response)
}

/// The URL for the client's next connection: with the token that is in `file`
/// now. A browser cannot add a header, so a token stands in the URL.
///
/// # Errors
/// When the file cannot be read.
pub async fn with_token(url: &str, file: Option<&Path>) -> Result<String> {
    let Some(file) = file else {
        return Ok(url.to_owned());
    };
    Ok(format!("{url}/?token={}", read(file).await?))
}

/// The value of a header; empty where there is none.
pub fn header<'a, B>(request: &'a Request<B>, name: &str) -> &'a str {
    let value = request.headers().get(name);
    value.and_then(|value| value.to_str().ok()).unwrap_or("")
}

/// Does it ask for an upgrade to a WebSocket, in its only version?
fn wants_websocket<B>(request: &Request<B>) -> bool {
    handshake::server::create_response_with_body(request, || ()).is_ok()
}

/// The token that is in the file.
async fn read(file: &Path) -> Result<String> {
    let text = fs::read_to_string(file).await;
    let text = text.with_context(|| format!("read {}", file.display()))?;
    Ok(text.trim().to_owned())
}
