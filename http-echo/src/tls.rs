//! The TLS below HTTPS.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::net::TcpStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{
    CertificateDer, PrivateKeyDer, ServerName,
};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector, client};

use crate::certs::{Certs, DAYS};
use crate::url::Url;

/// What this side offers during the handshake (ALPN), the best one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// `--tls` and `--certs`, the same for both halves.
#[derive(clap::Args, Clone, Debug)]
pub struct Tls {
    /// Speak HTTPS; the port is 8443, unless given
    #[arg(long)]
    tls: bool,

    /// Where the certificates are; the server makes them there
    #[arg(long, value_name = "FOLDER")]
    certs: Option<PathBuf>,
}

impl Tls {
    /// Where servers listen, unless told otherwise.
    pub fn address(&self) -> String {
        let port = if self.tls { 8443 } else { 8888 };
        format!("127.0.0.1:{port}")
    }

    /// What clients ask for, unless told otherwise.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}/hello", self.address())
    }

    /// For a server, if `--tls` was given. Makes the certificates when this
    /// is the first start.
    ///
    /// # Errors
    /// When they cannot be made, or read.
    pub fn acceptor(&self) -> Result<Option<TlsAcceptor>> {
        if !self.tls {
            return Ok(None);
        }
        let certs = Certs::at(self.certs.as_deref());
        certs.make(DAYS)?;
        let path = certs.leaf();
        let leaf = CertificateDer::from_pem_file(&path)
            .with_context(|| format!("read {}", path.display()))?;
        let path = certs.key();
        let key = PrivateKeyDer::from_pem_file(&path)
            .with_context(|| format!("read {}", path.display()))?;
        // Said explicitly, as a second provider somewhere in the program
        // would make "the default one" a panic.
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![leaf], key)?;
        config.alpn_protocols = PROTOCOLS.map(Vec::from).into();
        Ok(Some(TlsAcceptor::from(Arc::new(config))))
    }

    /// For a client of `url`, if `--tls` was given or the URL wants it.
    ///
    /// # Errors
    /// When the CA's certificate cannot be read.
    pub fn connector(&self, url: &Url) -> Result<Option<TlsConnector>> {
        if !self.tls && !url.is_https() {
            return Ok(None);
        }
        let path = Certs::at(self.certs.as_deref()).ca();
        let ca = CertificateDer::from_pem_file(&path).with_context(|| {
            format!(
                "read {}; the server makes it: \
                 cargo run -p http-echo --bin server -- --tls",
                path.display()
            )
        })?;
        // This CA and no other. The checks are all made.
        let mut roots = RootCertStore::empty();
        roots.add(ca)?;
        let provider = Arc::new(ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = PROTOCOLS.map(Vec::from).into();
        Ok(Some(TlsConnector::from(Arc::new(config))))
    }
}

/// Greets the server at `host`, and makes sure that it is the one.
///
/// # Errors
/// When its certificate is not signed by the CA, not for `host`, expired, or
/// when it does not speak TLS.
pub async fn connect(
    connector: &TlsConnector,
    host: &str,
    socket: TcpStream,
) -> Result<client::TlsStream<TcpStream>> {
    let name = host.trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(name).context("the URL's host")?;
    Ok(connector.connect(name, socket).await?)
}

/// The two have agreed on HTTP/2.
pub fn is_h2(protocol: Option<&[u8]>) -> bool {
    protocol == Some(PROTOCOLS[0])
}
