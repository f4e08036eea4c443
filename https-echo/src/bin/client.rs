//! HTTPS client: asks for a URL over HTTP/2 and prints the answer.
//!
//! Node twin: `node/client.js`. Other half: `server.rs`.
//!
//!     cargo run -p https-echo --bin server      # in a first terminal
//!     cargo run -p https-echo --bin client
//!
//! Try this: `--certs` with another folder, whose CA has not signed the
//! server's certificate.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use clap::Parser;
use common::{log, shutdown};
use http_body_util::BodyExt;
use https_echo::{certs, https_url};
use hyper::Request;
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use url::Url;

/// How long to connect may take, and each request with its whole answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Asks an HTTPS server for a URL and prints the answer.
#[derive(Parser)]
struct Args {
    /// What to ask for
    #[arg(default_value = "https://127.0.0.1:8443/hello")]
    #[arg(value_parser = https_url)]
    url: Url,

    /// Where the certificate of the CA is
    #[arg(long, value_name = "FOLDER", default_value = certs::FOLDER)]
    certs: PathBuf,

    /// How many times to ask
    #[arg(long, value_name = "N", default_value_t = 1)]
    count: u64,

    /// Milliseconds between two requests
    #[arg(long, value_name = "MS", default_value_t = 3000)]
    every: u64,
}

const ADVICE: &str =
    "start the server first: cargo run -p https-echo --bin server";

#[tokio::main(flavor = "current_thread")]
// An error becomes one line on stderr, and status 1.
async fn main() -> common::Result {
    let args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Ask, until that was all or Ctrl-C.
    if let Some(asked) = stop.run_until_cancelled(ask_all(&args)).await {
        asked.with_context(|| format!("ask for {}", args.url))?;
    } // None: Ctrl-C
    Ok(())
}

/// 2. Asks as often as `--count` says: once, unless given. All requests go
///    over one connection.
async fn ask_all(args: &Args) -> Result<()> {
    // timeout() adds an error of its own: so the first `?` says that it is too
    // late, and the second what connect() says.
    let connecting = timeout(TIMEOUT, connect(&args.url, &args.certs)).await;
    let mut sender = connecting.context("no connection in 10 seconds")??;
    for number in 0..args.count {
        if number > 0 {
            sleep(Duration::from_millis(args.every)).await;
        }
        let asking = timeout(TIMEOUT, ask(&mut sender, &args.url)).await;
        asking.context("no whole answer in 10 seconds")??;
    }
    Ok(())
}

/// 3. Connects: TCP, then TLS, then HTTP/2.
async fn connect(url: &Url, certs: &Path) -> Result<SendRequest<String>> {
    let host = url.host_str().unwrap_or_default();
    let address = format!("{host}:{}", url.port().unwrap_or(443));
    let socket = TcpStream::connect(&address)
        .await
        .map_err(|error| anyhow!("connect to {address}: {error}; {ADVICE}"))?;
    socket.set_nodelay(true)?;

    let name = host.trim_matches(['[', ']']).to_owned(); // [::1]
    let name = ServerName::try_from(name)?;
    let socket = tls(certs)?
        .connect(name, socket)
        .await
        .context("TLS handshake")?;

    let executor = TokioExecutor::new();
    let (sender, connection) =
        http2::handshake(executor, TokioIo::new(socket)).await?;
    tokio::spawn(connection); // moves the bytes, as in http-echo
    Ok(sender)
}

/// 4. Loads the certificate of the CA. Trusts this one and no other. Everything
///    is checked: who signed the server's certificate, for which host, until
///    when.
fn tls(certs: &Path) -> Result<TlsConnector> {
    let ca = CertificateDer::from_pem_file(certs.join("ca.pem"))
        .with_context(|| format!("read {}; {ADVICE}", certs.display()))?;
    let mut roots = RootCertStore::empty();
    roots.add(ca)?;
    let ring = Arc::new(ring::default_provider()); // as in the server
    let mut config = ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // ALPN: we speak no other protocol.
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// 5. Asks once, and prints the answer. (http-echo prints a long one as it
///    arrives.)
async fn ask(sender: &mut SendRequest<String>, url: &Url) -> Result<()> {
    let request = Request::get(url.as_str()).body(String::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status().as_u16();
    log::line(format_args!("statusCode: {status}"));
    ensure!(status == 200, "the server answered {status}");
    let body = response.into_body().collect().await?.to_bytes();
    log::line(log::shown(&body)); // escapes control characters
    Ok(())
}
