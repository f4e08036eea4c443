//! UDP echo client: sends numbered messages and tells which did not return.
//!
//! Node twin: `node/client.js`. Other half: `server.rs`.
//!
//!     cargo run -p udp-echo --bin client
//!     cargo run -p udp-echo --bin client -- --count 100 --every 10
//!
//! Try this: start it without a server.

use std::io::{self, ErrorKind};
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Parser;
use common::{log, pace::Pace, shutdown};
use tokio::net::UdpSocket;
use udp_echo::{ANY_DATAGRAM, Fate, Ledger, connect, datagram, number_of};

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
    #[arg(
        long,
        value_name = "MS",
        default_value_t = 1000,
        value_parser = clap::value_parser!(u64).range(1..=86_400_000),
    )]
    wait: u64,

    #[command(flatten)]
    quiet: log::Quiet,
}

const ADVICE: &str = "is the server there? cargo run -p udp-echo --bin server";

#[tokio::main(flavor = "current_thread")]
async fn main() -> common::Result {
    let args = Args::parse();
    args.quiet.apply();
    let (stop, mut stopping) = (shutdown::token(), false);

    // 1. "Connect". Nothing is sent for it, and nobody answers: it only
    //    tells this system whose datagrams we want, and to report refusals.
    let message = args.message.as_str();
    let socket = connect(&args.address)
        .await
        .with_context(|| format!("connect to {}", args.address))?;
    let mut buffer = vec![0; ANY_DATAGRAM];
    let mut ledger = Ledger::new(Duration::from_millis(args.wait));
    let (mut ticks, mut all_sent) = (args.pace.start(), false);
    while !(all_sent && ledger.is_settled()) {
        tokio::select! {
            biased; // what has arrived is not lost, however late it is read

            // 2. Print what comes back: in any order, or twice.
            received = socket.recv(&mut buffer) => match received {
                Ok(length) => hear(&buffer[..length], message, &mut ledger),
                Err(error) => tell(error, &args.address)?,
            },

            // 3. Whatever does not come back in time is lost. Nobody tells
            //    us: that no echo came is all there is to know.
            number = ledger.overdue() => {
                let datagram = datagram(number, message);
                log::line(format_args!("lost: {}", log::shown(&datagram)));
            }

            // 4. Send, now and at every tick, until that was all or Ctrl-C.
            more = ticks.next(), if !all_sent => match more {
                true => say(&socket, &args, &mut ledger).await?,
                false => all_sent = true,
            },

            // After Ctrl-C, no echo is waited for longer than half a second.
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                ledger.hurry(Duration::from_millis(500));
            }
        }
    }

    // 5. The summary.
    log::line(&ledger);
    if ledger.lost() > 0 {
        let (lost, sent) = (ledger.lost(), ledger.sent());
        Err(anyhow!("{lost} of {sent} messages did not come back"))?;
    }
    Ok(())
}

fn hear(bytes: &[u8], message: &str, ledger: &mut Ledger) {
    let number = number_of(bytes, message);
    let text = log::shown(bytes);
    match number.map_or(Fate::Unknown, |number| ledger.hear(number)) {
        Fate::Returned => log::line(format_args!("receive: {text}")),
        Fate::Doubled => log::line(format_args!("doubled: {text}")),
        Fate::Late => log::line(format_args!("late: {text}")),
        Fate::Unknown => {
            log::error(format_args!("this is not what was sent: {text}"));
        }
    }
}

async fn say(
    socket: &UdpSocket,
    args: &Args,
    ledger: &mut Ledger,
) -> anyhow::Result<()> {
    let datagram = datagram(ledger.send(), &args.message);
    log::line(format_args!("send: {}", log::shown(&datagram)));
    // Sent is not arrived. A refusal that is reported here was the answer
    // to an earlier datagram; this one was not sent yet.
    while let Err(error) = socket.send(datagram.as_bytes()).await {
        tell(error, &args.address).with_context(|| {
            let bytes = datagram.len();
            format!("send {bytes} bytes (UDP over IPv4 takes 65507)")
        })?;
    }
    Ok(())
}

/// Goes on when nobody listens there: the server may yet be started, and
/// a client without a connection cannot lose it.
fn tell(error: io::Error, address: &str) -> io::Result<()> {
    match error.kind() {
        // Windows says "reset" where the others say "refused".
        ErrorKind::ConnectionRefused
        | ErrorKind::ConnectionReset
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable => {
            log::error(format_args!("{address}: {error}; {ADVICE}"));
            Ok(())
        }
        _ => Err(error),
    }
}
