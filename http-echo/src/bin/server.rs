//! HTTP echo server: the answer to a request is the path that it asks for.
//!
//! Node twin: `node/server.js`. Other half: `client.rs`.
//!
//!     cargo run -p http-echo --bin server
//!     cargo run -p http-echo --bin client       # in a second terminal
//!
//! Try this: `curl -i http://127.0.0.1:8888/hello?name=you`

use anyhow::{Context, Result};
use clap::Parser;
use common::{accept, log, shutdown};
use http_echo::connection::Connections;
use http_echo::{body, limits::Limits, reply, target, tls::Tls};
use hyper::body::Incoming;
use hyper::{Method, Request};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;

/// Answers each HTTP request with the path that it asks for.
#[derive(Parser)]
struct Args {
    /// Where to listen, by default at 127.0.0.1:8888; 0.0.0.0:8888 opens it
    /// to other computers
    address: Option<String>,

    #[command(flatten)]
    tls: Tls,

    #[command(flatten)]
    limits: Limits,

    #[command(flatten)]
    quiet: log::Quiet,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    args.quiet.apply();
    let address = args.address.unwrap_or(args.tls.address());
    let limits = args.limits;
    let tls = args.tls.acceptor()?;
    let stop = shutdown::token();

    // 1. Listen. From here on the kernel queues clients, so whoever has
    //    read this line can connect.
    let listener = TcpListener::bind(&address)
        .await
        .with_context(|| format!("listen on {address}"))?;
    log::ready(format_args!("listening on {}", listener.local_addr()?));

    // 2. Take one connection after the other, each into a task of its own,
    //    until Ctrl-C. Hyper reads a connection's requests and calls
    //    `answer` for each: the next one when the last answer is written,
    //    so a client that never reads cannot make answers pile up.
    let connections = Connections::new(limits, tls, stop.clone());
    let graceful = GracefulShutdown::new();
    while let Some(next) = stop.run_until_cancelled(listener.accept()).await {
        match next {
            Ok((socket, _)) => {
                let answer = move |request| answer(request, limits.body());
                let connection = connections.clone();
                let watcher = graceful.watcher();
                tokio::spawn(watch(connection.serve(socket, watcher, answer)));
            }
            Err(error) => accept::failed(error).await,
        }
    }

    // 5. Stop: take no more clients, finish the answers. Who is between two
    //    requests is sent away at once.
    drop(listener);
    graceful.shutdown().await;
    Ok(())
}

/// 3. An error ends this connection, and no other.
async fn watch(connection: impl Future<Output = Result<()>>) {
    if let Err(error) = connection.await {
        log::error(format_args!("socket: {error:#}"));
    }
}

/// 4. Answers a request, whatever its method, with the target it asks for.
async fn answer(
    request: Request<Incoming>,
    limit: u64,
) -> hyper::Result<reply::Reply> {
    let target = match target::of(&request) {
        Ok(target) => target,
        Err(status) => return Ok(reply::refusal(status)),
    };
    log::line(format_args!("url {}", log::shown(&target)));
    let is_head = request.method() == Method::HEAD;

    // The next request begins where this one's body ends, so read to there.
    // Keep nothing of it: bodies that are collected fill the memory.
    Ok(match body::drain(request, limit).await? {
        // To HEAD, the same but for the body.
        None => reply::text(target, is_head),
        Some(status) => reply::refusal(status),
    })
}
