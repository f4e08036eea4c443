//! Receives signals. Node twin: `receiver.js`.

#[cfg(unix)]
#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    // Until these two lines have run, either signal ends this program.
    let mut hangup = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    println!("listening for signals, process id {}", std::process::id());
    loop {
        tokio::select! {
            _ = hangup.recv() => println!("SIGHUP: read the settings again"),
            _ = interrupt.recv() => break,
        }
    }
    println!("SIGINT: finish and end");
    Ok(())
}

#[cfg(windows)]
fn main() {
    println!("Windows has no signals");
}
