#![doc = include_str!("../README.md")]

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Parser;
use common::pace::{Pace, Ticks};
use common::{log, shutdown};
use tokio::fs::{self, File};
use tokio::io::AsyncReadExt;
use tokio::process::Command;

/// Starts a child with three pipes and talks to it
#[derive(Debug, Parser)]
#[command(mut_arg("count", |count| count.default_value("1")
    .help("How many messages to send before stdin is closed")))]
pub struct Args {
    /// What to send, a line each time
    #[arg(long, value_name = "TEXT", default_value = "Hello from parent")]
    message: String,

    /// Send this file instead
    #[arg(long, value_name = "FILE")]
    stdin: Option<PathBuf>,

    #[command(flatten)]
    pace: Pace,

    /// Nothing but diagnostics.
    #[command(flatten)]
    pub quiet: log::Quiet,

    /// What to start instead of our own child, with its arguments
    #[arg(last = true)]
    program: Vec<OsString>,
}

impl Args {
    /// The program to start: the one that was given, or this one again in
    /// the child's role.
    ///
    /// # Errors
    /// When this program's own path is not known.
    pub fn command(&self) -> io::Result<Command> {
        let mut command;
        match self.program.split_first() {
            Some((program, arguments)) => {
                command = Command::new(program);
                command.args(arguments);
            }
            None => {
                command = Command::new(env::current_exe()?);
                command.arg("child");
            }
        }
        Ok(command)
    }

    /// What the program is called, to be shown.
    pub fn name(&self) -> impl std::fmt::Display {
        let own = OsStr::new("our own child");
        Path::new(self.program.first().map_or(own, |name| name)).display()
    }

    /// What is to be sent. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the file of `--stdin` cannot be opened or is a pipe or a terminal,
    /// with its name.
    pub async fn source(&self) -> anyhow::Result<Source> {
        let from = match &self.stdin {
            Some(path) => {
                let file = open(path).await;
                From::File(file.context(format!("open {}", path.display()))?)
            }
            None => From::Messages(self.pace.start()),
        };
        let mut buffer = format!("{}\n", self.message).into_bytes();
        if self.stdin.is_some() {
            buffer = vec![0; 16 * 1024];
        }
        Ok(Source { from, buffer })
    }
}

/// Opens a file. A pipe or a terminal may have nothing to read for hours, and
/// nothing ends a read of it: neither Ctrl-C nor the child's end.
async fn open(path: &Path) -> io::Result<File> {
    match fs::metadata(path).await?.is_file() {
        true => File::open(path).await,
        false => Err(io::Error::other("it is not a file")),
    }
}

/// What the child is to get on its stdin, piece by piece.
#[derive(Debug)]
pub struct Source {
    from: From,
    /// The message, or the last piece of the file.
    buffer: Vec<u8>,
}

#[derive(Debug)]
enum From {
    Messages(Ticks),
    File(File),
}

impl Source {
    /// The next piece; `None` when that was all, and after Ctrl-C.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn next(&mut self) -> io::Result<Option<&[u8]>> {
        let length = match &mut self.from {
            From::Messages(ticks) => match ticks.next().await {
                true => self.buffer.len(),
                false => 0,
            },
            From::File(file) => shutdown::token()
                .run_until_cancelled(file.read(&mut self.buffer))
                .await
                .unwrap_or(Ok(0))?,
        };
        Ok((length > 0).then_some(&self.buffer[..length]))
    }
}

#[cfg(test)]
#[path = "../tests/stdio_ipc.rs"]
mod tests;

#[cfg(test)]
fn main() -> std::process::ExitCode {
    harness::testing::run("stdio-ipc", [tests::tests()])
}
