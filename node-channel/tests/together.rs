//! Answers leave together, and none of them late.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;

use anyhow::{Context, Result, ensure};
use node_channel::{Channel, Options};
use tokio::runtime::{Builder, Runtime};

use super::library::{next, run};
use harness::testing::{Need, Test, test};

pub fn tests() -> Vec<Test> {
    vec![
        test("answers_to_what_came_together_leave_together", || {
            run(together())
        })
        .needs(Need::Proc),
        test("an_answer_does_not_wait_for_a_task_that_blocks", blocked),
        test("an_answer_does_not_wait_for_a_runtime_that_is_left", left),
        test("an_answer_leaves_when_the_runtime_ends", ends),
    ]
}

/// A peer that has just written these, and a channel that will read them.
fn written(messages: &str) -> Result<(UnixStream, UnixStream)> {
    let (mut peer, theirs) = UnixStream::pair()?;
    peer.set_read_timeout(Some(harness::LIMIT))?;
    peer.write_all(messages.as_bytes())?;
    Ok((peer, theirs))
}

fn runtime() -> Result<Runtime> {
    let runtime = Builder::new_current_thread();
    Ok({ runtime }.enable_all().build()?)
}

/// Sends the next message back.
async fn answer(channel: &mut Channel) -> Result<()> {
    let message = next(channel).await?;
    Ok(channel.send_raw(message).await?)
}

/// The first line that the peer gets.
fn first_line(peer: &UnixStream) -> Result<String> {
    let mut line = String::new();
    let read = BufReader::new(peer).read_line(&mut line);
    read.context("wait for the first answer")?;
    Ok(line)
}

/// Linux counts at least 768 bytes for each write: so many short messages fit
/// into a socket only if they come in few writes.
async fn together() -> Result<()> {
    const COUNT: usize = 10_000;
    let (_deaf, theirs) = written(&"1\n".repeat(COUNT))?;
    let mut channel = Channel::new(theirs.into(), Options::default())?;
    for _ in 0..COUNT {
        answer(&mut channel).await?;
    }
    Ok(channel.flush().await?)
}

fn blocked() -> Result<()> {
    let (peer, theirs) = written("1\n2\n")?;
    let (go_on, wait) = mpsc::channel::<()>();
    let task = thread::spawn(move || -> Result<()> {
        runtime()?.block_on(async {
            let mut channel = Channel::new(theirs.into(), Options::default())?;
            answer(&mut channel).await?;
            next(&mut channel).await?;
            // The runtime's only thread waits, as with a long computation.
            Ok(wait.recv()?)
        })
    });
    ensure!(first_line(&peer)? == "1\n");
    go_on.send(())?;
    task.join().ok().context("the task has panicked")?
}

fn left() -> Result<()> {
    let (peer, theirs) = written("1\n2\n")?;
    let runtime = runtime()?;
    let _channel = runtime.block_on(async {
        let mut channel = Channel::new(theirs.into(), Options::default())?;
        answer(&mut channel).await?;
        anyhow::Ok(channel)
    })?;
    ensure!(first_line(&peer)? == "1\n");
    Ok(())
}

fn ends() -> Result<()> {
    let (mut peer, theirs) = written("1\n2\n")?;
    runtime()?.block_on(async {
        let mut channel = Channel::new(theirs.into(), Options::default())?;
        answer(&mut channel).await?;
        anyhow::Ok(())
    })?;
    let mut all = Vec::new();
    peer.read_to_end(&mut all)?;
    ensure!(all == b"1\n", "{all:?}");
    Ok(())
}
