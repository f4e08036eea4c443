//! The same bytes with blocking system calls and nothing else: what nobody
//! can better who moves them through a socket.

use std::env;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Command;

use anyhow::{Result, ensure};
use node_channel::Serialization;

use super::payload::Bare;
use super::roles::{Trips, tasks};

/// Sends messages to a child, which has its socket as stdin. With `epoll`,
/// both ask before each read whether there is something, as whoever waits for
/// several things has to.
pub fn parent(mode: Serialization, epoll: bool) -> Result<()> {
    let (socket, theirs) = UnixStream::pair()?;
    let mut child = Command::new(env::current_exe()?)
        .args(["floor-child", super::pairs::name(mode)])
        .args(epoll.then_some("--epoll"))
        .stdin(OwnedFd::from(theirs))
        .spawn()?;
    let mut socket = Socket::new(socket, epoll)?;
    let mut answer = Vec::new();
    tasks(|payload, time| {
        let bytes = framed(Bare(payload.clone()).bytes(mode)?, mode);
        answer.resize(bytes.len(), 0);
        let mut trips = Trips::begin(time);
        loop {
            socket.stream.write_all(&bytes)?;
            socket.read_exact(&mut answer)?;
            ensure!(answer == bytes, "another answer");
            if let Some(done) = trips.done() {
                return Ok(done);
            }
        }
    })?;
    drop(socket);
    ensure!(child.wait()?.success(), "the child has failed");
    Ok(())
}

/// Sends back every message, when all of it is there.
pub fn child(mode: Serialization, epoll: bool) -> Result<()> {
    let stdin = io::stdin().as_fd().try_clone_to_owned()?;
    let mut socket = Socket::new(UnixStream::from(stdin), epoll)?;
    let mut buffer = vec![0; 2 << 20];
    let mut filled = 0;
    loop {
        match socket.read(&mut buffer[filled..])? {
            0 => return Ok(()),
            length => filled += length,
        }
        if is_whole(&buffer[..filled], mode) {
            socket.stream.write_all(&buffer[..filled])?;
            filled = 0;
        }
    }
}

/// A socket, and what says that there is something to read.
struct Socket {
    stream: UnixStream,
    #[cfg(target_os = "linux")]
    epoll: Option<OwnedFd>,
}

impl Socket {
    #[cfg(target_os = "linux")]
    fn new(stream: UnixStream, epoll: bool) -> Result<Self> {
        use rustix::event::epoll;
        let make = || -> Result<OwnedFd> {
            let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
            let data = epoll::EventData::new_u64(0);
            // Each time that something arrives, and not as long as it is
            // there: as tokio has it. All is read each time.
            let when = epoll::EventFlags::IN | epoll::EventFlags::ET;
            epoll::add(&epoll, &stream, data, when)?;
            Ok(epoll)
        };
        let epoll = epoll.then(make).transpose()?;
        Ok(Self { stream, epoll })
    }

    #[cfg(not(target_os = "linux"))]
    fn new(stream: UnixStream, epoll: bool) -> Result<Self> {
        ensure!(!epoll, "no epoll here");
        Ok(Self { stream })
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(target_os = "linux")]
        if let Some(epoll) = &self.epoll {
            let mut events = [const { std::mem::MaybeUninit::uninit() }; 16];
            rustix::event::epoll::wait(epoll, &mut events, None)?;
        }
        self.stream.read(buffer)
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
