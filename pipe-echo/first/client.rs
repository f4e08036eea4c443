//! The first version of the pipe echo client. Node twin: `client.js`.

#[cfg(windows)] // a named pipe, with the same calls
use pipe_echo::windows::client::{Connect, UnixStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Result, split};
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::time::{Duration, sleep};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let socket = UnixStream::connect("/tmp/unix.sock").await?;
    println!("connected.");
    let (mut reader, mut writer) = split(socket);
    tokio::spawn(async move {
        while writer.write_all(b"hello").await.is_ok() {
            println!("send: hello");
            sleep(Duration::from_secs(3)).await;
        }
    });
    let mut bytes = Vec::with_capacity(1024);
    while reader.read_buf(&mut bytes).await? > 0 {
        println!("receive: {}", String::from_utf8_lossy(&bytes));
        bytes.clear();
    }
    println!("disconnected.");
    Ok(())
}
