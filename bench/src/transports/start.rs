//! Starts programs, and waits until they are ready.

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use anyhow::{Context, Result, bail};
use harness::lessons::program as lesson;
use harness::{Half, Language, Profile, root};

use super::transport::{Program, Transport};

/// How the lessons are built. A debug build of the bench is for its tests.
pub const PROFILE: Profile = match cfg!(debug_assertions) {
    true => Profile::Debug,
    false => Profile::Release,
};

/// Set to 1, it turns a program's log lines off.
pub const QUIET: &str = "QUIET";

/// The maximum time until a program is ready.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// The command that starts a program: for the lessons', their half of this
/// name; for the floor and the echo with events, the one of this kind.
pub fn command(
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
    command.env_remove(QUIET); // it may be set where the bench runs
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

pub fn floor(kind: &str) -> Result<Command> {
    let mut command = Command::new(floor_program()?);
    command.arg(kind);
    Ok(command)
}

/// The echo of `peers/echo.js`.
pub fn events(kind: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(root().join("bench/peers/echo.js")).arg(kind);
    command
}

/// Starts a server that we did not write; returns its address as well.
///
/// It cannot choose a port itself. Another program may take the one that was
/// free a moment ago: then it ends, and the next one is tried.
pub fn at_a_free_port(
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
            // It prints nothing when it is ready: connect again and again.
            thread::sleep(Duration::from_millis(1));
        }
    }
    bail!("{name} does not start")
}

/// Starts a server and waits until it prints where it listens. What it prints
/// after that is read and thrown away.
pub fn listening(command: &mut Command) -> Result<(Half, String)> {
    let (half, stdout) = Half::start_with_stdout(command)?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut stdout = BufReader::with_capacity(64 * 1024, stdout);
        let mut line = String::new();
        while matches!(stdout.read_line(&mut line), Ok(1..)) {
            if let Some(address) = line.strip_prefix("listening on ") {
                let _ = sender.send(address.trim().to_owned());
                break;
            }
            line.clear();
        }
        drop(sender);
        let mut room = vec![0; 64 * 1024];
        while matches!(stdout.read(&mut room), Ok(1..)) {}
    });
    let address = receiver.recv_timeout(TIMEOUT).map_err(|_| {
        anyhow::anyhow!(
            "{} does not print 'listening on ADDRESS': {}",
            command.get_program().display(),
            half.stderr().join("; ")
        )
    })?;
    Ok((half, address))
}
