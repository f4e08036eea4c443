//! HTTP client: asks for a path every three seconds and prints the answer.
//!
//! Node twin: `node/client.js`. Other half: `server.rs`.
//!
//!     cargo run -p http-echo --bin client
//!     cargo run -p http-echo --bin client -- 'http://127.0.0.1:8888/a?b=c'
//!
//! Try this: restart the server while the client runs.

use anyhow::{Context, ensure};
use clap::Parser;
use common::{log, pace::Pace};
use http_body_util::BodyExt;
use http_echo::{agent::Agent, tls::Tls, url::Url};
use hyper::Response;
use hyper::body::Incoming;

/// Asks an HTTP server for a path and prints the answer.
#[derive(Parser)]
struct Args {
    /// What to ask for, by default http://127.0.0.1:8888/hello
    url: Option<Url>,

    #[command(flatten)]
    tls: Tls,

    /// Ask for /TEXT instead of the URL's own path
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,

    #[command(flatten)]
    pace: Pace,

    #[command(flatten)]
    quiet: log::Quiet,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    args.quiet.apply();
    let url = args.url.map_or_else(|| args.tls.url().parse(), Ok)?;
    let target = url.target(args.message.as_deref());
    let tls = args.tls.connector(&url)?;

    // 1. Connect, when the first request is made. The agent keeps the
    //    connection for the others, and opens another one when the server
    //    has closed it meanwhile.
    let mut agent = Agent::new(url, tls);

    // 2. Ask, now and at every tick, until that was all or Ctrl-C.
    let mut ticks = args.pace.start();
    while ticks.next().await {
        let response = agent.get(&target).await?;
        let status = response.status().as_u16();
        log::line(format_args!("statusCode: {status}"));
        hear(response, &target).await?;
    }

    // 4. Say goodbye.
    agent.close().await;
    Ok(())
}

/// 3. Prints the body as it arrives. It may come in any number of pieces,
///    and may be longer than any memory: keep none of them.
async fn hear(
    response: Response<Incoming>,
    target: &str,
) -> anyhow::Result<()> {
    let status = response.status();
    let mut body = response.into_body();
    let mut decoder = log::Decoder::default();
    let mut missing = target.as_bytes();
    let wrong = match status.as_u16() {
        200 => "the answer is not what was asked for".to_owned(),
        _ => format!("the server answered {status}"),
    };
    while let Some(piece) = body.frame().await {
        // Else it is a trailer: headers that come behind the body. Or it is
        // empty: HTTP/2's way of saying that there is no more.
        if let Ok(bytes) = piece.context("receive")?.into_data()
            && !bytes.is_empty()
        {
            log::line(decoder.decode(&bytes));
            let rest = missing.strip_prefix(&*bytes);
            missing = rest.with_context(|| wrong.clone())?;
        }
    }
    ensure!(status == 200, wrong);
    ensure!(
        missing.is_empty(),
        "{} bytes of the answer are missing",
        missing.len()
    );
    Ok(())
}
