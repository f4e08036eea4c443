//! A child that sends every message back as it came, and the socket that
//! came with it: to measure the channel, and to count what it leaves open.
//! One task for both directions, so no more than 128 KiB may follow a socket.
//!
//!     cargo build -p node-channel --examples --release
//!     node fork-ipc/node/parent.js -- target/release/examples/echo

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut channel = node_channel::child::channel()?;
    let sender = channel.sender();
    while let Some(message) = channel.recv().await {
        let mut message = message?;
        match message.handle.take() {
            Some(socket) => {
                let value: serde_json::Value = message.parse()?;
                sender.send_with(&value, socket).await?;
            }
            None => sender.send_raw(message).await?,
        }
    }
    Ok(())
}
