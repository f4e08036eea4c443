//! A worker in Rust for pools that were written for Node: jest-worker,
//! tinypool and workerpool start it in place of Node, by the option `execPath`
//! or by `process.execPath`. It doubles the number that each job names.
//!
//! Each pool has its own messages, which nobody documents: these are those of
//! the versions in `tests/npm/package-lock.json`.

use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut channel = node_channel::child::channel()?;
    // workerpool waits for this, and the others take it for an answer.
    if std::env::args().any(|word| word == "workerpool") {
        channel.send("ready").await?;
    }
    while let Some(message) = channel.recv_as::<Value>().await {
        let message = message?;
        // Both of these end a worker: `[2, ...]` and a string.
        if message[0] == 2 || message.is_string() {
            break;
        }
        if let Some(answer) = answer(&message) {
            channel.send(&answer).await?;
        }
    }
    channel.disconnect().await?;
    Ok(())
}

fn answer(message: &Value) -> Option<Value> {
    // tinypool
    if let Some(source) = message["source"].as_str() {
        let mut answer = json!({
            "__tinypool_worker_message__": true,
            "source": source,
        });
        if source == "pool" {
            answer["ready"] = true.into();
        } else {
            answer["taskId"] = message["taskId"].clone();
            answer["result"] = double(&message["task"]);
            answer["error"] = Value::Null;
            answer["usedMemory"] = 0.into();
        }
        return Some(answer);
    }
    // jest-worker: 0 says what to load, 1 calls a function of it.
    if message.is_array() {
        let is_call = message[0] == 1;
        return is_call.then(|| json!([0, double(&message[3][0])]));
    }
    // workerpool
    if message["method"].is_string() {
        return Some(json!({
            "id": message["id"],
            "result": double(&message["params"][0]),
            "error": null,
        }));
    }
    Some(double(message))
}

fn double(number: &Value) -> Value {
    number.as_i64().map(|number| number * 2).into()
}
