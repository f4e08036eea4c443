//! The first version of the HTTPS client. Node twin: `client.js`.
use http_body_util::BodyExt;
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use tokio_rustls::{TlsConnector, rustls};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ca = CertificateDer::from_pem_file("target/https-echo/ca.pem")?;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca)?;
    let config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tls = TlsConnector::from(std::sync::Arc::new(config));
    let socket = tokio::net::TcpStream::connect("127.0.0.1:8443").await?;
    let socket = tls.connect("127.0.0.1".try_into()?, socket).await?;
    let (mut sender, conn) = http1::handshake(TokioIo::new(socket)).await?;
    tokio::spawn(conn);

    let request = Request::get("/hello").header("host", "127.0.0.1");
    let response = sender.send_request(request.body(String::new())?).await?;
    println!("statusCode: {}", response.status().as_u16());
    let body = response.collect().await?.to_bytes();
    println!("{}", String::from_utf8_lossy(&body));
    Ok(())
}
