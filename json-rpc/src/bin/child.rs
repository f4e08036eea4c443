//! The child: answers requests from its stdin on its stdout.
//!
//! Node twin: `node/child.js`. Other half: `parent.rs`, which starts this.
//! What can be called: `src/methods.rs`.
//!
//!     cargo run -p json-rpc --bin parent
//!     cargo run -p json-rpc --bin child     # alone: type lines, then Ctrl-D
//!
//! Try this: `{"id":1,"jsonrpc":"2.0","method":"add","params":{"a":2,"b":3}}`

// stdout belongs to the protocol: one stray line, and the parent no longer
// understands us. With this, `cargo clippy` refuses `println!` in this file.
// Diagnostics go to stderr (`log::error`).
#![deny(clippy::print_stdout)]

use std::collections::HashMap;
use std::io::{self, Write};

use anyhow::{Context, Result};
use clap::Parser;
use common::shutdown;
use json_rpc::framing::Framing;
use json_rpc::methods::{self, Failure};
use serde_json::{Value, json};
use tokio::io::BufReader;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Answers the requests of its parent.
#[derive(Parser)]
struct Args {
    /// Given when the parent starts its own program in this role
    #[arg(hide = true, value_parser = ["child"])]
    role: Option<String>,

    /// How the end of a message is marked in the stream
    #[arg(long, value_enum, default_value = "lines")]
    framing: Framing,
}

/// A request that is being answered.
struct Request {
    token: CancellationToken, // cancels it, as an AbortController in Node
    task: JoinHandle<Result<()>>, // ends when it has its answer
}

/// The requests that are being answered, by their ids.
type Running = HashMap<Value, Request>;

/// Public, as the parent also starts this in its own program.
#[tokio::main(flavor = "current_thread")]
// An error becomes one line on stderr, and status 1.
pub async fn main() -> common::Result {
    let Args { framing, .. } = Args::parse();
    // Ctrl-C in a terminal reaches us as well. From here on it does not end us
    // at once: the parent closes our stdin.
    let _stop = shutdown::token();
    let mut running = Running::new();

    // 1. Receive messages until the parent closes our stdin. One read from a
    //    pipe may return half a message, or three. framing.read() returns a
    //    whole one, or None at the end.
    let mut stdin = BufReader::new(tokio::io::stdin());
    while let Some(text) = framing.read(&mut stdin).await.context("stdin")? {
        receive(framing, &text, &mut running)?;
    }

    // 2. The end. It also comes when the parent was killed. What still runs is
    //    cancelled, and answered: the parent may still read.
    for request in running.into_values() {
        request.token.cancel();
        let _ = request.task.await; // fails if the parent has gone: fine
    }
    Ok(())
}

/// 3. Receives one message. A request has an id, and gets an answer; a
///    notification has none, and gets none, even if it makes no sense.
fn receive(framing: Framing, text: &[u8], running: &mut Running) -> Result<()> {
    let Ok(message) = serde_json::from_slice::<Value>(text) else {
        let error = error_answer(&Value::Null, methods::PARSE_ERROR);
        return send(framing, &error);
    };
    let id = message.get("id").cloned();
    let Some(method) = message["method"].as_str() else {
        let id = id.unwrap_or_default(); // null
        return send(framing, &error_answer(&id, methods::INVALID_REQUEST));
    };
    if let Some(id) = id {
        // Forget the requests that have their answers.
        running.retain(|_, request| !request.task.is_finished());
        // Each request has its own task, so that a slow one does not delay the
        // others. Clones of a token are cancelled together.
        let token = CancellationToken::new();
        let answering = answer(framing, id.clone(), message, token.clone());
        let task = tokio::spawn(answering);
        running.insert(id, Request { token, task });
    } else if method == "$/cancelRequest" {
        cancel(running, &message["params"]["id"]); // language servers
    } else if method == "notifications/cancelled" {
        cancel(running, &message["params"]["requestId"]); // MCP
    }
    Ok(())
}

/// Cancels a request. If it has its answer, there is nothing to cancel.
fn cancel(running: &Running, id: &Value) {
    if let Some(request) = running.get(id) {
        request.token.cancel();
    }
}

/// 4. Answers one request: with the result, or with an error that has a code.
async fn answer(
    framing: Framing,
    id: Value,
    request: Value,
    token: CancellationToken,
) -> Result<()> {
    // Cancelling drops the future that call() returned: it does not go on. (In
    // Node a promise goes on, so call() gets a signal there.)
    let outcome = tokio::select! {
        // Check call() first: when stdin has ended, a request that is finished
        // still gets its result.
        biased;
        outcome = methods::call(&request) => outcome,
        () = token.cancelled() => Err(methods::REQUEST_CANCELLED),
    };
    let response = match outcome {
        Ok(result) => json!({ "id": id, "jsonrpc": "2.0", "result": result }),
        Err(failure) => error_answer(&id, failure),
    };
    send(framing, &response)
}

/// The answer that says what went wrong.
fn error_answer(id: &Value, (code, message): Failure) -> Value {
    let error = json!({ "code": code, "message": message });
    json!({ "error": error, "id": id, "jsonrpc": "2.0" })
}

/// 5. Sends one message. Framing marks its end, as a pipe carries bytes, and
///    not messages: by a line break, or by a header with its length.
fn send(framing: Framing, message: &Value) -> Result<()> {
    let framed = framing.encode(&message.to_string());
    let mut stdout = io::stdout().lock();
    // Back-pressure: this waits while the parent does not read.
    stdout.write_all(framed.as_bytes())?;
    stdout.flush()?; // without it, stdout keeps bytes until a line ends
    Ok(())
}
