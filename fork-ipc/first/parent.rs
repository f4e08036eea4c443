//! The first version of the parent. Node twin: `parent.js`.
//! `first-parent first-child` starts the Rust child instead of child.js.

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::io::{BufRead, BufReader, Write};
    use std::os::{fd::OwnedFd, unix::net::UnixStream};

    let mut words = std::env::args().skip(1);
    let program = words.next().unwrap_or("node".to_owned());
    let script = words.next().unwrap_or("fork-ipc/first/child.js".to_owned());
    // The channel is a pair of connected sockets. The child finds its end by
    // a variable, which holds the descriptor's number: 0 is its stdin.
    let (channel, childs_end) = UnixStream::pair()?;
    let mut child = std::process::Command::new(program)
        .arg(script)
        .stdin(OwnedFd::from(childs_end))
        .env("NODE_CHANNEL_FD", "0")
        .spawn()?;
    // Each message is one line of JSON.
    for line in BufReader::new(&channel).lines() {
        let message: String = serde_json::from_str(&line?)?;
        println!("message from child: {message}");
        writeln!(&channel, "{}", serde_json::to_string("hi")?)?;
    }
    child.wait()?;
    Ok(())
}

#[cfg(windows)]
fn main() {
    println!("on Windows the channel is a named pipe with another format");
}
