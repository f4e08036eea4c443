//! The first version of the Redis producer. Node twin: `producer.js`.
use redis::{AsyncTypedCommands, Client, RedisResult};
use tokio::time::{Duration, sleep};

#[tokio::main(flavor = "current_thread")]
async fn main() -> RedisResult<()> {
    let client = Client::open("redis://127.0.0.1:6379")?;
    let mut redis = client.get_multiplexed_async_connection().await?;
    loop {
        redis.publish("channel", "Hello from producer").await?;
        println!("Sent to channel: Hello from producer");
        sleep(Duration::from_secs(3)).await;
    }
}
