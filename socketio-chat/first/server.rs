//! The first version of the Socket.IO chat server. Node twin: `server.js`.
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use socketioxide::SocketIo;
use socketioxide::extract::{Data, SocketRef};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (service, io) = SocketIo::new_svc();
    io.ns("/", connected);
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on 127.0.0.1:3000");
    loop {
        let (socket, _) = listener.accept().await?;
        let connection = http1::Builder::new()
            .serve_connection(TokioIo::new(socket), service.clone());
        tokio::spawn(connection.with_upgrades());
    }
}

async fn connected(socket: SocketRef) {
    println!("socket connected");
    socket.on(
        "chat message",
        async |io: SocketIo, Data(text): Data<String>| {
            println!("chat message: {text}");
            let _ = io.emit("chat message", &text).await;
        },
    );
    socket.on_disconnect(async || println!("socket disconnected"));
}
