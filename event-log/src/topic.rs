//! What both halves need: where the topic is, and that it exists. Node twin:
//! `node/topic.js`.

use std::env;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use common::log;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;

/// Where a topic is.
#[derive(clap::Args, Clone, Debug)]
pub struct Place {
    /// The topic's name
    #[arg(default_value = "events")]
    pub topic: String,

    /// Where a broker is; or set KAFKA_BOOTSTRAP in the environment
    #[arg(long, value_name = "HOST:PORT", default_value_t = default_broker())]
    pub bootstrap: String,

    /// How many partitions the topic gets when it is created
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(i32).range(1..=1000))]
    pub partitions: i32,
}

fn default_broker() -> String {
    env::var("KAFKA_BOOTSTRAP").unwrap_or("127.0.0.1:9092".to_owned())
}

/// How long a broker may take to answer at the start.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Creates the topic, unless it exists. This is also how we find out that
/// there is no broker: librdkafka would wait for one without a word.
///
/// # Errors
/// When no broker answers, or it refuses.
pub async fn create_topic(place: &Place) -> Result<()> {
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", &place.bootstrap)
        .create()?;
    // One replica: each event is on one broker only.
    let replicas = TopicReplication::Fixed(1);
    let topic = NewTopic::new(&place.topic, place.partitions, replicas);
    let options = AdminOptions::new().request_timeout(Some(CONNECT_TIMEOUT));
    let created = admin.create_topics([&topic], &options).await;
    let created = created.map_err(|error| {
        let address = &place.bootstrap;
        anyhow!("connect to {address}: {error}; start a broker first: tansu")
    })?;
    match created.first() {
        Some(Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => Ok(()),
        Some(Err((name, error))) => bail!("create {name}: {error}"),
        _ => Ok(()),
    }
}

/// A key or a value, ready to be printed. Kafka carries bytes, or nothing.
pub fn shown(bytes: Option<&[u8]>) -> String {
    match bytes {
        Some(bytes) => log::shown(bytes),
        None => "(none)".to_owned(),
    }
}
