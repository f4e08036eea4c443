//! Makes the certificates for this lesson, in place of those that are there.
//!
//!     cargo run -p https-echo --bin certs
//!
//! Try this: `cargo run -p https-echo --bin certs -- --days=-1`, then start
//! the server and the client.

use std::path::PathBuf;

use clap::Parser;
use https_echo::certs;

/// Makes throw-away certificates for localhost.
#[derive(Parser)]
struct Args {
    /// Where to put them
    #[arg(default_value = certs::FOLDER)]
    folder: PathBuf,

    /// Validity in days; a negative number makes some that have expired
    #[arg(long, allow_negative_numbers = true, default_value_t = certs::DAYS)]
    days: i64,

    /// Keep those that are there
    #[arg(long)]
    keep: bool,
}

fn main() -> common::Result {
    let Args { folder, days, keep } = Args::parse();
    if keep {
        certs::make_if_missing(&folder)?;
    } else {
        certs::make(&folder, days)?;
    }
    Ok(())
}
