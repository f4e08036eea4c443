//! Starts the pairs and gives each its turn.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use node_channel::Serialization;

use super::payload::Payload;
use super::roles::Task;

/// Longer than any round may take beyond its time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Two processes that send messages to each other when they are asked to.
#[derive(Debug)]
pub struct Pair {
    /// For the table.
    pub name: &'static str,
    process: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

/// The row that the others are compared with.
pub const NODE: &str = "Node - Node";

/// The row that nobody can better.
pub const FLOOR: &str = "system calls only";

/// The row that nobody can better who waits for several things at once.
#[cfg(target_os = "linux")]
const EPOLL: &str = "the same, and epoll";

/// Every pair, and in this order they have their turns.
pub fn all(mode: Serialization) -> Result<Vec<Pair>> {
    let this = env::current_exe()?.into_os_string();
    let rust = |bytes: &str, child: &[OsString]| {
        let mut program = vec![this.clone(), "parent".into()];
        program.extend([name(mode).into(), bytes.into(), "--".into()]);
        program.extend_from_slice(child);
        program
    };
    let node = |child: &[OsString]| {
        let mut program = node_child();
        program.push(name(mode).into());
        program.extend_from_slice(child);
        program
    };
    let floor = vec![this.clone(), "floor-parent".into(), name(mode).into()];
    #[cfg(target_os = "linux")]
    let epoll = [&floor[..], &["--epoll".into()]].concat();
    [
        (FLOOR, floor),
        #[cfg(target_os = "linux")]
        (EPOLL, epoll),
        ("Rust - Rust, bytes", rust("bytes", &echo(&this, "bytes"))),
        ("Rust - Rust", rust("values", &echo(&this, "values"))),
        ("Rust - Node", rust("values", &node_child())),
        ("Node - Rust", node(&echo(&this, "values"))),
        (NODE, node(&node_child())),
    ]
    .into_iter()
    .map(|(name, program)| Pair::start(name, &program))
    .collect()
}

/// `json` or `advanced`: what Node calls it, too.
pub fn name(mode: Serialization) -> &'static str {
    match mode {
        Serialization::Json => "json",
        Serialization::Advanced => "advanced",
    }
}

/// The child in Rust.
pub fn echo(this: &OsString, bytes: &str) -> Vec<OsString> {
    vec![this.clone(), "echo".into(), bytes.into()]
}

/// The child in Node.
pub fn node_child() -> Vec<OsString> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches");
    vec!["node".into(), folder.join("channel.mjs").into_os_string()]
}

impl Pair {
    fn start(name: &'static str, program: &[OsString]) -> Result<Self> {
        let (program, arguments) = program.split_first().context("nothing")?;
        let mut process = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("start {}", program.display()))?;
        let stdin = process.stdin.take();
        let stdout = process.stdout.take().context("stdout")?;
        // A thread, so that a pair that hangs does not hang this.
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            name,
            process,
            stdin,
            lines,
        })
    }

    /// Round trips for about so long, so many at a time; how long one took, in
    /// microseconds.
    pub fn round(
        &mut self,
        payload: &Payload,
        at_once: u64,
        time: Duration,
    ) -> Result<f64> {
        let task = Task {
            milliseconds: time.as_millis() as u64,
            at_once,
            payload: payload.clone(),
        };
        let line = serde_json::to_string(&task)? + "\n";
        let name = self.name;
        self.stdin
            .as_mut()
            .context("it has ended")?
            .write_all(line.as_bytes())
            .with_context(|| format!("{name} has failed"))?;
        let answer = self.lines.recv_timeout(PATIENCE + time);
        let answer = answer.with_context(|| format!("{name} hangs"))?;
        let (count, took) = answer.split_once(' ').context("no answer")?;
        let (count, took) = (count.parse::<f64>()?, took.parse::<f64>()?);
        Ok(took / count / 1e3)
    }

    /// Ends both, which must end well.
    pub fn end(mut self) -> Result<()> {
        drop(self.stdin.take());
        let status = self.process.wait()?;
        ensure!(status.success(), "{}: {status}", self.name);
        Ok(())
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        // After a failure. A parent that is gone ends its child.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
