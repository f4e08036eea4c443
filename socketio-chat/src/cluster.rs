//! Several servers that are one chat: each publishes its events to Redis, and
//! the others send them to their clients.
//!
//! The adapter's own driver has one connection that is never replaced, and
//! an event that cannot be published is not told here either. This one waits
//! for nothing: without Redis, this server's clients still reach each other.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use common::log;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{
    AsyncCommands, Client, ConnectionAddr, IntoConnectionInfo, ProtocolVersion,
    PushInfo, PushKind, Value, from_redis_value,
};
use socketioxide_redis::drivers::{ChanItem, Driver, MessageStream};
use socketioxide_redis::{RedisAdapterConfig, RedisAdapterCtr};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long Redis, or another server, may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
/// The maximum number of events that wait to be published.
const MAX_WAITING: usize = 1024;

/// How this server reaches the others. `None`: there are none.
#[derive(Clone)]
pub struct Link(Option<Arc<Connected>>);

struct Connected {
    redis: ConnectionManager,
    outbox: mpsc::Sender<ChanItem>,
    state: Arc<State>,
}

type Inbox = mpsc::Sender<ChanItem>;

#[derive(Default)]
struct State {
    /// Where the events of each channel go.
    inboxes: Mutex<HashMap<String, Inbox>>,
    /// Redis is away.
    lost: AtomicBool,
}

/// The adapter of a server that reaches the others through the Redis at
/// `url`, or of one that is alone.
///
/// # Errors
/// When there is no Redis at `url`.
pub async fn adapter(url: Option<&str>) -> Result<RedisAdapterCtr<Link>> {
    let link = match url {
        Some(url) => Some(Arc::new(connect(url).await?)),
        None => None,
    };
    let config = RedisAdapterConfig::new().with_request_timeout(ANSWER_TIMEOUT);
    Ok(RedisAdapterCtr::new_with_driver(Link(link), config))
}

async fn connect(url: &str) -> Result<Connected> {
    common::url::check(url, &["redis", "rediss", "unix"]).context("--redis")?;
    let info = url.into_connection_info().context("--redis")?;
    // Only RESP3 pushes messages, and reports a lost connection.
    let settings = info.redis_settings().clone();
    let info =
        info.set_redis_settings(settings.set_protocol(ProtocolVersion::RESP3));
    // Not the URL: it may hold a password.
    let place = place(info.addr());
    let attempt = || format!("connect to Redis at {place}");
    let client = Client::open(info).with_context(attempt)?;

    let state = Arc::new(State::default());
    let pushed = Arc::clone(&state);
    let config = || {
        ConnectionManagerConfig::new()
            .set_response_timeout(Some(ANSWER_TIMEOUT))
            .set_connection_timeout(Some(ANSWER_TIMEOUT))
    };
    // Only the first attempt may fail; a later one is made again and again.
    ConnectionManager::new_with_config(
        client.clone(),
        config().set_number_of_retries(0),
    )
    .await
    .with_context(attempt)?;
    let config = config()
        .set_max_delay(Duration::from_secs(5))
        .set_number_of_retries(usize::MAX)
        .set_automatic_resubscription()
        .set_push_sender(move |push| {
            pushed.take(push);
            Ok::<(), Infallible>(())
        });
    let redis = ConnectionManager::new_with_config(client, config)
        .await
        .with_context(attempt)?;

    let (outbox, waiting) = mpsc::channel(MAX_WAITING);
    tokio::spawn(publish(redis.clone(), waiting, Arc::clone(&state)));
    Ok(Connected {
        redis,
        outbox,
        state,
    })
}

/// Publishes one event after the other, and waits where no client does.
async fn publish(
    mut redis: ConnectionManager,
    mut waiting: mpsc::Receiver<ChanItem>,
    state: Arc<State>,
) {
    let mut is_refused = false;
    while let Some((channel, event)) = waiting.recv().await {
        // Not kept for later: by then it would be out of date.
        if state.lost.load(Ordering::Relaxed) {
            continue;
        }
        let sent = redis.publish::<_, _, i64>(channel, event);
        // Waiting does not cure a refusal: report it, once.
        if let Ok(Err(error)) = timeout(ANSWER_TIMEOUT, sent).await
            && !error.is_io_error()
            && !is_refused
        {
            log::error(format_args!("redis: publish: {error}"));
            is_refused = true;
        }
    }
}

impl State {
    fn take(&self, push: PushInfo) {
        let lost = push.kind == PushKind::Disconnection;
        match push.kind {
            PushKind::Message => drop(self.deliver(push.data)),
            // Subscribing again is the first thing on a new connection.
            PushKind::Disconnection | PushKind::Subscribe
                if self.lost.swap(lost, Ordering::Relaxed) != lost =>
            {
                log::error(match lost {
                    true => {
                        "redis: connection lost; only the clients of \
                             this server hear each other"
                    }
                    false => "redis: connected again",
                });
            }
            _ => {}
        }
    }

    /// Delivers one message: the name of its channel, and its bytes.
    fn deliver(&self, data: Vec<Value>) -> Option<()> {
        let mut parts = data.into_iter();
        let channel: String = from_redis_value(parts.next()?).ok()?;
        let event: Vec<u8> = from_redis_value(parts.next()?).ok()?;
        // Full: this server is slower than the others. It misses something,
        // and its memory stays bounded.
        let _ = self.inboxes().get(&channel)?.try_send((channel, event));
        Some(())
    }

    fn inboxes(&self) -> MutexGuard<'_, HashMap<String, Inbox>> {
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Driver for Link {
    type Error = redis_error::Failed;

    async fn publish(
        &self,
        channel: String,
        event: Vec<u8>,
    ) -> Result<(), Self::Error> {
        if let Self(Some(link)) = self {
            // Full: Redis takes longer than the chat. Its clients are told
            // anyway, and the others miss something.
            let _ = link.outbox.try_send((channel, event));
        }
        Ok(())
    }

    async fn subscribe(
        &self,
        channel: String,
        size: usize,
    ) -> Result<MessageStream<ChanItem>, Self::Error> {
        let Self(Some(link)) = self else {
            return Ok(MessageStream::new_empty());
        };
        let (sender, receiver) = mpsc::channel(size);
        link.state.inboxes().insert(channel.clone(), sender);
        link.redis.clone().subscribe(channel).await?;
        Ok(MessageStream::new(receiver))
    }

    async fn unsubscribe(&self, channel: String) -> Result<(), Self::Error> {
        if let Self(Some(link)) = self {
            // The connection ends with the program, and the rest with it.
            link.state.inboxes().remove(&channel);
        }
        Ok(())
    }

    async fn num_serv(&self, channel: &str) -> Result<u16, Self::Error> {
        let Self(Some(link)) = self else { return Ok(1) };
        if link.state.lost.load(Ordering::Relaxed) {
            return Ok(1);
        }
        let mut redis = link.redis.clone();
        let mut command = redis::cmd("PUBSUB");
        command.arg("NUMSUB").arg(channel);
        let asked = command.query_async::<(String, u16)>(&mut redis);
        // Who cannot be asked is not there.
        Ok(match timeout(ANSWER_TIMEOUT, asked).await {
            Ok(Ok((_, servers))) => servers,
            _ => 1,
        })
    }
}

fn place(address: &ConnectionAddr) -> String {
    log::escaped(&address.to_string())
}

mod redis_error {
    //! The adapter wants an error type with fewer powers than Redis's own.

    use std::fmt;

    /// The error of Redis.
    #[derive(Debug)]
    pub struct Failed(redis::RedisError);

    impl From<redis::RedisError> for Failed {
        fn from(error: redis::RedisError) -> Self {
            Self(error)
        }
    }

    impl fmt::Display for Failed {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fmt(f)
        }
    }

    impl std::error::Error for Failed {}
}
