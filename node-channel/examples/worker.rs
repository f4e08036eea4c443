//! A worker of a Node cluster: serves HTTP from the sockets that the primary
//! hands to it. The lesson node-cluster has a primary for it.
//!
//!     cargo build -p node-channel --examples
//!     node node-cluster/node/primary.js 127.0.0.1:8888 -- target/debug/examples/worker
//!     curl http://127.0.0.1:8888                # in a second terminal

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::anyhow;
use node_channel::Error;
use node_channel::cluster::{self, Event};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time;
use tokio_util::task::TaskTracker;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut worker = cluster::worker().await?;
    let name = format!("Rust worker {}", worker.id());
    // Where `setupPrimary({ args })` says. Before them, cluster.fork() puts the
    // path of the program that it takes for a script.
    let mut addresses = Vec::new();
    for word in std::env::args().skip(2) {
        let address: SocketAddr = word
            .parse()
            .map_err(|why| anyhow!("address {word}: {why}"))?;
        addresses.push(address);
    }
    if addresses.is_empty() {
        addresses.push(([127, 0, 0, 1], 0).into());
    }
    for address in addresses {
        match worker.listen(address).await {
            // Already to leave? The events say so, too.
            Err(Error::Closed) => break,
            listening => listening?,
        };
    }
    let clients = TaskTracker::new();
    while let Some(event) = worker.next().await {
        let done = match event {
            Ok(Event::Connection(stream)) => {
                clients.spawn(serve(stream, name.clone()));
                Ok(())
            }
            Ok(Event::Message(message)) if message.to_string() == "leave" => {
                worker.disconnect().await
            }
            Ok(Event::Message(message)) => {
                worker.sender().send_raw(message).await
            }
            // A client, or a message, is lost; the next one comes.
            Err(Error::Io(error)) => {
                eprintln!("accept: {error}");
                time::sleep(Duration::from_millis(100)).await;
                Ok(())
            }
            Err(error) => {
                eprintln!("{error}");
                Ok(())
            }
            Ok(_) => Ok(()),
        };
        match done {
            // The primary has gone? Then next() says so.
            Ok(()) | Err(Error::Closed) => {}
            Err(error) => Err(error)?,
        }
    }
    // The primary has taken the port back; who is connected is served. Not
    // when it has died: Node's own workers end at once then.
    if worker.is_leaving() {
        clients.close();
        clients.wait().await;
    }
    Ok(())
}

/// One request, one answer. A service would use hyper here.
async fn serve(mut stream: TcpStream, name: String) {
    let (reader, mut writer) = stream.split();
    let mut lines = BufReader::new(reader.take(16 * 1024)).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if line.is_empty() {
            let answer = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\n\
                 content-length: {}\r\n\r\n{name}",
                name.len()
            );
            let _ = writer.write_all(answer.as_bytes()).await;
            return;
        }
    }
}
