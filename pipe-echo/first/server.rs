//! The first version of the pipe echo server. Node twin: `server.js`.

#[cfg(windows)] // named pipes, with the same calls
use pipe_echo::windows::server::{UnixListener, UnixStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Result};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let listener = UnixListener::bind("/tmp/unix.sock")?;
    println!("listening on /tmp/unix.sock");
    loop {
        tokio::spawn(echo(listener.accept().await?.0));
    }
}

async fn echo(mut socket: UnixStream) -> Result<()> {
    println!("socket connected");
    let mut bytes = Vec::with_capacity(1024);
    while socket.read_buf(&mut bytes).await? > 0 {
        println!("receive: {}", String::from_utf8_lossy(&bytes));
        socket.write_all(&bytes).await?;
        println!("send: {}", String::from_utf8_lossy(&bytes));
        bytes.clear();
    }
    println!("socket disconnected");
    Ok(())
}
