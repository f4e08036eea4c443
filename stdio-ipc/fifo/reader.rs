//! Receives lines through a named pipe. Node twin: `reader.js`.
use std::fs::File;
use std::io::{BufRead, BufReader, Result};

fn main() -> Result<()> {
    let path = std::env::args().nth(1);
    let path = path.unwrap_or("/tmp/hello.fifo".to_owned());
    println!("waiting for a writer");
    let fifo = File::open(path)?; // waits until a process opens it to write
    for line in BufReader::new(fifo).lines() {
        println!("received: {}", line?);
    }
    println!("the last writer has closed it");
    Ok(())
}
