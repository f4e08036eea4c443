#![doc = include_str!("../README.md")]

pub mod amqp;
pub mod streams;

use std::time::Duration;

use anyhow::{Context, Result, bail};
use common::{broker::Redis, log, shutdown};
use tokio::time;

/// Where the queue is.
#[derive(clap::Args, Clone, Debug)]
pub struct Place {
    /// The queue's name
    #[arg(default_value = "jobs")]
    pub queue: String,

    /// A redis://, unix:// or amqp:// URL; otherwise REDIS_URL is used, or a
    /// redis-server of its own
    #[arg(long, value_name = "URL")]
    broker: Option<String>,
}

/// How a worker takes jobs.
#[derive(clap::Args, Clone, Debug)]
pub struct Taking {
    /// How many jobs to take at a time; while they wait here, no other
    /// worker gets them
    #[arg(long, value_name = "N", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    prefetch: u16,

    /// Milliseconds after which a job that nobody has finished is given to
    /// another worker. With Redis only: RabbitMQ sees that a worker is gone
    #[arg(long, value_name = "MS", default_value_t = 30_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(10..))]
    idle: u64,
}

impl Default for Taking {
    fn default() -> Self {
        Self {
            prefetch: 1,
            idle: 30_000,
        }
    }
}

/// A job, as a worker gets it.
#[derive(Clone, Debug)]
pub struct Job {
    /// What is to be done, as text. A queue carries bytes; what is not UTF-8
    /// in them is only replaced here, to be read, and not in a dead letter.
    pub text: String,
    /// How many times it has been handed out, this time included.
    pub tries: u64,
}

/// The broker, as long as this lives: one of our own ends with it.
#[derive(Debug)]
pub struct Broker {
    place: Place,
    taking: Taking,
    url: String,
    _own: Option<Redis>,
}

impl Broker {
    /// Finds it; starts one of our own where there is none.
    ///
    /// # Errors
    /// When there is none, and none to start, or none that we know. Must be
    /// called within a tokio runtime.
    pub fn find(place: Place, taking: Taking) -> Result<Self> {
        // From here on Ctrl-C ends us in order, also while we connect.
        shutdown::token();
        let (url, own) = match &place.broker {
            Some(url) => (url.clone(), None),
            None => {
                let own = Redis::find("work-queue", &streams::DURABLE)?;
                (own.url.clone(), Some(own))
            }
        };
        if !matches!(kind(&url), "amqp" | "redis" | "unix") {
            bail!("a broker is redis://..., unix://... or amqp://...");
        }
        Ok(Self {
            place,
            taking,
            url,
            _own: own,
        })
    }

    /// Connects, and makes the queue where it is not there yet.
    ///
    /// # Errors
    /// When the broker cannot be reached.
    pub async fn connect(&self) -> Result<Queue> {
        let Self {
            place, taking, url, ..
        } = self;
        Ok(match kind(url) {
            "amqp" => {
                let queue = amqp::connect(url, &place.queue, taking).await?;
                Queue::Amqp(queue)
            }
            _ => Queue::Streams(
                streams::connect(url, &place.queue, taking).await?,
            ),
        })
    }

    /// Connects again, after `why`. Tries until it works, and waits twice as
    /// long each time. None when Ctrl-C came first.
    pub async fn connect_again(&self, why: anyhow::Error) -> Option<Queue> {
        log::error(reason(&why));
        let stop = shutdown::token();
        let mut pause = Duration::from_millis(100);
        loop {
            let error = match stop.run_until_cancelled(self.connect()).await? {
                Ok(queue) => return Some(queue),
                Err(error) => error,
            };
            let why = reason(&error);
            log::error(format_args!("{why}; next try in {pause:?}"));
            stop.run_until_cancelled(time::sleep(pause)).await?;
            pause = (2 * pause).min(Duration::from_secs(5));
        }
    }
}

/// A queue at one of the two brokers. What they have in common is this: who
/// adds a job knows when it is safe, and who takes one says when it is done.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a program has one of them")]
pub enum Queue {
    /// A Redis stream with a consumer group.
    Streams(streams::Queue),
    /// A queue of RabbitMQ.
    Amqp(amqp::Queue),
}

impl Queue {
    /// Adds jobs; returns when the broker has all of them on its disk, or
    /// has not said so a second after Ctrl-C.
    ///
    /// # Errors
    /// Leave open which of them the broker has: add them once more.
    pub async fn add(&mut self, jobs: &[String]) -> Result<()> {
        let added = async {
            match self {
                Self::Streams(queue) => queue.add(jobs).await,
                Self::Amqp(queue) => queue.add(jobs).await,
            }
        };
        let added = shutdown::unless_overdue(added).await;
        added.context("no answer")?
    }

    /// Takes the next job; waits until there is one. It stays in the queue,
    /// kept from other workers, until one of the next three is called.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn next(&mut self) -> Result<Job> {
        match self {
            Self::Streams(queue) => queue.next().await,
            Self::Amqp(queue) => queue.next().await,
        }
    }

    /// The job that was taken is done: the broker may forget it.
    ///
    /// # Errors
    /// When the connection breaks. Then the job comes again.
    pub async fn done(&mut self) -> Result<()> {
        match self {
            Self::Streams(queue) => queue.done().await,
            Self::Amqp(queue) => queue.done().await,
        }
    }

    /// The job that was taken failed, and is to be tried again.
    ///
    /// # Errors
    /// When the connection breaks. Then the job comes again anyhow.
    pub async fn again(&mut self) -> Result<()> {
        match self {
            Self::Streams(queue) => queue.again(),
            Self::Amqp(queue) => queue.again().await,
        }
    }

    /// The job that was taken fails over and over: moves it to the queue of
    /// dead letters, where somebody has to look at it.
    ///
    /// # Errors
    /// When the connection breaks. Then the job comes again.
    pub async fn bury(&mut self) -> Result<()> {
        match self {
            Self::Streams(queue) => queue.bury().await,
            Self::Amqp(queue) => queue.bury().await,
        }
    }

    /// Ends the connection, once the broker has the last acknowledgement.
    pub async fn close(self) {
        match self {
            Self::Streams(_) => {} // each one was answered
            Self::Amqp(queue) => queue.close().await,
        }
    }
}

/// Which broker a URL is of.
fn kind(url: &str) -> &str {
    url.split_once(':').map_or("", |(scheme, _)| scheme)
}

/// For who cannot connect at all.
pub fn advise(error: anyhow::Error) -> anyhow::Error {
    anyhow::anyhow!("{}; is the broker running?", reason(&error))
}

/// What was attempted, and why it failed. The crates' errors have the same
/// reason once more below that.
fn reason(error: &anyhow::Error) -> String {
    let all: Vec<String> = error.chain().map(ToString::to_string).collect();
    let new = |at: usize| at == 0 || !all[at - 1].ends_with(&all[at]);
    let told = (0..all.len()).filter(|at| new(*at));
    told.map(|at| all[at].as_str())
        .collect::<Vec<_>>()
        .join(": ")
}

#[cfg(test)]
#[path = "../tests/work_queue.rs"]
mod tests;

#[cfg(test)]
fn main() -> std::process::ExitCode {
    harness::testing::run("work-queue", [tests::tests()])
}
