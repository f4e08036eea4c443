//! The first version of the worker. Node twin: `worker.js`.
use redis::{AsyncConnectionConfig, AsyncTypedCommands, Client, RedisResult};

#[tokio::main(flavor = "current_thread")]
async fn main() -> RedisResult<()> {
    let client = Client::open("redis://127.0.0.1:6379")?;
    // Otherwise the crate gives up after half a second without a job.
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let mut redis = client
        .get_multiplexed_async_connection_with_config(&config)
        .await?;
    println!("listening on todo");
    loop {
        // Takes the oldest job from the list, and waits until there is one.
        if let Some([_, job]) = redis.brpop("todo", 0.0).await? {
            println!("taken: {job}");
            println!("done: {job}");
        }
    }
}
