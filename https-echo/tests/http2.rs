//! What https-echo promises to clients that speak HTTP/2, and what it survives
//! from those that abuse it: frames that are made by hand.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use harness::{Exit, LIMIT, Language, Signal};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{
    CertificateDer, PrivateKeyDer, ServerName,
};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig,
    ServerConnection, StreamOwned,
};

use super::{MIB, Server, is_in_time, run_certs};
use harness::testing::echo;
use harness::testing::{Need, Test, both};

pub fn tests() -> Vec<Test> {
    let both = |promise, run: fn(Language) -> Result<()>| {
        both(&format!("http_2::{promise}"), run)
    };
    let on_proc = |tests: [Test; 2]| tests.map(|t| t.needs(Need::Proc));
    let on_unix = |tests: [Test; 2]| tests.map(|t| t.needs(Need::Unix));
    [
        both("200_requests_at_once_are_answered", many_at_once),
        on_proc(both("too_many_requests_at_once_are_refused", too_many)),
        both("a_body_that_is_too_long_gets_413", too_long),
        both("too_long_headers_get_431", too_long_headers),
        both("malformed_frames_end_one_connection_only", malformed),
        both("what_the_protocol_allows_is_no_error", allowed),
        both("what_is_no_request_is_refused", no_request),
        on_proc(both("rapid_resets_are_survived", rapid_reset)),
        on_proc(both("endless_headers_end_the_connection", endless_headers)),
        on_proc(both("floods_of_small_frames_are_survived", floods)),
        on_proc(both("a_client_that_never_reads_is_sent_away", never_reads))
            .map(Test::long),
        both("a_silent_client_is_sent_away", never_begins).map(Test::long),
        both("slow_headers_end_the_connection", slow_headers).map(Test::long),
        on_unix(both("ctrl_c_finishes_the_answers", ctrl_c)),
        on_unix(both("ctrl_c_ends_a_connection_at_rest", ctrl_c_at_rest)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The first bytes of each connection.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

// Frames: RFC 9113, section 6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

// Flags.
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head, payload].concat()
}

/// A setting's number, and its value.
fn settings(list: &[(u16, u32)]) -> Vec<u8> {
    let bytes = |(number, value): &(u16, u32)| {
        [&number.to_be_bytes()[..], &value.to_be_bytes()].concat()
    };
    frame(
        SETTINGS,
        0,
        0,
        &list.iter().flat_map(bytes).collect::<Vec<_>>(),
    )
}

/// A string of HPACK, RFC 7541, not compressed.
fn string(text: &str) -> Vec<u8> {
    let mut length = text.len();
    let mut bytes = Vec::new();
    if length < 127 {
        bytes.push(length as u8);
    } else {
        bytes.push(127);
        length -= 127;
        while length >= 128 {
            bytes.push(length as u8 | 128);
            length >>= 7;
        }
        bytes.push(length as u8);
    }
    [&bytes, text.as_bytes()].concat()
}

/// A header that is put into nobody's table.
fn header(name: &str, value: &str) -> Vec<u8> {
    [&[0][..], &string(name), &string(value)].concat()
}

/// The headers of a request. `GET` is number 2 of the static table, `https`
/// 7, `:path` 4 and `:authority` 1.
fn get(path: &str) -> Vec<u8> {
    let path = [&[4][..], &string(path)].concat();
    let host = [&[1][..], &string("localhost")].concat();
    [&[0x82, 0x87][..], &path, &host].concat()
}

/// A whole request, in one frame.
fn ask(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &get(path))
}

/// The headers of a request whose body is to follow.
fn post(stream: u32, more: &[u8]) -> Vec<u8> {
    // 3: POST.
    let block = [&[0x83], &get("/up")[1..], more].concat();
    frame(HEADERS, END_HEADERS, stream, &block)
}

/// The status that these headers begin with. A table of size 0 was agreed
/// on, so it is in the static table or spelled out.
fn status(mut block: &[u8]) -> Result<u16> {
    // "The table has this size now."
    while block.first().is_some_and(|first| first & 0xE0 == 0x20) {
        block = &block[1..];
    }
    let no_status = || format!("no status: {block:?}");
    match block {
        [0x88, ..] => Ok(200),
        // A name of the static table, then a value.
        [name, length, rest @ ..] if (8..=14).contains(&(name & 0xF)) => {
            let value = rest.get(..usize::from(length & 0x7F));
            let value = value.with_context(no_status)?;
            match length & 0x80 {
                0 => Ok(str::from_utf8(value)?.parse()?),
                _ => compressed(value).with_context(no_status),
            }
        }
        _ => bail!(no_status()),
    }
}

/// Three digits: 0 to 2 are themselves in five bits, 3 to 9 are 22 more in
/// six bits.
fn compressed(bytes: &[u8]) -> Option<u16> {
    let all = bytes
        .iter()
        .fold(0, |all, byte| all << 8 | u32::from(*byte));
    let mut left = 8 * u32::try_from(bytes.len()).ok()?;
    let mut number = 0;
    for _ in 0..3 {
        left = left.checked_sub(5)?;
        let mut digit = all.checked_shr(left)? & 31;
        if digit > 2 {
            left = left.checked_sub(1)?;
            digit = ((all >> left) & 63).checked_sub(22)?;
        }
        number = 10 * number + u16::try_from(digit).ok()?;
    }
    Some(number)
}

#[derive(Debug)]
struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Frame {
    /// Why the server wants to end the connection; 0 is no error.
    fn reason(&self) -> Option<u32> {
        let bytes = self.payload.get(4..8)?.as_array()?;
        (self.kind == GOAWAY).then(|| u32::from_be_bytes(*bytes))
    }
}

/// How a request ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Answer {
    status: Option<u16>,
    body: String,
    /// Broken off, for this reason.
    reset: Option<u32>,
}

impl Answer {
    fn is(&self, status: u16, body: &str) -> Result<()> {
        let right = self.status == Some(status) && self.body == body;
        ensure!(right, "not {status} {body}: {self:?}");
        Ok(())
    }
}

/// A client that says what it likes.
struct Client(StreamOwned<ClientConnection, TcpStream>);

impl Client {
    /// Has agreed on HTTP/2, and said nothing yet.
    fn silent(server: &Server) -> Result<Self> {
        let ca = std::path::Path::new(&server.certs()).join("ca.pem");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca)?)?;
        let provider = Arc::new(ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = ServerName::try_from("localhost")?;
        let mut session = ClientConnection::new(Arc::new(config), name)?;
        let mut socket = TcpStream::connect(&server.address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(LIMIT))?;
        socket.set_write_timeout(Some(LIMIT))?;
        session.complete_io(&mut socket)?;
        ensure!(session.alpn_protocol() == Some(&b"h2"[..]));
        Ok(Self(StreamOwned::new(session, socket)))
    }

    /// Past the greetings. 1: the size of the table for headers.
    fn open(server: &Server) -> Result<Self> {
        let mut client = Self::silent(server)?;
        client.send(&[PREFACE, &settings(&[(1, 0)])].concat())?;
        ensure!(client.deals_with(&[])?, "it ends at once");
        Ok(client)
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)?;
        self.0.flush()
    }

    /// The next frame; nothing when the server has closed.
    fn next(&mut self) -> Result<Option<Frame>> {
        let frame = self.next_as_it_is()?;
        if let Some(frame) = &frame
            && frame.kind == SETTINGS
            && frame.flags & ACK == 0
        {
            // It may have closed already; what it has said counts.
            let _ = self.send(&self::frame(SETTINGS, ACK, 0, &[]));
        }
        Ok(frame)
    }

    /// The same, and no answer to it.
    fn next_as_it_is(&mut self) -> Result<Option<Frame>> {
        let mut head = [0; 9];
        match self.0.read_exact(&mut head) {
            Err(error) if has_ended(&error) => return Ok(None),
            read => read.context("read a frame")?,
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        match self.0.read_exact(&mut payload) {
            Err(error) if has_ended(&error) => return Ok(None),
            read => read.context("read a frame")?,
        }
        Ok(Some(Frame {
            kind: head[3],
            flags: head[4],
            stream: u32::from_be_bytes([head[5], head[6], head[7], head[8]]),
            payload,
        }))
    }

    /// Sends this, and waits until the server has dealt with all of it, as
    /// it answers a PING. False: it has ended the connection instead, or said
    /// GOAWAY because of an error, and listens no more.
    fn deals_with(&mut self, bytes: &[u8]) -> Result<bool> {
        const MARK: &[u8] = b"so far??";
        let all = [bytes, &frame(PING, 0, 0, MARK)].concat();
        match self.send(&all) {
            Err(error) if has_ended(&error) => return Ok(false),
            sent => sent?,
        }
        while let Some(frame) = self.next()? {
            if frame.kind == PING && frame.payload == MARK {
                return Ok(true);
            }
            if frame.reason() > Some(0) {
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// Waits for the ends of so many requests.
    fn answers(&mut self, count: usize) -> Result<BTreeMap<u32, Answer>> {
        let mut begun: BTreeMap<u32, Answer> = BTreeMap::new();
        let mut ended = BTreeMap::new();
        while ended.len() < count {
            let frame = self.next()?.with_context(|| {
                format!("closed after {} of {count}", ended.len())
            })?;
            let Frame { kind, stream, .. } = frame;
            let mut is_end = frame.flags & END_STREAM != 0;
            match kind {
                HEADERS => {
                    let status = status(&frame.payload)?;
                    begun.entry(stream).or_default().status = Some(status);
                }
                DATA => {
                    let text = str::from_utf8(&frame.payload)?;
                    begun.entry(stream).or_default().body += text;
                }
                RST_STREAM => {
                    is_end = true;
                    let reason =
                        *frame.payload.as_array().context("4 bytes")?;
                    let reason = u32::from_be_bytes(reason);
                    begun.entry(stream).or_default().reset = Some(reason);
                }
                _ => continue,
            }
            if is_end && let Some(answer) = begun.remove(&stream) {
                ended.insert(stream, answer);
            }
        }
        Ok(ended)
    }

    /// Sends so many bytes of a body, each piece when the one before it was
    /// read; the status, when an answer begins meanwhile.
    fn upload(&mut self, stream: u32, length: usize) -> Result<Option<u16>> {
        const PIECE: usize = 16_000; // less than any window
        let mut answer = None;
        for begin in (0..length).step_by(PIECE) {
            let bytes = vec![b'x'; PIECE.min(length - begin)];
            let piece = frame(DATA, 0, stream, &bytes);
            self.send(&[piece, frame(PING, 0, 0, b"so far??")].concat())?;
            loop {
                let frame = self.next()?.context("closed")?;
                match frame.kind {
                    PING => break,
                    HEADERS => answer = Some(status(&frame.payload)?),
                    _ => {}
                }
            }
        }
        Ok(answer)
    }

    /// Sends this request, and waits for its answer.
    fn answer(&mut self, request: &[u8]) -> Result<Answer> {
        self.send(request)?;
        let (_, answer) = self.answers(1)?.pop_first().context("none")?;
        Ok(answer)
    }

    /// Reads until the server closes; the reason that it gave, if it did.
    fn end(mut self) -> Result<Option<u32>> {
        let mut reason = None;
        while let Some(frame) = self.next_as_it_is()? {
            reason = frame.reason().or(reason);
        }
        Ok(reason)
    }
}

/// The server closed, or the system says so for it.
fn has_ended(error: &io::Error) -> bool {
    [
        ErrorKind::UnexpectedEof,
        ErrorKind::ConnectionReset,
        ErrorKind::ConnectionAborted,
        ErrorKind::BrokenPipe,
    ]
    .contains(&error.kind())
}

/// So many streams may be open at once.
const STREAMS: u32 = 200;

/// The numbers of a client's streams.
fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|i| 2 * i + 1)
}

/// Starts a server, lets `abuse` happen, and sees that it lives and has not
/// taken much memory.
fn survives(
    language: Language,
    abuse: impl FnOnce(&Server) -> Result<()>,
) -> Result<()> {
    let server = Server::start(language)?;
    let peak = || server.half.peak_memory().context("/proc/PID/status");
    Client::open(&server)?.answer(&ask(1, "/"))?.is(200, "/")?;
    let before = peak()?;
    abuse(&server)?;
    // Still the same process: nobody starts it again.
    Client::open(&server)?.answer(&ask(1, "/"))?.is(200, "/")?;
    let more = peak()?.saturating_sub(before) as usize;
    // Node throws its buffers away and cleans up some time later.
    let most = match language {
        Language::Rust => 8 * MIB,
        Language::Node => 64 * MIB,
    };
    ensure!(more < most, "{} KiB more", more / 1024);
    Ok(())
}

fn many_at_once(language: Language) -> Result<()> {
    let server = Server::start(language)?;
    let mut client = Client::open(&server)?;
    let mut next = 1;
    for _ in 0..10 {
        let all = (0..STREAMS).map(|i| next + 2 * i);
        let asked = all.clone().flat_map(|i| ask(i, &format!("/{i}")));
        client.send(&asked.collect::<Vec<_>>())?;
        let answers = client.answers(STREAMS as usize)?;
        for i in all {
            let answer = answers.get(&i).context("no answer")?;
            answer.is(200, &format!("/{i}"))?;
        }
        next += 2 * STREAMS;
    }
    // A request is no line of the others: its body comes in pieces.
    let bodies = (0..10).map(|i| next + 2 * i);
    client.send(
        &bodies
            .clone()
            .flat_map(|i| post(i, &[]))
            .collect::<Vec<_>>(),
    )?;
    for flags in [0, 0, END_STREAM] {
        let pieces = bodies.clone().flat_map(|i| frame(DATA, flags, i, b"ab"));
        client.send(&pieces.collect::<Vec<_>>())?;
    }
    for answer in client.answers(10)?.values() {
        answer.is(200, "/up")?;
    }
    Ok(())
}

/// 7: refused before anything was done, so it may be asked again.
const REFUSED: u32 = 7;

fn too_many(language: Language) -> Result<()> {
    survives(language, |server| {
        let mut client = Client::open(server)?;
        // All are open until their bodies end, which they do not.
        let count = 3 * STREAMS;
        let all: Vec<u8> = streams(count).flat_map(|i| post(i, &[])).collect();
        client.send(&all)?;
        if language == Language::Node {
            // It breaks off with whoever does not keep to its SETTINGS.
            return client.end().map(drop);
        }
        let refused = client.answers((count - STREAMS) as usize)?;
        let right = refused.values().all(|r| r.reset == Some(REFUSED));
        ensure!(right, "{refused:?}");
        let ends =
            streams(STREAMS).flat_map(|i| frame(DATA, END_STREAM, i, b""));
        client.send(&ends.collect::<Vec<_>>())?;
        for answer in client.answers(STREAMS as usize)?.values() {
            answer.is(200, "/up")?;
        }
        client.answer(&ask(2 * count + 1, "/"))?.is(200, "/")
    })
}

/// The longest body.
const BODY_LIMIT: usize = 16 * MIB;

fn too_long(language: Language) -> Result<()> {
    let server = Server::start(language)?;
    let mut client = Client::open(&server)?;
    client.send(&post(1, &[]))?;
    ensure!(client.upload(1, BODY_LIMIT)?.is_none(), "too soon");
    let end = frame(DATA, END_STREAM, 1, b"");
    client.answer(&end)?.is(200, "/up")?;
    // One more byte, and its connection is none the worse.
    client.send(&post(3, &[]))?;
    let status = client.upload(3, BODY_LIMIT + MIB)?;
    ensure!(status == Some(413), "{status:?}");
    ensure!(client.deals_with(&frame(DATA, END_STREAM, 3, b""))?);
    client.answer(&ask(5, "/"))?.is(200, "/")?;
    server.lives()
}

fn too_long_headers(language: Language) -> Result<()> {
    let server = Server::start(language)?;
    let mut client = Client::open(&server)?;
    let with = |stream, length| {
        let long = header("x-long", &"y".repeat(length));
        // In two frames, as one is too small.
        let block = [get("/x"), long].concat();
        let (first, second) = block.split_at(block.len() / 2);
        let first = frame(HEADERS, END_STREAM, stream, first);
        [first, frame(CONTINUATION, END_HEADERS, stream, second)].concat()
    };
    client.answer(&with(1, 15_000))?.is(200, "/x")?;
    client.answer(&with(3, 17_000))?.is(431, "")?;
    client
        .answer(&ask(5, &format!("/{}", "x".repeat(16_000))))?
        .is(200, &format!("/{}", "x".repeat(16_000)))?;
    client.answer(&with(7, 15_000))?.is(200, "/x")?;
    server.lives()
}

fn malformed(language: Language) -> Result<()> {
    let server = Server::start(language)?;
    for (what, bytes) in [
        (
            "another preface",
            b"GET / HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(),
        ),
        (
            "half a SETTINGS",
            [PREFACE, &frame(SETTINGS, 0, 0, b"12345")].concat(),
        ),
        (
            "SETTINGS of a stream",
            [PREFACE, &frame(SETTINGS, 0, 1, &[])].concat(),
        ),
        (
            "a window over 2^31",
            [PREFACE, &settings(&[(4, 1 << 31)])].concat(),
        ),
        ("a push of 2", [PREFACE, &settings(&[(2, 2)])].concat()),
    ] {
        let mut client = Client::silent(&server)?;
        ensure!(!client.deals_with(&bytes).context(what)?, "{what}: goes on");
    }
    for (what, bytes) in [
        ("a frame over 16 KiB", frame(DATA, 0, 1, &[0; 16_385])),
        ("DATA of no stream", frame(DATA, 0, 0, b"x")),
        ("DATA of a stream to come", frame(DATA, 0, 9, b"x")),
        ("HEADERS of no stream", ask(0, "/")),
        ("HEADERS of the server's stream", ask(2, "/")),
        ("CONTINUATION of nothing", frame(CONTINUATION, 4, 1, &[])),
        (
            "HEADERS, and then no CONTINUATION",
            [frame(HEADERS, 1, 1, &get("/")), ask(3, "/")].concat(),
        ),
        ("header number 0", frame(HEADERS, 5, 1, &[0x80])),
        (
            "a header that nobody knows",
            frame(HEADERS, 5, 1, &[0xFF, 0x7F]),
        ),
        ("half a header", frame(HEADERS, 5, 1, &[0, 9, b'x'])),
        ("a number without end", frame(HEADERS, 5, 1, &[0xFF; 60])),
        ("more padding than frame", frame(DATA, 8, 1, &[9, 0, 0])),
        (
            "RST_STREAM of a stream to come",
            frame(RST_STREAM, 0, 9, &[0; 4]),
        ),
        (
            "RST_STREAM of two bytes",
            [post(1, &[]), frame(RST_STREAM, 0, 1, &[0; 2])].concat(),
        ),
        (
            "a push from a client",
            [post(1, &[]), frame(PUSH_PROMISE, 4, 1, &[0, 0, 0, 2])].concat(),
        ),
        ("a PING of three bytes", frame(PING, 0, 0, &[0; 3])),
        ("a PING of a stream", frame(PING, 0, 1, &[0; 8])),
        ("GOAWAY of a stream", frame(GOAWAY, 0, 1, &[0; 8])),
        ("WINDOW_UPDATE by 0", frame(WINDOW_UPDATE, 0, 0, &[0; 4])),
        (
            "a window over 2^31",
            frame(WINDOW_UPDATE, 0, 0, &[0x7F, 255, 255, 255]),
        ),
    ] {
        let mut client = Client::open(&server)?;
        ensure!(!client.deals_with(&bytes).context(what)?, "{what}: goes on");
    }
    server.lives()
}

fn allowed(language: Language) -> Result<()> {
    let server = Server::start(language)?;
    let mut client = Client::open(&server)?;
    let mut stream = 1;
    for (what, bytes) in [
        ("a frame of an unknown kind", frame(0x99, 0xFF, 1, b"what?")),
        ("an unknown setting", settings(&[(0x9999, 7)])),
        ("a PRIORITY", frame(PRIORITY, 0, 77, &[0, 0, 0, 3, 7])),
        ("a PING", frame(PING, 0, 0, b"12345678")),
    ] {
        let asked = [bytes, ask(stream, "/")].concat();
        let answer = client.answer(&asked).context(what)?;
        answer.is(200, "/").context(what)?;
        stream += 2;
    }
    Ok(())
}

fn no_request(language: Language) -> Result<()> {
    let server = Server::start(language)?;
    let path = &get("/")[2..];
    let more = |more: &[u8]| [&get("/")[..], more].concat();
    for (what, block) in [
        ("no method", [&[0x87], path].concat()),
        ("two methods", [&[0x82, 0x83, 0x87], path].concat()),
        ("a pseudo-header that is none", more(&header(":x", "y"))),
        ("a name in capitals", more(&header("X-Y", "z"))),
        ("a header of HTTP/1", more(&header("connection", "close"))),
    ] {
        let mut client = Client::open(&server)?;
        client.send(&frame(HEADERS, END_HEADERS | END_STREAM, 1, &block))?;
        // The one stream may end, or all of them.
        let refused = match client.answers(1) {
            Ok(answers) => {
                answers[&1].reset.is_some() || answers[&1].status >= Some(400)
            }
            Err(error) => error.to_string().starts_with("closed "),
        };
        ensure!(refused, "{what}");
    }
    server.lives()
}

/// CVE-2023-44487: each request is taken back at once, so their number is
/// never over the limit.
fn rapid_reset(language: Language) -> Result<()> {
    survives(language, |server| {
        let mut client = Client::open(server)?;
        let cancel = 8_u32.to_be_bytes();
        let mut all = streams(200_000);
        loop {
            let some = all.by_ref().take(500);
            let bytes: Vec<u8> = some
                .flat_map(|i| [ask(i, "/x"), frame(RST_STREAM, 0, i, &cancel)])
                .flatten()
                .collect();
            if bytes.is_empty() || !client.deals_with(&bytes)? {
                break;
            }
        }
        Ok(())
    })
}

/// CVE-2024-27316, and others: headers go on in one CONTINUATION after the
/// other.
fn endless_headers(language: Language) -> Result<()> {
    survives(language, |server| {
        for piece in [
            Vec::new(),
            header("x", "y"),
            header("x", &"y".repeat(16_000)),
            vec![0x82; 16_000], // ":method: GET", again and again
        ] {
            let mut client = Client::open(server)?;
            let more = frame(CONTINUATION, 0, 1, &piece);
            let more = more.repeat(4 * MIB / more.len());
            // It may end before it has all of them.
            let _ =
                client.send(&[frame(HEADERS, 0, 1, &get("/")), more].concat());
            // It breaks off; why it does may be lost on the way.
            client.end()?;
        }
        Ok(())
    })
}

/// Frames that cost the server something and the client little.
fn small_frames() -> [(&'static str, Vec<u8>); 7] {
    [
        ("SETTINGS", settings(&[(3, 100)])),
        ("PING", frame(PING, 0, 0, b"12345678")),
        ("PRIORITY", frame(PRIORITY, 0, 7, &[0, 0, 0, 3, 7])),
        ("DATA", frame(DATA, 0, 1, b"")),
        ("WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])),
        ("RST_STREAM", frame(RST_STREAM, 0, 3, &[0; 4])),
        ("something", frame(0x99, 0, 0, b"")),
    ]
}

/// The client reads all that the server says.
fn floods(language: Language) -> Result<()> {
    survives(language, |server| {
        for (what, frame) in small_frames() {
            let mut client = Client::open(server)?;
            let flood = frame.repeat(1000);
            let begin = [post(1, &[]), ask(3, "/")].concat();
            let mut goes_on = client.deals_with(&begin)?;
            for _ in 0..100 {
                goes_on = goes_on && client.deals_with(&flood).context(what)?;
            }
            // Those beside it have been served meanwhile.
            Client::open(server)?.answer(&ask(1, "/"))?.is(200, "/")?;
        }
        Ok(())
    })
}

/// The client reads nothing of what the server says: neither the answers to
/// its frames, nor those to its requests.
fn never_reads(language: Language) -> Result<()> {
    survives(language, |server| {
        let requests: Vec<u8> =
            streams(10_000).flat_map(|i| ask(i, "/x")).collect();
        let windows = settings(&[(4, 0)]); // answers are not to begin
        let both = [windows, requests.clone()].concat();
        let [settings, ping, ..] = small_frames();
        let many = 1_000_000;
        let floods =
            [settings.1.repeat(many), ping.1.repeat(many), requests, both];
        let flooding = floods.map(|flood| -> Result<_> {
            let mut client = Client::open(server)?;
            Ok(thread::spawn(move || {
                // Ends when the server has had enough of it.
                let _ = client.send(&flood);
                client
            }))
        });
        Client::open(server)?.answer(&ask(1, "/"))?.is(200, "/")?;
        for flood in flooding {
            let client = flood?.join().ok().context("it panicked")?;
            // The server does not wait indefinitely for a reader.
            client.end()?;
        }
        Ok(())
    })
}

fn never_begins(language: Language) -> Result<()> {
    let server = Server::start(language)?;
    let begun = Instant::now();
    let mut clients = Vec::new();
    for bytes in [
        &b""[..],
        &PREFACE[..9],
        PREFACE,
        &[PREFACE, &settings(&[])].concat(),
        &[PREFACE, &settings(&[]), &ask(1, "/")[..20]].concat(),
        &[PREFACE, &settings(&[]), &post(1, &[])].concat(),
    ] {
        let mut client = Client::silent(&server)?;
        client.send(bytes)?;
        clients.push(client);
    }
    for client in clients {
        client.end()?;
        is_in_time(begun)?;
    }
    server.lives()
}

fn slow_headers(language: Language) -> Result<()> {
    let server = Server::start(language)?;
    // Something comes all the time, but it is never a whole request: a frame
    // that goes on, and one frame after the other.
    let whole = ask(1, &"x".repeat(10_000));
    let mut client = Client::open(&server)?;
    let begun = Instant::now();
    for byte in &whole {
        if client.send(&[*byte]).is_err() {
            break;
        }
        ensure!(begun.elapsed() < LIMIT, "it waits for ever");
        thread::sleep(Duration::from_millis(50));
    }
    let waited = begun.elapsed();
    let right = Duration::from_secs(2)..Duration::from_secs(45);
    ensure!(right.contains(&waited), "after {waited:?}");
    server.lives()
}

fn ctrl_c(language: Language) -> Result<()> {
    for signal in [Signal::Interrupt, Signal::Terminate] {
        let mut server = Server::start(language)?;
        let mut client = Client::open(&server)?;
        client.send(&post(1, &[]))?;
        server.half.wait_for("url /up")?;
        server.half.signal(signal)?;
        // "No more than this one"; it may say so twice: "soon", "now".
        let goaway = loop {
            let frame = client.next()?.context("closed without a word")?;
            if let Some(reason) = frame.reason() {
                break reason;
            }
        };
        ensure!(goaway == 0, "as if something was wrong: {goaway}");
        client
            .answer(&frame(DATA, END_STREAM, 1, b"x"))?
            .is(200, "/up")?;
        client.end()?;
        let exit = server.half.wait_at_most(echo::TWO_SECONDS)?;
        ensure!(exit == Exit::Code(0), "{exit:?}");
        ensure!(server.half.stderr().is_empty());
    }
    Ok(())
}

fn ctrl_c_at_rest(language: Language) -> Result<()> {
    let mut server = Server::start(language)?;
    let mut client = Client::open(&server)?;
    client.answer(&ask(1, "/"))?.is(200, "/")?;
    let fresh = Client::open(&server)?;
    let silent = Client::silent(&server)?;
    let begun = Instant::now();
    server.half.signal(Signal::Interrupt)?;
    let exit = server.half.wait_at_most(echo::TWO_SECONDS)?;
    ensure!(
        exit == Exit::Code(0),
        "{exit:?} after {:?}",
        begun.elapsed()
    );
    ensure!(client.end()? == Some(0), "no goodbye");
    ensure!(fresh.end()? == Some(0), "no goodbye");
    silent.end().map(drop)
}

/// Calls `ask` with the URL and the certificates of a server that ends each
/// request without an answer, and says that nothing is wrong.
pub fn server_without_an_answer(
    ask: impl FnOnce(&str, &str) -> Result<()>,
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let certs = folder.path().join("certs");
    run_certs(&certs, &[])?;
    let leaf = CertificateDer::from_pem_file(certs.join("leaf.pem"))?;
    let key = PrivateKeyDer::from_pem_file(certs.join("leaf-key.pem"))?;
    let provider = Arc::new(ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![leaf], key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("https://{}/hello", listener.local_addr()?);
    let serving = thread::spawn(move || -> Result<()> {
        let (socket, _) = listener.accept()?;
        socket.set_read_timeout(Some(LIMIT))?;
        let session = ServerConnection::new(Arc::new(config))?;
        let mut stream = StreamOwned::new(session, socket);
        stream.write_all(&settings(&[]))?;
        stream.read_exact(&mut [0; PREFACE.len()])?;
        let mut kind = SETTINGS;
        while kind != HEADERS {
            let mut head = [0; 9];
            stream.read_exact(&mut head)?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            stream.read_exact(&mut vec![0; length as usize])?;
            kind = head[3];
        }
        stream.write_all(&frame(RST_STREAM, 0, 1, &[0; 4]))?;
        let _ = io::copy(&mut stream, &mut io::sink());
        Ok(())
    });
    ask(&url, &certs.display().to_string())?;
    serving.join().ok().context("the server panicked")?
}
