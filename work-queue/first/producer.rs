//! The first version of the producer. Node twin: `producer.js`.
use redis::{AsyncTypedCommands, Client, RedisResult};
use tokio::time::{Duration, sleep};

#[tokio::main(flavor = "current_thread")]
async fn main() -> RedisResult<()> {
    let client = Client::open("redis://127.0.0.1:6379")?;
    let mut redis = client.get_multiplexed_async_connection().await?;
    for number in 1.. {
        redis.lpush("todo", format!("job {number}")).await?;
        println!("added: job {number}");
        sleep(Duration::from_secs(3)).await;
    }
    Ok(())
}
