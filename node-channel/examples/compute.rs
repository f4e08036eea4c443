//! A worker that computes on all cores, for a Node parent: `compute.js`.
//!
//!     cargo build -p node-channel --example compute --release
//!     node node-channel/examples/compute.js target/release/examples/compute

use node_channel::child::Inherited;

/// A part of the work: count the primes from `from` to below `to`.
#[derive(serde::Deserialize)]
struct Job {
    from: u32,
    to: u32,
}

/// What comes back. The parent finds the job by its `from`.
#[derive(serde::Serialize)]
struct Done {
    from: u32,
    primes: usize,
}

fn main() -> anyhow::Result<()> {
    // Before the runtime: it starts threads.
    let inherited = Inherited::take()?;
    let runtime = tokio::runtime::Builder::new_current_thread();
    { runtime }.enable_all().build()?.block_on(serve(inherited))
}

/// One thread talks to the parent, and others compute: as many as there are
/// cores, for more would only take turns.
async fn serve(inherited: Inherited) -> anyhow::Result<()> {
    let mut channel = inherited.open()?;
    let cores = std::thread::available_parallelism()?.get();
    let room = std::sync::Arc::new(tokio::sync::Semaphore::new(cores));
    while let Some(job) = channel.recv_as::<Job>().await {
        let job = job?;
        let permit = std::sync::Arc::clone(&room).acquire_owned().await?;
        let sender = channel.sender();
        tokio::spawn(async move {
            let from = job.from;
            let count = move || (job.from..job.to).filter(is_prime).count();
            if let Ok(primes) = tokio::task::spawn_blocking(count).await {
                // The parent may have gone: then nobody waits for it.
                let _ = sender.send(&Done { from, primes }).await;
            }
            drop(permit);
        });
    }
    Ok(())
}

fn is_prime(number: &u32) -> bool {
    let number = *number;
    let mut by = 2_u32;
    // As u64: the square of a number near the greatest u32 would overflow.
    while u64::from(by) * u64::from(by) <= u64::from(number) {
        if number.is_multiple_of(by) {
            return false;
        }
        by += 1;
    }
    number > 1
}
