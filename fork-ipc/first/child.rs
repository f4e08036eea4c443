//! The first version of the child. Node twin: `child.js`.

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::io::{BufRead, BufReader, Write};
    use std::os::{fd::FromRawFd, unix::net::UnixStream};

    // The parent has opened the channel for us; the variable holds its number.
    let number = std::env::var("NODE_CHANNEL_FD")?.parse()?;
    // SAFETY: this descriptor is ours, and nothing else here uses it.
    let channel = unsafe { UnixStream::from_raw_fd(number) };
    // Each message is one line of JSON.
    writeln!(&channel, "{}", serde_json::to_string("hello")?)?;
    let mut line = String::new();
    BufReader::new(&channel).read_line(&mut line)?;
    let message: String = serde_json::from_str(&line)?;
    println!("message from parent: {message}");
    Ok(()) // drops the channel: this is how the parent knows of the end
}

#[cfg(windows)]
fn main() {
    println!("on Windows the channel is a named pipe with another format");
}
