//! The first version of the UDP echo server. Node twin: `server.js`.
use std::io::Result;
use tokio::net::UdpSocket;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:8888").await?;
    println!("listening on 127.0.0.1:8888");
    let mut buffer = [0; 1024];
    loop {
        let (length, sender) = socket.recv_from(&mut buffer).await?;
        let bytes = &buffer[..length];
        println!("receive: {}", String::from_utf8_lossy(bytes));
        socket.send_to(bytes, sender).await?;
        println!("send: {}", String::from_utf8_lossy(bytes));
    }
}
