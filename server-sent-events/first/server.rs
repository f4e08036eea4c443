//! The first version of the server. Node twin: `server.js`.
use http_body_util::channel::{Channel, Sender};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::{Request, Response, http, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::time::{Duration, sleep};

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

type Events = Response<Channel<Bytes>>;
async fn answer(_: Request<Incoming>) -> http::Result<Events> {
    println!("client connected");
    let (sender, body) = Channel::new(1);
    tokio::spawn(send(sender));
    let response = Response::builder();
    response
        .header("content-type", "text/event-stream")
        .body(body)
}

async fn send(mut sender: Sender<Bytes>) {
    for number in 1.. {
        let event = format!("data: tick {number}\n\n");
        if sender.send_data(Bytes::from(event)).await.is_err() {
            return;
        }
        sleep(Duration::from_secs(3)).await;
    }
}
