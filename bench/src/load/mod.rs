//! The load: a fast blocking peer, the same for every program measured, so
//! that differences are the other side's.
//!
//! Every byte that comes back is compared with what it has to be.

pub mod exchange;
pub mod link;

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, bail, ensure};
use hdrhistogram::Histogram;
use memchr::memmem;
use rustix::event::{Timespec, epoll};

use self::exchange::{Exchange, Progress, Reply, Wrong, compare};
use self::link::{Link, TIMEOUT};

/// The longest round trip that is told from longer ones, in nanoseconds.
const LONGEST: u64 = 100_000_000_000;

/// How many datagrams may be on their way: more would not fit into a socket's
/// buffer, and what does not fit is lost.
const DATAGRAMS: u64 = 64;

/// What one run of the load came to.
#[derive(Clone, Debug)]
pub struct Run {
    /// Messages sent and answered.
    pub messages: u64,
    /// Bytes sent and answered.
    pub bytes: u64,
    /// How long that took.
    pub time: Duration,
    /// Nanoseconds of each round trip, where each was timed.
    pub trips: Option<Histogram<u64>>,
}

/// Sends one message, waits for the answer, and so on: what one message
/// costs when nothing else happens.
///
/// # Errors
/// When a wrong byte comes back, or none for too long.
pub fn round_trips(
    link: &mut dyn Link,
    exchanges: &[Exchange],
    length: Duration,
) -> Result<Run> {
    link.set_blocking(true)?;
    let mut trips = Histogram::new_with_bounds(1, LONGEST, 3)?;
    let room = exchanges.iter().map(|one| one.reply.room()).max();
    // One more than is expected, to notice what is too much.
    let mut room = vec![0; room.unwrap_or_default() + 1];
    let began = Instant::now();
    let mut bytes = 0;
    for exchange in exchanges.iter().cycle() {
        let sent = Instant::now();
        send_all(link, &exchange.request)?;
        let received = receive_whole(link, &exchange.reply, &mut room)?;
        let now = Instant::now();

        trips.saturating_record((now - sent).as_nanos() as u64);
        exchange
            .reply
            .check(received)
            .with_context(|| format!("message {}", trips.len()))?;
        bytes += exchange.request.len() as u64;
        if now - began >= length {
            break;
        }
    }
    let time = began.elapsed();
    nothing_more(link)?;
    Ok(Run {
        messages: trips.len(),
        bytes,
        time,
        trips: Some(trips),
    })
}

fn send_all(link: &mut dyn Link, mut bytes: &[u8]) -> Result<()> {
    while !bytes.is_empty() {
        match link.send(bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(broken(error, "send")),
        }
    }
    Ok(())
}

fn receive_whole<'a>(
    link: &mut dyn Link,
    reply: &Reply,
    room: &'a mut [u8],
) -> Result<&'a [u8]> {
    let mut received = 0;
    loop {
        match link.receive(&mut room[received..]) {
            Ok(0) => {
                return Err(closed().context(format!("after {received} bytes")));
            }
            Ok(length) => received += length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(broken(error, "receive")),
        }
        if reply.progress(&room[..received])? == Progress::Whole {
            return Ok(&room[..received]);
        }
    }
}

/// What comes unasked is as wrong as a wrong byte.
fn nothing_more(link: &mut dyn Link) -> Result<()> {
    link.set_blocking(false)?;
    match link.receive(&mut [0; 64]) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
        Err(error) => Err(broken(error, "receive")),
        Ok(0) => Err(closed()),
        Ok(length) => {
            bail!(Wrong(format!("{length} bytes came back that nobody sent")))
        }
    }
}

/// What [`stream`] sends over and over.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Whole messages, again and again.
    pub request: Vec<u8>,
    /// What comes back for all of them.
    pub reply: Vec<u8>,
    /// How many messages these are.
    pub messages: usize,
    /// Bytes in each call of `write`.
    pub write: usize,
}

/// Sends without waiting for answers, as much as the other side takes, and
/// reads what comes back in between.
///
/// # Errors
/// When a wrong byte comes back, or none for too long.
pub fn stream(
    link: &mut dyn Link,
    stream: &Stream,
    length: Duration,
) -> Result<Run> {
    /// How much is sent before the answers get a look.
    const BURST: usize = 256 * 1024;

    link.set_blocking(false)?;
    let Stream { request, reply, .. } = stream;
    let unit = (request.len() / stream.messages) as u64;
    let answer = (reply.len() / stream.messages) as u64;
    let window = link.most_in_flight().map_or(u64::MAX, |most| most * unit);
    let mut room = vec![0; 256 * 1024];
    let (mut sent, mut received) = (0_u64, 0_u64);
    let mut rest_of_write = 0;
    // Once the time is over, the message that was begun is sent to its end
    // and nothing after it.
    let mut goal = u64::MAX;
    let began = Instant::now();
    loop {
        let mut progress = false;

        let mut burst = 0;
        let most = goal.min((received / answer * unit).saturating_add(window));
        while sent < most && burst < BURST {
            // A write that was taken in part is continued, as every program
            // does; then the next one begins.
            if rest_of_write == 0 {
                rest_of_write = stream.write;
            }
            let at = (sent % request.len() as u64) as usize;
            let room_left = usize::try_from(most - sent).unwrap_or(usize::MAX);
            let asked = rest_of_write.min(room_left).min(request.len() - at);
            match link.send(&request[at..at + asked]) {
                Ok(length) => {
                    progress = true;
                    sent += length as u64;
                    rest_of_write -= length.min(rest_of_write);
                    burst += length;
                    if length < asked {
                        break;
                    }
                }
                Err(error) if passes(&error) => break,
                Err(error) => return Err(broken(error, "send")),
            }
        }

        loop {
            match link.receive(&mut room) {
                Ok(0) => return Err(closed()),
                Ok(length) => {
                    progress = true;
                    expect(reply, received, &room[..length])?;
                    received += length as u64;
                    if length < room.len() {
                        break;
                    }
                }
                Err(error) if passes(&error) => break,
                Err(error) => return Err(broken(error, "receive")),
            }
        }

        if goal == u64::MAX && began.elapsed() >= length {
            goal = sent.next_multiple_of(unit);
        }
        let all = sent.div_ceil(unit) * answer;
        ensure!(
            received <= all,
            Wrong("more came back than was sent".to_owned())
        );
        if sent == goal && received == all {
            let time = began.elapsed();
            nothing_more(link)?;
            return Ok(Run {
                messages: sent / unit,
                bytes: sent,
                time,
                trips: None,
            });
        }
        if !progress {
            link.wait(sent < most, TIMEOUT)
                .with_context(|| format!("{received} bytes came back"))?;
        }
    }
}

/// Compares a piece of the answers with the place where it belongs.
fn expect(reply: &[u8], received: u64, mut piece: &[u8]) -> Result<()> {
    let mut at = (received % reply.len() as u64) as usize;
    while !piece.is_empty() {
        let (now, rest) = piece.split_at(piece.len().min(reply.len() - at));
        compare(&reply[at..at + now.len()], now)
            .with_context(|| format!("after {received} bytes"))?;
        piece = rest;
        at = 0;
    }
    Ok(())
}

fn closed() -> Error {
    Wrong("the other side closed".to_owned()).into()
}

/// What the kernel said.
fn broken(error: io::Error, doing: &'static str) -> Error {
    match error.kind() {
        // Only the other side does that.
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionRefused
        | ErrorKind::BrokenPipe
        | ErrorKind::InvalidData => Wrong(format!("{doing}: {error}")).into(),
        _ => Error::new(error).context(doing),
    }
}

fn passes(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// As [`stream`], for messages that may be lost: few are on their way at any
/// time, and each is compared with its turn. A datagram that does not come
/// back is an error: on one machine nothing loses it but a full buffer.
///
/// # Errors
/// When a wrong byte comes back, or none for too long.
pub fn datagrams(
    link: &mut dyn Link,
    exchanges: &[Exchange],
    length: Duration,
) -> Result<Run> {
    link.set_blocking(false)?;
    let room = exchanges.iter().map(|one| one.reply.room()).max();
    let mut room = vec![0; room.unwrap_or_default() + 1];
    let turn = |count: u64| &exchanges[count as usize % exchanges.len()];
    let (mut sent, mut received, mut bytes) = (0_u64, 0_u64, 0_u64);
    let began = Instant::now();
    let mut sending = true;
    loop {
        while sending && sent - received < DATAGRAMS {
            match link.send(&turn(sent).request) {
                Ok(length) => {
                    sent += 1;
                    bytes += length as u64;
                }
                Err(error) if passes(&error) => break,
                Err(error) => return Err(broken(error, "send")),
            }
        }
        let before = received;
        while received < sent {
            match link.receive(&mut room) {
                Ok(length) => {
                    turn(received).reply.check(&room[..length])?;
                    received += 1;
                }
                Err(error) if passes(&error) => break,
                Err(error) => return Err(broken(error, "receive")),
            }
        }
        sending = began.elapsed() < length;
        if !sending && received == sent {
            return Ok(Run {
                messages: sent,
                bytes,
                time: began.elapsed(),
                trips: None,
            });
        }
        if received == before {
            link.wait(false, TIMEOUT)
                .with_context(|| format!("{received} of {sent} came back"))?;
        }
    }
}

/// Many connections at once, each with one message on its way.
///
/// # Errors
/// When a wrong byte comes back, or none for too long.
pub fn many(
    links: &mut [Box<dyn Link>],
    exchanges: &[Exchange],
    length: Duration,
) -> Result<Run> {
    let turn = |count: u64| &exchanges[count as usize % exchanges.len()];
    let room = exchanges.iter().map(|one| one.reply.room()).max();
    let room = room.unwrap_or_default() + 1;
    let queue = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    // Of each connection: how many messages were answered, and the part of
    // the next answer that has arrived.
    let mut states = Vec::with_capacity(links.len());
    for (i, link) in links.iter_mut().enumerate() {
        link.set_blocking(false)?;
        let descriptor = link.descriptor().context("no descriptor")?;
        let data = epoll::EventData::new_u64(i as u64);
        epoll::add(&queue, descriptor, data, epoll::EventFlags::IN)?;
        states.push((i as u64, vec![0; room], 0_usize));
    }

    let began = Instant::now();
    for (link, (count, ..)) in links.iter_mut().zip(&states) {
        send_all(link.as_mut(), &turn(*count).request)?;
    }
    let mut waiting = links.len();
    let (mut messages, mut bytes) = (0, 0);
    let mut sending = true;
    let mut events = Vec::with_capacity(links.len());
    let limit = Timespec::try_from(TIMEOUT)?;
    while waiting > 0 {
        events.clear();
        epoll::wait(
            &queue,
            rustix::buffer::spare_capacity(&mut events),
            Some(&limit),
        )?;
        ensure!(!events.is_empty(), "{waiting} of the answers do not come");
        for event in &events {
            let i = event.data.u64() as usize;
            let link = links[i].as_mut();
            let (count, room, filled) = &mut states[i];
            let exchange = turn(*count);
            match link.receive(&mut room[*filled..]) {
                Ok(0) => return Err(closed()),
                Ok(length) => *filled += length,
                Err(error) if passes(&error) => continue,
                Err(error) => return Err(broken(error, "receive")),
            }
            let received = &room[..*filled];
            if exchange.reply.progress(received)? == Progress::Partly {
                continue;
            }
            exchange.reply.check(received)?;
            *filled = 0;
            *count += 1;
            messages += 1;
            bytes += exchange.request.len() as u64;
            if sending {
                send_all(link, &turn(*count).request)?;
            } else {
                waiting -= 1;
            }
        }
        sending = began.elapsed() < length;
    }
    Ok(Run {
        messages,
        bytes,
        time: began.elapsed(),
        trips: None,
    })
}

/// One client sends, all receive: the next message follows once the last of
/// them has received this one.
///
/// # Errors
/// When a wrong byte comes back, or none for too long.
pub fn fan_out(
    links: &mut [Box<dyn Link>],
    exchanges: &[Exchange],
    length: Duration,
) -> Result<Run> {
    let room = exchanges.iter().map(|one| one.reply.room()).max();
    let mut room = vec![0; room.unwrap_or_default() + 1];
    for link in links.iter_mut() {
        link.set_blocking(true)?;
    }
    let first = exchanges.first().context("no message")?;
    let send = |links: &mut [Box<dyn Link>], exchange: &Exchange| {
        let sender = links.first_mut().context("no connection")?;
        send_all(sender.as_mut(), &exchange.request)
    };
    // The first clients have received what the later ones announced.
    send(links, first)?;
    for link in links.iter_mut() {
        skip_to(link.as_mut(), &first.reply)?;
    }
    let (mut messages, mut bytes) = (0, 0);
    let began = Instant::now();
    for exchange in exchanges.iter().cycle() {
        send(links, exchange)?;
        for (i, link) in links.iter_mut().enumerate() {
            let reply = &exchange.reply;
            let received = receive_whole(link.as_mut(), reply, &mut room)?;
            reply
                .check(received)
                .with_context(|| format!("client {i}"))?;
            messages += 1;
            bytes += received.len() as u64;
        }
        if began.elapsed() >= length {
            break;
        }
    }
    let time = began.elapsed();
    for link in links {
        nothing_more(link.as_mut())?;
    }
    Ok(Run {
        messages,
        bytes,
        time,
        trips: None,
    })
}

/// Receives until what came last is this.
fn skip_to(link: &mut dyn Link, reply: &Reply) -> Result<()> {
    let mut received = Vec::new();
    let mut room = vec![0; 64 * 1024];
    loop {
        match link.receive(&mut room) {
            Ok(0) => return Err(closed()),
            Ok(length) => received.extend(&room[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(broken(error, "receive")),
        }
        let start = received.len().saturating_sub(reply.room());
        if reply.check(&received[start..]).is_ok() {
            return Ok(());
        }
        received.drain(..start);
    }
}

/// Clients that connect all at once, receive what they ask for, and leave;
/// then the next ones. An empty line ends each event that they receive.
///
/// # Errors
/// When a wrong byte comes back, or none for too long.
pub fn catch_up(
    connect: &dyn Fn() -> Result<Box<dyn Link>>,
    clients: usize,
    exchange: &Exchange,
    length: Duration,
) -> Result<Run> {
    let mut room = vec![0; exchange.reply.room() + 1];
    let (mut messages, mut bytes) = (0, 0);
    let began = Instant::now();
    loop {
        let mut links = Vec::with_capacity(clients);
        for _ in 0..clients {
            let mut link = connect()?;
            send_all(link.as_mut(), &exchange.request)?;
            links.push(link);
        }
        for link in &mut links {
            let reply = &exchange.reply;
            let received = receive_whole(link.as_mut(), reply, &mut room)?;
            reply.check(received)?;
            messages += memmem::find_iter(received, b"\n\n").count() as u64;
            bytes += received.len() as u64;
        }
        if began.elapsed() >= length {
            break;
        }
    }
    Ok(Run {
        messages,
        bytes,
        time: began.elapsed(),
        trips: None,
    })
}

/// Receives on all connections what comes unasked: this, again and again.
///
/// # Errors
/// When a wrong byte comes, or none for too long.
pub fn listen(
    links: &mut [Box<dyn Link>],
    event: &[u8],
    length: Duration,
) -> Result<Run> {
    let began = Instant::now();
    let mut messages = 0;
    while began.elapsed() < length {
        messages += one_more(links, event)?;
    }
    Ok(Run {
        messages,
        bytes: messages * event.len() as u64,
        time: began.elapsed(),
        trips: None,
    })
}

/// As [`listen`], until what came before they listened is behind them: each
/// time only one event has come to each.
///
/// # Errors
/// As [`listen`].
pub fn settle(links: &mut [Box<dyn Link>], event: &[u8]) -> Result<()> {
    const IN_A_ROW: u32 = 3;

    let mut single = 0;
    while single < IN_A_ROW {
        let received = one_more(links, event)?;
        single = if received == links.len() as u64 {
            single + 1
        } else {
            0
        };
    }
    Ok(())
}

/// Receives on each connection what has come, at least one event.
fn one_more(links: &mut [Box<dyn Link>], event: &[u8]) -> Result<u64> {
    let mut room = vec![0; 64 * 1024];
    let mut messages = 0;
    for (i, link) in links.iter_mut().enumerate() {
        let received = match link.receive(&mut room) {
            Ok(0) => return Err(closed()),
            Ok(length) => &room[..length],
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(broken(error, "receive")),
        };
        expect(event, 0, received).with_context(|| format!("client {i}"))?;
        messages += (received.len() / event.len()) as u64;
    }
    Ok(messages)
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::os::fd::OwnedFd;
    use std::thread;

    use rustix::io::{read, write};
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::exchange::text;
    use super::link::Fds;
    use super::*;

    /// An echo in memory that corrupts one byte, or sends too much.
    #[derive(Default)]
    struct Mirror {
        bytes: VecDeque<u8>,
        passed: usize,
        spoil: Option<usize>,
        add: bool,
        /// How many messages of 5 bytes it takes at once, and how many bytes
        /// it ever held.
        window: Option<u64>,
        held: usize,
    }

    impl Link for Mirror {
        fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.bytes.len() > 200_000 {
                return Err(ErrorKind::WouldBlock.into());
            }
            // Never all at once, so that the rest has to be sent as well.
            let length = bytes.len().min(70_000);
            for byte in &bytes[..length] {
                let spoiled = self.spoil == Some(self.passed);
                self.bytes.push_back(byte ^ u8::from(spoiled));
                self.passed += 1;
            }
            self.held = self.held.max(self.bytes.len());
            Ok(length)
        }

        fn most_in_flight(&self) -> Option<u64> {
            self.window
        }

        fn receive(&mut self, room: &mut [u8]) -> io::Result<usize> {
            if self.add && self.bytes.is_empty() {
                self.bytes.push_back(b'x');
            }
            let length = room.len().min(self.bytes.len()).min(10_000);
            for (i, byte) in self.bytes.drain(..length).enumerate() {
                room[i] = byte;
            }
            match length {
                0 => Err(ErrorKind::WouldBlock.into()),
                length => Ok(length),
            }
        }

        fn set_blocking(&mut self, _: bool) -> io::Result<()> {
            Ok(())
        }

        fn wait(&mut self, _: bool, _: Duration) -> io::Result<()> {
            Ok(())
        }
    }

    const SHORT: Duration = Duration::from_millis(5);

    fn echoes(length: usize) -> Vec<Exchange> {
        (0..16)
            .map(|turn| Exchange::echo(text(length, turn)))
            .collect()
    }

    fn a_stream(message: usize, messages: usize, write: usize) -> Stream {
        let request = text(message * messages, 0);
        Stream {
            reply: request.clone(),
            request,
            messages,
            write,
        }
    }

    #[test]
    fn what_comes_back_unharmed_is_counted() {
        let run =
            round_trips(&mut Mirror::default(), &echoes(5), SHORT).unwrap();
        assert_eq!(run.bytes, run.messages * 5);
        assert_eq!(run.trips.unwrap().len(), run.messages);
        for (message, messages, write) in
            [(5, 13_107, 65_535), (1024, 64, 1024), (1 << 20, 1, 1 << 20)]
        {
            let what = a_stream(message, messages, write);
            let run = stream(&mut Mirror::default(), &what, SHORT).unwrap();
            assert!(run.messages > 0);
            assert_eq!(run.bytes, run.messages * message as u64);
        }
    }

    /// A message that never ends together with a write of the kernel's: the
    /// load used to begin the next one then, and never ended.
    #[test]
    fn the_last_message_is_the_last_one_also_where_writes_are_cut() {
        for message in [1 << 20, 999_983] {
            let what = a_stream(message, 1, message);
            let run = stream(&mut Mirror::default(), &what, SHORT).unwrap();
            assert_eq!(run.bytes, run.messages * message as u64);
            assert!(run.time < Duration::from_secs(5), "{:?}", run.time);
        }
    }

    #[test]
    fn no_more_is_in_flight_than_the_link_takes() {
        let mut mirror = Mirror {
            window: Some(7),
            ..Mirror::default()
        };
        let run = stream(&mut mirror, &a_stream(5, 100, 500), SHORT).unwrap();
        assert!(run.messages > 7);
        assert!(mirror.held <= 7 * 5, "{}", mirror.held);
    }

    #[test]
    fn one_wrong_byte_among_many_fails_the_run() {
        let spoilt = |at| Mirror {
            spoil: Some(at),
            ..Mirror::default()
        };
        let error =
            round_trips(&mut spoilt(17), &echoes(5), SHORT).unwrap_err();
        assert!(error.is::<Wrong>());
        assert!(format!("{error:#}").contains("message 4: wrong byte"));
        for at in [0, 65_536, 3_000_000] {
            let what = a_stream(1 << 20, 1, 1 << 20);
            let length = Duration::from_secs(1);
            let error = stream(&mut spoilt(at), &what, length).unwrap_err();
            assert!(format!("{error:#}").contains("wrong byte"));
        }
    }

    /// Two ends of a connection: the load's, and the other.
    fn ends(kind: SocketType) -> (Box<dyn Link>, OwnedFd) {
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, kind, flags, None).unwrap();
        (Box::new(Fds::pair(ours.try_clone().unwrap(), ours)), theirs)
    }

    /// Sends what comes from the first of `ends` to all of them, until that is
    /// closed. Corrupts a byte of this one of the messages, and only for the
    /// last end.
    fn answer(ends: Vec<OwnedFd>, spoil: Option<usize>) {
        thread::spawn(move || {
            let mut room = [0; 64];
            for message in 0.. {
                let length = match read(&ends[0], &mut room) {
                    Ok(length @ 1..) => length,
                    _ => return,
                };
                for (i, end) in ends.iter().enumerate() {
                    let last = i + 1 == ends.len();
                    if last && spoil == Some(message) {
                        room[length - 1] ^= 1;
                    }
                    if write(end, &room[..length]).is_err() {
                        return;
                    }
                }
            }
        });
    }

    #[test]
    fn one_wrong_byte_in_a_datagram_fails_the_run() {
        let run = |spoil| {
            // As a datagram, but it ends.
            let (mut link, end) = ends(SocketType::SEQPACKET);
            answer(vec![end], spoil);
            datagrams(link.as_mut(), &echoes(5), SHORT)
        };
        assert!(run(None).unwrap().messages > 0);
        assert!(run(Some(20)).unwrap_err().is::<Wrong>());
    }

    #[test]
    fn one_wrong_byte_on_one_of_many_connections_fails_the_run() {
        let run = |spoil: Option<usize>| {
            let mut links = Vec::new();
            for i in 0..8 {
                let (link, end) = ends(SocketType::STREAM);
                answer(vec![end], spoil.filter(|_| i == 5));
                links.push(link);
            }
            many(&mut links, &echoes(5), SHORT)
        };
        assert!(run(None).unwrap().messages >= 8);
        assert!(run(Some(0)).unwrap_err().is::<Wrong>());
    }

    #[test]
    fn one_wrong_byte_for_one_of_those_who_listen_fails_the_run() {
        let run = |spoil| {
            let (mut links, ends): (Vec<_>, Vec<_>) =
                (0..8).map(|_| ends(SocketType::STREAM)).unzip();
            answer(ends, spoil);
            fan_out(&mut links, &echoes(5), SHORT)
        };
        let heard = run(None).unwrap().messages;
        assert!(heard > 0 && heard.is_multiple_of(8));
        // The first one only shows that all are there.
        let error = run(Some(1)).unwrap_err();
        assert!(error.is::<Wrong>());
        assert!(format!("{error:#}").contains("client 7"), "{error:#}");
    }

    #[test]
    fn bytes_that_nobody_sent_fail_the_run() {
        let mut talker = Mirror {
            add: true,
            ..Mirror::default()
        };
        let error = round_trips(&mut talker, &echoes(5), SHORT).unwrap_err();
        assert!(error.is::<Wrong>(), "{error:#}");
    }

    /// A crash is final, and lateness may be the fault of a busy machine.
    #[test]
    fn a_crash_is_told_from_silence() {
        assert!(closed().context("after 3 bytes").is::<Wrong>());
        let reset = ErrorKind::ConnectionReset.into();
        assert!(broken(reset, "receive").is::<Wrong>());
        let late = ErrorKind::TimedOut.into();
        assert!(!broken(late, "receive").is::<Wrong>());
    }
}
