//! Sends a signal to a process. Node twin: `sender.js`.

#[cfg(unix)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use rustix::process::{Pid, Signal, kill_process};

    let id = std::env::args().nth(1);
    let id = id.ok_or("usage: signal-sender PROCESS-ID")?;
    let number: u32 = id.parse()?; // a negative one would name a group
    let process = Pid::from_raw(number.try_into()?).ok_or("0 is no process")?;
    kill_process(process, Signal::HUP)?;
    println!("sent SIGHUP");
    Ok(())
}

#[cfg(windows)]
fn main() {
    println!("Windows has no signals");
}
