//! The first version of the client. Node twin: `client.js`.
use http_body_util::BodyExt;
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let host = "127.0.0.1:8888";
    let socket = TokioIo::new(TcpStream::connect(host).await?);
    let (mut sender, connection) = http1::handshake(socket).await?;
    tokio::spawn(connection);

    let request = Request::get("/events").header("host", host);
    let response = sender.send_request(request.body(String::new())?).await?;
    println!("connected.");
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        let bytes = frame?.into_data().unwrap_or_default();
        for line in String::from_utf8_lossy(&bytes).lines() {
            if let Some(data) = line.strip_prefix("data: ") {
                println!("receive: {data}");
            }
        }
    }
    Ok(())
}
