//! The first version of the HTTP echo server. Node twin: `server.js`.
use hyper::{Request, Response, body::Incoming, server::conn::http1};
use hyper::{Result, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:8888").await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        let connection = http1::Builder::new()
            .serve_connection(TokioIo::new(socket), service_fn(answer));
        tokio::spawn(connection);
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<String>> {
    println!("url {}", request.uri());
    Ok(Response::new(request.uri().to_string()))
}
