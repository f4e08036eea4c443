//! The first version of the Socket.IO chat server. Node twin: `server.js`.
use hyper::server::conn::http1;
use socketioxide::SocketIo;
use socketioxide::extract::{Data, SocketRef};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (service, io) = SocketIo::new_svc();
    io.ns("/", connected);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on 127.0.0.1:3000");
    loop {
        let socket = hyper_util::rt::TokioIo::new(listener.accept().await?.0);
        let connection =
            http1::Builder::new().serve_connection(socket, service.clone());
        tokio::spawn(connection.with_upgrades());
    }
}

async fn connected(socket: SocketRef) {
    println!("socket connected");
    socket.on("chat message", chat_message);
    socket.on_disconnect(async || println!("socket disconnected"));
}

async fn chat_message(io: SocketIo, Data(text): Data<String>) {
    println!("chat message: {text}");
    let _ = io.emit("chat message", &text).await;
}
