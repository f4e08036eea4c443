//! The same bytes with blocking system calls and nothing else: what nobody
//! can better who moves them through a socket.

use std::env;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Command;

use anyhow::{Result, ensure};
use fork_ipc::Serialization;

use super::roles::{tasks, trips};

/// Sends messages to a child, which has its socket as stdin.
pub fn parent(mode: Serialization) -> Result<()> {
    let (mut socket, theirs) = UnixStream::pair()?;
    let mut child = Command::new(env::current_exe()?)
        .args(["floor-child", super::pairs::name(mode)])
        .stdin(OwnedFd::from(theirs))
        .spawn()?;
    let mut answer = Vec::new();
    tasks(|payload, time| {
        let bytes = framed(payload.bytes(mode)?, mode);
        answer.resize(bytes.len(), 0);
        trips(time, || {
            socket.write_all(&bytes)?;
            socket.read_exact(&mut answer)?;
            ensure!(answer == bytes, "another answer");
            Ok(())
        })
    })?;
    drop(socket);
    ensure!(child.wait()?.success(), "the child has failed");
    Ok(())
}

/// Sends back every message, when all of it is there.
pub fn child(mode: Serialization) -> Result<()> {
    let stdin = io::stdin().as_fd().try_clone_to_owned()?;
    let mut socket = UnixStream::from(stdin);
    let mut buffer = vec![0; 2 << 20];
    let mut filled = 0;
    loop {
        match socket.read(&mut buffer[filled..])? {
            0 => return Ok(()),
            length => filled += length,
        }
        if is_whole(&buffer[..filled], mode) {
            socket.write_all(&buffer[..filled])?;
            filled = 0;
        }
    }
}

/// A message as it is on the wire.
pub fn framed(mut bytes: Vec<u8>, mode: Serialization) -> Vec<u8> {
    match mode {
        Serialization::Json => {
            bytes.push(b'\n');
            bytes
        }
        Serialization::Advanced => {
            let length = (bytes.len() as u32).to_be_bytes();
            [&length[..], &bytes].concat()
        }
    }
}

/// One message is on its way at a time.
fn is_whole(bytes: &[u8], mode: Serialization) -> bool {
    match mode {
        Serialization::Json => bytes.last() == Some(&b'\n'),
        Serialization::Advanced => bytes.first_chunk().is_some_and(|length| {
            bytes.len() == 4 + u32::from_be_bytes(*length) as usize
        }),
    }
}
