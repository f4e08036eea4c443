//! Worker: serves clients of a port that its primary owns. It tells each
//! client its number, and then sends back whatever the client sends.
//!
//! Node twin: `node/worker.js`. Other half: `node/primary.js`, which starts
//! this.
//!
//!     cargo run -p node-cluster --bin worker    # no primary: says so
//!     node node-cluster/node/primary.js -- target/debug/worker
//!
//! Try this: kill the primary, with `kill -9`, and watch the workers end.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use common::{log, shutdown};
use node_channel::cluster::{self, Event};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::sleep;
use tokio_util::task::TaskTracker;

/// Serves clients in a cluster.
#[derive(Parser)]
struct Args {
    /// Where the primary is to listen; port 0: one that the system chooses
    #[arg(default_value = "127.0.0.1:0")]
    address: SocketAddr,
}

const ADVICE: &str = "start node-cluster/node/primary.js, which starts workers";

#[tokio::main(flavor = "current_thread")]
// An error becomes one line on stderr, and status 1.
async fn main() -> common::Result {
    // cluster.fork() puts the path of a script in front of our arguments:
    // this leaves it out.
    let Args { address } = node_channel::parse_arguments(Args::try_parse_from)
        .unwrap_or_else(|mistake| mistake.exit());
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Join the cluster. NODE_UNIQUE_ID is our number, and NODE_CHANNEL_FD
    //    the channel to the primary. This takes both, and tells the primary
    //    that this worker is `online`.
    let mut worker = cluster::worker()
        .await
        .map_err(|why| anyhow!("join a cluster: {why}; {ADVICE}"))?;
    let id = worker.id();

    // 2. Listen: the primary opens the port, or has opened it for another
    //    worker. Nothing listens in this process.
    worker
        .listen(address)
        .await
        .with_context(|| format!("listen on {address}"))?;

    // 3. Serve clients, until the primary has us leave, or Ctrl-C. With each
    //    message `newconn` comes a connected socket.
    let clients = TaskTracker::new(); // knows which tasks still run
    // The outer Some: not yet Ctrl-C. The inner one: what the primary sent.
    while let Some(event) = stop.run_until_cancelled(worker.next()).await {
        match event {
            None => break, // the primary has us leave, or has died
            Some(Ok(Event::Connection(socket))) => {
                clients.spawn(serve(socket, id));
            }
            Some(Ok(_)) => {} // a message that the primary's program has sent
            // Out of file descriptors, say: this client is lost. Wait, as
            // clients that leave give theirs back.
            Some(Err(error)) => {
                log::error(format_args!("[{id}] accept: {error}"));
                sleep(Duration::from_millis(100)).await;
            }
        }
    }

    // 4. Leave: give the port back, so that no more clients come, and close
    //    the channel. Those who are connected are served: this process ends
    //    when the last one has gone, and the primary waits for that.
    if stop.is_cancelled() {
        let _ = worker.disconnect().await; // an error: the primary has gone
    }
    // Clients that the primary had handed over before it knew.
    while let Some(event) = worker.next().await {
        if let Ok(Event::Connection(socket)) = event {
            clients.spawn(serve(socket, id));
        }
    }
    if worker.is_leaving() {
        clients.close(); // the list, no connection: now wait() can return
        clients.wait().await;
    } // else the primary has died: end at once, as Node's workers do
    Ok(())
}

/// 5. Serves one client. An error ends this connection, and not the worker.
async fn serve(socket: TcpStream, id: u32) {
    log::line(format_args!("[{id}] socket connected"));
    if let Err(error) = echo(socket, id).await {
        log::error(format_args!("[{id}] socket: {error}"));
    }
}

/// 6. Says who serves, and sends back what arrives, until the client
///    half-closes.
async fn echo(mut socket: TcpStream, id: u32) -> Result<()> {
    socket.set_nodelay(true)?;
    let hello = format!("worker {id}: ");
    socket.write_all(hello.as_bytes()).await?;
    let (mut reader, mut writer) = socket.split();
    tokio::io::copy(&mut reader, &mut writer).await?;
    Ok(())
}
