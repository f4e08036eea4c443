//! Two halves of one lesson, started the way its README says.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::half::{Exit, Half, Signal};
use crate::kafka::Kafka;
use crate::lessons::{Language, Lesson, Meet};
use crate::rabbit;
use crate::redis::{DURABLE, Redis};

/// A running pair. Both halves are gone when it is dropped.
pub struct Pair {
    /// The server or the parent.
    pub first: Half,
    /// The client; a parent starts its child by itself.
    pub second: Option<Half>,
    /// Where the server listens.
    pub address: Option<String>,
    /// What stands between them.
    _broker: Option<Broker>,
    /// Where its files are.
    _folder: TempDir,
}

/// The arguments of both halves, without addresses. A parent has its own and
/// hands on what is its child's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arguments<'a> {
    /// For the server or the parent.
    pub first: &'a [&'a str],
    /// For the client.
    pub second: &'a [&'a str],
}

impl Lesson {
    /// Starts both halves, each by `run`, which is told which one it is: 0 or
    /// 1; the second one as soon as the first is ready. All that is waited for
    /// counts as hung after `limit`.
    ///
    /// # Errors
    /// When one does not build or start, or the first one is not ready.
    pub fn start(
        &self,
        [first, second]: [Language; 2],
        arguments: Arguments,
        limit: Duration,
        run: impl Fn(usize, &mut Command) -> Result<Half>,
    ) -> Result<Pair> {
        let folder = tempfile::tempdir().context("make a folder")?;
        let broker = Broker::of(self.meet(), limit)?;
        let [first_name, second_name] = self.halves();
        let mut command = match self.meet() {
            Meet::Parent => self.parent(first, second, arguments.first)?,
            _ => {
                let mut command = self.half(first, first_name)?;
                command.args(self.free_address(folder.path()));
                command.args(self.certs(folder.path()));
                command.args(broker.iter().flat_map(Broker::arguments));
                command.args(arguments.first);
                command
            }
        };
        let mut first = run(0, &mut command)?.limited(limit);
        let (mut address, mut talking) = (None, None);
        if self.meet() != Meet::Parent {
            let mut command = self.half(second, second_name)?;
            if self.meet() == Meet::Nobody {
                first.wait()?; // one after the other: they do not meet
            } else {
                let listening = first.wait_for("listening on ")?;
                match &broker {
                    Some(broker) => command.args(broker.arguments()),
                    None => command.arg(self.target(&listening)),
                };
                command.args(self.certs(folder.path()));
                address = Some(listening);
            }
            command.args(arguments.second);
            talking = Some(run(1, &mut command)?.limited(limit));
        }
        Ok(Pair {
            first,
            second: talking,
            address,
            _broker: broker,
            _folder: folder,
        })
    }
}

/// A server between the halves, and where it is.
struct Broker {
    flag: &'static str,
    url: String,
    /// A Redis of this pair alone. All pairs share one RabbitMQ.
    _redis: Option<Redis>,
    /// A Kafka of this pair alone.
    _kafka: Option<Kafka>,
}

impl Broker {
    fn of(meet: Meet, limit: Duration) -> Result<Option<Self>> {
        Ok(match meet {
            Meet::Redis => {
                let redis = Redis::start_within(limit, &DURABLE)?;
                Some(Self {
                    flag: "--redis",
                    url: redis.url(),
                    _redis: Some(redis),
                    _kafka: None,
                })
            }
            Meet::RabbitMq => Some(Self {
                flag: "--amqp",
                url: rabbit::shared()?,
                _redis: None,
                _kafka: None,
            }),
            Meet::Kafka => {
                let kafka = Kafka::start_within(limit)?;
                Some(Self {
                    flag: "--bootstrap",
                    url: kafka.address(),
                    _redis: None,
                    _kafka: Some(kafka),
                })
            }
            _ => None,
        })
    }

    fn arguments(&self) -> [&str; 2] {
        [self.flag, &self.url]
    }
}

impl Pair {
    /// Waits until all is said, and then stops a server as Ctrl-C does.
    ///
    /// Returns how the halves ended, the first one first.
    ///
    /// # Errors
    /// When one of them takes longer than the limit of the pair.
    pub fn finish(&mut self) -> Result<Vec<Exit>> {
        let second = self.second.as_mut().map(Half::wait).transpose()?;
        let first = match self.address {
            Some(_) => self.first.stop(Signal::Interrupt)?,
            None => self.first.wait()?,
        };
        Ok([first].into_iter().chain(second).collect())
    }
}
