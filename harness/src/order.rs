//! Puts the lines of two programs in an order in which none stands before
//! its cause.
//!
//! Each program writes to a pipe of its own, which a thread of its own reads.
//! On a busy machine the server's `receive` may arrive here before the
//! client's `send`, although it was written after it. Such a line waits here
//! until its cause has been shown.

use std::collections::VecDeque;

use crate::Lesson;

/// One line of a half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Which half printed it: 0 for the first one, 1 for the second.
    pub half: usize,
    /// The line itself.
    pub text: String,
}

impl Line {
    /// Does it begin with `pattern`; or with what this has before its `…`,
    /// and end with what it has behind?
    fn looks_like(&self, pattern: &str) -> bool {
        let (start, end) = pattern.split_once('…').unwrap_or((pattern, ""));
        self.text.starts_with(start) && self.text.ends_with(end)
    }
}

/// A line of one half that looks like `cause` stands before the line of the
/// other half that looks like `effect`: the first before the first, the
/// second before the second, and so on.
#[derive(Debug)]
struct Rule {
    /// Which half prints the cause.
    by: usize,
    cause: &'static str,
    effect: &'static str,
}

/// Lines that have arrived, and wait for others to be shown first.
pub struct Order {
    rules: Vec<Rule>,
    /// How many causes and effects of each rule have been shown.
    shown: Vec<[usize; 2]>,
    /// The lines of each half, with their places in the order of arrival.
    waiting: [VecDeque<(usize, Line)>; 2],
    arrived: usize,
    /// Which half will print nothing more.
    ended: [bool; 2],
}

impl Order {
    /// For the lines of this lesson, with nothing in it yet.
    pub fn of(lesson: &'static Lesson) -> Self {
        let rules: Vec<Rule> = lesson
            .order()
            .map(|(by, cause, effect)| Rule { by, cause, effect })
            .collect();
        Self {
            shown: vec![[0; 2]; rules.len()],
            rules,
            waiting: Default::default(),
            arrived: 0,
            ended: [false; 2],
        }
    }

    /// Takes in a line that has arrived.
    pub fn push(&mut self, line: Line) {
        self.waiting[line.half].push_back((self.arrived, line));
        self.arrived += 1;
    }

    /// This half will print nothing more: no line waits for it any longer.
    pub fn end(&mut self, half: usize) {
        self.ended[half] = true;
    }

    /// The next line to show, if there is one that waits for no other.
    pub fn next_free(&mut self) -> Option<Line> {
        let fronts = [0, 1].map(|half| self.waiting[half].front());
        let free = fronts.into_iter().flatten();
        let free = free.filter(|(_, line)| self.is_free(line));
        let half = free.min_by_key(|(arrived, _)| *arrived)?.1.half;
        self.take(half)
    }

    /// The next line to show when no more will arrive: also one whose cause
    /// was never printed.
    pub fn next_of_rest(&mut self) -> Option<Line> {
        self.next_free()
            .or_else(|| self.take(0))
            .or_else(|| self.take(1))
    }

    /// Has this line its cause in one of the other half?
    pub fn has_cause(&self, line: &Line) -> bool {
        self.rules.iter().any(|rule| rule.is_effect(line))
    }

    fn is_free(&self, line: &Line) -> bool {
        let mut rules = self.rules.iter().zip(&self.shown);
        rules.all(|(rule, [causes, effects])| {
            let by = rule.by;
            let none_left = self.ended[by] && self.waiting[by].is_empty();
            !rule.is_effect(line) || causes > effects || none_left
        })
    }

    fn take(&mut self, half: usize) -> Option<Line> {
        let (_, line) = self.waiting[half].pop_front()?;
        for (rule, [causes, effects]) in self.rules.iter().zip(&mut self.shown)
        {
            *causes += usize::from(rule.is_cause(&line));
            *effects += usize::from(rule.is_effect(&line));
        }
        Some(line)
    }
}

impl Rule {
    fn is_cause(&self, line: &Line) -> bool {
        line.half == self.by && line.looks_like(self.cause)
    }

    fn is_effect(&self, line: &Line) -> bool {
        line.half != self.by && line.looks_like(self.effect)
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use crate::LESSONS;
    use crate::readme::transcripts;

    use super::*;

    /// The lines of both halves in the lesson's README; in as many orders of
    /// arrival as there are seeds.
    fn shown(
        lesson: &'static Lesson,
        seed: u64,
    ) -> Result<Vec<Line>, Box<dyn Error>> {
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
        let mut order = Order::of(lesson);
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
            while let Some(line) = order.next_free() {
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
        for lesson in LESSONS.iter() {
            for seed in 0..50 {
                let lines = shown(lesson, seed)
                    .map_err(|error| format!("{}: {error}", lesson.name))?;
                for rule in Order::of(lesson).rules {
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
    fn no_line_waits_for_a_half_that_has_ended() -> Result<(), Box<dyn Error>> {
        let lesson = Lesson::named("tcp-echo").ok_or("tcp-echo")?;
        let mut order = Order::of(lesson);
        let line = |half, text: &str| Line {
            half,
            text: text.to_owned(),
        };
        // The server was killed before it could say that it disconnected.
        order.push(line(1, "disconnected."));
        assert_eq!(order.next_free(), None);
        // The client's end changes nothing: the server's line may still come.
        order.end(1);
        assert_eq!(order.next_free(), None);
        order.end(0);
        assert_eq!(order.next_free(), Some(line(1, "disconnected.")));
        Ok(())
    }
}
