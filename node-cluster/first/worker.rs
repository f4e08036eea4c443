//! The first version of a worker. Node twin: worker.js.

use node_channel::cluster::{Event, worker};
use tokio::io::AsyncWriteExt;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut worker = worker().await?;
    let id = worker.id();
    worker.listen("127.0.0.1:0".parse()?).await?; // asks the primary
    while let Some(event) = worker.next().await {
        if let Event::Connection(mut socket) = event? {
            println!("[{id}] socket connected");
            let hello = format!("hello from worker {id}");
            socket.write_all(hello.as_bytes()).await?;
        }
    }
    Ok(())
}
