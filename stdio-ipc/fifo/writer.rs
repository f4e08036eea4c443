//! Sends a line through a named pipe. Node twin: `writer.js`.
use std::fs::OpenOptions;
use std::io::{Result, Write};

fn main() -> Result<()> {
    let path = std::env::args().nth(1);
    let path = path.unwrap_or("/tmp/hello.fifo".to_owned());
    // Waits until a process opens it to read.
    let mut fifo = OpenOptions::new().write(true).open(path)?;
    writeln!(fifo, "hello")?;
    println!("sent: hello");
    Ok(()) // closes it: this is how the reader knows of the end
}
