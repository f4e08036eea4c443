//! Makes the certificates for `--tls`, as the server does at its first start.
//!
//! For the Node twin, which has no means of its own to make one.
//!
//!     cargo run -p http-echo --bin certs
//!
//! Try this: `--days=-1` makes some that have expired.

use std::path::PathBuf;

use clap::Parser;
use http_echo::certs::{Certs, DAYS};

/// Makes throw-away certificates for localhost, unless they are there.
#[derive(Parser)]
struct Args {
    /// The folder; `target/http-echo-tls` of the workspace, unless given
    folder: Option<PathBuf>,

    /// For how many days they are good; fewer than 0: until then
    #[arg(long, allow_negative_numbers = true, default_value_t = DAYS)]
    days: i64,
}

fn main() -> common::Result {
    let args = Args::parse();
    Ok(Certs::at(args.folder.as_deref()).make(args.days)?)
}
