//! The first version of the WebSocket echo client. Node twin: `client.js`.

use futures_util::{SinkExt, StreamExt};
use tokio::time::{Duration, sleep};
use tokio_tungstenite::tungstenite::{Message, Result};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let url = "ws://127.0.0.1:8888";
    let (socket, _) = tokio_tungstenite::connect_async(url).await?;
    println!("connected.");
    let (mut writer, mut reader) = socket.split();
    tokio::spawn(async move {
        while writer.send(Message::text("hello")).await.is_ok() {
            println!("send: hello");
            sleep(Duration::from_secs(3)).await;
        }
    });
    while let Some(message) = reader.next().await {
        let message = message?;
        if message.is_text() {
            println!("receive: {message}");
        }
    }
    println!("disconnected.");
    Ok(())
}
