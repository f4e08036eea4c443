//! HTTP client: asks for a URL and prints the answer.
//!
//! Node twin: `node/client.js`. Other half: `server.rs`.
//!
//!     cargo run -p http-echo --bin server       # in a first terminal
//!     cargo run -p http-echo --bin client
//!
//! Try this: ask for `http://127.0.0.1:8888/a/../b?c=d`.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use clap::Parser;
use common::{log, shutdown};
use http_body_util::BodyExt;
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use url::{Position, Url};

/// How long one request may take, with its whole answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Asks an HTTP server for a URL and prints the answer.
#[derive(Parser)]
struct Args {
    /// What to ask for
    #[arg(default_value = "http://127.0.0.1:8888/hello")]
    #[arg(value_parser = http_url)]
    url: Url,

    /// How many times to ask
    #[arg(long, value_name = "N", default_value_t = 1)]
    count: u64,

    /// Milliseconds between two requests
    #[arg(long, value_name = "MS", default_value_t = 3000)]
    every: u64,
}

const ADVICE: &str =
    "start the server first: cargo run -p http-echo --bin server";

#[tokio::main(flavor = "current_thread")]
// An error becomes one line on stderr, and status 1.
async fn main() -> common::Result {
    let args = Args::parse();
    let stop = shutdown::token(); // cancelled by Ctrl-C and SIGTERM

    // 1. Ask, until that was all or Ctrl-C, which cancels what is under way:
    //    a client has nothing that it would have to finish.
    if let Some(asked) = stop.run_until_cancelled(ask_all(&args)).await {
        asked.with_context(|| format!("ask for {}", args.url))?;
    } // None: Ctrl-C
    Ok(())
}

/// 2. Asks as often as `--count` says: once, unless given.
async fn ask_all(args: &Args) -> Result<()> {
    for number in 0..args.count {
        if number > 0 {
            sleep(Duration::from_millis(args.every)).await;
        }
        let outcome = timeout(TIMEOUT, ask(&args.url))
            .await
            .context("no whole answer in 10 seconds")?;
        outcome?;
    }
    Ok(())
}

/// Asks once, on a connection of its own.
async fn ask(url: &Url) -> Result<()> {
    // 3. Connect. hyper makes two of it: `sender` takes requests, and
    //    `connection` moves the bytes, in a task of its own. Node does so
    //    by itself.
    let host = url.host_str().context("the URL has no host")?;
    let address = format!("{host}:{}", url.port().unwrap_or(80));
    let socket = TcpStream::connect(&address)
        .await
        .map_err(|error| anyhow!("connect to {address}: {error}; {ADVICE}"))?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(socket)).await?;
    tokio::spawn(connection); // its errors reach us through `sender`

    // 4. Ask. The server learns the path, and which of its names was used.
    let path = &url[Position::BeforePath..Position::AfterQuery]; // "/a?b=c"
    let request = Request::get(path)
        .header("host", url.authority())
        .header("connection", "close")
        .body(String::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status().as_u16();
    log::line(format_args!("statusCode: {status}"));

    // 5. Print the body as it arrives. It comes in any number of pieces, and
    //    may be larger than the memory: keep none of them. This is a log, so
    //    `decode` cuts each after 160 characters.
    let mut decoder = log::Decoder::default();
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        // A frame holds bytes, or trailers: headers after the body.
        let bytes = frame?.into_data().unwrap_or_default();
        log::line(decoder.decode(&bytes));
    }
    ensure!(status == 200, "the server answered {status}");
    Ok(())
}

/// Refuses a URL of which a part would be ignored.
fn http_url(text: &str) -> Result<Url> {
    let url: Url = text.parse()?;
    ensure!(
        url.scheme() == "http" && !url.authority().contains('@'),
        "expected http://HOST:PORT/PATH"
    );
    Ok(url)
}
