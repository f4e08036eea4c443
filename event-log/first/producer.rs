//! The first version of the producer. Node twin: `producer.js`.
use rdkafka::ClientConfig;
use rdkafka::error::KafkaResult;
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::util::Timeout;
use tokio::time::{Duration, sleep};

#[tokio::main(flavor = "current_thread")]
async fn main() -> KafkaResult<()> {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", "127.0.0.1:9092")
        .create()?;
    for number in 1.. {
        let text = format!("event {number}");
        let event = FutureRecord::to("log").key("cart-1").payload(&text);
        let stored = producer.send(event, Timeout::Never).await;
        stored.map_err(|(error, _)| error)?;
        println!("stored: {text}");
        sleep(Duration::from_secs(3)).await;
    }
    Ok(())
}
