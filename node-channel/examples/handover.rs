//! Takes over the listening socket of a Node server, `handover.js`,
//! and serves on, without a connection refused in between.
//!
//!     cargo build -p node-channel --examples
//!     node node-channel/examples/handover.js target/debug/examples/handover

use std::time::Duration;

use anyhow::Context;
use node_channel::Handle;
use tokio::io::AsyncWriteExt;
use tokio::time;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut channel = node_channel::child::channel()?;
    let mut message = channel.recv().await.context("the parent has gone")??;
    let Some(Handle::TcpListener(listener)) = message.handle.take() else {
        anyhow::bail!("a message without a server");
    };
    // Both processes have the socket now, and share one queue of clients.
    // Node may close its own: the clients in the queue are served here.
    channel.send("taken").await?;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                // One that has left already harms nobody.
                Ok((mut client, _)) => _ = client.write_all(b"Rust\n").await,
                // Out of file descriptors, say: wait for some to be closed.
                Err(error) => {
                    eprintln!("accept: {error}");
                    time::sleep(Duration::from_millis(100)).await;
                }
            },
            // Messages and connections of the parent's may still come.
            message = channel.recv() => match message {
                Some(message) => match message?.handle.take() {
                    Some(Handle::TcpStream(mut client)) => {
                        let _ = client.write_all(b"handed over\n").await;
                    }
                    _ => return Ok(()),
                },
                None => return Ok(()),
            },
        }
    }
}
