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
use https_echo::certs;
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
use url::{Position, Url};

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
    let asked = stop.run_until_cancelled(ask_all(&args)).await;
    asked
        .unwrap_or(Ok(()))
        .with_context(|| format!("ask for {}", args.url))?;
    Ok(())
}

/// 2. Asks as often as `--count` says: once, unless given. All requests go
///    over one connection.
async fn ask_all(args: &Args) -> Result<()> {
    let connected = timeout(TIMEOUT, connect(&args.url, &args.certs))
        .await
        .context("no connection in 10 seconds")?;
    let mut sender = connected?;
    for number in 0..args.count {
        if number > 0 {
            sleep(Duration::from_millis(args.every)).await;
        }
        let outcome = timeout(TIMEOUT, ask(&mut sender, &args.url))
            .await
            .context("no whole answer in 10 seconds")?;
        outcome?;
    }
    Ok(())
}

/// 3. Connects: TCP, then TLS, then HTTP/2.
async fn connect(url: &Url, certs: &Path) -> Result<SendRequest<String>> {
    let host = &url[Position::BeforeHost..Position::AfterHost];
    let address = format!("{host}:{}", url.port().unwrap_or(443));
    let socket = TcpStream::connect(&address)
        .await
        .map_err(|error| anyhow!("connect to {address}: {error}; {ADVICE}"))?;
    socket.set_nodelay(true)?;

    // 4. Trust this CA and no other. Everything is checked: who signed the
    //    certificate, for which host, until when.
    let ca = CertificateDer::from_pem_file(certs.join("ca.pem"))
        .with_context(|| format!("read {}; {ADVICE}", certs.display()))?;
    let mut roots = RootCertStore::empty();
    roots.add(ca)?;
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()]; // ALPN: no other protocol
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())?;
    let tls = TlsConnector::from(Arc::new(config));
    let socket = tls.connect(name, socket).await.context("TLS handshake")?;
    let (_, session) = socket.get_ref();
    let is_http2 = session.alpn_protocol() == Some(b"h2");
    ensure!(is_http2, "the server does not speak HTTP/2");

    let executor = TokioExecutor::new();
    let (sender, connection) =
        http2::handshake(executor, TokioIo::new(socket)).await?;
    tokio::spawn(connection); // moves the bytes, as in http-echo
    Ok(sender)
}

/// 5. Asks once, and prints the answer as it arrives.
async fn ask(sender: &mut SendRequest<String>, url: &Url) -> Result<()> {
    let request = Request::get(url.as_str()).body(String::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status().as_u16();
    log::line(format_args!("statusCode: {status}"));

    let mut decoder = log::Decoder::default();
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let bytes = frame?.into_data().unwrap_or_default();
        // The last frame of HTTP/2 may have no more than the end.
        if !bytes.is_empty() {
            log::line(decoder.decode(&bytes));
        }
    }
    ensure!(status == 200, "the server answered {status}");
    Ok(())
}

/// Refuses a URL of which a part would be ignored.
fn https_url(text: &str) -> Result<Url> {
    let url: Url = text.parse()?;
    ensure!(
        url.scheme() == "https" && !url.authority().contains('@'),
        "expected https://HOST:PORT/PATH"
    );
    Ok(url)
}
