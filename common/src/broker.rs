//! A redis-server for a reader who runs none.
//!
//! The first half starts it at a socket that only this user can reach; the
//! other half, in a second terminal, finds it there. It ends with the
//! program that started it. Node twin: `common/node/broker.js`.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{log, shutdown};

/// The same for both languages: what starts the server, waits until it is
/// ready, and ends it.
const SCRIPT: &str = include_str!("../own-redis.sh");

/// Where Redis is to be found, as long as this lives.
#[derive(Debug)]
pub struct Redis {
    /// `redis://HOST:PORT` or `unix:///PATH`.
    pub url: String,
    /// What ends the server, where it is our own.
    own: Option<Child>,
}

impl Redis {
    /// The server of `REDIS_URL`, or else the own one of the lesson called
    /// `lesson`, which is started with `settings` where it does not run yet.
    /// That is said in one line. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When there is no `redis-server` to start, with what to install; and
    /// when it does not start.
    pub fn find(lesson: &str, settings: &[&str]) -> Result<Self> {
        // From here on Ctrl-C ends this program in order, and its server.
        shutdown::token();
        if let Ok(url) = env::var("REDIS_URL")
            && !url.is_empty()
        {
            return Ok(Self { url, own: None });
        }
        let mut command = Command::new("sh");
        command
            .args(["-c", SCRIPT, "own-redis", lesson])
            .args(settings)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        #[cfg(unix)]
        {
            // Ctrl-C goes to a whole group. The server has to outlive this
            // program's last commands, so it is in a group of its own.
            use std::os::unix::process::CommandExt;
            command.process_group(0);
        }
        let mut script = command.spawn().context(INSTALL)?;
        let mut answer = String::new();
        if let Some(stdout) = script.stdout.take() {
            BufReader::new(stdout).read_line(&mut answer)?;
        }
        let (word, path) = answer
            .trim_end()
            .split_once(' ')
            .unwrap_or((answer.trim_end(), ""));
        let started = word == "started";
        match word {
            "found" | "started" => {}
            "missing" => bail!(INSTALL),
            _ => bail!("start redis-server for this lesson: it ended at once"),
        }
        if started {
            log::line(format_args!("started redis-server at {path}"));
        } else {
            script.wait()?;
        }
        Ok(Self {
            url: format!("unix://{path}"),
            own: started.then_some(script),
        })
    }
}

const INSTALL: &str = "REDIS_URL is not set, and there is no redis-server on \
    PATH: install it (apt install redis-server, brew install redis)";

impl Drop for Redis {
    /// Ends the own server, and waits until it has put its files away.
    fn drop(&mut self) {
        if let Some(script) = &mut self.own {
            drop(script.stdin.take());
            let _ = script.wait();
        }
    }
}
