//! The first version of the TCP chat server. Node twin: `server.js`.
use tokio::io::{AsyncReadExt, AsyncWriteExt, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::{Sender, channel};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:8000").await?;
    println!("listening on 127.0.0.1:8000");
    let (everybody, _) = channel(100);
    loop {
        tokio::spawn(chat(listener.accept().await?.0, everybody.clone()));
    }
}

async fn chat(mut socket: TcpStream, everybody: Sender<Vec<u8>>) -> Result<()> {
    let mut messages = everybody.subscribe();
    let mut bytes = vec![0; 1024];
    loop {
        tokio::select! {
            length = socket.read(&mut bytes) => match length? {
                0 => return Ok(()),
                length => _ = everybody.send(bytes[..length].to_vec()),
            },
            Ok(bytes) = messages.recv() => socket.write_all(&bytes).await?,
        }
    }
}
