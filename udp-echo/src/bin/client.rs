//! UDP echo client: sends numbered messages and tells which did not return.
//!
//! Node twin: `node/client.js`. Other half: `server.rs`.
//!
//!     cargo run -p udp-echo --bin client
//!     cargo run -p udp-echo --bin client -- --count 100 --every 10
//!
//! Try this: start it without a server.

use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use common::{log, pace::Pace, shutdown};
use udp_echo::{ANY_DATAGRAM, Ledger, connect, go_on};

/// Sends numbered messages to a UDP echo server and counts what comes back.
#[derive(Parser)]
struct Args {
    /// Where the server listens
    #[arg(default_value = "127.0.0.1:8888")]
    address: String,

    /// What to send, behind its number
    #[arg(long, value_name = "TEXT", default_value = "hello")]
    message: String,

    #[command(flatten)]
    pace: Pace,

    /// Milliseconds after which an echo counts as lost
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    wait: u16,

    #[command(flatten)]
    quiet: log::Quiet,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    args.quiet.apply();
    let (stop, mut stopping) = (shutdown::token(), false);

    // 1. "Connect". Nothing is sent for it, and nobody answers: it only
    //    tells this system whose datagrams we want, and to report refusals.
    let socket = connect(&args.address)
        .await
        .with_context(|| format!("connect to {}", args.address))?;
    let mut buffer = vec![0; ANY_DATAGRAM];
    let wait = Duration::from_millis(args.wait.into());
    let mut ledger = Ledger::new(&args.message, wait);
    let (mut ticks, mut all_sent) = (args.pace.start(), false);
    while !(all_sent && ledger.is_settled()) {
        tokio::select! {
            biased; // what has arrived is not lost, however late it is read

            // 2. Print what comes back: in any order, or twice.
            received = socket.recv(&mut buffer) => match received {
                Ok(length) => {
                    let bytes = &buffer[..length];
                    let fate = ledger.hear(bytes);
                    let text = log::shown_bytes(bytes);
                    log::line(format_args!("{fate}: {text}"));
                }
                Err(error) => go_on(error, &args.address)?,
            },

            // 3. Whatever does not come back in time is lost. Nobody tells
            //    us: that no echo came is all there is to know.
            lost = ledger.overdue() => {
                log::line(format_args!("lost: {}", log::shown(&lost)));
            }

            // 4. Send, now and at every tick, until that was all or Ctrl-C.
            more = ticks.next(), if !all_sent => {
                all_sent = !more;
                if all_sent {
                    continue;
                }
                let text = ledger.send();
                log::line(format_args!("send: {}", log::shown(&text)));
                // Sent is not arrived. A refusal that is reported here was
                // the answer to an earlier datagram: send this one again.
                if let Err(error) = socket.send(text.as_bytes()).await {
                    go_on(error, &args.address).with_context(|| {
                        let bytes = text.len();
                        format!("send {bytes} bytes (IPv4 takes 65507)")
                    })?;
                    let _ = socket.send(text.as_bytes()).await;
                }
            }

            // After Ctrl-C, no echo is waited for longer than half a second.
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                ledger.hurry(Duration::from_millis(500));
            }
        }
    }

    // 5. The summary.
    log::line(&ledger);
    Ok(ledger.settle_up()?)
}
