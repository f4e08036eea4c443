//! A worker under the primary of a cluster, and a plain child elsewhere: to
//! see that a child that is no worker still finds the channel.
//!
//!     cargo build -p node-channel --examples
//!     node fork-ipc/node/parent.js -- target/debug/examples/either

use node_channel::{child, cluster};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Ok(mut worker) = cluster::worker().await else {
        let channel = child::channel()?;
        channel.send("child").await?;
        channel.disconnect().await?;
        return Ok(());
    };
    worker.sender().send("worker").await?;
    worker.disconnect().await?;
    Ok(())
}
