//! The transports: for each, how its programs are started and how the load
//! speaks to them. To add one, write a module and list it in [`all`].

mod broker;
mod chat;
mod child;
pub mod floor;
mod nginx;
mod shared;
mod socket;
mod socketio;

use std::fmt::{self, Display};
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use anyhow::{Context, Result, bail};
use harness::half::on_path;
use harness::lessons::program as lesson;
use harness::{Half, Language, Lesson, Profile, root};

use crate::load::exchange::Exchange;
use crate::load::link::Link;
use crate::sample::{Figures, Measure, What};

/// How the lessons are built. A debug build of the bench is for its tests.
pub const PROFILE: Profile = match cfg!(debug_assertions) {
    true => Profile::Debug,
    false => Profile::Release,
};

/// Set to 1, it turns a program's log lines off.
const QUIET: &str = "QUIET";

/// How long a program may take until it is ready.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Whose figures stand in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Program {
    /// The least that the kernel allows.
    Floor,
    /// The lesson's Rust half.
    Rust,
    /// The lesson's Node half.
    Node,
    /// The bench's own echo in Node, written with 'data' events: quicker than
    /// the `for await` of the lessons.
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
    /// Without log lines.
    pub quiet: bool,
    /// For many connections at once: the floor is another one then.
    pub many: bool,
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
        vec![Program::Floor, Program::Rust, Program::Node]
    }

    /// What this machine lacks for `program`.
    fn lacks(&self, program: &Program) -> Option<String> {
        let language = match program {
            Program::Node => Language::Node,
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
            Program::Floor | Program::Nginx => {
                !matches!(what.measure, Measure::LogLine | Measure::StuckReader)
            }
            Program::Events => !matches!(
                what.measure,
                Measure::LogLine
                    | Measure::StuckReader
                    | Measure::Start
                    | Measure::Memory
            ),
            _ => true,
        }
    }

    /// A message of `size` bytes and its answer.
    fn exchange(&self, size: usize, turn: usize) -> Exchange;

    /// A message that all clients hear, and what each of them hears.
    fn to_all(&self, size: usize, turn: usize) -> Exchange {
        self.exchange(size, turn)
    }

    /// Starts `program` and waits until it is ready.
    ///
    /// # Errors
    /// When it is not.
    fn start(&self, program: &Program, start: Start<'_>) -> Result<Peer>;

    /// How many lines are logged for each message.
    fn lines(&self) -> f64 {
        2.0
    }

    /// Round trips that the programs measure themselves. `None` where the
    /// bench does.
    ///
    /// # Errors
    /// When the program fails, or says nothing that can be understood.
    fn own_clock(
        &self,
        _: &Program,
        _: usize,
        _: Duration,
    ) -> Result<Option<Figures>> {
        Ok(None)
    }

    /// Starts `program` and waits until it has answered, or said something
    /// by itself. `None` where the usual way will do.
    ///
    /// # Errors
    /// When it does not.
    fn first_answer(&self, _: &Program, _: Start<'_>) -> Result<Option<Half>> {
        Ok(None)
    }
}

/// A program that runs, and how to reach it.
pub struct Peer {
    /// The program.
    pub half: Half,
    /// Makes a connection to it.
    pub connect: Box<dyn Fn() -> Result<Box<dyn Link>>>,
}

/// Every transport, in the order of the table.
pub fn all() -> Vec<&'static dyn Transport> {
    let mut all = socket::all();
    all.extend(child::all());
    all.push(&shared::Memory);
    all.push(&chat::Chat);
    all.push(&socketio::SocketIo);
    all.extend(broker::all());
    all
}

/// A transport and who takes part.
pub type Entry = (&'static dyn Transport, Vec<Program>);

/// The short name of a lesson's transport.
pub fn title(lesson: &str) -> &str {
    let all = all();
    let found = all.iter().find(|transport| transport.name() == lesson);
    found.map_or(lesson, |transport| transport.title())
}

/// What every echo is asked.
fn usual(quick: bool, sizes: &[usize], streams: bool) -> Vec<What> {
    let what = |measure| move |size| What { measure, size };
    let mut all: Vec<What> = sizes
        .iter()
        .copied()
        .map(what(Measure::RoundTrip))
        .collect();
    all.push(what(Measure::Flood)(5));
    if streams {
        let writes: &[usize] = match quick {
            true => &[1 << 10, 64 << 10, 1 << 20],
            false => &[256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 1 << 20],
        };
        all.extend(writes.iter().copied().map(what(Measure::Stream)));
    }
    all
}

/// What every server is asked besides.
fn as_server(quick: bool, memory: bool) -> Vec<What> {
    let what = |measure, size| What { measure, size };
    let mut all = vec![
        what(Measure::Many, 64),
        what(Measure::LogLine, 5),
        what(Measure::Start, 0),
        what(Measure::Memory, 0),
    ];
    if memory {
        all.push(what(Measure::Memory, 1000));
        if !quick {
            all.push(what(Measure::Memory, 3000));
            all.push(what(Measure::Memory, 10_000));
        }
        all.push(what(Measure::StuckReader, 0));
    }
    all
}

/// The command that starts a program: for the lessons', their half of this
/// name; for the floor and the echo with 'data' events, the one of this kind.
fn command(
    transport: &dyn Transport,
    program: &Program,
    half: &str,
    kind: &str,
) -> Result<Command> {
    let name = transport.name();
    let mut command = match program {
        Program::Rust => lesson(name, Language::Rust, half, PROFILE)?,
        Program::Node => lesson(name, Language::Node, half, PROFILE)?,
        Program::Other(path) => Command::new(path),
        Program::Floor if !kind.is_empty() => floor(kind)?,
        Program::Events if !kind.is_empty() => events(kind),
        _ => bail!("there is no {program} for {name}"),
    };
    command.env_remove(QUIET); // whoever runs the bench may have set it
    Ok(command)
}

/// The floor is a program of its own: a small one, as it also has to show
/// the least that starting and waiting cost. It stands beside the bench.
///
/// # Errors
/// When the bench cannot find its own file.
pub fn floor_program() -> Result<PathBuf> {
    let own = env::current_exe().context("find the bench's own file")?;
    Ok(own.with_file_name("floor"))
}

fn floor(kind: &str) -> Result<Command> {
    let mut command = Command::new(floor_program()?);
    command.arg(kind);
    Ok(command)
}

/// The echo of `peers/echo.js`.
fn events(kind: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(root().join("bench/peers/echo.js")).arg(kind);
    command
}

/// Starts a server that we did not write; returns its address as well.
///
/// It cannot choose a port itself. Another program may take the one that was
/// free a moment ago: then it ends, and the next one is tried.
fn at_a_free_port(
    name: &str,
    command: impl Fn(u16) -> Result<Command>,
) -> Result<(Half, String)> {
    for _ in 0..5 {
        let free = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let half = Half::start(&mut command(free.port())?)
            .with_context(|| format!("start {name}"))?;
        let deadline = Instant::now() + TIMEOUT;
        let path = format!("/proc/{}/exe", half.id());
        while Instant::now() < deadline && fs::read_link(&path).is_ok() {
            if TcpStream::connect(free).is_ok() {
                return Ok((half, free.to_string()));
            }
            // It says nothing when it is ready: ask again and again.
            thread::sleep(Duration::from_millis(1));
        }
    }
    bail!("{name} does not start")
}

/// Starts a server and waits until it says where it listens. What it prints
/// after that is read and thrown away.
fn listening(command: &mut Command) -> Result<(Half, String)> {
    let (half, stdout) = Half::start_with_stdout(command)?;
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut stdout = BufReader::with_capacity(64 * 1024, stdout);
        let mut line = String::new();
        while matches!(stdout.read_line(&mut line), Ok(1..)) {
            if let Some(address) = line.strip_prefix("listening on ") {
                let _ = tell.send(address.trim().to_owned());
                break;
            }
            line.clear();
        }
        drop(tell);
        let mut room = vec![0; 64 * 1024];
        while matches!(stdout.read(&mut room), Ok(1..)) {}
    });
    let address = told.recv_timeout(TIMEOUT).map_err(|_| {
        anyhow::anyhow!(
            "{} does not say 'listening on ADDRESS': {}",
            command.get_program().display(),
            half.stderr().join("; ")
        )
    })?;
    Ok((half, address))
}
