//! A child that sends every message back as it came, and the socket that
//! came with it: to measure the channel, and to count what it leaves open.
//! One task for both directions, so no more than 128 KiB may follow a socket.
//! With `frames` as its argument it looks at no message.
//!
//!     cargo build -p node-channel --examples --release
//!     node fork-ipc/node/parent.js -- target/release/examples/echo

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let inherited = node_channel::child::Inherited::take()?;
    if std::env::args().nth(1).is_some_and(|word| word == "frames") {
        let (mut reader, writer) = inherited.open_frames()?;
        while let Some(frame) = reader.next().await? {
            writer.send(frame).await?;
        }
        return Ok(());
    }
    let mut channel = inherited.open()?;
    while let Some(message) = channel.recv().await {
        channel.pass_on(message?).await?;
    }
    Ok(())
}
