//! One connection of the server, from its first byte to its last.

use std::error::Error;
use std::future::ready;
use std::io::{self, ErrorKind};

use anyhow::{Context, Result, bail};
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::limits::Limits;
use crate::reply::{self, Reply};
use crate::socket::Socket;
use crate::tls;

/// The first byte of a client that speaks TLS: "here comes a handshake".
const HANDSHAKE: u8 = 22;

/// How the server treats each of its connections.
#[derive(Clone)]
pub struct Connections {
    limits: Limits,
    tls: Option<TlsAcceptor>,
    stop: CancellationToken,
}

impl Connections {
    /// Within `limits`, until `stop`; through TLS, if there is any.
    pub fn new(
        limits: Limits,
        tls: Option<TlsAcceptor>,
        stop: CancellationToken,
    ) -> Self {
        Self { limits, tls, stop }
    }

    /// Has every request of this connection answered.
    ///
    /// # Errors
    /// Why it ended, if not by itself.
    pub async fn serve<A, F>(
        self,
        socket: TcpStream,
        watcher: Watcher,
        answer: A,
    ) -> Result<()>
    where
        A: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
        F: Future<Output = hyper::Result<Reply>> + Send + 'static,
    {
        // Small answers leave at once instead of waiting for company.
        socket.set_nodelay(true)?;
        match self.tls.clone() {
            None => self.http(socket, false, watcher, answer).await,
            // A future has room for the greatest of its branches. Boxed, this
            // one takes none of it from connections that have no TLS.
            Some(tls) => {
                Box::pin(self.https(tls, socket, watcher, answer)).await
            }
        }
    }

    async fn https<A, F>(
        &self,
        tls: TlsAcceptor,
        socket: TcpStream,
        watcher: Watcher,
        answer: A,
    ) -> Result<()>
    where
        A: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
        F: Future<Output = hyper::Result<Reply>> + Send + 'static,
    {
        // Whoever is silent here is not yet subject to HTTP's time limits.
        let is_tls = self.in_time(speaks_tls(&socket)).await?;
        if is_tls == Some(false) {
            // Better than an alert, which it could not read.
            let why = "this port speaks HTTPS: ask for https://";
            let refuse = move |_| ready(Ok(reply::no_tls(why)));
            self.http(socket, false, watcher, refuse).await?;
            bail!("a client speaks plain HTTP where HTTPS is spoken");
        }
        let Some(socket) = self.in_time(tls.accept(socket)).await? else {
            return Ok(()); // Ctrl-C
        };
        let is_h2 = tls::is_h2(socket.get_ref().1.alpn_protocol());
        self.http(socket, is_h2, watcher, answer).await
    }

    /// Nothing after Ctrl-C.
    async fn in_time<T>(
        &self,
        greeting: impl Future<Output = io::Result<T>>,
    ) -> Result<Option<T>> {
        let greeting = timeout(self.limits.header_timeout(), greeting);
        match self.stop.run_until_cancelled(greeting).await {
            None => Ok(None),
            Some(greeted) => {
                let greeted = greeted.context("no TLS handshake came")?;
                Ok(Some(greeted.context("TLS handshake")?))
            }
        }
    }

    async fn http<S, A, F>(
        &self,
        socket: S,
        is_h2: bool,
        watcher: Watcher,
        answer: A,
    ) -> Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        A: Fn(Request<Incoming>) -> F + Send + Sync + 'static,
        F: Future<Output = hyper::Result<Reply>> + Send + 'static,
    {
        // Ends by itself when nothing comes or goes for too long.
        let socket = TokioIo::new(socket);
        let idle = self.limits.idle_timeout();
        let socket = Socket::new(socket, idle, self.stop.clone());
        let service = service_fn(answer);
        // Boxed for its size, too: HTTP/2 needs more room than HTTP/1.
        if is_h2 {
            let http = self.limits.http2();
            let connection = http.serve_connection(socket, service);
            match Box::pin(watcher.watch(connection)).await {
                // A client that needs nothing more says goodbye and closes.
                // What was still to be acknowledged reaches nobody.
                Err(error) if is_broken_pipe(&error) => {}
                served => served?,
            }
        } else {
            let http = self.limits.http1();
            let connection = http.serve_connection(socket, service);
            Box::pin(watcher.watch(connection)).await?;
        }
        Ok(())
    }
}

fn is_broken_pipe(error: &hyper::Error) -> bool {
    let why = error.source().and_then(<dyn Error>::downcast_ref);
    why.is_some_and(|why: &io::Error| why.kind() == ErrorKind::BrokenPipe)
}

/// Looks at the first byte, and leaves it there.
async fn speaks_tls(socket: &TcpStream) -> io::Result<bool> {
    let mut first = [HANDSHAKE];
    socket.peek(&mut first).await?;
    Ok(first == [HANDSHAKE])
}
