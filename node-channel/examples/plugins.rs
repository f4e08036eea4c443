//! A tool in Rust whose plugins are JavaScript, as those of a linter or a
//! bundler are: it runs them in a pool of Node processes, `plugins.js`.
//!
//!     cargo run -p node-channel --example plugins -- \
//!         node-channel/examples/long-lines.js README.md CONTRIBUTING.md

use std::sync::Arc;

use node_channel::Fork;
use node_channel::pool::Pool;
use tokio::task::JoinSet;

/// Have a plugin look at a file.
#[derive(serde::Serialize)]
struct Job<'a> {
    plugin: &'a str,
    path: &'a str,
}

/// What the plugin has found in it, or why it could not look.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
enum Answer {
    Problems(Vec<Problem>),
    Error(String),
}

#[derive(serde::Deserialize)]
struct Problem {
    line: u32,
    text: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let plugin = words.next().ok_or("name a plugin, and files")?;
    let plugin = std::path::absolute(plugin)?;
    let plugin = plugin.to_str().ok_or("the plugin's path is not UTF-8")?;

    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/plugins.js");
    let cores = std::thread::available_parallelism()?.get();
    let pool = Pool::new(Fork::new("node").arg(script), cores as u16);
    let pool = Arc::new(pool);

    // All at once: those for which no process is free wait for one.
    let mut jobs = JoinSet::new();
    for path in words {
        let (pool, plugin) = (Arc::clone(&pool), plugin.to_owned());
        jobs.spawn(async move {
            let job = Job {
                plugin: &plugin,
                path: &path,
            };
            let answer = pool.run(&job).await;
            (path, answer)
        });
    }
    while let Some(done) = jobs.join_next().await {
        let (path, answer) = done?;
        match answer {
            Ok(Answer::Problems(problems)) => {
                for Problem { line, text } in problems {
                    println!("{path}:{line}: {text}");
                }
            }
            Ok(Answer::Error(error)) => println!("{path}: {error}"),
            // One bad file ends one process, and the others go on.
            Err(error) => println!("{path}: {error}"),
        }
    }
    pool.close().await;
    Ok(())
}
