//! A child that sends every message back as it came: to measure the channel.
//!
//!     cargo build -p fork-ipc --bins --release
//!     node fork-ipc/node/parent.js -- target/release/echo

#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let mut channel = fork_ipc::child::channel()?;
    let sender = channel.sender();
    while let Some(message) = channel.recv().await {
        sender.send_raw(message?.into_bytes()).await?;
    }
    Ok(())
}
