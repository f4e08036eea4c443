//! The queue in RabbitMQ, over its protocol AMQP 0-9-1.
//!
//! The broker hands jobs to a worker by itself, as many as it is allowed to
//! have unacknowledged (`prefetch`). When a worker's connection ends, what
//! it had not acknowledged goes to another.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicNackOptions,
    BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::uri::AMQPUri;
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties,
    Consumer,
};

use tokio::time;

use crate::{Job, Taking};

/// On the broker's disk, not only in its memory.
const PERSISTENT: u8 = 2;

/// After how many deliveries the broker itself gives a job up. Never
/// reached: the worker buries a job long before. But later versions have
/// a limit of 20 unless one is set, and the twins must set the same.
const DELIVERY_LIMIT: i32 = 1000;

/// How long a broker may take to let us in. One that has just started on a
/// busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(30);

/// A queue and what we have taken from it.
#[derive(Debug)]
pub struct Queue {
    connection: Connection,
    channel: Channel,
    queue: ShortString,
    dead: ShortString,
    /// Our subscription; a producer never has one.
    consumer: Option<Consumer>,
    /// Handed out, and not yet done.
    taken: Option<Delivery>,
}

/// Connects to the RabbitMQ at `url`, and makes the queues where they are
/// not there.
///
/// # Errors
/// When the broker cannot be reached.
pub async fn connect(url: &str, queue: &str, taking: &Taking) -> Result<Queue> {
    let uri: AMQPUri = url.parse().map_err(anyhow::Error::msg)?;
    let at = format!("{}:{}", uri.authority.host, uri.authority.port);
    let connecting =
        Connection::connect_uri(uri, ConnectionProperties::default());
    let connection = time::timeout(PATIENCE, connecting)
        .await
        .map_err(|_| anyhow!("it takes too long"))
        .and_then(|connected| Ok(connected?))
        .with_context(|| format!("connect to {at}"))?;
    let channel = connection.create_channel().await?;

    // A quorum queue is always on the disk, and counts deliveries. Both
    // halves declare it, so either one may come first.
    let queue = ShortString::from(queue);
    let dead = ShortString::from(format!("{queue}.dead"));
    for name in [&queue, &dead] {
        let mut arguments = FieldTable::default();
        let kind = AMQPValue::LongString("quorum".into());
        arguments.insert("x-queue-type".into(), kind);
        let limit = AMQPValue::LongInt(DELIVERY_LIMIT);
        arguments.insert("x-delivery-limit".into(), limit);
        let durable = QueueDeclareOptions::durable();
        channel
            .queue_declare(name.clone(), durable, arguments)
            .await
            .with_context(|| format!("declare the queue {name}"))?;
    }
    // From here on the broker says of each job that it has it.
    channel
        .confirm_select(ConfirmSelectOptions::default())
        .await?;
    channel
        .basic_qos(taking.prefetch, BasicQosOptions::default())
        .await?;
    Ok(Queue {
        connection,
        channel,
        queue,
        dead,
        consumer: None,
        taken: None,
    })
}

impl Queue {
    pub(crate) async fn add(&mut self, jobs: &[String]) -> Result<()> {
        let jobs = jobs.iter().map(String::as_bytes);
        publish(&self.channel, &self.queue, jobs).await
    }

    pub(crate) async fn next(&mut self) -> Result<Job> {
        if self.consumer.is_none() {
            let consumer = self
                .channel
                .basic_consume(
                    self.queue.clone(),
                    ShortString::default(), // the broker makes up a name
                    // Not no_ack: that would forget a job as it is sent.
                    BasicConsumeOptions::default(),
                    FieldTable::default(),
                )
                .await
                .context("consume")?;
            self.consumer = Some(consumer);
        }
        let Some(consumer) = &mut self.consumer else {
            bail!("no consumer");
        };
        let delivery = consumer.next().await;
        let delivery = delivery.context("the connection ended")??;
        let headers = delivery.properties.headers().as_ref();
        let before = headers
            .and_then(|headers| headers.inner().get("x-delivery-count"))
            .and_then(AMQPValue::as_long_long_int)
            .unwrap_or(0);
        let job = Job {
            text: String::from_utf8_lossy(&delivery.data).into_owned(),
            tries: 1 + before.unsigned_abs(),
        };
        self.taken = Some(delivery);
        Ok(job)
    }

    pub(crate) async fn done(&mut self) -> Result<()> {
        if let Some(delivery) = self.taken.take() {
            delivery.ack(BasicAckOptions::default()).await?;
        }
        Ok(())
    }

    pub(crate) async fn again(&mut self) -> Result<()> {
        if let Some(delivery) = self.taken.take() {
            let options = BasicNackOptions {
                requeue: true, // otherwise it is gone
                ..BasicNackOptions::default()
            };
            delivery.nack(options).await?;
        }
        Ok(())
    }

    pub(crate) async fn bury(&mut self) -> Result<()> {
        let Some(delivery) = self.taken.take() else {
            return Ok(());
        };
        // First there, then no longer here. A crash in between leaves the
        // job in both, which is better than in neither.
        let job = std::iter::once(delivery.data.as_slice());
        publish(&self.channel, &self.dead, job).await?;
        delivery.ack(BasicAckOptions::default()).await?;
        Ok(())
    }

    pub(crate) async fn close(self) {
        // An acknowledgement has no answer; the channel's goodbye has one,
        // and comes after all of them. The connection's could overtake them.
        let _ = self.channel.close(200, "done".into()).await;
        let _ = self.connection.close(200, "done".into()).await;
    }
}

/// Publishes, and waits until the broker has confirmed all of them.
async fn publish(
    channel: &Channel,
    queue: &ShortString,
    jobs: impl Iterator<Item = &[u8]>,
) -> Result<()> {
    let properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
    let options = BasicPublishOptions {
        mandatory: true, // back to us, rather than lost, without a queue
        ..BasicPublishOptions::default()
    };
    let mut confirms = Vec::new();
    for job in jobs {
        let sent = channel.basic_publish(
            ShortString::default(),
            queue.clone(),
            options,
            job,
            properties.clone(),
        );
        confirms.push(sent.await.context("publish")?);
    }
    for confirm in confirms {
        match confirm.await.context("publish")? {
            Confirmation::Ack(None) => {}
            refused => bail!("publish: the broker says {refused:?}"),
        }
    }
    Ok(())
}
