//! A server that a process manager like PM2 starts and stops: it says
//! `"ready"` when it can serve, and ends well when it is told `"shutdown"`.
//!
//! In PM2's ecosystem file: `{ script: 'target/release/ready', interpreter:
//! 'none', wait_ready: true, shutdown_with_message: true }`.

use std::pin::pin;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::time;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    // Started by hand there is no channel, and that is fine.
    let mut channel = node_channel::child::channel().ok();
    let mut stop = pin!(tokio::signal::ctrl_c());
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening on {}", listener.local_addr()?);

    // Only now: the manager stops the old process when it hears this.
    if let Some(channel) = &channel {
        channel.send("ready").await?;
    }
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                // One that has left already harms nobody.
                Ok((mut client, _)) => _ = client.write_all(b"hello\n").await,
                // Out of file descriptors, say: wait for some to be closed.
                Err(error) => {
                    eprintln!("accept: {error}");
                    time::sleep(Duration::from_millis(100)).await;
                }
            },
            // On Windows, and where signals do not reach, PM2 says it so.
            told = told_to_stop(&mut channel) => {
                println!("{told}");
                return Ok(());
            }
            pressed = &mut stop => return Ok(pressed?),
        }
    }
}

/// Waits for the message, or for the manager's end; without a manager,
/// indefinitely.
async fn told_to_stop(
    channel: &mut Option<node_channel::Channel>,
) -> &'static str {
    let Some(channel) = channel else {
        return std::future::pending().await;
    };
    while let Some(message) = channel.recv().await {
        let text = message.and_then(|message| message.parse::<String>());
        if text.is_ok_and(|text| text == "shutdown") {
            return "shutdown";
        }
    }
    "the manager has gone"
}
