//! How the time to receive a message grows with its length. Twice as long
//! must take twice the time: whoever looks at the bytes again with each piece
//! that arrives needs four times as much.
//!
//!     cargo run -p fork-ipc --release --bin linear

#[cfg(unix)]
fn main() -> common::Result {
    posix::main()
}

#[cfg(not(unix))]
fn main() -> common::Result {
    Err(anyhow::anyhow!("Node's channel needs POSIX"))?
}

#[cfg(unix)]
mod posix {
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::thread;
    use std::time::{Duration, Instant};

    use anyhow::{Context, ensure};
    use fork_ipc::Serialization::{self, Advanced, Json};
    use fork_ipc::frames;

    const MIB: usize = 1 << 20;

    #[tokio::main(flavor = "current_thread")]
    pub async fn main() -> common::Result {
        for (name, serialization) in [("json", Json), ("advanced", Advanced)] {
            let mut first = None;
            for mib in [4, 16, 64, 256] {
                let time = receive(serialization, mib * MIB).await?;
                let each = time.as_secs_f64() * 1e6 / mib as f64;
                let ratio = each / *first.get_or_insert(each);
                println!(
                    "{name} {mib:>3} MiB: {each:.0} µs/MiB, ratio {ratio:.2}"
                );
            }
        }
        Ok(())
    }

    /// Receives one message, as it comes from a thread that writes it.
    async fn receive(
        serialization: Serialization,
        length: usize,
    ) -> anyhow::Result<Duration> {
        let mut bytes = match serialization {
            Json => Vec::new(),
            Advanced => (length as u32).to_be_bytes().to_vec(),
        };
        bytes.resize(bytes.len() + length, b'1');
        if serialization == Json {
            bytes.push(b'\n');
        }
        let (ours, mut theirs) = UnixStream::pair()?;
        let (mut reader, _) = frames::open(ours.into(), serialization, length)?;
        let begin = Instant::now();
        let writing = thread::spawn(move || theirs.write_all(&bytes));
        let frame = reader.next().await?.context("the message did not come")?;
        let time = begin.elapsed();
        ensure!(frame.bytes().len() == length, "{}", frame.bytes().len());
        drop(writing.join());
        Ok(time)
    }
}
