//! A real RabbitMQ for a test, on ports that no other test knows.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::{env, fs};

use anyhow::{Context, Result, ensure};
use harness::{Exit, Half, Signal};
use tempfile::TempDir;

/// The script that starts it. Debian's own in /usr/sbin insists on another
/// user and on that user's folders.
pub fn program() -> Option<PathBuf> {
    let debian = PathBuf::from("/usr/lib/rabbitmq/bin");
    let path = env::var_os("PATH").unwrap_or_default();
    [debian]
        .into_iter()
        .chain(env::split_paths(&path))
        .map(|folder| folder.join("rabbitmq-server"))
        .find(|script| script.is_file())
}

/// A running RabbitMQ, or one that was killed.
pub struct Rabbit {
    server: Half,
    ports: Ports,
    folder: TempDir,
    /// Erlang's register of names. Without one of ours, the server would
    /// start one that outlives it.
    _names: Half,
}

struct Ports {
    amqp: u16,
    names: u16,
    /// For the tools that come with it; it cannot be turned off.
    tools: u16,
}

impl Rabbit {
    /// Starts one.
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
        let mut names = Command::new("epmd");
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

    /// The one that tests share which do it no harm; it runs as long as one
    /// of them does.
    pub fn shared() -> Result<Arc<Self>> {
        static SHARED: Mutex<Weak<Rabbit>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return Ok(running);
        }
        let started = Arc::new(Self::start()?);
        *shared = Arc::downgrade(&started);
        Ok(started)
    }

    /// Its address, as a URL.
    pub fn url(&self) -> String {
        format!("amqp://127.0.0.1:{}", self.ports.amqp)
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) -> Result<()> {
        let exit = self.server.stop(Signal::Kill)?;
        ensure!(exit == Exit::Signal(9), "{exit:?}");
        Ok(())
    }

    /// Starts it again, with what it had written to disk.
    pub fn start_again(&mut self) -> Result<()> {
        self.server = run(self.folder.path(), &self.ports)?;
        Ok(())
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
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("plugins"))
        .env("RABBITMQ_CONF_ENV_FILE", &nothing)
        .env("RABBITMQ_CONFIG_FILE", folder.join("none"))
        .env("RABBITMQ_ADVANCED_CONFIG_FILE", folder.join("none"))
        // The script becomes the server, so that kill -9 hits the server;
        // and the server does not spin while it has nothing to do.
        .env("RUNNING_UNDER_SYSTEMD", "true")
        .env(
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
            "-start_epmd false +sbwt none",
        );
    let server = Half::start(&mut command)?;
    server.wait_until("a server that is ready", |lines| {
        let ready = |line: &String| line.contains("Server startup complete");
        lines.iter().any(ready).then_some(())
    })?;
    Ok(server)
}
