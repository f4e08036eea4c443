//! The stops of the tour: each lesson, and some by a second broker.

use harness::{Language, Lesson};

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
            if lesson.has_rabbitmq() {
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

    /// One sentence on what is to be seen.
    pub fn watch(&self) -> &'static str {
        match self.broker {
            Broker::Own => self.lesson.watch,
            Broker::RabbitMq => "The same two programs, and another broker.",
        }
    }

    /// What it needs and this machine has not, with what to do about it;
    /// when the second half is written in `second`.
    pub fn missing(&self, second: Language) -> Option<String> {
        match self.broker {
            Broker::Own => self.lesson.missing(second),
            Broker::RabbitMq => self.lesson.missing_over_rabbitmq(second),
        }
    }

    /// The command that a reader can type next.
    pub fn command(&self) -> String {
        let name = self.lesson.name;
        let [first, _] = self.lesson.halves();
        let run = format!("cargo run -p {name} --bin {first}");
        match self.broker {
            Broker::Own => run,
            Broker::RabbitMq => format!("{run} -- --broker amqp://localhost"),
        }
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
