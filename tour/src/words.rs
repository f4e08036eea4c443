//! What the tour says of each lesson, and which of its lines causes which.

use harness::Lesson;

use crate::order::Rule;

/// Of one lesson.
pub struct Words {
    /// One sentence on what has been seen.
    pub seen: &'static str,
    /// What stands before what.
    pub rules: Vec<Rule>,
}

/// Printed by the first half: a cause of what the second one prints.
fn first(cause: &'static str, effect: &'static str) -> Rule {
    Rule {
        by: 0,
        cause,
        effect,
    }
}

/// Printed by the second half: a cause of what the first one prints.
fn second(cause: &'static str, effect: &'static str) -> Rule {
    Rule {
        by: 1,
        cause,
        effect,
    }
}

/// Of an echo over a connection.
fn echo() -> Vec<Rule> {
    vec![
        second("connected.", "socket connected"),
        second("send: ", "receive: "),
        first("send: ", "receive: "),
        first("socket disconnected", "disconnected."),
    ]
}

/// What is said of `lesson`.
pub fn words(lesson: &Lesson) -> Words {
    let (seen, rules): (_, Vec<Rule>) = match lesson.name {
        "tcp-echo" => (
            "One TCP connection carried bytes both ways. The client closed \
             its direction first (half-close) and still got the last echo.",
            echo(),
        ),
        "pipe-echo" => (
            "The same echo through a path instead of a host and a port: no \
             network, and file permissions decide who may connect.",
            echo(),
        ),
        "stdio-ipc" => (
            "A child's stdin and stdout are pipes that its parent holds; the \
             child ends when the parent closes its stdin.",
            vec![],
        ),
        "fork-ipc" => (
            "Parent and child sent each other JSON over the channel that \
             Node's fork() opens, and either may send at any time.",
            vec![],
        ),
        "http-echo" => (
            "Each request named a path, and the response carried it back.",
            vec![first("url ", "statusCode: ")],
        ),
        "https-echo" => (
            "The same requests, encrypted: the client checked the server's \
             certificate before it sent anything.",
            vec![first("url ", "statusCode: ")],
        ),
        "udp-echo" => (
            "UDP has no connection: each datagram has a number, as any of \
             them may be lost, duplicated or reordered.",
            vec![second("send: ", "receive: "), first("send: ", "receive: ")],
        ),
        "tcp-chat" => (
            "The server broadcast each line to every client. TCP has no \
             framing, so a line feed ends each message.",
            vec![
                second("connected.", "* … joined"),
                first("* ", "* "),
                first("Ada: ", "Ada: "),
                first("* Ada left", "disconnected."),
            ],
        ),
        "event-emitter" => (
            "Within one process nothing is sent: a channel hands a value to a \
             task, and an emitter calls its listeners at once.",
            vec![],
        ),
        "shared-memory" => (
            "Both processes mapped the same memory: what one stored, the \
             other read, and a futex woke the one that waited.",
            vec![],
        ),
        "redis-pubsub" => (
            "Redis passed each message on to the current subscribers. Without \
             a subscriber it would have been lost (at most once).",
            vec![second("Sent to ", "Received from ")],
        ),
        "work-queue" => (
            "Redis kept each job until a worker acknowledged it, so that a \
             job survives a worker that dies (at least once).",
            vec![second("stored: ", "taken: ")],
        ),
        "socketio-chat" => (
            "Named events went both ways over one WebSocket, and the server \
             acknowledged each message.",
            vec![
                second("connected.", "* … joined"),
                second("send: ", "chat message "),
                first("chat message ", "receive: "),
                first("* ", "greeting: "),
            ],
        ),
        _ => ("", vec![]),
    };
    Words { seen, rules }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use harness::LESSONS;
    use harness::readme::transcripts;

    use super::*;
    use crate::order::{Line, Order};

    /// The lines of both halves in the lesson's README; in as many orders of
    /// arrival as there are seeds.
    fn shown(lesson: &Lesson, seed: u64) -> Result<Vec<Line>, Box<dyn Error>> {
        let blocks = transcripts(&lesson.folder().join("README.md"))?;
        let lines = lesson.halves().map(|half| {
            let is_it = |name| name == half;
            let mut blocks = blocks.iter();
            let block = blocks.find(|block| {
                block.half(lesson.name).is_some_and(|(name, _)| is_it(name))
            });
            block.map(|block| block.lines.clone()).unwrap_or_default()
        });
        let mut left = lines.map(Vec::into_iter);
        let mut order = Order::new(words(lesson).rules);
        let mut shown = Vec::new();
        let mut random = seed;
        while left.iter().any(|lines| lines.len() > 0) {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1);
            // The first and the last seed: one half whole before the other.
            let half = match seed {
                0 => usize::from(left[0].len() == 0),
                1 => usize::from(left[1].len() > 0),
                _ => (random >> 40) as usize % 2,
            };
            if let Some(text) = left[half].next() {
                order.push(Line { half, text });
            }
            while let Some(line) = order.next() {
                shown.push(line);
            }
        }
        let waits = order.next_of_rest();
        if let Some(line) = waits {
            return Err(format!("{line:?} waits for ever").into());
        }
        Ok(shown)
    }

    #[test]
    fn nothing_stands_before_its_cause() -> Result<(), Box<dyn Error>> {
        for lesson in LESSONS {
            for seed in 0..50 {
                let lines = shown(lesson, seed)
                    .map_err(|error| format!("{}: {error}", lesson.name))?;
                for rule in words(lesson).rules {
                    let places = |half, start: &str| -> Vec<usize> {
                        let lines = lines.iter().enumerate();
                        let found = lines.filter(|(_, line)| {
                            line.half == half && line.looks_like(start)
                        });
                        found.map(|(place, _)| place).collect()
                    };
                    let causes = places(rule.by, rule.cause);
                    let effects = places(1 - rule.by, rule.effect);
                    // A rule that is about no line keeps nothing in order.
                    assert!(!effects.is_empty(), "{}: {rule:?}", lesson.name);
                    assert!(causes.len() >= effects.len(), "{rule:?}");
                    let mut pairs = causes.iter().zip(effects);
                    assert!(
                        pairs.all(|(cause, effect)| *cause < effect),
                        "{}: {rule:?}: {lines:#?}",
                        lesson.name
                    );
                }
            }
        }
        Ok(())
    }

    #[test]
    fn each_lesson_has_a_sentence() {
        for lesson in LESSONS {
            assert!(!words(lesson).seen.is_empty(), "{}", lesson.name);
        }
    }
}
