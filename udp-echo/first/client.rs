//! The first version of the UDP echo client. Node twin: `client.js`.
use std::io::Result;
use tokio::net::UdpSocket;
use tokio::time::{Duration, sleep};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    let mut buffer = [0; 1024];
    loop {
        socket.send_to(b"hello", "127.0.0.1:8888").await?;
        println!("send: hello");
        let (length, _) = socket.recv_from(&mut buffer).await?;
        let text = String::from_utf8_lossy(&buffer[..length]);
        println!("receive: {text}");
        sleep(Duration::from_secs(3)).await;
    }
}
