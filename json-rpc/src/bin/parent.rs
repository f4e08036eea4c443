//! The parent: starts a child, and calls its methods over stdin and stdout.
//!
//! Node twin: `node/parent.js`. Other half: `child.rs`.
//!
//!     cargo run -p json-rpc --bin parent
//!     cargo run -p json-rpc --bin parent -- -- node json-rpc/node/child.js
//!
//! Try this: `sh -c 'echo hello; exec node json-rpc/node/child.js'` after `--`.

use std::collections::HashMap;
use std::ffi::OsString;
use std::sync::Arc;
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

/// The requests that wait for their answers, by their ids. A oneshot channel
/// hands over one value, as `resolve` does in Node.
type Waiting = HashMap<u64, oneshot::Sender<Value>>;

/// What is needed to send. It has one owner, so the bytes of two messages
/// cannot mix. Only `waiting` is shared: receive() changes it, too.
struct Client {
    framing: Framing,
    stdin: ChildStdin,
    last_id: u64,
    waiting: Arc<Mutex<Waiting>>,
}

/// A request that was sent, and the channel through which its answer comes.
struct Call {
    id: u64,
    answered: oneshot::Receiver<Value>,
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
    let waiting = Arc::new(Mutex::new(HashMap::new()));
    let mut client = Client {
        framing,
        stdin,
        last_id: 0,
        waiting: Arc::clone(&waiting),
    };

    // 2. Call and receive at the same time. After the last call, or Ctrl-C,
    //    close the child's stdin. The child reads the end, and ends as well.
    let calling = async {
        let outcome = tokio::select! {
            outcome = call_all(&mut client) => outcome,
            () = stop.cancelled() => Ok(()),
        };
        drop(client.stdin); // closes it
        outcome
    };
    let receiving = receive(framing, stdout, waiting);
    let ended = process::wait(child, &stop); // kills it a second after Ctrl-C
    tokio::try_join!(calling, receiving, ended)?;
    Ok(())
}

/// 3. Makes four calls: two at the same time, one that fails, and one that
///    takes too long.
async fn call_all(client: &mut Client) -> Result<()> {
    // Two at the same time: send both requests, then wait for both answers.
    // The quick one is answered first.
    let slow = send_request(client, "wait", json!({ "ms": 500 })).await?;
    let quick = send_request(client, "add", json!({ "a": 2, "b": 3 })).await?;
    let slow = wait_for_answer(client, slow, TIMEOUT).await?;
    let quick = wait_for_answer(client, quick, TIMEOUT).await?;
    log::line(format_args!("wait: {}", slow["result"]));
    log::line(format_args!("add: {}", quick["result"]));

    // There is no such method. An error is an answer, too.
    let unknown = send_request(client, "divide", json!({})).await?;
    let answer = wait_for_answer(client, unknown, TIMEOUT).await?;
    log::line(format_args!("divide: {}", answer["error"]));

    // No answer within the limit: the call fails, and the program goes on.
    let late = send_request(client, "wait", json!({ "ms": 60_000 })).await?;
    let limit = Duration::from_millis(100);
    if let Err(error) = wait_for_answer(client, late, limit).await {
        log::line(format_args!("wait: {error}"));
    }
    Ok(())
}

/// 4. Sends a request with a new id. The answer will have the same one.
async fn send_request(
    client: &mut Client,
    method: &str,
    params: Value,
) -> Result<Call> {
    client.last_id += 1;
    let id = client.last_id;
    let (sender, answered) = oneshot::channel();
    client.waiting.lock().await.insert(id, sender);
    let request = json!({
        "id": id, "jsonrpc": "2.0", "method": method, "params": params,
    });
    send(client, &request).await?;
    Ok(Call { id, answered })
}

/// 5. Waits for the answer. If it takes too long, this cancels the request by a
///    notification: a message without an id, which gets no answer. The request
///    still gets one: an error, for which nobody waits any more.
async fn wait_for_answer(
    client: &mut Client,
    call: Call,
    limit: Duration,
) -> Result<Value> {
    let Ok(answer) = timeout(limit, call.answered).await else {
        client.waiting.lock().await.remove(&call.id);
        let params = json!({ "id": call.id });
        let notification = json!({
            "jsonrpc": "2.0", "method": "$/cancelRequest", "params": params,
        });
        send(client, &notification).await?;
        bail!("no answer within {limit:?}, cancelled");
    };
    answer.context("the child has closed its stdout")
}

/// 6. Sends one message. Framing marks its end, as a pipe carries bytes, and
///    not messages: by a line break, or by a header with its length.
async fn send(client: &mut Client, message: &Value) -> Result<()> {
    let text = message.to_string();
    log::line(format_args!("Sent to child: {text}"));
    let framed = client.framing.encode(&text);
    // Back-pressure: this waits while the child does not read.
    let written = client.stdin.write_all(framed.as_bytes()).await;
    written.context("write to the child")
}

/// 7. Receives messages, and hands each answer to the call that waits for it.
async fn receive(
    framing: Framing,
    stdout: ChildStdout,
    waiting: Arc<Mutex<Waiting>>,
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
        // A request or a notification of the child is ignored. (What a message
        // lacks is null here: unlike a Vec or a map, a Value does not panic.)
        if !message["method"].is_null() {
            continue;
        }
        let id = message["id"].as_u64().unwrap_or(0); // no request has 0
        if let Some(sender) = waiting.lock().await.remove(&id) {
            let _ = sender.send(message); // fails if nobody waits: fine
        }
    }
    // Dropping a sender makes its receiver fail: the calls that still wait end
    // with an error.
    waiting.lock().await.clear();
    Ok(())
}
