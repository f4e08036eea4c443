//! HTTPS echo server: HTTP/2 or HTTP/1.1 over TLS.
//!
//! Node twin: `node/server.js`. Other half: `client.rs`, or curl.
//!
//!     cargo run -p https-echo --bin server
//!     cargo run -p https-echo --bin client      # in a second terminal
//!
//! Try this: `curl --cacert target/https-echo/ca.pem https://localhost:8443/`

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use common::{log, shutdown};
use https_echo::answer::answer;
use https_echo::certs;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// How long a client may take for the TLS handshake and for a request's
/// headers, and how long a connection may be silent.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Answers each HTTPS request with the path that it asks for.
#[derive(Parser)]
struct Args {
    /// Where to listen; 0.0.0.0:8443 opens it to other computers
    #[arg(default_value = "127.0.0.1:8443")]
    address: String,

    /// Where the certificates are; the first start makes them there
    #[arg(long, value_name = "FOLDER", default_value = certs::FOLDER)]
    certs: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
// An error becomes one line on stderr, and status 1.
async fn main() -> common::Result {
    let Args { address, certs } = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Prepare TLS, once for all connections.
    let tls = tls(&certs)?;

    // 2. Listen.
    let listener = TcpListener::bind(&address)
        .await
        .with_context(|| format!("listen on {address}"))?;
    log::line(format_args!("listening on {}", listener.local_addr()?));

    // 3. Accept clients until Ctrl-C. A task is spawned for each; Node
    //    accepts them by itself.
    let connections = GracefulShutdown::new(); // hyper's, for step 4
    while let Some(client) = stop.run_until_cancelled(listener.accept()).await {
        match client {
            Ok((socket, _)) => {
                let watcher = connections.watcher();
                tokio::spawn(serve(socket, tls.clone(), watcher));
            }
            Err(error) => {
                // Out of file descriptors, say: some connections may end.
                log::error(format_args!("accept: {error}"));
                sleep(Duration::from_millis(100)).await;
            }
        }
    }

    // 4. Stop: accept nobody else, finish the answers, close the rest.
    drop(listener);
    connections.shutdown().await;
    Ok(())
}

/// 5. Loads the certificate and its key.
fn tls(certs: &Path) -> Result<TlsAcceptor> {
    certs::make_if_missing(certs)?; // a CA, and a leaf that it has signed
    let leaf = CertificateDer::from_pem_file(certs.join("leaf.pem"))?;
    let key = PrivateKeyDer::from_pem_file(certs.join("leaf-key.pem"))?;
    // rustls leaves the cryptography to another crate: `ring` here. Without a
    // choice, it would panic if two such crates were compiled in. An error
    // means that one was chosen before.
    let _ = ring::default_provider().install_default();
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![leaf], key)?;
    // ALPN: in the handshake the client says which protocols it speaks, and
    // the server chooses the first of these that is among them.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// 6. Serves each client. An error ends this connection and no other.
async fn serve(socket: TcpStream, tls: TlsAcceptor, watcher: Watcher) {
    if let Err(error) = speak(socket, tls, watcher).await {
        log::error(format_args!("socket: {error:#}"));
    }
}

/// Speaks TLS, and over it one of two protocols.
async fn speak(
    socket: TcpStream,
    tls: TlsAcceptor,
    watcher: Watcher,
) -> Result<()> {
    // Disable Nagle's algorithm, so that small writes are sent immediately.
    socket.set_nodelay(true)?;
    // A client that sends nothing, or that stops reading, is disconnected.
    let mut socket = TimeoutStream::new(socket);
    socket.set_read_timeout(Some(TIMEOUT));
    socket.set_write_timeout(Some(TIMEOUT));
    let socket = Box::pin(socket); // it has timers, which must not be moved

    // 7. Shake hands: agree on keys, show the certificate, choose a protocol.
    let shaken = timeout(TIMEOUT, tls.accept(socket))
        .await
        .context("TLS handshake")?;
    let socket = shaken.context("TLS handshake")?;

    // 8. Speak what was agreed on: the client may know no HTTP/2. hyper does
    //    not ask TLS which one it is, but sees it: HTTP/2 begins with fixed
    //    bytes (the preface).
    let mut http = auto::Builder::new(TokioExecutor::new());
    // Slow-loris: a client that sends one byte of its headers now and then
    // would hold its connection indefinitely. Over HTTP/2, nothing else can
    // be sent within a request's headers. So hyper sends a PING after 5
    // seconds, and closes the connection when no answer has come 5 seconds
    // later.
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(TIMEOUT);
    http.http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(TIMEOUT / 2)
        .keep_alive_timeout(TIMEOUT / 2);
    // answer() reads a request and sends its path back, as in http-echo.
    let connection =
        http.serve_connection(TokioIo::new(socket), service_fn(answer));
    // A client that has its answers may just close. What is still to be
    // acknowledged then fails, which is not worth a line.
    let _ = watcher.watch(connection.into_owned()).await;
    Ok(())
}
