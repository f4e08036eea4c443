//! How the time to receive grows with the length, and how much memory a child
//! needs.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use node_channel::{Fork, Serialization, frames};

use super::floor::framed;

/// A mebibyte.
const MIB: usize = 1 << 20;

/// Receives one message of so many MiB, as it comes from a thread that writes
/// it. Returns the microseconds for each MiB.
pub fn receive(mode: Serialization, mib: usize) -> Result<f64> {
    let bytes = framed(vec![b'1'; mib * MIB], mode);
    let (ours, mut theirs) = UnixStream::pair()?;
    let runtime = tokio::runtime::Builder::new_current_thread();
    { runtime }.enable_all().build()?.block_on(async {
        let (mut reader, _) = frames::open(ours.into(), mode, mib * MIB)?;
        let begin = Instant::now();
        let writing = thread::spawn(move || theirs.write_all(&bytes));
        let frame = reader.next().await?.context("it did not come")?;
        let took = begin.elapsed();
        ensure!(frame.bytes().len() == mib * MIB, "not whole");
        ensure!(frame.bytes().iter().all(|byte| *byte == b'1'), "changed");
        drop(writing.join());
        Ok(took.as_secs_f64() * 1e6 / mib as f64)
    })
}

/// Has a child echo messages of 1 MiB. Returns the most memory that it had,
/// in MiB; `None` where the system does not tell.
pub fn memory(
    mode: Serialization,
    program: &[OsString],
    messages: usize,
) -> Result<Option<f64>> {
    let runtime = tokio::runtime::Builder::new_current_thread();
    { runtime }.enable_all().build()?.block_on(async {
        let (program, arguments) = program.split_first().context("nothing")?;
        let mut child = Fork::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .serialization(mode)
            .spawn()?;
        let text = "x".repeat(MIB);
        for _ in 0..messages {
            child.channel.send(&text).await?;
            let answer =
                child.channel.recv().await.context("it has gone")??;
            ensure!(answer.parse::<String>()? == text, "another answer");
        }
        let pid = child.process.id().context("no process")?;
        let peak = std::fs::read_to_string(format!("/proc/{pid}/status"))
            .ok()
            .and_then(|status| {
                let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
                line.split_whitespace().nth(1)?.parse::<f64>().ok()
            });
        let status = child.end().await?;
        ensure!(status.success(), "the child {status}");
        Ok(peak.map(|kib| kib / 1024.0))
    })
}
