//! The floor: the least that the kernel allows, for each transport without a
//! protocol a blocking loop of system calls. The program `floor`, which the bench
//! starts.
//!
//! They are not examples: no back-pressure to think of, no orderly end, and
//! an error ends them.

use std::env;
use std::io::{Write as _, stderr, stdin, stdout};
use std::net::{TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::process::ExitCode;
use std::thread;

use anyhow::{Result, bail};
use memchr::memchr;
use rustix::event::epoll;
use rustix::io::{read, write};

use super::child::{hand_over, stdio_answer};

/// How much is read at once, as the lessons' servers do. Tried from 16 KiB to
/// 256: with 16, messages of 64 KiB take up to a sixth longer; with 64 and more they
/// take no less time, and whole writes over TCP go through more slowly.
const PIECE: usize = 32 * 1024;

/// The program: its arguments are the kind and what that needs.
pub fn main() -> ExitCode {
    let mut words = env::args().skip(1);
    let mut word = || words.next().unwrap_or_default();
    match run(&word(), &word()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(stderr(), "Error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(kind: &str, address: &str) -> Result<()> {
    match kind {
        "tcp" => serve(tcp(address)?, blocking),
        "unix" => serve(unix(address)?, blocking),
        "tcp-many" => many(tcp(address)?),
        "unix-many" => many(unix(address)?),
        "udp" => udp(address),
        "wrong" => serve(tcp(address)?, spoiling),
        "stdio" => stdio(),
        "channel" => hand_over(address),
        _ => bail!("there is no floor {kind:?}"),
    }
}

enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    fn accept(&self) -> Result<OwnedFd> {
        Ok(match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                stream.into()
            }
            Self::Unix(listener) => listener.accept()?.0.into(),
        })
    }
}

fn tcp(address: &str) -> Result<Listener> {
    let listener = TcpListener::bind(address)?;
    ready(listener.local_addr()?)?;
    Ok(Listener::Tcp(listener))
}

fn unix(path: &str) -> Result<Listener> {
    let listener = UnixListener::bind(path)?;
    ready(path)?;
    Ok(Listener::Unix(listener))
}

fn ready(address: impl std::fmt::Display) -> Result<()> {
    Ok(writeln!(std::io::stdout(), "listening on {address}")?)
}

/// One connection, one thread.
fn serve(listener: Listener, one: fn(OwnedFd) -> Result<()>) -> Result<()> {
    loop {
        let connection = listener.accept()?;
        thread::Builder::new()
            .stack_size(64 * 1024)
            .spawn(move || one(connection))?;
    }
}

fn blocking(connection: OwnedFd) -> Result<()> {
    let mut room = vec![0; PIECE];
    loop {
        match read(&connection, &mut room)? {
            0 => return Ok(()),
            length => write_all(&connection, &room[..length])?,
        }
    }
}

/// Two lines for each line; those of one read leave together.
fn stdio() -> Result<()> {
    let mut room = vec![0; 64 * 1024];
    let mut line = Vec::new();
    loop {
        let length = match read(stdin(), &mut room)? {
            0 => return Ok(()),
            length => length,
        };
        let mut all = Vec::new();
        let mut rest = &room[..length];
        while let Some(end) = memchr(b'\n', rest) {
            line.extend(&rest[..end]);
            all.extend(stdio_answer(&line));
            line.clear();
            rest = &rest[end + 1..];
        }
        line.extend(rest);
        write_all(stdout(), &all)?;
    }
}

/// Spoils every thousandth byte: for the test that it is noticed.
fn spoiling(connection: OwnedFd) -> Result<()> {
    let mut room = vec![0; PIECE];
    let mut passed = 0_usize;
    loop {
        let length = match read(&connection, &mut room)? {
            0 => return Ok(()),
            length => length,
        };
        for byte in &mut room[..length] {
            passed += 1;
            *byte ^= u8::from(passed.is_multiple_of(1000));
        }
        write_all(&connection, &room[..length])?;
    }
}

fn write_all(to: impl AsFd, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        let length = write(&to, bytes)?;
        bytes = &bytes[length..];
    }
    Ok(())
}

/// Many connections, one thread: one wait for all of them.
fn many(listener: Listener) -> Result<()> {
    let queue = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let listening = match &listener {
        Listener::Tcp(listener) => listener.as_fd(),
        Listener::Unix(listener) => listener.as_fd(),
    };
    let watch = |fd: &dyn AsFd, number: usize| {
        let data = epoll::EventData::new_u64(number as u64);
        epoll::add(&queue, fd.as_fd(), data, epoll::EventFlags::IN)
    };
    watch(&listening, 0)?;
    let mut connections: Vec<Option<OwnedFd>> = vec![None];
    let mut room = vec![0; PIECE];
    let mut events = Vec::with_capacity(64);
    loop {
        events.clear();
        let spare = rustix::buffer::spare_capacity(&mut events);
        epoll::wait(&queue, spare, None)?;
        for event in &events {
            let number = event.data.u64() as usize;
            if number == 0 {
                let connection = listener.accept()?;
                watch(&connection, connections.len())?;
                connections.push(Some(connection));
                continue;
            }
            let Some(connection) = &connections[number] else {
                continue;
            };
            match read(connection, &mut room) {
                Ok(length @ 1..) => write_all(connection, &room[..length])?,
                // Closed, or reset: either way it is gone.
                _ => connections[number] = None,
            }
        }
    }
}

fn udp(address: &str) -> Result<()> {
    let socket = UdpSocket::bind(address)?;
    ready(socket.local_addr()?)?;
    let mut room = vec![0; 64 * 1024];
    loop {
        let (length, peer) = socket.recv_from(&mut room)?;
        socket.send_to(&room[..length], peer)?;
    }
}
