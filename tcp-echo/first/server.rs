//! The first version of the TCP echo server. Node twin: `server.js`.

use tokio::io::{AsyncReadExt, AsyncWriteExt, Result};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:8888").await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        tokio::spawn(echo(socket));
    }
}

async fn echo(mut socket: TcpStream) -> Result<()> {
    println!("socket connected");
    let mut bytes = Vec::with_capacity(1024);
    while socket.read_buf(&mut bytes).await? > 0 {
        println!("receive: {}", String::from_utf8_lossy(&bytes));
        socket.write_all(&bytes).await?;
        println!("send: {}", String::from_utf8_lossy(&bytes));
        bytes.clear();
    }
    println!("socket disconnected");
    Ok(())
}
