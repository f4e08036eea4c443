//! A Rust service that has a Node script do what only Node can:
//! `task.js`.
//!
//!     cargo run -p node-channel --example drive

use std::path::Path;

use anyhow::Context;
use node_channel::{Fork, Serialization};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    // Beside this source; a service would install it beside itself.
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/task.js");
    // Advanced, for what JSON cannot carry: dates, maps, bytes.
    let mut child = Fork::new("node")
        .arg(script)
        .serialization(Serialization::Advanced)
        .spawn()?;

    for template in ["Hello ${name}", "${name.length} letters", "${oops"] {
        // One at a time. For several, give each a number: the answers of a
        // script that waits for something may come in another order.
        let task = json!({"template": template, "values": {"name": "Rust"}});
        child.channel.send(&task).await?;
        let answer = child.channel.recv_as::<Value>().await;
        let answer = answer.context("Node has ended")??;
        match answer.get("error").and_then(Value::as_str) {
            Some(error) => println!("error: {error}"),
            None => println!("{}", answer["text"].as_str().unwrap_or("?")),
        }
    }

    // The script ends when the channel does, as nothing else keeps it alive.
    let status = child.end().await?;
    println!("node {}", node_channel::describe(status));
    Ok(())
}
