//! "Which should I take?": the questions in `choose.toml`, as a tree whose ends
//! are lessons.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

/// A question, and what can be answered.
pub struct Question {
    /// The question, in both languages.
    pub text: [String; 2],
    /// Its answers.
    pub answers: Vec<Answer>,
}

/// An answer, and where it leads.
pub struct Answer {
    /// The answer, in both languages.
    pub text: [String; 2],
    /// What comes then.
    pub next: Next,
}

/// What follows an answer.
pub enum Next {
    /// Another question.
    Ask(Question),
    /// The lesson with this name.
    Take(String),
}

impl Question {
    /// The names of the lessons that it leads to.
    pub fn lessons(&self) -> Vec<&str> {
        let found = self.answers.iter().flat_map(|answer| match &answer.next {
            Next::Ask(question) => question.lessons(),
            Next::Take(lesson) => vec![&**lesson],
        });
        found.collect()
    }
}

/// A table of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    en: String,
    zh: String,
    answers: Vec<Answered>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answered {
    en: String,
    zh: String,
    ask: Option<String>,
    take: Option<String>,
}

/// The first question, with all that follow.
///
/// # Errors
/// When an answer leads to no question, to one that was asked before, or to
/// nothing.
pub fn questions() -> Result<Question> {
    let all = toml::from_str(include_str!("../choose.toml"));
    let all: BTreeMap<String, Asked> = all.context("choose.toml")?;
    question(&all, &mut Vec::new(), "begin").context("choose.toml")
}

fn question<'a>(
    all: &'a BTreeMap<String, Asked>,
    asked: &mut Vec<&'a str>,
    name: &'a str,
) -> Result<Question> {
    let found = all.get(name);
    let found = found.with_context(|| format!("no question {name}"))?;
    ensure!(!asked.contains(&name), "{name} is asked twice");
    asked.push(name);
    let mut answers = Vec::new();
    for answer in &found.answers {
        let next = match (&answer.ask, &answer.take) {
            (Some(name), None) => Next::Ask(question(all, asked, name)?),
            (None, Some(lesson)) => Next::Take(lesson.clone()),
            _ => bail!("{:?} needs either `ask` or `take`", answer.en),
        };
        answers.push(Answer {
            text: [answer.en.clone(), answer.zh.clone()],
            next,
        });
    }
    asked.pop();
    Ok(Question {
        text: [found.en.clone(), found.zh.clone()],
        answers,
    })
}
