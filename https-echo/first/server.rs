//! The first version of the HTTPS echo server. Node twin: `server.js`.
use hyper::body::Incoming;
use hyper::{Request, Response, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::{TlsAcceptor, rustls};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let leaf = CertificateDer::from_pem_file("target/https-echo/leaf.pem")?;
    let key = PrivateKeyDer::from_pem_file("target/https-echo/leaf-key.pem")?;
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![leaf], key)?;
    let tls = TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8443").await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        let socket = TokioIo::new(tls.accept(socket).await?);
        let service = service_fn(async |request: Request<Incoming>| {
            println!("url {}", request.uri());
            hyper::Result::Ok(Response::new(request.uri().to_string()))
        });
        tokio::spawn(http1::Builder::new().serve_connection(socket, service));
    }
}
