//! Makes the certificates for `--tls`, in place of those that are there.
//!
//! The Node twin starts it with `--keep`, as it cannot make one.
//!
//!     cargo run -p http-echo --bin certs
//!
//! Try this: `--days=-1` makes some that have expired.

use std::path::PathBuf;

use clap::Parser;
use http_echo::certs::{Certs, DAYS};

/// Makes throw-away certificates for localhost.
#[derive(Parser)]
struct Args {
    /// The folder; `target/http-echo-tls` of the workspace, unless given
    folder: Option<PathBuf>,

    /// Validity in days; a negative number makes some that have expired
    #[arg(long, allow_negative_numbers = true, default_value_t = DAYS)]
    days: i64,

    /// Keep those that are there
    #[arg(long)]
    keep: bool,
}

fn main() -> common::Result {
    let args = Args::parse();
    let certs = Certs::at(args.folder.as_deref());
    if !args.keep {
        certs.remove()?;
    }
    Ok(certs.make(args.days)?)
}
