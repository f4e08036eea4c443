//! The first version of the TCP chat client. Node twin: `client.js`.
use std::io::{self, Result};
use std::net::TcpStream;
use std::thread;

fn main() -> Result<()> {
    let mut socket = TcpStream::connect("127.0.0.1:8000")?;
    println!("connected.");
    let mut writer = socket.try_clone()?;
    thread::spawn(move || io::copy(&mut io::stdin(), &mut writer));
    io::copy(&mut socket, &mut io::stdout())?;
    println!("disconnected.");
    Ok(())
}
