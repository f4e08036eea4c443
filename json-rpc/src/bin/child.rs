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

use std::io::{self, Write};

use anyhow::{Context, Result};
use clap::Parser;
use common::shutdown;
use json_rpc::framing::Framing;
use json_rpc::methods::{self, Failure};
use json_rpc::running::Running;
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

    /// How the end of a message is marked in the stream
    #[arg(long, value_enum, default_value = "lines")]
    framing: Framing,
}

/// What the requests share. A clone is another handle to the same.
#[derive(Clone)]
struct Server {
    framing: Framing,
    running: Running,   // cancels requests, by their ids
    tasks: TaskTracker, // knows which tasks still run
}

/// Public, as the parent also starts this in its own program.
#[tokio::main(flavor = "current_thread")]
// An error becomes one line on stderr, and status 1.
pub async fn main() -> common::Result {
    let Args { framing, .. } = Args::parse();
    // Ctrl-C in a terminal reaches us as well. From here on it does not end us
    // at once: the parent closes our stdin.
    let _stop = shutdown::token();
    let server = Server {
        framing,
        running: Running::default(),
        tasks: TaskTracker::new(),
    };

    // 1. Receive messages until the parent closes our stdin. One read from a
    //    pipe may return half a message, or three. framing.read() returns a
    //    whole one, or None at the end.
    let mut stdin = BufReader::new(tokio::io::stdin());
    while let Some(text) = framing.read(&mut stdin).await.context("stdin")? {
        receive(&server, &text)?;
    }

    // 2. The end. It also comes when the parent was killed. What still runs is
    //    cancelled, and answered: the parent may still read.
    server.running.cancel_all();
    server.tasks.close(); // no task will be added: now wait() can return
    server.tasks.wait().await;
    Ok(())
}

/// 3. Receives one message. A request has an id, and gets an answer; a
///    notification has none, and gets none, even if it makes no sense.
fn receive(server: &Server, text: &[u8]) -> Result<()> {
    let Ok(message) = serde_json::from_slice::<Value>(text) else {
        return send(server, &error_answer(&Value::Null, methods::PARSE_ERROR));
    };
    let id = message.get("id").cloned();
    let Some(method) = message["method"].as_str() else {
        let id = id.unwrap_or_default(); // null
        return send(server, &error_answer(&id, methods::INVALID_REQUEST));
    };
    if let Some(id) = id {
        // This is done before the task runs, because the next message may
        // cancel the request already.
        let cancelled = server.running.insert(&id);
        // Each request has its own task, so that a slow one does not delay the
        // others.
        let task = answer(server.clone(), id, message, cancelled);
        server.tasks.spawn(task);
    } else if method == "$/cancelRequest" {
        server.running.cancel(&message["params"]["id"]); // language servers
    } else if method == "notifications/cancelled" {
        server.running.cancel(&message["params"]["requestId"]); // MCP
    }
    Ok(())
}

/// 4. Answers one request: with the result, or with an error that has a code.
async fn answer(
    server: Server,
    id: Value,
    request: Value,
    cancelled: CancellationToken,
) -> Result<()> {
    // Cancelling drops the future that call() returned: it does not go on. (In
    // Node a promise goes on, so call() gets a signal there.)
    let outcome = tokio::select! {
        // Check call() first: when stdin has ended, a request that is finished
        // still gets its result.
        biased;
        outcome = methods::call(&request) => outcome,
        () = cancelled.cancelled() => Err(methods::REQUEST_CANCELLED),
    };
    server.running.remove(&id);
    let response = match outcome {
        Ok(result) => json!({ "id": id, "jsonrpc": "2.0", "result": result }),
        Err(failure) => error_answer(&id, failure),
    };
    send(&server, &response)
}

/// The answer that says what went wrong.
fn error_answer(id: &Value, (code, message): Failure) -> Value {
    let error = json!({ "code": code, "message": message });
    json!({ "error": error, "id": id, "jsonrpc": "2.0" })
}

/// 5. Sends one message. Framing: its end must be marked, as a pipe carries
///    bytes, and not messages.
fn send(server: &Server, message: &Value) -> Result<()> {
    let text = message.to_string();
    let mut stdout = io::stdout().lock();
    // Back-pressure: this waits while the parent does not read.
    match server.framing {
        // JSON has no line break within a message: it writes \n in a text.
        Framing::Lines => writeln!(stdout, "{text}")?,
        Framing::Headers => {
            let length = text.len(); // in bytes: 中 has three
            write!(stdout, "Content-Length: {length}\r\n\r\n{text}")?;
        }
    }
    stdout.flush()?; // without it, stdout keeps bytes until a line ends
    Ok(())
}
