//! HTTP below Socket.IO: the page, the limits, the connections, and where
//! requests may come from. Node twin: `node/web.js`.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use common::log;
use http_body_util::{Either, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, HOST, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use hyper::http::uri::Authority;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use socketioxide::ParserConfig;
use socketioxide::service::SocketIoService;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::chat::{Adapter, SocketIo};
use crate::cluster;
use crate::page::{self, Page};

/// How long a client may take to send the head of a request.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// The largest packet, in bytes, by WebSocket or long polling.
const MAX_PACKET: usize = 1_000_000;
/// The maximum number of binary attachments of a packet.
const MAX_ATTACHMENTS: usize = 10;
/// How many packets can wait for a client; beyond this, messages are dropped.
const MAX_WAITING: usize = 4096;

/// A Socket.IO server in front of the page. With the URL of a Redis, its
/// clients and those of the other servers at that Redis are one chat.
///
/// # Errors
/// When there is no Redis where one should be.
pub async fn open(
    redis: Option<&str>,
) -> Result<(SocketIoService<Page, Adapter>, SocketIo)> {
    let adapter = cluster::adapter(redis).await?;
    let parser = ParserConfig::common().max_incoming_binaries(MAX_ATTACHMENTS);
    Ok(socketioxide::SocketIo::builder()
        .max_payload(MAX_PACKET as u64) // of long polling only
        .ws_max_message_size(MAX_PACKET)
        .ws_max_frame_size(MAX_PACKET)
        .max_buffer_size(MAX_WAITING)
        .with_parser(parser)
        .with_adapter::<Adapter>(adapter)
        .build_with_inner_svc(Page))
}

/// The sites whose pages may use this server, other than its own.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct Origins {
    /// A site whose pages may use this server, like `https://example.org`;
    /// may be given several times
    #[arg(long = "origin", value_name = "URL")]
    named: Vec<String>,
}

impl Origins {
    fn names(&self, origin: &HeaderValue) -> bool {
        self.named
            .iter()
            .any(|named| named.trim_end_matches('/').as_bytes() == origin)
    }

    /// May a page of this origin talk to us?
    ///
    /// CORS does not apply to WebSockets: without this check, a page of any
    /// site that a user visits could connect in the user's name. A program
    /// that is no browser sends no Origin, and could send any.
    fn admits(&self, headers: &HeaderMap, at_loopback: bool) -> bool {
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        // DNS rebinding: an attacker's name can resolve to 127.0.0.1. For a
        // browser, the attacker's pages are then our own, and send no Origin
        // with a GET.
        let misled = at_loopback && !host.is_some_and(is_local);
        let mut named = self.named.iter().filter_map(|site| host_of(site));
        if misled && !named.any(|named| Some(named) == host) {
            return false;
        }
        let Some(origin) = headers.get(ORIGIN) else {
            return true;
        };
        let from = origin.to_str().ok().and_then(host_of);
        from.is_some() && from == host || self.names(origin)
    }

    /// The named site whose page asks, if it is one.
    fn named(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        headers.get(ORIGIN).filter(|from| self.names(from)).cloned()
    }
}

/// The host, with its port, of a site like `https://example.org/`.
fn host_of(site: &str) -> Option<&str> {
    let (_, host) = site.split_once("://")?;
    Some(host.trim_end_matches('/'))
}

/// Is this the name of a server at a loopback address, with any port?
fn is_local(host: &str) -> bool {
    host.parse::<Authority>().is_ok_and(|host| {
        let name = host.host();
        let ip = name.trim_start_matches('[').trim_end_matches(']');
        name.eq_ignore_ascii_case("localhost")
            || ip.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    })
}

/// Serves `service` on every connection until `stop`. Returns the tasks of the
/// connections that are still being answered.
pub async fn serve<S, B>(
    listener: TcpListener,
    service: S,
    origins: Origins,
    stop: &CancellationToken,
) -> TaskTracker
where
    S: Service<Request<Incoming>, Response = Response<B>>,
    S: Clone + Send + 'static,
    S::Future: Send,
    S::Error: std::error::Error + Send + Sync + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    let origins = Arc::new(origins);
    let connections = TaskTracker::new();
    while let Some(next) = stop.run_until_cancelled(listener.accept()).await {
        match next {
            Ok((socket, _)) => {
                let origins = Arc::clone(&origins);
                let (service, stop) = (service.clone(), stop.clone());
                connections.spawn(connection(socket, service, origins, stop));
            }
            // Out of file descriptors, say: other connections may close soon.
            Err(error) => {
                log::error(format_args!("accept: {error}"));
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    connections.close(); // no task will be added: now wait() can return
    connections
}

/// An error ends this connection, and no other.
async fn connection<S, B>(
    socket: TcpStream,
    service: S,
    origins: Arc<Origins>,
    stop: CancellationToken,
) where
    S: Service<Request<Incoming>, Response = Response<B>>,
    S: Clone + Send + 'static,
    S::Future: Send,
    S::Error: std::error::Error + Send + Sync + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    // Disable Nagle's algorithm, so that small writes are sent immediately.
    if let Err(error) = socket.set_nodelay(true) {
        return log::error(format_args!("socket: {error}"));
    }
    let at_loopback = socket
        .local_addr()
        .is_ok_and(|here| here.ip().to_canonical().is_loopback());
    let guarded = service_fn(move |request: Request<Incoming>| {
        let admitted = origins.admits(request.headers(), at_loopback);
        let origins = Arc::clone(&origins);
        let service = service.clone();
        async move { guard(request, admitted, service, &origins).await }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(socket), guarded)
        .with_upgrades();
    let mut served = pin!(served);
    let result = tokio::select! {
        result = served.as_mut() => result,
        () = stop.cancelled() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    // A client that is gone, or was silent for too long, is no error.
    if let Err(error) = result
        && error.is_parse()
    {
        log::error(format_args!("socket: {error}"));
    }
}

async fn guard<S, B>(
    request: Request<Incoming>,
    admitted: bool,
    service: S,
    origins: &Origins,
) -> Result<Response<Either<B, Full<Bytes>>>, S::Error>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
{
    if !admitted {
        let why = "pages of other sites may not use this server\n";
        return Ok(page::plain(StatusCode::FORBIDDEN, why).map(Either::Right));
    }
    // CORS: pages of a named site may ask first, and read the answer.
    let Some(site) = origins.named(request.headers()) else {
        return Ok(service.call(request).await?.map(Either::Left));
    };
    let mut response = if request.method() == Method::OPTIONS {
        permission().map(Either::Right)
    } else {
        service.call(request).await?.map(Either::Left)
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, site);
    headers.append(VARY, HeaderValue::from_static("Origin"));
    Ok(response)
}

/// CORS preflight: what a browser asks for before a request to another site.
fn permission() -> Response<Full<Bytes>> {
    let mut response = page::plain(StatusCode::NO_CONTENT, "");
    let headers = response.headers_mut();
    headers.insert(
        ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static("GET, POST"),
    );
    headers.insert(
        ACCESS_CONTROL_ALLOW_HEADERS,
        HeaderValue::from_static("content-type"),
    );
    response
}
