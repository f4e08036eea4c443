//! The first version of the child. Node twin: `child.js`.
use std::io::{Result, stdin};

fn main() -> Result<()> {
    for line in stdin().lines() {
        println!("Received from parent: {}", line?);
        println!("Hello from child");
    }
    println!("Parent closed stdin");
    Ok(())
}
