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
use https_echo::limits::{self, TIMEOUT};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::server::TlsStream;

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
                tokio::spawn(serve(socket, tls.clone(), connections.watcher()));
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
    // rustls leaves the cryptography to another crate: `ring` here.
    let ring = Arc::new(ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()? // TLS 1.2 and 1.3
        .with_no_client_auth() // clients need no certificate
        .with_single_cert(vec![leaf], key)?;
    // ALPN: in the handshake the client says which protocols it speaks, and
    // the server chooses the first of these that is among them.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// 6. Serves each client. An error ends this connection and no other.
async fn serve(socket: TcpStream, tls: TlsAcceptor, watcher: Watcher) {
    match shake_hands(socket, tls).await {
        Ok(socket) => speak(socket, watcher).await,
        Err(error) => {
            log::error(format_args!("socket: TLS handshake: {error}"));
        }
    }
}

/// 7. Shakes hands: TLS agrees on keys, shows the certificate, and chooses a
///    protocol.
async fn shake_hands(
    socket: TcpStream,
    tls: TlsAcceptor,
) -> Result<TlsStream<limits::Socket>> {
    // Disable Nagle's algorithm, so that small writes are sent immediately.
    socket.set_nodelay(true)?;
    // A client that sends nothing, or that stops reading, is disconnected.
    let socket = limits::socket(socket);
    // The first `?` is for the timeout, the second for an error of TLS.
    Ok(timeout(TIMEOUT, tls.accept(socket)).await??)
}

/// 8. Speaks what was agreed on: the client may know no HTTP/2. hyper does not
///    ask TLS which one it is, but sees it: HTTP/2 begins with fixed bytes (the
///    preface).
async fn speak(socket: TlsStream<limits::Socket>, watcher: Watcher) {
    let http = limits::http(); // hyper, with limits for slow clients
    // answer() reads a request and sends its path back, as in http-echo.
    let connection =
        http.serve_connection(TokioIo::new(socket), service_fn(answer));
    // A client that has its answers may just close. What is still to be
    // acknowledged then fails, which is not worth a line.
    let _ = watcher.watch(connection).await;
}
