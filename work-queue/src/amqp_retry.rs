//! Jobs in RabbitMQ that fail: how often a job was tried, and the dead letters.

use anyhow::{Result, bail};
use lapin::message::Delivery;
use lapin::options::BasicPublishOptions;
use lapin::types::{AMQPValue, ShortString};
use lapin::{BasicProperties, Confirmation};

use crate::amqp::Broker;

/// How often the job was delivered, this time included.
pub fn tries(job: &Delivery) -> u64 {
    let headers = job.properties.headers().as_ref();
    let before = headers
        .and_then(|headers| headers.inner().get("x-delivery-count"))
        .and_then(AMQPValue::as_long_long_int)
        .unwrap_or(0);
    1 + before.unsigned_abs()
}

/// Adds a job to the dead letters, where somebody can look at it. Acknowledge
/// it after that: a crash in between leaves it in both queues.
///
/// # Errors
/// When the connection breaks, or the broker refuses the job or returns it.
pub async fn dead_letter(broker: &Broker, job: &Delivery) -> Result<()> {
    let options = BasicPublishOptions {
        mandatory: true, // without such a queue, return the job to us
        ..BasicPublishOptions::default()
    };
    let confirm = broker
        .channel
        .basic_publish(
            ShortString::default(), // the default exchange, to a queue
            broker.dead.clone(),
            options,
            &job.data,
            BasicProperties::default().with_delivery_mode(2), // persistent
        )
        .await?;
    match confirm.await? {
        Confirmation::Ack(None) => Ok(()),
        refused => bail!("publish: the broker answers {refused:?}"),
    }
}
