//! What every transport defines, and which programs there are.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use harness::half::on_path;
use harness::{Half, Language, Lesson};

use crate::load::exchange::Exchange;
use crate::load::link::Link;
use crate::sample::{Figures, Measure, What};

/// Whose figures stand in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// The least that the kernel allows.
    Floor,
    /// The lesson's Rust half.
    Rust,
    /// The lesson's Node half.
    Node,
    /// The bench's own echo in Node, written with events: quicker than the
    /// `for await` of the lessons.
    Events,
    /// A server that everybody knows.
    Nginx,
    /// A program given by `--with`.
    Other(PathBuf),
}

impl Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Floor => f.write_str("floor"),
            Self::Rust => f.write_str("Rust"),
            Self::Node => f.write_str("Node"),
            Self::Events => f.write_str("events"),
            Self::Nginx => f.write_str("nginx"),
            Self::Other(path) => {
                let name = path.file_stem().unwrap_or(path.as_os_str());
                write!(f, "{}", name.display())
            }
        }
    }
}

/// How a program is to be started.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// What is measured: some have a program of their own for it, or flags.
    pub measure: Measure,
    /// A folder for sockets and the like.
    pub folder: &'a Path,
}

/// A way for two processes to talk to each other.
pub trait Transport: Sync {
    /// The lesson's name.
    fn name(&self) -> &'static str;

    /// A short name for tables.
    fn title(&self) -> &'static str;

    /// Which figures make sense here.
    fn measures(&self, quick: bool) -> Vec<What>;

    /// The programs that are measured, besides `--with`.
    fn programs(&self) -> Vec<Program> {
        vec![Program::Rust, Program::Node]
    }

    /// What this machine lacks for `program`.
    fn lacks(&self, program: &Program) -> Option<String> {
        let language = match program {
            Program::Node | Program::Events => Language::Node,
            _ => Language::Rust,
        };
        let lesson = Lesson::named(self.name())?;
        let needed = match program {
            Program::Node | Program::Events => "node",
            Program::Nginx => "nginx",
            _ => return lesson.missing(language),
        };
        let absent = on_path(needed).is_none();
        let absent = absent.then(|| format!("{needed} is not installed here"));
        absent.or_else(|| lesson.missing(language))
    }

    /// Whether `program` takes part in `what`.
    fn takes_part(&self, program: &Program, what: What) -> bool {
        match program {
            Program::Events => {
                !matches!(what.measure, Measure::Start | Measure::Memory)
            }
            _ => true,
        }
    }

    /// A message of `size` bytes and its answer.
    fn exchange(&self, size: usize, turn: usize) -> Exchange;

    /// A message that all clients receive, and what each of them receives.
    fn to_all(&self, size: usize, turn: usize) -> Exchange {
        self.exchange(size, turn)
    }

    /// Starts `program` and waits until it is ready.
    ///
    /// # Errors
    /// When it is not.
    fn start(&self, program: &Program, start: Start<'_>) -> Result<Peer>;

    /// Round trips that the programs measure themselves. `None` where the
    /// bench does.
    ///
    /// # Errors
    /// When the program fails, or prints nothing that can be parsed.
    fn own_clock(
        &self,
        _: &Program,
        _: usize,
        _: Duration,
    ) -> Result<Option<Figures>> {
        Ok(None)
    }

    /// Starts `program` and waits until it has answered, or sent something
    /// by itself. `None` where the usual way will do.
    ///
    /// # Errors
    /// When it does not.
    fn first_answer(&self, _: &Program, _: Start<'_>) -> Result<Option<Half>> {
        Ok(None)
    }
}

/// Makes a connection.
pub type Connect = Box<dyn Fn() -> Result<Box<dyn Link>>>;

/// A program that runs, and how to reach it.
pub struct Peer {
    /// The program.
    pub half: Half,
    /// Makes a connection to it.
    pub connect: Connect,
}

impl Peer {
    /// A program, and what connects to it.
    pub fn new<L: Link + 'static>(
        half: Half,
        connect: impl Fn() -> Result<L> + 'static,
    ) -> Self {
        Self {
            half,
            connect: Box::new(move || Ok(Box::new(connect()?))),
        }
    }
}
