//! Servers at an address: TCP, Unix sockets, UDP, HTTP, WebSocket, TCP chat.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

use super::start::{QUIET, command, listening};
use super::transport::{Peer, Program, Start, Transport};
use super::websocket;
use super::{chat, nginx};
use crate::load::exchange::{Exchange, Reply, text};
use crate::load::link::Fds;
use crate::sample::{Measure, What, what};

pub(super) struct Socket {
    name: &'static str,
    title: &'static str,
    /// The floor's sub-commands, for one connection and for many.
    floors: Option<[&'static str; 2]>,
    address: fn(&Path) -> String,
    connect: fn(&str) -> Result<Fds>,
    exchange: fn(usize, usize) -> Exchange,
    measures: fn(bool) -> Vec<What>,
    nginx: bool,
    /// The kind of echo with events in `peers/echo.js`, where there is one.
    events: Option<&'static str>,
    /// What the lesson's server is given besides its address.
    flags: &'static [&'static str],
}

/// The servers, in the order of the table.
pub(super) fn all() -> Vec<&'static dyn Transport> {
    vec![&TCP, &UNIX, &UDP, &HTTP, &WEBSOCKET]
}

const SIZES: &[usize] = &[5, 1 << 10, 64 << 10];

static TCP: Socket = Socket {
    name: "tcp-echo",
    title: "TCP",
    floors: Some(["tcp", "tcp-many"]),
    address: |_| "127.0.0.1:0".to_owned(),
    connect: |address| Ok(Fds::tcp(address)?),
    exchange: |size, turn| Exchange::echo(text(size, turn)),
    measures: |quick| {
        [usual(SIZES), streams(quick), as_server(), memory(quick)].concat()
    },
    nginx: false,
    events: Some("tcp"),
    flags: &[],
};

static UNIX: Socket = Socket {
    name: "pipe-echo",
    title: "Unix socket",
    floors: Some(["unix", "unix-many"]),
    address: own_path,
    connect: |path| Ok(Fds::unix(Path::new(path))?),
    events: Some("unix"),
    ..TCP
};

static UDP: Socket = Socket {
    name: "udp-echo",
    title: "UDP",
    floors: Some(["udp", "udp"]),
    connect: |address| Ok(Fds::udp(address)?),
    // 64 KiB do not fit into a datagram: the greatest holds 65,507 bytes.
    measures: |_| [usual(&[5, 1 << 10, 60_000]), as_server()].concat(),
    events: None,
    ..TCP
};

static HTTP: Socket = Socket {
    name: "http-echo",
    title: "HTTP",
    // Parsing is the point here: no loop of system calls can do that.
    floors: None,
    exchange: |size, turn| {
        let mut target = text(size, turn);
        target[0] = b'/';
        let request =
            [b"GET ", &target[..], b" HTTP/1.1\r\nHost: bench\r\n\r\n"];
        Exchange {
            request: request.concat(),
            reply: Reply::Http(target),
        }
    },
    measures: |quick| {
        let mut all = usual(&[5, 1 << 10]);
        all.retain(|what| what.measure != Measure::Flood); // no pipelining
        [all, as_server(), memory(quick)].concat()
    },
    nginx: true,
    events: None,
    ..TCP
};

static WEBSOCKET: Socket = Socket {
    name: "websocket-echo",
    title: "WebSocket",
    floors: None, // as with HTTP
    connect: websocket::connect,
    exchange: websocket::echo,
    measures: |quick| [usual(SIZES), as_server(), memory(quick)].concat(),
    events: Some("websocket"),
    // A day: no ping comes in between.
    flags: &["--heartbeat", "86400000"],
    ..TCP
};

/// tcp-chat stands further down in the table.
pub(super) static CHAT: Socket = Socket {
    name: "tcp-chat",
    title: "TCP chat",
    floors: None,
    connect: chat::connect,
    exchange: chat::exchange,
    measures: |_| {
        let mut all = usual(&[5, 1 << 10]);
        all.extend([what(Measure::FanOut, 64), what(Measure::Start, 0)]);
        all.push(what(Measure::Memory, 0));
        all
    },
    events: None,
    ..TCP
};

fn own_path(folder: &Path) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    folder.join(format!("{count}.sock")).display().to_string()
}

/// What every echo is asked.
fn usual(sizes: &[usize]) -> Vec<What> {
    let trips = sizes.iter().map(|size| what(Measure::RoundTrip, *size));
    trips.chain([what(Measure::Flood, 5)]).collect()
}

/// What an echo of a stream of bytes is asked besides.
fn streams(quick: bool) -> Vec<What> {
    let writes: &[usize] = match quick {
        true => &[1 << 10, 64 << 10, 1 << 20],
        false => &[256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 1 << 20],
    };
    let all = writes.iter().map(|size| what(Measure::Stream, *size));
    all.collect()
}

/// What every server is asked.
fn as_server() -> Vec<What> {
    use Measure::{Many, Memory, Start};
    vec![what(Many, 64), what(Start, 0), what(Memory, 0)]
}

/// What a server is asked whose clients wait.
fn memory(quick: bool) -> Vec<What> {
    let clients: &[usize] = if quick {
        &[1000]
    } else {
        &[1000, 3000, 10_000]
    };
    let all = clients.iter().map(|size| what(Measure::Memory, *size));
    all.collect()
}

impl Transport for Socket {
    fn name(&self) -> &'static str {
        self.name
    }

    fn title(&self) -> &'static str {
        self.title
    }

    fn measures(&self, quick: bool) -> Vec<What> {
        (self.measures)(quick)
    }

    fn programs(&self) -> Vec<Program> {
        let mut all = vec![Program::Rust, Program::Node];
        if self.floors.is_some() {
            all.insert(0, Program::Floor);
        }
        if self.nginx {
            all.insert(0, Program::Nginx);
        }
        if self.events.is_some() {
            all.push(Program::Events);
        }
        all
    }

    fn exchange(&self, size: usize, turn: usize) -> Exchange {
        (self.exchange)(size, turn)
    }

    fn start(&self, program: &Program, start: Start<'_>) -> Result<Peer> {
        let (half, address) = match program {
            Program::Nginx => nginx::start(start.folder)?,
            _ => {
                let [one, many] = self.floors.unwrap_or_default();
                let kind = match (program, start.measure) {
                    (Program::Events, _) => self.events.unwrap_or_default(),
                    (_, Measure::Many | Measure::Memory) => many,
                    _ => one,
                };
                let mut command = command(self, program, "server", kind)?;
                command.arg((self.address)(start.folder));
                if matches!(program, Program::Rust | Program::Node) {
                    command.args(self.flags);
                }
                command.env(QUIET, "1");
                listening(&mut command)?
            }
        };
        let connect = self.connect;
        Ok(Peer::new(half, move || {
            connect(&address).with_context(|| format!("connect to {address}"))
        }))
    }
}
