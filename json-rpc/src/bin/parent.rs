//! The parent: starts a child, and calls its methods over stdin and stdout.
//!
//! Node twin: `node/parent.js`. Other half: `child.rs`.
//!
//!     cargo run -p json-rpc --bin parent
//!     cargo run -p json-rpc --bin parent -- -- node json-rpc/node/child.js
//!
//! Try this: `sh -c 'echo hello; exec node json-rpc/node/child.js'` after `--`.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::OsString;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;
use common::{log, shutdown};
use json_rpc::{framing, process};
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, ChildStdout};
use tokio::sync::{Mutex, oneshot};
use tokio::time::timeout;

/// The other half. The parent starts its own program again as the child, so it
/// contains the child's code as well.
mod child;

/// Starts a child, and calls its methods
#[derive(Parser)]
struct Args {
    /// What to start instead of our own child, with its arguments
    #[arg(last = true)]
    program: Vec<OsString>,
}

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The calls that wait for their answers, by the ids of their requests. A
/// oneshot channel hands over one value, as `resolve` does in Node.
type Waiting = RefCell<HashMap<u64, oneshot::Sender<Value>>>;

/// What a call needs. Calls share it: hence the Mutex, the Cell, the RefCell.
struct Client<'a> {
    stdin: Mutex<ChildStdin>,
    last_id: Cell<u64>,
    waiting: &'a Waiting,
}

// An error becomes one line on stderr, and status 1.
fn main() -> common::Result {
    // The child is this program again, with another first argument.
    if process::is_child() {
        return child::main();
    }
    parent()
}

#[tokio::main(flavor = "current_thread")]
async fn parent() -> common::Result {
    let Args { program } = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Start the child. Its stdin and stdout are pipes for messages; its
    //    stderr is ours, so that we see what it logs there.
    let (child, stdin, stdout) = process::start(&program)?;
    let waiting = Waiting::default();
    let client = Client {
        stdin: Mutex::new(stdin),
        last_id: Cell::new(0),
        waiting: &waiting,
    };

    // 2. Call and receive at the same time. After the last call, or Ctrl-C,
    //    `client` is dropped, which closes the child's stdin. The child reads
    //    the end, and ends as well.
    let calls = async {
        let ended = stop.run_until_cancelled(call_all(client)).await;
        ended.unwrap_or(Ok(())) // None: Ctrl-C
    };
    let receiving = receive(stdout, &waiting);
    let ended = process::wait(child, &stop); // kills it a second after Ctrl-C
    tokio::try_join!(calls, receiving, ended)?;
    Ok(())
}

/// 3. Makes four calls: two at the same time, one that fails, and one that
///    takes too long.
async fn call_all(client: Client<'_>) -> Result<()> {
    // Two calls at the same time. The quick one is answered first.
    let slow = call(&client, "wait", json!({ "ms": 500 }), TIMEOUT);
    let quick = call(&client, "add", json!({ "a": 2, "b": 3 }), TIMEOUT);
    let (slow, quick) = tokio::try_join!(slow, quick)?;
    log::line(format_args!("wait: {}", slow["result"]));
    log::line(format_args!("add: {}", quick["result"]));

    // There is no such method. An error is an answer, too.
    let answer = call(&client, "divide", json!({}), TIMEOUT).await?;
    log::line(format_args!("divide: {}", answer["error"]));

    // No answer within the limit: the call fails, and the program goes on.
    let limit = Duration::from_millis(100);
    let late = call(&client, "wait", json!({ "ms": 60_000 }), limit).await;
    if let Err(error) = late {
        log::line(format_args!("wait: {error}"));
    }
    Ok(())
}

/// 4. Calls a method: sends a request with a new id, and waits for the answer
///    that has the same one.
async fn call(
    client: &Client<'_>,
    method: &str,
    params: Value,
    limit: Duration,
) -> Result<Value> {
    let id = client.last_id.get() + 1;
    client.last_id.set(id);
    let (sender, answered) = oneshot::channel();
    client.waiting.borrow_mut().insert(id, sender);
    let request = json!({
        "id": id, "jsonrpc": "2.0", "method": method, "params": params,
    });
    send(client, &request).await?;
    match timeout(limit, answered).await {
        Ok(answer) => answer.context("the child has closed its stdout"),
        Err(_) => {
            cancel(client, id).await?;
            bail!("no answer within {limit:?}, cancelled");
        }
    }
}

/// 5. Cancels a request, by a notification: a message without an id, which gets
///    no answer. The request still gets one: an error, for which no call waits
///    any more.
async fn cancel(client: &Client<'_>, id: u64) -> Result<()> {
    client.waiting.borrow_mut().remove(&id);
    let params = json!({ "id": id });
    let notification = json!({
        "jsonrpc": "2.0", "method": "$/cancelRequest", "params": params,
    });
    send(client, &notification).await
}

/// 6. Sends one message. Framing: a line each. There is no line break within a
///    message, as JSON writes \n in a text.
async fn send(client: &Client<'_>, message: &Value) -> Result<()> {
    log::line(format_args!("Sent to child: {message}"));
    let line = format!("{message}\n");
    // The lock keeps the bytes of two calls apart. Back-pressure: both wait
    // while the child does not read.
    let mut stdin = client.stdin.lock().await;
    stdin
        .write_all(line.as_bytes())
        .await
        .context("write to the child")
}

/// 7. Receives messages, and hands each answer to the call that waits for it.
async fn receive(stdout: ChildStdout, waiting: &Waiting) -> Result<()> {
    let mut stdout = BufReader::new(stdout);
    // One read from a pipe may return half a message, or three. read_line()
    // returns a whole line, or None at the end.
    while let Some(line) = framing::read_line(&mut stdout).await? {
        log::line(format_args!("Received from child: {}", log::shown(&line)));
        let Ok(message) = serde_json::from_slice::<Value>(&line) else {
            // The most common mistake: the child prints a log to stdout. The
            // next line may be a message again.
            log::error("this is no JSON: does the child log to its stdout?");
            continue;
        };
        let id = message["id"].as_u64().unwrap_or(0); // no call has 0
        if let Some(call) = waiting.borrow_mut().remove(&id) {
            let _ = call.send(message); // nothing to do if it has ended
        }
    }
    waiting.borrow_mut().clear(); // the calls that still wait fail
    Ok(())
}
