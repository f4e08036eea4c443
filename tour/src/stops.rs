//! The stops of the tour: each lesson, and some by a second broker.

use harness::Lesson;

use crate::order::Rule;
use crate::words::words;

/// One stop.
#[derive(Clone, Copy, Debug)]
pub struct Stop {
    /// What is shown.
    pub lesson: &'static Lesson,
    /// By which broker.
    pub broker: Broker,
}

/// What stands between the two halves, where something does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broker {
    /// What the lesson has by itself.
    Own,
    /// A RabbitMQ, which the tour has started.
    RabbitMq,
}

impl Stop {
    /// The stops at these lessons.
    pub fn at(lessons: &[&'static Lesson]) -> Vec<Self> {
        let mut stops = Vec::new();
        for &lesson in lessons {
            stops.push(Self {
                lesson,
                broker: Broker::Own,
            });
            if let Some(lesson) = lesson.over_rabbitmq() {
                stops.push(Self {
                    lesson,
                    broker: Broker::RabbitMq,
                });
            }
        }
        stops
    }

    /// What it is called.
    pub fn title(&self) -> String {
        match self.broker {
            Broker::Own => self.lesson.name.to_owned(),
            Broker::RabbitMq => format!("{} over RabbitMQ", self.lesson.name),
        }
    }

    /// The command that a reader can type next.
    pub fn command(&self) -> String {
        let name = self.lesson.name;
        let [first, _] = self.lesson.halves();
        format!("cargo run -p {name} --bin {first}")
    }

    /// One sentence on what has been seen.
    pub fn seen(&self) -> &'static str {
        match self.broker {
            Broker::Own => words(self.lesson).seen,
            Broker::RabbitMq => {
                "The same queue over AMQP: RabbitMQ delivers a job again when \
                 a worker dies before it has acknowledged it."
            }
        }
    }

    /// What stands before what.
    pub fn rules(&self) -> Vec<Rule> {
        words(self.lesson).rules
    }
}
