//! The first version of the parent. Node twin: `parent.js`.
//! `first-parent` starts child.js; `first-parent PROGRAM ...` another child.
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Result, Write};
use std::process::{Command, Stdio};

fn main() -> Result<()> {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    if words.is_empty() {
        words = vec!["node".to_owned(), "json-rpc/first/child.js".to_owned()];
    }
    let mut child = Command::new(&words[0])
        .args(&words[1..])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    if let (Some(mut stdin), Some(stdout)) =
        (child.stdin.take(), child.stdout.take())
    {
        let params = json!({ "a": 2, "b": 3 });
        let request = json!({
            "id": 1, "jsonrpc": "2.0", "method": "add", "params": params,
        });
        writeln!(stdin, "{request}")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        println!("Received from child: {}", line.trim_end());
        let answer: Value = serde_json::from_str(&line)?;
        println!("add: {}", answer["result"]);
    } // dropped here, stdin is closed: the child reads the end
    child.wait()?;
    Ok(())
}
