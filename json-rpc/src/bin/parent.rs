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
use json_rpc::framing::Framing;
use json_rpc::process;
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
    /// How the end of a message is marked in the stream
    #[arg(long, value_enum, default_value = "lines")]
    framing: Framing,

    /// What to start instead of our own child, with its arguments
    #[arg(last = true)]
    program: Vec<OsString>,
}

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The calls that wait for their answers, by the ids of their requests. A
/// oneshot channel hands over one value, as `resolve` does in Node.
type Waiting = RefCell<HashMap<u64, oneshot::Sender<Value>>>;

/// What all calls share.
struct Client<'a> {
    framing: Framing,
    stdin: Mutex<ChildStdin>, // one call writes at a time, the others wait
    last_id: Cell<u64>,       // can be changed through a shared &Client
    waiting: &'a Waiting, // borrowed: receive() uses it after this is dropped
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
    let Args { framing, program } = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Start the child. Its stdin and stdout are pipes for messages; its
    //    stderr is ours, so that we see what it logs there.
    let (child, stdin, stdout) = process::start(&program, framing)?;
    let waiting = Waiting::default();
    let client = Client {
        framing,
        stdin: Mutex::new(stdin),
        last_id: Cell::new(0),
        waiting: &waiting,
    };

    // 2. Call and receive at the same time. After the last call, or Ctrl-C,
    //    close the child's stdin. The child reads the end, and ends as well.
    let calls = async {
        // call_all() owns `client`. When it returns or is cancelled, `client`
        // is dropped, and this closes stdin.
        let outcome = stop.run_until_cancelled(call_all(client)).await;
        outcome.unwrap_or(Ok(())) // None: Ctrl-C
    };
    let receiving = receive(framing, stdout, &waiting);
    let ended = process::wait(child, &stop); // kills it a second after Ctrl-C
    tokio::try_join!(calls, receiving, ended)?;
    Ok(())
}

/// 3. Makes four calls: two at the same time, one that fails, and one that
///    takes too long.
async fn call_all(client: Client<'_>) -> Result<()> {
    // Two calls at the same time. The quick one is answered first. Unlike a
    // promise, a future does nothing by itself: try_join! starts both.
    let (slow, quick) = tokio::try_join!(
        call(&client, "wait", json!({ "ms": 500 }), TIMEOUT),
        call(&client, "add", json!({ "a": 2, "b": 3 }), TIMEOUT),
    )?;
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

/// 6. Sends one message. Framing: its end must be marked, as a pipe carries
///    bytes, and not messages.
async fn send(client: &Client<'_>, message: &Value) -> Result<()> {
    let text = message.to_string();
    log::line(format_args!("Sent to child: {text}"));
    let framed = match client.framing {
        // JSON has no line break within a message: it writes \n in a text.
        Framing::Lines => format!("{text}\n"),
        Framing::Headers => {
            let length = text.len(); // in bytes: 中 has three
            format!("Content-Length: {length}\r\n\r\n{text}")
        }
    };
    // The lock keeps the bytes of two calls apart. Back-pressure: both wait
    // while the child does not read.
    let mut stdin = client.stdin.lock().await;
    stdin
        .write_all(framed.as_bytes())
        .await
        .context("write to the child")
}

/// 7. Receives messages, and hands each answer to the call that waits for it.
async fn receive(
    framing: Framing,
    stdout: ChildStdout,
    waiting: &Waiting,
) -> Result<()> {
    let mut stdout = BufReader::new(stdout);
    // One read from a pipe may return half a message, or three. framing.read()
    // returns a whole one, or None at the end.
    while let Some(text) = framing.read(&mut stdout).await? {
        log::line(format_args!("Received from child: {}", log::shown(&text)));
        let Ok(message) = serde_json::from_slice::<Value>(&text) else {
            // The most common mistake: the child prints a log to stdout. The
            // next line may be a message again. (With headers, read() fails.)
            log::error("this is no JSON: does the child log to its stdout?");
            continue;
        };
        let id = message["id"].as_u64().unwrap_or(0); // no call has 0
        if let Some(sender) = waiting.borrow_mut().remove(&id) {
            let _ = sender.send(message); // fails if the call has ended: fine
        }
    }
    // Dropping a sender makes its receiver fail: the calls that still wait end
    // with an error.
    waiting.borrow_mut().clear();
    Ok(())
}
