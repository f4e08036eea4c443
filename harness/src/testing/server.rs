//! A lesson's server, started for one test.

use std::fmt::Display;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::process::{ChildStdout, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::{Exit, Half, LIMIT, Language, Lesson, Meet, Signal, root};
use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::testing::peer::Peer;

/// Runs a program that we did not write, with `input` on its stdin, and
/// returns what it printed.
pub fn tool(
    name: &str,
    arguments: &[&str],
    input: &[u8],
) -> Result<Vec<String>> {
    let mut tool = Half::start(Command::new(name).args(arguments))?;
    tool.take_stdin()?.write_all(input)?;
    let exit = tool.wait()?;
    ensure!(
        exit == Exit::Code(0),
        "{name} {arguments:?}: {exit:?}: {:?}",
        tool.stderr()
    );
    Ok(tool.stdout())
}

/// A server that listens where no other test does.
pub struct Server {
    /// The running program.
    pub half: Half,
    /// What it said after `listening on`.
    pub address: String,
    /// What it belongs to.
    pub lesson: &'static Lesson,
    /// Where its files are, until this is dropped.
    _folder: TempDir,
}

/// The lesson called `name`.
pub fn lesson(name: &str) -> Result<&'static Lesson> {
    Lesson::named(name).with_context(|| format!("no lesson {name}"))
}

impl Server {
    /// Starts it and waits until it listens.
    pub fn start(name: &str, language: Language) -> Result<Self> {
        Self::start_with(name, language, &[])
    }

    /// As [`Server::start`], with more arguments.
    pub fn start_with(
        name: &str,
        language: Language,
        arguments: &[&str],
    ) -> Result<Self> {
        Self::run(name, language, None, false, arguments)
    }

    /// As [`Server::start_with`], with `QUIET=1` in its environment.
    pub fn start_quiet(
        name: &str,
        language: Language,
        arguments: &[&str],
    ) -> Result<Self> {
        Self::run(name, language, None, true, arguments)
    }

    /// As [`Server::start_with`], at an address of the test's own choice.
    pub fn start_at(
        address: &str,
        name: &str,
        language: Language,
        arguments: &[&str],
    ) -> Result<Self> {
        Self::run(name, language, Some(address), false, arguments)
    }

    fn run(
        name: &str,
        language: Language,
        address: Option<&str>,
        quiet: bool,
        arguments: &[&str],
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let lesson = lesson(name)?;
        let mut command = lesson.half(language, "server")?;
        match address {
            Some(address) => command.arg(address),
            None => command.args(lesson.free_address(folder.path())),
        };
        if quiet {
            command.env("QUIET", "1");
        }
        let half = Half::start(command.args(arguments))?;
        let address = half.wait_for("listening on ")?;
        Ok(Self {
            half,
            address,
            lesson,
            _folder: folder,
        })
    }

    /// A connection to it.
    pub fn connect(&self) -> Result<Peer> {
        Peer::connect(self.lesson.meet(), &self.address)
    }

    /// Many connections to it at once.
    pub fn connect_many(&self, count: usize) -> Result<Vec<Peer>> {
        let mut peers = Vec::new();
        while peers.len() < count {
            match self.connect() {
                Ok(peer) => peers.push(peer),
                // The kernel's queue is full: the server takes its time.
                Err(error) if is_busy(&error) => thread::yield_now(),
                Err(error) => return Err(error),
            }
        }
        Ok(peers)
    }

    /// A client of the same lesson that talks to it.
    pub fn client(
        &self,
        language: Language,
        arguments: &[&str],
    ) -> Result<Half> {
        Half::start(&mut self.client_command(language, arguments)?)
    }

    /// As [`Server::client`], not yet started.
    pub fn client_command(
        &self,
        language: Language,
        arguments: &[&str],
    ) -> Result<Command> {
        let mut command = self.lesson.half(language, "client")?;
        command
            .arg(self.lesson.target(&self.address))
            .args(arguments);
        Ok(command)
    }

    /// It still answers: "hello" comes back.
    pub fn lives(&self) -> Result<()> {
        // A chat client sends what comes on stdin, and leaves at its end.
        let once: &[&str] = match self.lesson.is_typed() {
            true => &[],
            false => &["--count", "1"],
        };
        let mut client = self.client(Language::Rust, once)?;
        client.take_stdin()?;
        let exit = client.wait().context("is the server alive?")?;
        ensure!(exit == Exit::Code(0), "{exit:?}: {:?}", client.stderr());
        Ok(())
    }

    /// Ends it as Ctrl-C does. It must end well.
    pub fn stop(mut self) -> Result<Vec<String>> {
        let exit = self.half.stop(Signal::Interrupt)?;
        ensure!(exit == Exit::Code(0), "{exit:?}: {:?}", self.half.stderr());
        Ok(self.half.stdout())
    }

    /// The processor time that passes in it while a client talks to it for
    /// about half a second.
    pub fn cpu_time_of_half_a_second(&self) -> Result<Duration> {
        let time = || self.half.cpu_time().context("/proc/PID/stat");
        let before = time()?;
        let pace = ["--count", "10", "--every", "50"];
        self.client(Language::Rust, &pace)?.wait()?;
        Ok(time()? - before)
    }

    /// Is its pipe's file there?
    pub fn has_file(&self) -> bool {
        self.lesson.meet() == Meet::Pipe
            && std::fs::symlink_metadata(&self.address).is_ok()
    }
}

/// Sends `piece` from here again and again and reads nothing, until the server
/// takes no more of it: nothing has moved during 300 calls of `exchange`, in
/// which another client must be served meanwhile.
pub fn until_stuck(
    stuck: &Peer,
    piece: Vec<u8>,
    mut exchange: impl FnMut() -> Result<()>,
) -> Result<()> {
    const MOST: usize = 256 << 20;
    let mut writer = stuck.try_clone()?;
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    thread::spawn(move || {
        for _ in 0..MOST / piece.len() {
            if writer.write_all(&piece).is_err() {
                return;
            }
            count.fetch_add(piece.len(), Ordering::Relaxed);
        }
    });
    let (mut before, mut still) = (0, 0);
    while still < 300 {
        exchange()?;
        let now = written.load(Ordering::Relaxed);
        still = match now == before && now > 0 {
            true => still + 1,
            false => 0,
        };
        before = now;
        ensure!(now < MOST / 10 * 9, "the server took all of it");
    }
    Ok(())
}

/// Makes a program print something until it has ended, because nobody reads
/// its stdout any more. Once is not enough: a process that another test has
/// just forked holds a copy of the pipe's reading end until it execs.
pub fn ends_unread(half: &mut Half, mut poke: impl FnMut()) -> Result<()> {
    let begun = Instant::now();
    let mut exit = None;
    while exit.is_none() && begun.elapsed() < LIMIT {
        poke();
        exit = half.wait_at_most(Duration::from_millis(100)).ok();
    }
    ensure!(exit == Some(Exit::Code(0)), "{exit:?}: {:?}", half.stderr());
    ensure!(half.stderr().is_empty(), "{:?}", half.stderr());
    Ok(())
}

/// Starts a program and reads its first line, as `command | head -1` does:
/// from then on nobody reads what it prints.
pub fn start_unread(command: &mut Command) -> Result<(Half, String)> {
    let (half, line, _closed) = start_stuck(command)?;
    Ok((half, line))
}

/// As [`start_unread`]; but as `command | less` does, until the third is
/// dropped: what it prints can be written, as long as the pipe is not full.
pub fn start_stuck(
    command: &mut Command,
) -> Result<(Half, String, BufReader<ChildStdout>)> {
    let (half, stdout) = Half::start_with_stdout(command)?;
    let mut stdout = BufReader::new(stdout);
    let mut line = String::new();
    stdout.read_line(&mut line)?;
    let whole = line.strip_suffix('\n');
    let line = whole.with_context(|| format!("{:?}", half.stderr()))?;
    Ok((half, line.to_owned(), stdout))
}

/// Whether a process has ended: a zombie only waits for its parent to notice.
/// Always so where there is no `/proc`.
pub fn has_ended(id: impl Display) -> bool {
    fs::read_to_string(format!("/proc/{id}/stat"))
        .map_or(true, |stat| stat.contains(") Z "))
}

/// Asks again and again: where nobody prints a line.
pub fn eventually(is_so: impl Fn() -> bool) -> Result<()> {
    let begun = Instant::now();
    while !is_so() {
        ensure!(begun.elapsed() < LIMIT, "not within {LIMIT:?}");
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn is_busy(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == ErrorKind::WouldBlock)
}

/// A lesson that was copied out, with `common`, and without its packages from
/// npm: each of its Node halves says in one line what to type.
pub fn copied_without_packages(name: &str, halves: &[&str]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    for part in [name, "common"] {
        let (from, to) = (root().join(part), folder.path().join(part));
        fs::create_dir_all(to.join("node"))?;
        for file in fs::read_dir(from.join("node"))? {
            let file = file?;
            if file.file_type()?.is_file() {
                fs::copy(file.path(), to.join("node").join(file.file_name()))?;
            }
        }
        let manifest = from.join("package.json");
        if manifest.is_file() {
            fs::copy(manifest, to.join("package.json"))?;
        }
    }
    for half in halves {
        let script = folder.path().join(name).join("node").join(half);
        let mut node = Command::new("node");
        let mut half = Half::start(node.arg(script.with_extension("js")))?;
        half.fails(&[&format!("npm ci --prefix {name}")])?;
    }
    Ok(())
}
