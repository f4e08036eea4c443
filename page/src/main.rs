//! `cargo run -- --web`: the lessons side by side in a browser.

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use page::content::Content;
use page::site;

/// Shows the lessons side by side in a browser.
#[derive(Parser)]
#[command(name = "page")]
struct Args {
    /// Write the pages into this folder, for a web site
    #[arg(long, value_name = "DIR")]
    site: PathBuf,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let content = Content::read()?;
    let count = site::write(&content, &args.site)?;
    println!("{count} files in {}", args.site.display());
    Ok(())
}
