//! The first version of a channel. Node twin: `channels.js`.

use std::error::Error;
use tokio::sync::broadcast;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (room, mut ada) = broadcast::channel(16);
    let mut bob = room.subscribe();
    room.send("hello")?;
    room.send("bye")?;
    println!("Ada receives: {}", ada.recv().await?);
    println!("Ada receives: {}", ada.recv().await?);
    println!("Bob receives: {}", bob.recv().await?);
    Ok(())
}
