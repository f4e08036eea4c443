//! The first version of the Redis consumer. Node twin: `consumer.js`.
use futures_util::StreamExt;
use redis::{Client, RedisResult};

#[tokio::main(flavor = "current_thread")]
async fn main() -> RedisResult<()> {
    let client = Client::open("redis://127.0.0.1:6379")?;
    let mut pubsub = client.get_async_pubsub().await?;
    pubsub.subscribe("channel").await?;
    println!("listening on channel");
    let mut messages = pubsub.into_on_message();
    while let Some(message) = messages.next().await {
        let text: String = message.get_payload()?;
        println!("Received from {}: {text}", message.get_channel_name());
    }
    println!("disconnected");
    Ok(())
}
