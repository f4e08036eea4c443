//! The transcripts in the lessons' READMEs, so that a test can replay them.
//!
//! A transcript is a fenced block marked `console`. Its first line is
//! the command, behind `$ `; `^C` at the end means that Ctrl-C was typed. A
//! block without a command holds the lines of the other process in the same
//! terminal, as a child that its parent started has no command of its own.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::Lesson;

/// One block: a command and what it prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// What stands behind `$ `, or nothing.
    pub command: Option<String>,
    /// The lines that are printed.
    pub lines: Vec<String>,
    /// It ends because Ctrl-C is typed.
    pub interrupted: bool,
}

impl Transcript {
    /// What the command writes to the half's stdin: it is of the form
    /// `echo TEXT | cargo run ...` then.
    pub fn input(&self) -> Option<String> {
        let (echo, _) = self.command.as_ref()?.split_once(" | ")?;
        Some(format!("{}\n", echo.strip_prefix("echo ")?))
    }

    /// The half that the command runs, and its arguments, where it is of
    /// the form `cargo run -p LESSON --bin HALF [--features NAME]
    /// [-- ARGUMENTS]`, or `node LESSON/node/HALF.js [ARGUMENTS]`. A first
    /// version is called `first-HALF` in both.
    pub fn half(&self, lesson: &str) -> Option<(String, Vec<&str>)> {
        let command = self.command.as_ref()?;
        let command = match command.split_once(" | ") {
            Some((_, after)) => after,
            None => command,
        };
        if let Some(rest) = command.strip_prefix(&format!("node {lesson}/")) {
            return script(rest);
        }
        let run = format!("cargo run -p {lesson} ");
        let mut words = command.strip_prefix(&run)?.split_whitespace();
        words.find(|word| *word == "--bin")?;
        let half = words.next()?.to_owned();
        let arguments = words.skip_while(|word| *word != "--").skip(1);
        Some((half, arguments.collect()))
    }
}

/// `node/HALF.js ARGUMENTS`. Not where these name the program of the other
/// half, behind `--`: the test that replays it chooses that.
fn script(command: &str) -> Option<(String, Vec<&str>)> {
    let mut words = command.split_whitespace();
    let half = match words.next()?.strip_suffix(".js")?.split_once('/')? {
        ("node", half) => half.to_owned(),
        ("first", half) => format!("first-{half}"),
        _ => return None,
    };
    let arguments: Vec<&str> = words.collect();
    (!arguments.contains(&"--")).then_some((half, arguments))
}

/// Two transcripts that belong together: of the half that is started first,
/// and of the one that talks to it.
pub type Scenario = [Transcript; 2];

impl Lesson {
    /// The pairs of transcripts among `blocks` that belong together, and whose
    /// programs have names that begin with `prefix`.
    pub fn scenarios(
        &self,
        blocks: &[Transcript],
        prefix: &str,
    ) -> Vec<Scenario> {
        let [first, second] = self.halves();
        let is = |block: &Transcript, half| {
            block.half(self.name).is_some_and(|(name, _)| {
                name.strip_prefix(prefix).is_some_and(|name| name == half)
            })
        };
        blocks
            .windows(2)
            .filter(|pair| {
                is(&pair[0], first)
                    && (is(&pair[1], second) || pair[1].command.is_none())
            })
            .map(|pair| [pair[0].clone(), pair[1].clone()])
            .collect()
    }
}

/// The transcripts of the README at `path`, in order.
///
/// # Errors
/// When it cannot be read.
pub fn transcripts(path: &Path) -> Result<Vec<Transcript>> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("read {}", path.display()))?;
    Ok(text
        .replace("\r\n", "\n")
        .split("\n```console\n")
        .skip(1)
        .map(|block| {
            let (block, _) = block.split_once("\n```").unwrap_or((block, ""));
            transcript(block)
        })
        .collect())
}

fn transcript(block: &str) -> Transcript {
    let mut lines: Vec<String> = block.lines().map(str::to_owned).collect();
    let command = lines
        .first()
        .and_then(|line| line.strip_prefix("$ "))
        .map(str::to_owned);
    if command.is_some() {
        lines.remove(0);
    }
    let interrupted = lines.last().is_some_and(|line| line == "^C");
    if interrupted {
        lines.pop();
    }
    Transcript {
        command,
        lines,
        interrupted,
    }
}
