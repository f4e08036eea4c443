//! A judge from outside: the cases of Autobahn's test suite, run by `kosoku`
//! from PyPI. What they show stands in the README, in a column for each.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::SinkExt;
use harness::testing::server::Server;
use harness::testing::{Need, Test, both};
use harness::{Half, Language, root};
use serde_json::Value;
use tokio_tungstenite::connect_async_with_config;
use tokio_tungstenite::tungstenite::Message;

use super::{NAME, PACKAGES};
use crate::closing::give_up;
use crate::heartbeat::receive;
use crate::limits;

const KOSOKU: Need = Need::Program("kosoku", "--help");

/// Its longest messages have 16 MiB.
const LIMIT: usize = 16 * 1024 * 1024;

/// All cases but those of compression, which neither side has.
const CASES: [&str; 4] = ["-x", "12.*", "-x", "13.*"];

/// How long all of them may take: half a minute, on a machine of its own.
const TIMEOUT: Duration = Duration::from_secs(600);

pub fn tests() -> Vec<Test> {
    [
        both("autobahn_finds_no_fault_in_the_server", server),
        both("autobahn_finds_no_fault_in_the_client", client),
    ]
    .into_iter()
    .flatten()
    .map(|test| test.of(NAME).needs(KOSOKU).needs(PACKAGES).long())
    .collect()
}

fn server(language: Language) -> Result<()> {
    let arguments = ["--limit", &LIMIT.to_string(), "--heartbeat", "600000"];
    let server = Server::start_quiet(NAME, language, &arguments)?;
    let url = format!("ws://{}", server.address);
    let results = judged(|folder, cases| {
        let mut kosoku = Command::new("kosoku");
        kosoku.args(cases).arg("-o").arg(folder).arg(&url);
        Half::start(&mut kosoku)?.wait_at_most(TIMEOUT)?;
        Ok(())
    })?;
    in_readme(&results, &format!("{language:?} server"))
}

fn client(language: Language) -> Result<()> {
    let results = judged(|folder, cases| {
        let mut kosoku = Command::new("kosoku");
        kosoku.args(["-m", "fuzzingserver", "127.0.0.1:0", "-o"]);
        kosoku.arg(folder).args(cases);
        let mut judge = Half::start(&mut kosoku)?;
        let line = judge.wait_for_error("fuzzingserver listening on ")?;
        let url = line.rsplit(' ').next().unwrap_or_default();
        match language {
            Language::Rust => tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?
                .block_on(echo_all(url))?,
            Language::Node => {
                let script = root().join(NAME).join("tests/autobahn.js");
                let mut node = Command::new("node");
                node.arg(script).args([url, "node"]);
                Half::start(&mut node)?.wait_at_most(TIMEOUT)?;
            }
        }
        judge.wait_at_most(TIMEOUT)?; // it writes its report, and ends
        Ok(())
    })?;
    in_readme(&results, &format!("{language:?} client"))
}

/// Sends back what the judge sends, case by case. It receives and closes as the
/// client does, which itself speaks first and so cannot be judged as it is.
async fn echo_all(url: &str) -> Result<()> {
    let mut count = 0;
    talk(url, "/getCaseCount", |message| {
        count = message.to_text().unwrap_or_default().parse().unwrap_or(0);
        false
    })
    .await?;
    for case in 1..=count {
        let path = format!("/runCase?case={case}&agent=rust");
        talk(url, &path, |_| true).await?;
    }
    // The judge may be gone before it has closed.
    let _ = talk(url, "/updateReports?agent=rust", |_| false).await;
    Ok(())
}

/// Passes what arrives to `received`, which says whether to send it back.
async fn talk(
    url: &str,
    path: &str,
    mut received: impl FnMut(&Message) -> bool,
) -> Result<()> {
    let address = format!("{url}{path}");
    let (mut socket, _) =
        connect_async_with_config(address, Some(limits(LIMIT)), true).await?;
    loop {
        match receive(&mut socket, TIMEOUT).await {
            Ok(message) if message.is_close() => break,
            Ok(message) => {
                if received(&message) {
                    // What is wrong with the connection, receive() will say.
                    let _ = socket.send(message).await;
                }
            }
            Err(error) => {
                give_up(&mut socket, error).await;
                break;
            }
        }
    }
    Ok(())
}

/// Runs the cases, and those that failed once more: some depend on time, and
/// this machine may be busy. By case, how it went.
fn judged(
    run: impl Fn(&Path, &[&str]) -> Result<()>,
) -> Result<BTreeMap<String, String>> {
    let folder = tempfile::tempdir()?;
    let all = folder.path().join("all");
    run(&all, &CASES)?;
    let mut results = read(&all)?;
    let failed = |results: &BTreeMap<String, String>| -> Vec<String> {
        let failed = results.iter().filter(|(_, how)| !has_passed(how));
        failed.map(|(case, _)| case.clone()).collect()
    };
    let again = failed(&results);
    if !again.is_empty() {
        let cases = again.iter().flat_map(|case| ["-i", case]);
        let once_more = folder.path().join("again");
        run(&once_more, &cases.collect::<Vec<_>>())?;
        results.extend(read(&once_more)?);
    }
    let failed = failed(&results);
    ensure!(failed.is_empty(), "failed: {failed:?}");
    Ok(results)
}

fn has_passed(how: &str) -> bool {
    ["OK", "NON-STRICT", "INFORMATIONAL"].contains(&how)
}

fn read(folder: &Path) -> Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(folder.join("index.json"))?;
    let agents: BTreeMap<String, BTreeMap<String, Value>> =
        serde_json::from_str(&text)?;
    let cases = agents.into_values().next().context("no agent")?;
    let how = |result: &Value| result["behavior"].as_str().map(str::to_owned);
    cases
        .into_iter()
        .map(|(case, result)| Ok((case, how(&result).context("behavior")?)))
        .collect()
}

/// The README's column must say how many cases of each group have passed.
fn in_readme(results: &BTreeMap<String, String>, column: &str) -> Result<()> {
    let mut groups: BTreeMap<u32, usize> = BTreeMap::new();
    for case in results.keys() {
        let group = case.split('.').next().unwrap_or_default();
        *groups.entry(group.parse()?).or_default() += 1;
    }
    for readme in ["README.md", "README.zh-CN.md"] {
        let text = fs::read_to_string(root().join(NAME).join(readme))?;
        let mut table = text.lines().filter(|line| line.starts_with('|'));
        let cells = |line: &str| -> Vec<String> {
            line.split('|').map(|cell| cell.trim().to_owned()).collect()
        };
        let at = table
            .by_ref()
            .find_map(|line| cells(line).iter().position(|it| it == column))
            .with_context(|| format!("{readme}: no column {column}"))?;
        let shown: BTreeMap<u32, usize> = table
            .map(cells)
            .skip(1)
            .map_while(|row| {
                let group = row.get(1)?.split(' ').next()?.parse().ok()?;
                Some((group, row.get(at)?.parse().ok()?))
            })
            .collect();
        ensure!(shown == groups, "{readme} {column}: {shown:?} {groups:?}");
    }
    Ok(())
}
