//! The first version of the Socket.IO chat client. Node twin: `client.js`.
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::{Message, Result};

const URL: &str = "ws://127.0.0.1:3000/socket.io/?EIO=4&transport=websocket";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let (mut socket, _) = tokio_tungstenite::connect_async(URL).await?;
    socket.send(Message::text("40")).await?; // connect
    while let Some(message) = socket.next().await {
        let packet = message?.into_text()?;
        if packet == "2" {
            socket.send(Message::text("3")).await?; // a ping gets its pong
        } else if packet.starts_with("40") {
            println!("connected.");
            let hello = r#"42["chat message","hello"]"#;
            socket.send(Message::text(hello)).await?;
            println!("send: hello");
        } else if let Some(event) = packet.strip_prefix("42") {
            println!("receive: {event}");
        }
    }
    println!("disconnected.");
    Ok(())
}
