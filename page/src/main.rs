//! `cargo run -- --web`: the lessons side by side in a browser.

use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use page::content::Content;
use page::{server, site};

/// Shows the lessons side by side in a browser, and runs them there.
#[derive(Parser)]
#[command(name = "page")]
struct Args {
    /// Write the pages into this folder, for a web site, and end
    #[arg(long, value_name = "DIR")]
    site: Option<PathBuf>,

    /// Open the browser
    #[arg(long)]
    open: bool,

    /// The port to listen on; 8080 where that is free
    #[arg(long)]
    port: Option<u16>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let args = Args::parse();
    let content = Content::read()?;
    match &args.site {
        Some(folder) => {
            let count = site::write(&content, folder)?;
            println!("{count} files in {}", folder.display());
            Ok(())
        }
        None => server::serve(content, args.port, args.open).await,
    }
}
