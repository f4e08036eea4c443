//! The same bytes with blocking system calls, and a search for the end of each
//! message: what nobody can better who moves them through a socket.

use std::env;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Command;

use anyhow::{Result, ensure};
use node_channel::Serialization;

use super::payload::Bare;
use super::roles::tasks;

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
    let mut arrived = Arrived::new();
    tasks(|payload, mut trips| {
        let bytes = framed(Bare(payload.clone()).bytes(mode)?, mode);
        let all = bytes.repeat(trips.at_once as usize);
        socket.stream.write_all(&all)?;
        loop {
            let mut more = 0;
            ensure!(arrived.read(&mut socket)? > 0, "the child has gone");
            while let Some(answer) = arrived.next(mode) {
                ensure!(answer == bytes, "another answer");
                more += usize::from(trips.more());
            }
            arrived.take();
            socket.stream.write_all(&all[..more * bytes.len()])?;
            if let Some(done) = trips.done() {
                return Ok(done);
            }
        }
    })?;
    drop(socket);
    ensure!(child.wait()?.success(), "the child has failed");
    Ok(())
}

/// Sends back what one read has completed.
pub fn child(mode: Serialization, epoll: bool) -> Result<()> {
    let stdin = io::stdin().as_fd().try_clone_to_owned()?;
    let mut socket = Socket::new(UnixStream::from(stdin), epoll)?;
    let mut arrived = Arrived::new();
    while arrived.read(&mut socket)? > 0 {
        while arrived.next(mode).is_some() {}
        socket.stream.write_all(arrived.whole())?;
        arrived.take();
    }
    Ok(())
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

/// What has arrived.
struct Arrived {
    room: Vec<u8>,
    filled: usize,
    /// So much of it is whole messages, found one by one.
    whole: usize,
    /// From there to here is no line end.
    searched: usize,
}

impl Arrived {
    fn new() -> Self {
        Self {
            room: vec![0; 2 << 20],
            filled: 0,
            whole: 0,
            searched: 0,
        }
    }

    fn read(&mut self, socket: &mut Socket) -> io::Result<usize> {
        let length = socket.read(&mut self.room[self.filled..])?;
        self.filled += length;
        Ok(length)
    }

    /// The next whole message, with what marks its end.
    fn next(&mut self, mode: Serialization) -> Option<&[u8]> {
        let begin = self.whole;
        let arrived = &self.room[begin..self.filled];
        let end = match mode {
            Serialization::Json => {
                let new = &self.room[self.searched..self.filled];
                let Some(at) = memchr::memchr(b'\n', new) else {
                    self.searched = self.filled;
                    return None;
                };
                self.searched + at + 1
            }
            Serialization::Advanced => {
                let length = u32::from_be_bytes(*arrived.first_chunk()?);
                begin + 4 + length as usize
            }
        };
        if end > self.filled {
            return None;
        }
        self.whole = end;
        self.searched = end;
        Some(&self.room[begin..end])
    }

    /// All the messages that were found.
    fn whole(&self) -> &[u8] {
        &self.room[..self.whole]
    }

    /// They are done with.
    fn take(&mut self) {
        self.room.copy_within(self.whole..self.filled, 0);
        self.filled -= self.whole;
        self.searched -= self.whole;
        self.whole = 0;
    }
}
