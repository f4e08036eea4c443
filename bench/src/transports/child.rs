//! Children, and a parent: the bench plays the other one.

use std::env;
use std::ffi::OsStr;
use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};
use harness::Half;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{FdFlags, fcntl_setfd, read, retry_on_intr};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

use super::start::{QUIET, TIMEOUT, command, floor};
use super::transport::{Peer, Program, Start, Transport};
use crate::load::exchange::{Exchange, Reply, text};
use crate::load::link::Fds;
use crate::sample::{Measure, What, what};

/// How Node tells a child where its channel is.
const CHANNEL: &str = "NODE_CHANNEL_FD";

/// The maximum number of messages in flight to a parent. It takes them as they
/// come and answers in its own time, Node's as well as ours: what is sent in
/// half a second would take it ten.
const IN_FLIGHT: u64 = 1024;

/// How many characters of a line the lessons show.
const SHOWN: usize = 160;

/// The children, in the order of the table.
pub(super) fn all() -> Vec<&'static dyn Transport> {
    vec![&Stdio, &Fork]
}

fn measures(sizes: [usize; 3]) -> Vec<What> {
    let mut all = sizes.map(|size| what(Measure::RoundTrip, size)).to_vec();
    all.push(what(Measure::Flood, 5));
    all.push(what(Measure::Start, 0));
    all.push(what(Measure::Memory, 0));
    all
}

/// Lines to a child's stdin, and its two lines for each from its stdout.
struct Stdio;

impl Transport for Stdio {
    fn name(&self) -> &'static str {
        "stdio-ipc"
    }

    fn title(&self) -> &'static str {
        "stdio pipes"
    }

    fn programs(&self) -> Vec<Program> {
        use Program::{Events, Floor, Node, Rust};
        vec![Floor, Rust, Node, Events]
    }

    fn measures(&self, _: bool) -> Vec<What> {
        measures([5, 1 << 10, 64 << 10])
    }

    fn exchange(&self, size: usize, turn: usize) -> Exchange {
        let line = text(size, turn);
        Exchange {
            reply: Reply::Exact(stdio_answer(&line)),
            request: [&line[..], b"\n"].concat(),
        }
    }

    fn start(&self, program: &Program, _: Start<'_>) -> Result<Peer> {
        // Never quiet: what it prints is the answer.
        let mut command = command(self, program, "child", "stdio")?;
        let (half, stdout) = Half::start_with_stdout(&mut command)?;
        let stdin = OwnedFd::from(half.take_stdin()?);
        let stdout = OwnedFd::from(stdout);
        Ok(Peer::new(half, move || {
            Ok(Fds::pair(stdout.try_clone()?, stdin.try_clone()?))
        }))
    }
}

/// What a child of stdio-ipc prints for a line.
pub(super) fn stdio_answer(line: &[u8]) -> Vec<u8> {
    let head = b"Received from parent: ";
    [&head[..], &shown(line), b"\nHello from child\n"].concat()
}

/// Plain text as the lessons show it: a long one is cut.
pub(super) fn shown(text: &[u8]) -> Vec<u8> {
    let mut shown = text[..text.len().min(SHOWN)].to_vec();
    if text.len() > SHOWN {
        shown.extend(format!("… ({} bytes)", text.len()).as_bytes());
    }
    shown
}

/// Node's channel: the lesson's parent, whose child is the bench. It answers
/// every message with `"hi"`.
struct Fork;

impl Transport for Fork {
    fn name(&self) -> &'static str {
        "fork-ipc"
    }

    fn title(&self) -> &'static str {
        "fork channel"
    }

    fn measures(&self, _: bool) -> Vec<What> {
        measures([5, 1 << 10, 1 << 20])
    }

    fn exchange(&self, size: usize, turn: usize) -> Exchange {
        // A string; in the size between, an object.
        let json = match size {
            1024 => {
                let head = format!("{{\"id\":{},\"list\":[1,2,3],", 10 + turn);
                let head = head + "\"nested\":{\"ok\":true},\"text\":\"";
                let rest = size - head.len() - 3;
                [head.as_bytes(), &text(rest, turn), b"\"}\n"].concat()
            }
            _ => [b"\"", &text(size, turn)[..], b"\"\n"].concat(),
        };
        Exchange {
            request: json,
            reply: Reply::Exact(b"\"hi\"\n".to_vec()),
        }
    }

    fn start(&self, program: &Program, start: Start<'_>) -> Result<Peer> {
        let mut command = command(self, program, "parent", "")?;
        command.env(QUIET, "1");
        let path = socket_path(start.folder);
        let listener = UnixListener::bind(&path)?;
        let own = floor("channel")?;
        command
            .arg("--")
            .arg(own.get_program())
            .args(own.get_args());
        command.arg(&path);
        let half = Half::start(&mut command)?;
        let channel =
            handed_over(&listener).with_context(|| half.stderr().join("; "))?;
        Ok(Peer::new(half, move || {
            let fds = Fds::pair(channel.try_clone()?, channel.try_clone()?);
            Ok(fds.with_at_most(IN_FLIGHT))
        }))
    }

    /// Here it is the child that counts: until its first message.
    fn first_answer(
        &self,
        program: &Program,
        _: Start<'_>,
    ) -> Result<Option<Half>> {
        if matches!(program, Program::Other(_)) {
            return Ok(None);
        }
        let mut command = command(self, program, "child", "")?;
        command.args(["--count", "1"]).env(QUIET, "1");
        let (mut ours, theirs) = UnixStream::pair()?;
        ours.set_read_timeout(Some(TIMEOUT))?;
        // Stays open in the child; nobody else is started meanwhile.
        fcntl_setfd(&theirs, FdFlags::empty())?;
        command.env(CHANNEL, theirs.as_raw_fd().to_string());
        let half = Half::start(&mut command)?;
        drop(theirs);
        let mut message = Vec::new();
        let mut room = [0; 64];
        while !message.ends_with(b"\n") {
            let length = retry_on_intr(|| read(&ours, &mut room))
                .context("wait for hello")?;
            ensure!(length > 0, "it closed: {}", half.stderr().join("; "));
            message.extend(&room[..length]);
        }
        ensure!(message == b"\"hello\"\n", "its first message: {message:?}");
        ours.write_all(b"\"hi\"\n")?;
        Ok(Some(half))
    }
}

fn socket_path(folder: &Path) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    folder.join(format!("channel-{count}.sock"))
}

/// The channel that [`hand_over`] sends.
fn handed_over(listener: &UnixListener) -> Result<OwnedFd> {
    let limit = Timespec::try_from(TIMEOUT)?;
    let mut waited = [PollFd::new(listener, PollFlags::IN)];
    let came = retry_on_intr(|| poll(&mut waited, Some(&limit)))?;
    ensure!(came > 0, "the parent starts no child");
    let (stream, _) = listener.accept()?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let mut data = [IoSliceMut::new(&mut byte)];
    recvmsg(&stream, &mut data, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let channel = control.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut all) => all.next(),
        _ => None,
    });
    // It lives for as long as this is open: the parent must not believe
    // that its child has ended.
    std::mem::forget(stream);
    channel.context("no channel came")
}

/// In the child's role: gives the channel to the bench, and waits.
///
/// # Errors
/// When this was started without a channel.
pub(super) fn hand_over(path: &str) -> Result<()> {
    let channel = inherited()?;
    let mut bench = UnixStream::connect(path)?;
    let all = [channel.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&all));
    let data = [IoSlice::new(b"x")];
    sendmsg(&bench, &data, &mut control, SendFlags::empty())?;
    bench.read_exact(&mut [0]).context("the bench has ended")
}

fn inherited() -> Result<OwnedFd> {
    let number: i32 = env::var_os(CHANNEL)
        .as_deref()
        .and_then(OsStr::to_str)
        .and_then(|text| text.parse().ok())
        .context("no channel")?;
    ensure!(number > 2, "the channel is {number}");
    // SAFETY: the parent left the descriptor open for it alone,
    // and this is called once.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}
