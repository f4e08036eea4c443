//! A real RabbitMQ, for a test or the tour: on ports that nobody else knows,
//! and gone with the program that started it.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::half::{Exit, Half, Signal, on_path};

/// What it is called.
pub const PROGRAM: &str = "rabbitmq-server";

/// Erlang's register of names, which comes with it.
const NAMES: &str = "epmd";

/// The script that starts it. Debian's own in /usr/sbin insists on another
/// user and on that user's folders, so it is the one behind that.
fn program() -> Option<PathBuf> {
    let debian = Path::new("/usr/lib/rabbitmq/bin").join(PROGRAM);
    let found = debian.is_file().then_some(debian);
    found.or_else(|| on_path(PROGRAM))
}

/// What this machine lacks to run one, with what to do about it.
pub fn missing() -> Option<String> {
    if !cfg!(unix) {
        return Some(format!("{PROGRAM} is started on a Unix only"));
    }
    let absent = match program() {
        None => PROGRAM,
        Some(_) if on_path(NAMES).is_none() => NAMES,
        Some(_) => return None,
    };
    Some(format!("{absent} is not on PATH; apt install {PROGRAM}"))
}

/// A running RabbitMQ, or one that was killed.
pub struct Rabbit {
    server: Half,
    ports: Ports,
    folder: TempDir,
    /// Where it is registered. The server may not start one itself: that
    /// would outlive it.
    _names: Half,
}

struct Ports {
    amqp: u16,
    names: u16,
    /// For the tools that come with it; it cannot be turned off.
    tools: u16,
}

impl Rabbit {
    /// Starts one. That takes seconds.
    ///
    /// # Errors
    /// When there is none to start, or it does not come up.
    pub fn start() -> Result<Self> {
        // The ports are free when we look, which is no promise.
        Self::try_start().or_else(|_| Self::try_start())
    }

    fn try_start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let free = [bind()?, bind()?, bind()?];
        let port = |i: usize| -> Result<u16> {
            let listener: &TcpListener = &free[i];
            Ok(listener.local_addr()?.port())
        };
        let ports = Ports {
            amqp: port(0)?,
            names: port(1)?,
            tools: port(2)?,
        };
        drop(free);
        let mut names = Command::new(NAMES);
        names.args(["-d", "-d", "-address", "127.0.0.1", "-port"]);
        let names = Half::start(names.arg(ports.names.to_string()))?;
        names.wait_for_error("entering the main select() loop")?;
        let server = run(folder.path(), &ports)?;
        Ok(Self {
            server,
            ports,
            folder,
            _names: names,
        })
    }

    /// Its address, as a URL.
    pub fn url(&self) -> String {
        format!("amqp://127.0.0.1:{}", self.ports.amqp)
    }

    /// Ends it as `kill -9` does.
    ///
    /// # Errors
    /// When it had ended before.
    pub fn kill(&mut self) -> Result<()> {
        let exit = self.server.stop(Signal::Kill)?;
        ensure!(exit == Exit::Signal(9), "{exit:?}");
        Ok(())
    }

    /// Starts it again, with what it had written to disk.
    ///
    /// # Errors
    /// As [`Rabbit::start`].
    pub fn start_again(&mut self) -> Result<()> {
        self.server = run(self.folder.path(), &self.ports)?;
        Ok(())
    }
}

/// A RabbitMQ that starts while others do something else.
///
/// It has a thread of its own, as Linux ends a program together with the
/// thread that started it: see [`Half`].
pub struct Background {
    url: Arc<OnceLock<Result<String, String>>>,
    /// While this lives, so does the server.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Begins to start it.
    pub fn begin() -> Self {
        let url = Arc::new(OnceLock::new());
        let told = Arc::clone(&url);
        let (end, ended) = mpsc::channel();
        let thread = thread::spawn(move || {
            let rabbit = Rabbit::start();
            let answer = rabbit.as_ref().map(Rabbit::url);
            let _ = told.set(answer.map_err(|error| format!("{error:#}")));
            let _ = ended.recv();
        });
        Self {
            url,
            end: Some(end),
            thread: Some(thread),
        }
    }

    /// Its address, as a URL; waits until it is up.
    ///
    /// # Errors
    /// As [`Rabbit::start`].
    pub fn url(&self) -> Result<String> {
        self.url.wait().clone().map_err(anyhow::Error::msg)
    }
}

impl Drop for Background {
    /// Ends it, and waits until its files are gone.
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The one that all those share who do it no harm.
static SHARED: Mutex<Option<Arc<Background>>> = Mutex::new(None);

/// The URL of the one that is shared. The first who asks has it started, and
/// it runs until [`end_shared`].
///
/// # Errors
/// As [`Rabbit::start`].
pub fn shared() -> Result<String> {
    begin_shared().url()
}

/// Has the one that is shared started, where it does not run yet, and does
/// not wait for it.
pub fn begin_shared() -> Arc<Background> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let shared = shared.get_or_insert_with(|| Arc::new(Background::begin()));
    Arc::clone(shared)
}

/// Ends the one that is shared, and waits until its files are gone.
pub fn end_shared() {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(background) = shared.take() {
        let _ = background.url(); // one that is just starting has files too
    }
}

fn bind() -> Result<TcpListener> {
    Ok(TcpListener::bind("127.0.0.1:0")?)
}

fn run(folder: &Path, ports: &Ports) -> Result<Half> {
    let nothing = folder.join("nothing");
    fs::write(&nothing, "")?;
    fs::write(folder.join("plugins"), "[].\n")?;
    let mut command = Command::new(program().context("no rabbitmq-server")?);
    command
        // Where Erlang keeps its cookie.
        .env("HOME", folder)
        .env("RABBITMQ_NODENAME", format!("test{}@localhost", ports.amqp))
        .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_NODE_PORT", ports.amqp.to_string())
        .env("RABBITMQ_DIST_PORT", ports.tools.to_string())
        .env("ERL_EPMD_PORT", ports.names.to_string())
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("RABBITMQ_MNESIA_BASE", folder.join("data"))
        .env("RABBITMQ_LOG_BASE", folder.join("log"))
        .env("RABBITMQ_LOGS", "-")
        .env("RABBITMQ_PID_FILE", folder.join("pid"))
        .env("ERL_CRASH_DUMP", folder.join("crash"))
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("plugins"))
        .env("RABBITMQ_CONF_ENV_FILE", &nothing)
        .env("RABBITMQ_CONFIG_FILE", folder.join("none"))
        .env("RABBITMQ_ADVANCED_CONFIG_FILE", folder.join("none"))
        // The script becomes the server, so that kill -9 hits the server;
        // and the server does not spin while it has nothing to do.
        .env("RUNNING_UNDER_SYSTEMD", "true")
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+sbwt none")
        // Of every Erlang: the server starts a second one, to see to it that
        // there is a register, and that may be late, when ours has ended.
        .env("ERL_AFLAGS", "-start_epmd false");
    let server = Half::start(&mut command)?;
    server.wait_until("a server that is ready", |lines| {
        let ready = |line: &String| line.contains("Server startup complete");
        lines.iter().any(ready).then_some(())
    })?;
    Ok(server)
}
