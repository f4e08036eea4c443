//! The pool of children.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use harness::{Exit, Half, root};
use node_channel::pool::{Pool, PoolError};
use tokio::task::JoinSet;

use super::library::{node, run};
use super::recipes::program;
use harness::testing::server::eventually;
use harness::testing::{NODE, Need, Test, test};

pub fn tests() -> Vec<Test> {
    [
        test("jobs_wait_for_a_child_that_is_free", || run(many())),
        test("a_crash_fails_one_job", || run(crash())),
        test("a_child_that_ended_while_idle_is_replaced", || run(idle()))
            .needs(Need::Proc),
        test("a_child_that_says_too_much_is_replaced", || {
            run(says_too_much())
        }),
        test("a_child_is_replaced_after_so_many_jobs", || run(replaced())),
        test("a_cancelled_job_s_child_gives_no_late_answer", || {
            run(cancelled())
        }),
        test("a_closed_pool_has_done_all_and_does_no_more", || {
            run(closed())
        })
        .needs(Need::Proc),
        test("what_is_no_answer_fails_one_job", || run(no_answer())),
        test("recipe_plugins_a_rust_tool_runs_javascript", plugins),
    ]
    .map(|test| test.needs(NODE))
    .into()
}

/// Answers `[n, pid]`; to "die" it dies, and to "wait" it says nothing.
const SCRIPT: &str = "
    let jobs = 0
    process.on('message', job => {
      jobs++
      if (job === 'die') process.exit(3)
      if (job === 'leave') setImmediate(() => process.exit())
      if (job === 'wait') return
      if (job.twice) {
        process.send([0, process.pid])
        return process.send([0, 0], () =>
          require('fs').writeFileSync(job.twice, ''))
      }
      process.send(job === 'count' ? jobs : [job, process.pid])
    })";

fn pool(size: u16) -> Pool {
    Pool::new(node(SCRIPT), size)
}

async fn many() -> Result<()> {
    let pool = Arc::new(pool(3));
    let mut jobs = JoinSet::new();
    for number in 0..60_u32 {
        let pool = Arc::clone(&pool);
        jobs.spawn(async move {
            let answer = pool.run::<_, (u32, u32)>(&number).await;
            (number, answer)
        });
    }
    let mut children = BTreeSet::new();
    while let Some(done) = jobs.join_next().await {
        let (number, answer) = done?;
        let (back, child) = answer?;
        ensure!(back == number);
        children.insert(child);
    }
    ensure!((1..=3).contains(&children.len()), "{children:?}");
    Ok(())
}

async fn crash() -> Result<()> {
    let pool = pool(1);
    let (_, first): (u32, u32) = pool.run(&1).await?;
    let died = pool.run::<_, u32>("die").await;
    let Err(PoolError::Crashed(status)) = &died else {
        bail!("{died:?}");
    };
    ensure!(status.code() == Some(3));
    let shown = format!("{died:?}");
    ensure!(shown == "Err(the child exited with code 3)", "{shown}");
    let (back, second): (u32, u32) = pool.run(&2).await?;
    ensure!(back == 2 && second != first);

    let none = node_channel::Fork::new("/no/such/program");
    let error = Pool::new(none, 1).run::<_, u32>(&1).await;
    ensure!(matches!(error, Err(PoolError::Start(_))), "{error:?}");
    Ok(())
}

async fn idle() -> Result<()> {
    let pool = pool(1);
    let (_, child): (String, i32) = pool.run("leave").await?;
    eventually(|| !is_alive(child))?;
    let (back, other): (u32, i32) = pool.run(&7).await?;
    ensure!(back == 7 && other != child);
    Ok(())
}

/// A zombie is not: it can be waited for. But its first thread may be one
/// before the others.
fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    let threads = std::fs::read_dir(format!("/proc/{pid}/task"));
    let more = threads.map_or(0, Iterator::count) > 1;
    more || stat.is_ok_and(|stat| !stat.contains(") Z "))
}

/// The second answer is not that of the next job.
async fn says_too_much() -> Result<()> {
    let pool = pool(1);
    let folder = tempfile::tempdir()?;
    let said = folder.path().join("said");
    let job = serde_json::json!({ "twice": said });
    let (_, first): (u32, u32) = pool.run(&job).await?;
    eventually(|| said.exists())?;
    // So the runtime looks at what has come.
    tokio::time::sleep(Duration::from_millis(1)).await;
    let (back, second): (u32, u32) = pool.run(&2).await?;
    ensure!(back == 2 && second != first);
    Ok(())
}

async fn replaced() -> Result<()> {
    let pool = pool(1).jobs_per_child(2);
    for expected in [1, 2, 1, 2, 1] {
        let count: u32 = pool.run("count").await?;
        ensure!(count == expected, "{count} {expected}");
    }
    Ok(())
}

async fn cancelled() -> Result<()> {
    let pool = pool(1);
    let (_, first): (u32, u32) = pool.run(&1).await?;
    tokio::select! {
        biased;
        answer = pool.run::<_, u32>("wait") => bail!("{answer:?}"),
        // All that `run` could do at once is done.
        () = tokio::task::yield_now() => {}
    }
    let (back, second): (u32, u32) = pool.run(&2).await?;
    ensure!(back == 2 && second != first);
    Ok(())
}

async fn closed() -> Result<()> {
    let pool = Arc::new(pool(2));
    let mut jobs = JoinSet::new();
    for number in 0..20_u32 {
        let pool = Arc::clone(&pool);
        jobs.spawn(async move { pool.run::<_, (u32, i32)>(&number).await });
    }
    // They wait in the queue before the pool is closed.
    tokio::task::yield_now().await;
    pool.close().await;
    let mut children = BTreeSet::new();
    while let Some(done) = jobs.join_next().await {
        children.insert(done??.1);
    }
    for child in children {
        ensure!(!is_alive(child));
    }
    let late = pool.run::<_, u32>(&1).await;
    ensure!(matches!(late, Err(PoolError::Closed)), "{late:?}");
    Ok(())
}

async fn no_answer() -> Result<()> {
    let pool = pool(1);
    let (_, first): (u32, u32) = pool.run(&1).await?;
    let wrong = pool.run::<_, bool>(&2).await;
    ensure!(matches!(wrong, Err(PoolError::Message(_))), "{wrong:?}");
    let (back, second): (u32, u32) = pool.run(&3).await?;
    ensure!(back == 3 && second == first);
    Ok(())
}

fn plugins() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("long"), format!("a\n{}\n", "é".repeat(81)))?;
    std::fs::write(path("short"), "a\n")?;
    std::fs::write(path("bad.mjs"), "export default () => process.exit(5)")?;
    let run = |plugin: &std::path::Path| -> Result<Vec<String>> {
        let mut command: Command = program("plugins")?;
        command.arg(plugin).current_dir(folder.path());
        let mut half = Half::start(command.args(["long", "short", "missing"]))?;
        let exit = half.wait()?;
        ensure!(exit == Exit::Code(0), "{exit:?} {:?}", half.stderr());
        let mut lines = half.stdout();
        lines.sort();
        Ok(lines)
    };
    let lines = run(&root().join("node-channel/examples/long-lines.js"))?;
    ensure!(lines.len() == 2, "{lines:?}");
    ensure!(lines[0] == "long:2: 81 characters", "{lines:?}");
    ensure!(lines[1].starts_with("missing: Error: ENOENT"), "{lines:?}");

    let lines = run(&path("bad.mjs"))?;
    ensure!(lines.len() == 3, "{lines:?}");
    ensure!(
        lines[0] == "long: the child exited with code 5",
        "{lines:?}"
    );
    Ok(())
}
