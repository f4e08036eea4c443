//! What https-echo promises to clients that speak HTTP/2, and what it survives
//! from those that abuse it: frames that are made by hand.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use harness::{Exit, LIMIT, Language, Signal};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
};

use super::{MIB, Server, is_in_time};
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
        both("malformed_frames_end_one_connection_only", malformed),
        on_proc(both("rapid_resets_are_survived", rapid_reset)),
        on_proc(both("endless_headers_end_the_connection", endless_headers)),
        on_proc(both("floods_of_small_frames_are_survived", floods)),
        on_proc(both("a_client_that_never_reads_is_sent_away", never_reads))
            .map(Test::long),
        both("a_silent_client_is_sent_away", never_begins).map(Test::long),
        both("slow_headers_end_the_connection", slow_headers).map(Test::long),
        on_unix(both("ctrl_c_finishes_the_answers", ctrl_c)),
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
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
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

/// A short string of HPACK, RFC 7541, not compressed.
fn string(text: &str) -> Vec<u8> {
    [&[text.len() as u8], text.as_bytes()].concat()
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
fn post(stream: u32) -> Vec<u8> {
    // 3: POST.
    let block = [&[0x83], &get("/up")[1..]].concat();
    frame(HEADERS, END_HEADERS, stream, &block)
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

    /// Past the greetings.
    fn open(server: &Server) -> Result<Self> {
        let mut client = Self::silent(server)?;
        client.send(&[PREFACE, &settings(&[])].concat())?;
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

    /// The bodies of so many answers, by the numbers of their streams.
    fn answers(&mut self, count: usize) -> Result<BTreeMap<u32, String>> {
        /// `:status: 200` in the static table.
        const OK: u8 = 0x88;

        let mut bodies: BTreeMap<u32, String> = BTreeMap::new();
        let mut ended = 0;
        while ended < count {
            let frame = self.next()?.with_context(|| {
                format!("closed after {ended} of {count} answers")
            })?;
            match frame.kind {
                HEADERS => {
                    ensure!(frame.payload.contains(&OK), "{frame:?}");
                }
                DATA => {
                    let text = str::from_utf8(&frame.payload)?;
                    *bodies.entry(frame.stream).or_default() += text;
                }
                RST_STREAM => bail!("broken off: {frame:?}"),
                _ => continue,
            }
            ended += usize::from(frame.flags & END_STREAM != 0);
        }
        Ok(bodies)
    }

    /// Sends this, and sees that one answer has this body.
    fn answered(&mut self, bytes: &[u8], body: &str) -> Result<()> {
        self.send(bytes)?;
        let bodies = self.answers(1)?;
        ensure!(bodies.values().eq([body]), "not {body}: {bodies:?}");
        Ok(())
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
    Client::open(&server)?.answered(&ask(1, "/"), "/")?;
    let before = peak()?;
    abuse(&server)?;
    // Still the same process: nobody starts it again.
    Client::open(&server)?.answered(&ask(1, "/"), "/")?;
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
    let path = |stream| format!("/{stream}");
    let asked = streams(STREAMS).flat_map(|i| ask(i, &path(i)));
    client.send(&asked.collect::<Vec<_>>())?;
    let bodies = client.answers(STREAMS as usize)?;
    ensure!(bodies == streams(STREAMS).map(|i| (i, path(i))).collect());
    Ok(())
}

fn malformed(language: Language) -> Result<()> {
    let server = Server::start(language)?;
    let mut client = Client::silent(&server)?;
    let http1 = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    ensure!(!client.deals_with(http1)?, "it takes another preface");
    for bytes in [
        frame(DATA, 0, 1, &[0; 16_385]), // longer than was agreed on
        ask(2, "/"),                     // a stream of the server's
        frame(HEADERS, END_HEADERS, 1, &[0, 9, b'x']), // half a header
    ] {
        let mut client = Client::open(&server)?;
        ensure!(!client.deals_with(&bytes)?, "{bytes:?}: goes on");
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

/// The client reads all that the server says.
fn floods(language: Language) -> Result<()> {
    survives(language, |server| {
        for frame in [settings(&[(3, 100)]), frame(PING, 0, 0, &[0; 8])] {
            let mut client = Client::open(server)?;
            let flood = frame.repeat(1000);
            for _ in 0..100 {
                if !client.deals_with(&flood)? {
                    break;
                }
            }
            // Those beside it have been served meanwhile.
            Client::open(server)?.answered(&ask(1, "/"), "/")?;
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
        let pings = frame(PING, 0, 0, &[0; 8]).repeat(1_000_000);
        let floods = [pings, requests];
        let flooding = floods.map(|flood| -> Result<_> {
            let mut client = Client::open(server)?;
            Ok(thread::spawn(move || {
                // Ends when the server has had enough of it.
                let _ = client.send(&flood);
                client
            }))
        });
        Client::open(server)?.answered(&ask(1, "/"), "/")?;
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
        &[PREFACE, &settings(&[]), &post(1)].concat(),
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
    let mut client = Client::open(&server)?;
    // Something comes all the time, but it is never a whole frame.
    client.send(&frame(HEADERS, END_HEADERS, 1, &[0; 10_000])[..9])?;
    let begun = Instant::now();
    while client.send(b"x").is_ok() {
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
        let mut answered = Client::open(&server)?;
        answered.answered(&ask(1, "/"), "/")?;
        let silent = Client::silent(&server)?;
        client.send(&post(1))?;
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
        client.answered(&frame(DATA, END_STREAM, 1, b"x"), "/up")?;
        client.end()?;
        let exit = server.half.wait_at_most(echo::TWO_SECONDS)?;
        ensure!(exit == Exit::Code(0), "{exit:?}");
        ensure!(server.half.stderr().is_empty());
        ensure!(answered.end()? == Some(0), "no goodbye");
        silent.end()?;
    }
    Ok(())
}
