//! Connecting to RabbitMQ, and connecting again. AMQP 0-9-1 is its protocol.

use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, ensure};
use lapin::options::{ConfirmSelectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties};
use tokio::time;

use crate::Backoff;

/// How long the broker may take to let us in. One that has just started on a
/// busy machine needs some time.
const TIMEOUT: Duration = Duration::from_secs(30);

/// After how many deliveries the broker itself drops a job. Never reached, as
/// the worker makes it a dead letter long before. But RabbitMQ 4 sets 20 if we
/// set nothing, and the twins must set the same.
const DELIVERY_LIMIT: i32 = 1000;

/// Where the queue is.
#[derive(clap::Args, Clone, Debug)]
pub struct Place {
    /// The queue's name
    #[arg(default_value = "jobs")]
    pub queue: String,

    /// Where RabbitMQ is
    #[arg(long, value_name = "URL", default_value = "amqp://127.0.0.1:5672")]
    pub amqp: String,
}

/// A connection, its only channel, and the names of its queues.
#[derive(Debug)]
pub struct Broker {
    connection: Connection,
    /// What the commands of AMQP go through.
    pub channel: Channel,
    /// The jobs.
    pub queue: ShortString,
    /// The dead letters.
    pub dead: ShortString,
}

/// Connects, and declares both queues.
///
/// # Errors
/// When the broker cannot be reached, or refuses us.
pub async fn connect(place: &Place) -> Result<Broker> {
    let queue = name(&place.queue)?;
    let dead = name(&format!("{}.dead", place.queue))?;
    let uri = uri(&place.amqp).context("--amqp")?;
    let properties = ConnectionProperties::default();
    let connecting = Connection::connect_uri(uri, properties);
    let connection = time::timeout(TIMEOUT, connecting)
        .await
        .map_err(Error::from)
        .and_then(|connected| Ok(connected?))
        .map_err(|error| no_connection(&place.amqp, &error))?;
    let channel = connection.create_channel().await?;

    // Both halves declare the queues, so either one may come first. A quorum
    // queue is always on the disk, and counts deliveries.
    let mut arguments = FieldTable::default();
    let kind = AMQPValue::LongString("quorum".into());
    arguments.insert("x-queue-type".into(), kind);
    let limit = AMQPValue::LongInt(DELIVERY_LIMIT);
    arguments.insert("x-delivery-limit".into(), limit);
    for name in [&queue, &dead] {
        let durable = QueueDeclareOptions::durable();
        channel
            .queue_declare(name.clone(), durable, arguments.clone())
            .await?;
    }
    // Publisher confirms: from here on the broker confirms each job.
    let options = ConfirmSelectOptions::default();
    channel.confirm_select(options).await?;
    Ok(Broker {
        connection,
        channel,
        queue,
        dead,
    })
}

/// Connects again after `error`, with exponential backoff.
///
/// # Errors
/// When the broker answers that we may not do this: waiting cannot help.
pub async fn reconnect(
    place: &Place,
    mut error: Error,
    backoff: &mut Backoff,
) -> Result<Broker> {
    loop {
        if is_refusal(&error) {
            return Err(anyhow!("{error}"));
        }
        backoff.wait(&error).await;
        match connect(place).await {
            Ok(broker) => return Ok(broker),
            Err(failure) => error = failure,
        }
    }
}

/// The error for a connection that fails: the address without the password
/// that a URL may hold, and what to do.
fn no_connection(url: &str, error: &Error) -> Error {
    let address = host(url);
    if is_refusal(error) {
        return anyhow!("connect to {address}: {error}");
    }
    anyhow!("connect to {address}: {error}; start RabbitMQ: rabbitmq-server")
}

/// Whether the broker answered that this is not allowed, or that the queue
/// exists with other properties.
fn is_refusal(error: &Error) -> bool {
    let text = error.to_string();
    ["ACCESS_REFUSED", "NOT_ALLOWED", "PRECONDITION_FAILED"]
        .iter()
        .any(|code| text.contains(code))
}

impl Broker {
    /// Ends the connection. An acknowledgement has no answer, but the end of
    /// the channel has one, which comes after all of them.
    pub async fn close(self) {
        let _ = self.channel.close(200, "done".into()).await;
        let _ = self.connection.close(200, "done".into()).await;
    }
}

/// A queue's name. AMQP allows 255 bytes.
fn name(text: &str) -> Result<ShortString> {
    ensure!(
        text != ".dead" && !text.is_empty(),
        "a queue without a name"
    );
    ShortString::try_new(text).context("the queue's name is too long")
}

/// What lapin reads in a URL, without the defaults that it uses for what it
/// does not understand.
fn uri(url: &str) -> Result<AMQPUri> {
    common::url::check(url, &["amqp"])?;
    let mut uri: AMQPUri = url.parse().map_err(Error::msg)?;
    let ipv6 = host(url)
        .strip_prefix('[')
        .and_then(|it| it.split_once(']'));
    if let Some((address, _)) = ipv6 {
        uri.authority.host = address.to_owned(); // and not localhost
    }
    if uri.vhost.is_empty() {
        uri.vhost = "/".to_owned(); // amqp://host/ is amqp://host
    }
    ensure!(
        uri.vhost.len() <= 255,
        "the virtual host's name is too long"
    );
    Ok(uri)
}

/// The `HOST:PORT` of a URL that has been checked.
fn host(url: &str) -> &str {
    let authority = url.split('/').nth(2).unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}
