//! The first version of the WebSocket echo server. Node twin: `server.js`.

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{accept_async, tungstenite::Result};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:8888").await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        tokio::spawn(echo(socket));
    }
}

async fn echo(socket: TcpStream) -> Result<()> {
    let mut socket = accept_async(socket).await?; // HTTP's 101
    println!("socket connected");
    while let Some(Ok(message)) = socket.next().await {
        if message.is_text() || message.is_binary() {
            println!("receive: {message}");
            socket.send(message.clone()).await?;
            println!("send: {message}");
        }
    }
    println!("socket disconnected");
    Ok(())
}
