//! A real redis-server for one test, on a socket that no other test knows.

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use crate::{Exit, Half, Signal};
use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::testing::Need;

/// A Redis that a test can start for itself.
pub const REDIS: Need = Need::Program("redis-server", "--version");

/// A running redis-server, or one that was killed.
pub struct Redis {
    server: Half,
    settings: Vec<String>,
    folder: TempDir,
}

impl Redis {
    /// Starts one, with more `settings` as on its command line.
    pub fn start(settings: &[&str]) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let settings: Vec<String> =
            settings.iter().map(|text| (*text).to_owned()).collect();
        let server = run(&folder, &settings)?;
        Ok(Self {
            server,
            settings,
            folder,
        })
    }

    /// Ends it as `kill -9` does.
    pub fn kill(&mut self) -> Result<()> {
        let exit = self.server.stop(Signal::Kill)?;
        ensure!(exit == Exit::Signal(9), "{exit:?}");
        Ok(())
    }

    /// Stops it where it is: its connections stay, and it answers nothing.
    pub fn freeze(&self) -> Result<()> {
        Ok(self.server.signal(Signal::Freeze)?)
    }

    /// Starts it again at the same socket, with what it had written to disk.
    pub fn start_again(&mut self) -> Result<()> {
        self.server = run(&self.folder, &self.settings)?;
        Ok(())
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// Its address, as a URL.
    pub fn url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// What `redis-cli` prints for this command.
    pub fn cli(&self, command: &[&str]) -> Result<String> {
        let mut cli = Command::new("redis-cli");
        cli.arg("-s").arg(self.socket()).args(command);
        let mut cli = Half::start(&mut cli)?;
        let exit = cli.wait()?;
        ensure!(exit == Exit::Code(0), "{command:?}: {:?}", cli.stderr());
        Ok(cli.stdout().join("\n"))
    }

    /// What `redis-cli` prints when the command's last argument is `bytes`.
    pub fn cli_with(&self, command: &[&str], bytes: &[u8]) -> Result<String> {
        let path = self.folder.path().join("argument");
        std::fs::write(&path, bytes)?;
        let output = Command::new("redis-cli")
            .arg("-s")
            .arg(self.socket())
            .arg("-x")
            .args(command)
            .stdin(File::open(path)?)
            .output()?;
        ensure!(output.status.success(), "{output:?}");
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

fn run(folder: &TempDir, settings: &[String]) -> Result<Half> {
    let mut command = Command::new("redis-server");
    command
        .current_dir(folder.path())
        .args(["--port", "0", "--unixsocket", "redis.sock", "--save", ""])
        .args(settings);
    let server = Half::start(&mut command)?;
    server.wait_until("a server that is ready", |lines| {
        let ready = |line: &String| line.contains("ready to accept connec");
        lines.iter().any(ready).then_some(())
    })?;
    Ok(server)
}
