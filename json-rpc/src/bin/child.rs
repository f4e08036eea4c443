//! The child: answers requests from its stdin on its stdout.
//!
//! Node twin: `node/child.js`. Other half: `parent.rs`, which starts this.
//! The framing: `src/framing.rs`; what it can do: `src/methods.rs`.
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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use clap::Parser;
use common::shutdown;
use json_rpc::framing::Framing;
use json_rpc::methods::{self, Failure};
use serde_json::{Value, json};
use tokio::io::BufReader;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Answers the requests of its parent.
#[derive(Parser)]
struct Args {
    /// Given when the parent starts its own program in this role
    #[arg(hide = true, value_parser = ["child"])]
    role: Option<String>,

    /// How messages are marked in the stream
    #[arg(long, value_enum, default_value = "lines")]
    framing: Framing,
}

/// What several requests share.
#[derive(Clone)]
struct Server {
    framing: Framing,
    tasks: TaskTracker,
    running: Arc<Mutex<Running>>,
}

/// What cancels a request that is still running, by its id.
type Running = HashMap<String, CancellationToken>;

/// Public, as the parent also starts this in its own program.
#[tokio::main(flavor = "current_thread")]
// An error becomes one line on stderr, and status 1.
pub async fn main() -> common::Result {
    let Args { framing, .. } = Args::parse();
    let _stop = shutdown::token(); // Ctrl-C: the parent closes our stdin
    let server = Server {
        framing,
        tasks: TaskTracker::new(),
        running: Arc::default(),
    };

    // 1. Receive messages until the parent closes its end. Each request has a
    //    task of its own, so that a slow one holds up no other.
    // This stdin reads in a thread of its own, out of sight. (In stdio-ipc you
    // see that thread.)
    let mut stdin = BufReader::new(tokio::io::stdin());
    while let Some(text) = framing.read(&mut stdin).await.context("stdin")? {
        receive(&server, &text)?;
    }

    // 2. The end. It also comes when the parent was killed. What still runs is
    //    cancelled, and answered: perhaps somebody still reads.
    for request in lock(&server).values() {
        request.cancel();
    }
    server.tasks.close(); // no task will be added: now wait() can return
    server.tasks.wait().await;
    Ok(())
}

/// 3. Takes in one message. A request has an id, and is answered; a
///    notification has none, and is not, whatever happens.
fn receive(server: &Server, text: &[u8]) -> Result<()> {
    let Ok(message) = serde_json::from_slice::<Value>(text) else {
        return send_error(server, &Value::Null, methods::PARSE_ERROR);
    };
    let id = message.get("id").cloned();
    let Some(method) = message["method"].as_str().map(str::to_owned) else {
        let id = id.unwrap_or_default(); // null
        return send_error(server, &id, methods::INVALID_REQUEST);
    };
    let params = message["params"].clone();
    if let Some(id) = id {
        // Before the task runs: the next message may cancel it already.
        let cancelled = CancellationToken::new();
        lock(server).insert(id.to_string(), cancelled.clone());
        let server = server.clone();
        let tasks = server.tasks.clone();
        tasks.spawn(answer(server, id, method, params, cancelled));
    } else if method == "$/cancelRequest" {
        cancel(server, &params["id"]); // the name in language servers
    } else if method == "notifications/cancelled" {
        cancel(server, &params["requestId"]); // and in MCP
    }
    Ok(())
}

/// 4. Answers one request: with the result, or with an error that has a code.
async fn answer(
    server: Server,
    id: Value,
    method: String,
    params: Value,
    cancelled: CancellationToken,
) -> Result<()> {
    let outcome = tokio::select! {
        biased; // what needs no waiting is answered, even at the end
        outcome = methods::call(&method, &params) => outcome,
        () = cancelled.cancelled() => Err(methods::REQUEST_CANCELLED),
    };
    lock(&server).remove(&id.to_string());
    match outcome {
        Ok(result) => {
            let answer =
                json!({ "id": id, "jsonrpc": "2.0", "result": result });
            send(&server, &answer)
        }
        Err(failure) => send_error(&server, &id, failure),
    }
}

fn send_error(server: &Server, id: &Value, failure: Failure) -> Result<()> {
    let (code, message) = failure;
    let error = json!({ "code": code, "message": message });
    send(
        server,
        &json!({ "error": error, "id": id, "jsonrpc": "2.0" }),
    )
}

/// 5. Cancels a request. It may have been answered meanwhile: then there is
///    nothing to cancel.
fn cancel(server: &Server, id: &Value) {
    if let Some(request) = lock(server).get(&id.to_string()) {
        request.cancel();
    }
}

/// 6. Sends one message, whole: nothing may come between its bytes.
///    Back-pressure: this waits while the parent does not read.
fn send(server: &Server, message: &Value) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(&server.framing.frame(message))?;
    stdout.flush()?; // stdout keeps what has no line end
    Ok(())
}

fn lock(server: &Server) -> MutexGuard<'_, Running> {
    server
        .running
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}
