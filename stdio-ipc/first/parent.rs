//! The first version of the parent. Node twin: `parent.js`.
//! `first-parent` starts child.js; `first-parent PROGRAM ...` another child.
use std::io::{BufRead, BufReader, Result, Write};
use std::process::{Command, Stdio};

fn main() -> Result<()> {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    if words.is_empty() {
        words = vec!["node".to_owned(), "stdio-ipc/first/child.js".to_owned()];
    }
    let mut child = Command::new(&words[0])
        .args(&words[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        writeln!(stdin, "Hello from parent")?;
    } // dropped here, stdin is closed: the child reads the end
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).lines() {
            println!("Received from child: {}", line?);
        }
    }
    child.wait()?;
    Ok(())
}
