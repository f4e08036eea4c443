//! The first version of the TCP echo client. Node twin: `client.js`.

use tokio::io::{AsyncReadExt, AsyncWriteExt, Result};
use tokio::net::TcpStream;
use tokio::time::{Duration, sleep};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let socket = TcpStream::connect("127.0.0.1:8888").await?;
    println!("connected.");
    let (mut reader, mut writer) = socket.into_split();
    tokio::spawn(async move {
        while writer.write_all(b"hello").await.is_ok() {
            println!("send: hello");
            sleep(Duration::from_secs(3)).await;
        }
    });
    let mut bytes = Vec::with_capacity(1024);
    while reader.read_buf(&mut bytes).await? > 0 {
        println!("receive: {}", String::from_utf8_lossy(&bytes));
        bytes.clear();
    }
    println!("disconnected.");
    Ok(())
}
