//! The first version of the consumer. Node twin: `consumer.js`.
use rdkafka::ClientConfig;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::KafkaResult;
use rdkafka::message::Message;

#[tokio::main(flavor = "current_thread")]
async fn main() -> KafkaResult<()> {
    let consumer: StreamConsumer = ClientConfig::new()
        .set("bootstrap.servers", "127.0.0.1:9092")
        .set("group.id", "first")
        .set("session.timeout.ms", "6000")
        .set("auto.offset.reset", "earliest")
        .create()?;
    consumer.subscribe(&["log"])?;
    println!("listening on log");
    loop {
        match consumer.recv().await {
            Ok(event) => {
                let value = event.payload().unwrap_or(b"");
                println!("done: {}", String::from_utf8_lossy(value));
            }
            Err(error) => eprintln!("{error}"),
        }
    }
}
