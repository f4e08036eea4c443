//! Servers at an address: TCP, Unix sockets, UDP, HTTP, WebSocket.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result};

use super::nginx;
use super::start::{QUIET, command, listening};
use super::transport::{Peer, Program, Start, Transport};
use super::websocket;
use crate::load::exchange::{Exchange, Reply, text};
use crate::load::link::{Fds, Link};
use crate::sample::{Measure, What};

struct Socket {
    name: &'static str,
    title: &'static str,
    /// The floor's sub-commands, for one connection and for many.
    floors: Option<[&'static str; 2]>,
    address: fn(&Path) -> String,
    connect: fn(&str) -> io::Result<Fds>,
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
    address: loopback,
    connect: Fds::tcp,
    exchange: echo,
    measures: |quick| {
        [usual(quick, SIZES, true), as_server(quick, true)].concat()
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
    connect: |path| Fds::unix(Path::new(path)),
    exchange: echo,
    measures: |quick| {
        [usual(quick, SIZES, true), as_server(quick, true)].concat()
    },
    nginx: false,
    events: Some("unix"),
    flags: &[],
};

static UDP: Socket = Socket {
    name: "udp-echo",
    title: "UDP",
    floors: Some(["udp", "udp"]),
    address: loopback,
    connect: Fds::udp,
    exchange: echo,
    // 64 KiB do not fit into a datagram: the greatest holds 65,507 bytes.
    measures: |quick| {
        [
            usual(quick, &[5, 1 << 10, 60_000], false),
            as_server(quick, false),
        ]
        .concat()
    },
    nginx: false,
    events: None,
    flags: &[],
};

static HTTP: Socket = Socket {
    name: "http-echo",
    title: "HTTP",
    // Parsing is the point here: no loop of system calls can do that.
    floors: None,
    address: loopback,
    connect: Fds::tcp,
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
        let mut all = as_server(quick, true);
        all.extend([5, 1 << 10].map(|size| What {
            measure: Measure::RoundTrip,
            size,
        }));
        all
    },
    nginx: true,
    events: None,
    flags: &[],
};

static WEBSOCKET: Socket = Socket {
    name: "websocket-echo",
    title: "WebSocket",
    floors: None, // as with HTTP
    address: loopback,
    connect: websocket::connect,
    exchange: websocket::echo,
    measures: |quick| {
        [usual(quick, SIZES, false), as_server(quick, true)].concat()
    },
    nginx: false,
    events: Some("websocket"),
    // A day: no ping comes in between.
    flags: &["--heartbeat", "86400000"],
};

fn echo(size: usize, turn: usize) -> Exchange {
    Exchange::echo(text(size, turn))
}

fn loopback(_: &Path) -> String {
    "127.0.0.1:0".to_owned()
}

fn own_path(folder: &Path) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    folder.join(format!("{count}.sock")).display().to_string()
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
        what(Measure::Start, 0),
        what(Measure::Memory, 0),
    ];
    if memory {
        all.push(what(Measure::Memory, 1000));
        if !quick {
            all.push(what(Measure::Memory, 3000));
            all.push(what(Measure::Memory, 10_000));
        }
    }
    all
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
        Ok(Peer {
            half,
            connect: Box::new(move || {
                let link: Box<dyn Link> = Box::new(
                    connect(&address)
                        .with_context(|| format!("connect to {address}"))?,
                );
                Ok(link)
            }),
        })
    }
}
