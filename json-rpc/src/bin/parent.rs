//! The parent: starts a child, and calls its methods over stdin and stdout.
//!
//! Node twin: `node/parent.js`. Other half: `child.rs`.
//! The framing: `src/framing.rs`.
//!
//!     cargo run -p json-rpc --bin parent
//!     cargo run -p json-rpc --bin parent -- --framing headers
//!
//! Try this: `parent -- sh -c 'echo hello; exec node json-rpc/node/child.js'`

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::env;
use std::ffi::OsString;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use common::pace::{Pace, Ticks};
use common::{log, shutdown};
use json_rpc::framing::Framing;
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Mutex, oneshot};
use tokio::time::{sleep, timeout};

/// The other half, `src/bin/child.rs`. `cargo run --bin parent` does not build
/// the program `child`, so its code is a module here as well, and the parent
/// starts itself with the argument `child`.
mod child;

/// Starts a child, and calls its methods
#[derive(Parser)]
// `--count` is one of the flags in `Pace`; here it has another default.
#[command(mut_arg("count", |count| {
    count.default_value("1").help("How many times to call `add`")
}))]
struct Args {
    /// How messages are marked in the stream
    #[arg(long, value_enum, default_value = "lines")]
    framing: Framing,

    #[command(flatten)]
    pace: Pace, // --every and --count

    /// What to start instead of our own child, with its arguments
    #[arg(last = true)]
    program: Vec<OsString>,
}

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a child may take to end after Ctrl-C, before it is killed.
const END_TIMEOUT: Duration = Duration::from_secs(1);

/// The calls that wait for their answers, by the ids of their requests.
type Waiting = RefCell<HashMap<u64, oneshot::Sender<Value>>>;

/// The child, for those who call its methods.
struct Server<'a> {
    framing: Framing,
    stdin: Mutex<ChildStdin>,
    last_id: Cell<u64>,
    waiting: &'a Waiting,
}

// An error becomes one line on stderr, and status 1.
fn main() -> common::Result {
    // The child is this program again, with another first argument.
    if env::args_os().nth(1).is_some_and(|role| role == "child") {
        return child::main();
    }
    parent()
}

#[tokio::main(flavor = "current_thread")]
async fn parent() -> common::Result {
    let args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Start the child. Its stdin and stdout are for messages; its stderr
    //    is ours, so that we see what it logs there.
    let mut child = start(&args)?;
    let stdin = child.stdin.take().context("no pipe to stdin")?;
    let stdout = child.stdout.take().context("no pipe from stdout")?;

    // 2. Call and receive at the same time. After the last call, or Ctrl-C,
    //    `server` is dropped, and the child reads the end of its stdin. It
    //    ends, and until then we receive what is still on its way.
    let waiting = Waiting::default();
    let server = Server {
        framing: args.framing,
        stdin: Mutex::new(stdin),
        last_id: Cell::new(0),
        waiting: &waiting,
    };
    let calls = call_all(server, args.pace.ticks(stop.clone()));
    let talk = async {
        let calls = async {
            let ended = stop.run_until_cancelled(calls).await;
            ended.unwrap_or(Ok(())) // None: Ctrl-C
        };
        let receiving = receive(args.framing, stdout, &waiting);
        tokio::try_join!(calls, receiving)
    };
    let overdue = async {
        stop.cancelled().await;
        sleep(END_TIMEOUT).await;
    };
    tokio::select! {
        talked = talk => {
            talked?;
        }
        () = overdue => {
            child.kill().await?;
            return Ok(());
        }
    }

    // 3. Wait for the child's end: it would remain as a zombie.
    let status = child.wait().await?;
    let is_well = status.success() || stop.is_cancelled();
    if !is_well {
        return Err(anyhow!("the child has failed: {status}").into());
    }
    Ok(())
}

/// Starts the program that was named, or else our own child.
fn start(args: &Args) -> Result<Child> {
    let framing = format!("--framing={}", args.framing);
    let own = [env::current_exe()?.into(), "child".into(), framing.into()];
    let words = if args.program.is_empty() {
        &own
    } else {
        &args.program[..]
    };
    Command::new(&words[0])
        .args(&words[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true) // should we fail, it is not left behind
        .spawn()
        .with_context(|| format!("start {}", words[0].display()))
}

/// 4. Calls what there is to show.
async fn call_all(server: Server<'_>, mut ticks: Ticks) -> Result<()> {
    while ticks.next().await {
        // Two requests at the same time. The quick one is answered first.
        let slow = call(&server, "wait", json!({ "ms": 500 }), ANSWER_TIMEOUT);
        let numbers = json!({ "a": 2, "b": 3 });
        let quick = call(&server, "add", numbers, ANSWER_TIMEOUT);
        let (slow, quick) = tokio::try_join!(slow, quick)?;
        log::line(format_args!("wait: {slow}\nadd: {quick}"));
    }
    // An error is an answer, too. It has a code, for programs.
    let numbers = json!({ "a": 1, "b": 0 });
    let answer = call(&server, "divide", numbers, ANSWER_TIMEOUT).await?;
    log::line(format_args!("divide: {answer}"));
    // And no answer at all must not stop us.
    let limit = Duration::from_millis(100);
    let answer = call(&server, "wait", json!({ "ms": 60_000 }), limit).await?;
    log::line(format_args!("wait: {answer}"));
    Ok(())
}

/// 5. Calls a method: sends a request with a new id, and waits for the answer
///    that has the same one. Returns what is to be shown of it.
async fn call(
    server: &Server<'_>,
    method: &str,
    params: Value,
    limit: Duration,
) -> Result<String> {
    let id = server.last_id.get() + 1;
    server.last_id.set(id);
    let (sender, answered) = oneshot::channel(); // for one value
    server.waiting.borrow_mut().insert(id, sender);
    let request = json!({
        "id": id, "jsonrpc": "2.0", "method": method, "params": params,
    });
    send(server, &request).await?;
    let Ok(received) = timeout(limit, answered).await else {
        // 6. Cancel it: a notification, which has no id and gets no answer.
        //    The request itself is still answered: with an error.
        server.waiting.borrow_mut().remove(&id);
        let params = json!({ "id": id });
        let cancel = json!({
            "jsonrpc": "2.0", "method": "$/cancelRequest", "params": params,
        });
        send(server, &cancel).await?;
        return Ok(format!("no answer within {limit:?}, cancelled"));
    };
    let answer = received.context("the child has closed its stdout")?;
    Ok(match answer.get("error") {
        Some(error) => format!("error {}, {}", error["code"], error["message"]),
        None => answer["result"].to_string(),
    })
}

/// 7. Sends one message, whole: a second call waits until the first one is
///    written. Back-pressure: both wait while the child does not read.
async fn send(server: &Server<'_>, message: &Value) -> Result<()> {
    let mut stdin = server.stdin.lock().await;
    let text = message.to_string();
    log::line(format_args!("Sent to child: {}", log::shown(text)));
    let bytes = server.framing.frame(message);
    stdin.write_all(&bytes).await.context("write to the child")
}

/// 8. Receives messages, and hands each answer to the call that waits for it.
async fn receive(
    framing: Framing,
    stdout: ChildStdout,
    waiting: &Waiting,
) -> Result<()> {
    let mut stdout = BufReader::new(stdout);
    while let Some(text) = framing
        .read(&mut stdout)
        .await
        .context("the child's stdout (does it print something else there?)")?
    {
        log::line(format_args!("Received from child: {}", log::shown(&text)));
        let Ok(message) = serde_json::from_slice::<Value>(&text) else {
            // The commonest fault: something in the child prints to stdout.
            // With lines, the next message begins after it.
            log::error("this is no JSON: does the child log to its stdout?");
            continue;
        };
        let id = message["id"].as_u64().unwrap_or(0); // no call has 0
        if let Some(call) = waiting.borrow_mut().remove(&id) {
            let _ = call.send(message); // it may have ended meanwhile
        }
        // Others are answers to a call that was cancelled, or notifications.
    }
    waiting.borrow_mut().clear(); // those who wait get an error
    Ok(())
}
