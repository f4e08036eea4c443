//! What all programs promise that talk to a broker.

use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{iter, thread};

use anyhow::{Context, Result, ensure};
use socket2::{Domain, Socket, Type};

use crate::{Half, LIMIT};

/// Waits for so many pauses, and looks whether each of them is what it should
/// be: 100, 200, 400 ms and so on, less a random part of at most the half.
pub fn growing(half: &Half, count: usize) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    let pauses = || -> Vec<u64> {
        let lines = half.stderr().into_iter();
        lines.filter_map(|line| pause_in(&line)).collect()
    };
    while pauses().len() < count {
        ensure!(Instant::now() < deadline, "{:?}", half.stderr());
        thread::sleep(Duration::from_millis(10));
    }
    let longest = iter::successors(Some(100), |last| Some(5000.min(last * 2)));
    for (longest, pause) in longest.zip(pauses()).take(count) {
        let range = longest / 2 - 1..=longest;
        ensure!(range.contains(&pause), "{:?}", half.stderr());
    }
    Ok(())
}

/// The milliseconds of "next try in 73 ms".
pub fn pause_in(line: &str) -> Option<u64> {
    let (_, pause) = line.split_once("next try in ")?;
    pause.strip_suffix(" ms")?.parse().ok()
}

/// Where nobody listens, a half says so in one line, which begins so and does
/// not have the password in it. `half` is given a URL.
pub fn nobody(
    scheme: &str,
    half: impl FnOnce(&str) -> Result<Command>,
) -> Result<()> {
    // Bound and not listening: nobody else can take this port meanwhile.
    let taken = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    taken.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    let address = taken.local_addr()?.as_socket().context("an address")?;
    let url = format!("{scheme}://somebody:top-secret@{address}");
    let mut half = Half::start(&mut half(&url)?)?;
    let start = format!("Error: connect to {address}: ");
    half.fails(&[&start, "; start R"])?;
    let error = half.stderr().concat();
    ensure!(!error.contains("secret"), "{error}");
    let refused = error.to_lowercase().matches("refused").count();
    ensure!(refused == 1, "said twice: {error}");
    Ok(())
}
