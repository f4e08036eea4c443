//! What http-echo promises.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::{Exit, Half, LIMIT, Language, Signal};

use harness::testing::echo;
use harness::testing::ends::SIGNALS;
use harness::testing::peer::Peer;
use harness::testing::server::{Server, lesson, tool, until_stuck};
use harness::testing::{CURL, NODE, Need, Test, both, test};

#[path = "in_a_service.rs"]
mod in_a_service;

const LESSON: &str = "http-echo";
const MIB: usize = 1024 * 1024;

pub fn tests() -> Vec<Test> {
    let both = |promise, run: fn(Language) -> Result<()>| both(promise, run);
    let on_unix = |tests: [Test; 2]| tests.map(|t| t.needs(Need::Unix));
    let mut tests: Vec<Test> = [
        both("a_half_closed_request_is_answered", half_close),
        both("a_browser_is_told_not_to_guess", headers),
        both("a_long_target_is_cut_in_the_log", long_target),
        both("a_longer_body_gets_413", too_long),
        both("a_413_is_not_lost_while_the_client_sends", not_lost),
        both("an_upload_without_end_is_cut_off", endless).map(Test::long),
        both("too_many_headers_get_431", too_long_headers),
        both("malformed_requests_get_400", malformed),
        both("slow_headers_end_the_connection", slow_headers).map(Test::long),
        both("an_idle_connection_ends", idle).map(Test::long),
        both("a_client_that_never_reads_is_held_back", never_reads),
        both("a_reset_ends_one_connection_only", reset),
        both("1000_clients_at_once_are_served", thousand_clients),
        both("a_killed_client_leaves_the_server_at_rest", killed_client)
            .map(|t| t.needs(Need::Proc)),
        on_unix(both("ctrl_c_ends_an_idle_server", idle_server_ends)),
        on_unix(both("sigterm_ends_a_busy_server", busy_server_ends)),
        on_unix(both("what_arrived_is_answered_after_sigterm", answers)),
        both("curl_is_answered", curl).map(|t| t.needs(CURL)),
        both("the_client_asks_once", asks_once),
        both("the_client_asks_again_on_a_new_connection", asks_again),
        both("the_client_gives_up_after_ten_seconds", gives_up).map(Test::long),
        both("the_client_prints_the_body_as_it_arrives", as_it_arrives),
        both("the_client_fails_on_another_answer", other_answer),
        both("the_client_asks_for_the_urls_path", url_path),
        both("the_client_refuses_other_urls", other_urls),
        both("a_killed_server_fails_the_client", killed_server),
        on_unix(both("ctrl_c_ends_a_client", client_ends)),
        on_unix(both("sigterm_ends_a_client_nobody_answers", stuck_client)),
        both("a_client_without_a_server_says_what_to_start", |language| {
            echo::no_server(LESSON, language)
        }),
        both("a_second_server_at_the_address_is_refused", |language| {
            echo::in_use(LESSON, language)
        }),
        both("a_closed_stdout_ends_the_server_quietly", |language| {
            echo::closed_stdout(LESSON, language)
        }),
        both("a_closed_stdout_ends_the_client_quietly", |language| {
            echo::unread_client(LESSON, language)
        }),
    ]
    .into_iter()
    .flatten()
    .collect();
    tests.push(
        test("a_client_that_never_reads_does_not_fill_the_memory", memory)
            .needs(Need::Proc),
    );
    tests.push(
        test("the_table_of_differences_is_true", differences).needs(NODE),
    );
    tests.push(in_a_service::test_of_readme());
    tests.into_iter().map(|test| test.of(LESSON)).collect()
}

fn start(language: Language) -> Result<Server> {
    Server::start(LESSON, language)
}

/// A request without a body.
fn request(line: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// An answer as it came.
#[derive(Debug, Default)]
struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

impl Answer {
    fn read(peer: &mut Peer) -> Result<Self> {
        let mut answer = Self::read_without_body(peer)?;
        let length = answer.headers.get("content-length");
        let length = length.with_context(|| format!("{answer:?}"))?.parse()?;
        let mut body = vec![0; length];
        peer.read_exact(&mut body).context("read a body")?;
        answer.body = String::from_utf8(body)?;
        Ok(answer)
    }

    fn read_without_body(peer: &mut Peer) -> Result<Self> {
        let head = peer.read_head()?.context("closed without an answer")?;
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.get(9..12));
        Ok(Self {
            status: status.context("no status")?.parse()?,
            headers: lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect(),
            body: String::new(),
        })
    }

    fn is(&self, status: u16, body: &str) -> Result<()> {
        ensure!(
            (self.status, self.body.as_str()) == (status, body),
            "not {status} {body:?}: {self:?}"
        );
        Ok(())
    }
}

/// Sends `bytes` on a new connection, and reads one answer.
fn ask(server: &Server, bytes: &str) -> Result<Answer> {
    let mut peer = server.connect()?;
    peer.write_all(bytes.as_bytes())?;
    Answer::read(&mut peer)
}

/// As `nc -N` does: all is said, and the answer is still awaited.
fn half_close(language: Language) -> Result<()> {
    let server = start(language)?;
    let post = "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok";
    for bytes in [&*request("GET /x"), post] {
        for _ in 0..20 {
            let mut peer = server.connect()?;
            peer.write_all(bytes.as_bytes())?;
            peer.finish()?;
            Answer::read(&mut peer)?.is(200, "/x")?;
            ensure!(peer.rest()?.is_empty(), "more came");
        }
    }
    Ok(())
}

fn headers(language: Language) -> Result<()> {
    let server = start(language)?;
    let answer = ask(&server, &request("GET /%3Cscript%3E"))?;
    answer.is(200, "/%3Cscript%3E")?;
    let is = |name, value: &str| {
        answer.headers.get(name).is_some_and(|found| found == value)
    };
    ensure!(
        is("content-type", "text/plain; charset=utf-8"),
        "{answer:?}"
    );
    ensure!(is("x-content-type-options", "nosniff"), "{answer:?}");
    Ok(())
}

fn long_target(language: Language) -> Result<()> {
    let server = start(language)?;
    let target = format!("/{}", "x".repeat(8000));
    ask(&server, &request(&format!("GET {target}")))?.is(200, &target)?;
    let line = server.half.wait_for("url /")?;
    ensure!(
        line == format!("{}… (8001 bytes)", "x".repeat(159)),
        "{line}"
    );
    Ok(())
}

/// Sends a request with a body of that length from a second thread.
fn post(
    peer: &Peer,
    length: usize,
    chunked: bool,
) -> Result<thread::JoinHandle<io::Result<()>>> {
    let mut peer = peer.try_clone()?;
    let framing = match chunked {
        true => "Transfer-Encoding: chunked".to_owned(),
        false => format!("Content-Length: {length}"),
    };
    Ok(thread::spawn(move || {
        let head = format!("POST /up HTTP/1.1\r\nHost: h\r\n{framing}\r\n\r\n");
        peer.write_all(head.as_bytes())?;
        let piece = vec![b'x'; 64 * 1024];
        let mut left = length;
        while left > 0 {
            let now = left.min(piece.len());
            if chunked {
                peer.write_all(format!("{now:x}\r\n").as_bytes())?;
            }
            peer.write_all(&piece[..now])?;
            if chunked {
                peer.write_all(b"\r\n")?;
            }
            left -= now;
        }
        peer.write_all(if chunked { b"0\r\n\r\n" } else { b"" })
    }))
}

/// The longest body.
const BODY_LIMIT: usize = 16 * MIB;

fn too_long(language: Language) -> Result<()> {
    let server = start(language)?;
    for chunked in [false, true] {
        let mut peer = server.connect()?;
        // On the same connection: it goes on after a 413.
        for (length, status) in [
            (BODY_LIMIT + 1, 413),
            (BODY_LIMIT, 200),
            (BODY_LIMIT + MIB, 413),
        ] {
            let writer = post(&peer, length, chunked)?;
            let answer = Answer::read(&mut peer)?;
            ensure!(answer.status == status, "{length}: {answer:?}");
            writer.join().ok().context("the writer panicked")??;
        }
    }
    if language == Language::Rust
        && let Some(peak) = server.half.peak_memory()
    {
        ensure!(peak < 16 * MIB as u64, "collected? {} KiB", peak / 1024);
    }
    server.lives()
}

/// First all is sent, as many clients do, then the answer is read. A reset
/// would end the one, and often the other.
fn not_lost(language: Language) -> Result<()> {
    let server = start(language)?;
    for chunked in [false, true] {
        let mut peer = server.connect()?;
        let writer = post(&peer, 3 * BODY_LIMIT, chunked)?;
        writer.join().ok().context("the writer panicked")??;
        Answer::read(&mut peer)?.is(413, "")?;
    }
    Ok(())
}

/// It gets its 413; then Rust reads for ten seconds more, and Node until
/// nothing comes for ten seconds.
fn endless(language: Language) -> Result<()> {
    let server = start(language)?;
    let mut peer = server.connect()?;
    let mut writer = peer.try_clone()?;
    let goes_on = language == Language::Rust;
    let flood = thread::spawn(move || {
        let head = "POST /up HTTP/1.1\r\nHost: h\r\n\
                    Content-Length: 999999999999\r\n\r\n";
        let mut written = writer.write_all(head.as_bytes());
        let piece = vec![b'x'; 64 * 1024];
        for _ in 0..2 * BODY_LIMIT / piece.len() {
            written = written.and_then(|()| writer.write_all(&piece));
        }
        while goes_on && written.is_ok() {
            written = writer.write_all(&piece[..1000]);
            thread::sleep(Duration::from_millis(5));
        }
    });
    Answer::read(&mut peer)?.is(413, "")?;
    let rest = peer.rest().unwrap_or_default();
    ensure!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
    flood.join().ok().context("the writer panicked")?;
    server.lives()
}

/// By number or by length: the two have other limits.
fn too_long_headers(language: Language) -> Result<()> {
    let server = start(language)?;
    let with = |headers: String| {
        format!("GET /x HTTP/1.1\r\nHost: h\r\n{headers}\r\n")
    };
    let many = |count| {
        (0..count).fold(String::new(), |mut all, i| {
            let _ = write!(all, "X-{i}: y\r\n");
            all
        })
    };
    let long = |length| format!("X: {}\r\n", "y".repeat(length));
    ask(&server, &with(long(15_000)))?.is(200, "/x")?;
    ask(&server, &with(many(99)))?.is(200, "/x")?;
    let too_much = match language {
        Language::Rust => many(100),
        Language::Node => long(17_000),
    };
    refused(&server, &with(too_much), 431)?;
    server.lives()
}

/// This status, no body, and no more of this connection.
fn refused(server: &Server, bytes: &str, status: u16) -> Result<()> {
    let mut peer = server.connect()?;
    peer.write_all(bytes.as_bytes())?;
    Answer::read_without_body(&mut peer)
        .and_then(|answer| answer.is(status, ""))
        .with_context(|| format!("asked {bytes:?}"))?;
    peer.finish()?;
    ensure!(peer.rest()?.is_empty(), "it goes on after {bytes:?}");
    Ok(())
}

fn malformed(language: Language) -> Result<()> {
    let server = start(language)?;
    for bytes in [
        "hello\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\r\n\r\n", // TLS
        // Request smuggling: two lengths that differ.
        "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\
         Content-Length: 2\r\n\r\n",
    ] {
        refused(&server, bytes, 400)?;
    }
    let lines = server.half.stdout();
    ensure!(lines.len() == 1, "they were answered: {lines:?}");
    let errors = server.half.stderr();
    ensure!(errors.iter().all(|line| line.starts_with("socket: ")));
    server.lives()
}

/// The time limit of all halves is ten seconds. Node's own are 60 and more.
const SOON: Duration = Duration::from_secs(5);
const LATE: Duration = Duration::from_secs(45);

/// The end without an answer, or with Node's 408.
fn is_sent_away(peer: &mut Peer, begun: Instant) -> Result<()> {
    // The end, or a reset by what still arrives.
    let rest = peer.rest().unwrap_or_default();
    let rest = String::from_utf8_lossy(&rest);
    let is_408 = rest.starts_with("HTTP/1.1 408 ");
    ensure!(rest.is_empty() || is_408, "{rest}");
    let waited = begun.elapsed();
    ensure!(SOON < waited && waited < LATE, "after {waited:?}");
    Ok(())
}

fn slow_headers(language: Language) -> Result<()> {
    let server = start(language)?;
    let begun = Instant::now();
    let mut peer = server.connect()?;
    peer.write_all(b"GET / HTTP/1.1\r\n")?;
    let mut writer = peer.try_clone()?;
    // Something moves all the time, but it is never a whole request.
    let drip = thread::spawn(move || {
        while writer.write_all(b"X: y\r\n").is_ok() {
            thread::sleep(Duration::from_millis(200));
        }
    });
    is_sent_away(&mut peer, begun)?;
    drop(peer);
    let _ = drip.join();
    server.lives()
}

fn idle(language: Language) -> Result<()> {
    let server = start(language)?;
    let body = "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf";
    let begun = Instant::now();
    let mut peers = Vec::new();
    for (bytes, answered) in [
        ("", false),
        (&*request("GET /x"), true),
        ("GET", false),
        (body, false),
    ] {
        let mut peer = server.connect()?;
        peer.write_all(bytes.as_bytes())?;
        if answered {
            Answer::read(&mut peer)?.is(200, "/x")?;
        }
        peers.push(peer);
    }
    for mut peer in peers {
        is_sent_away(&mut peer, begun)?;
    }
    server.lives()
}

/// A client that asks and asks, and never reads.
fn stuck_client_of(server: &Server) -> Result<Peer> {
    let (stuck, mut other) = (server.connect()?, server.connect()?);
    let ask = request(&format!("GET /{}", "x".repeat(2000)));
    until_stuck(&stuck, ask.repeat(32).into_bytes(), || {
        other.write_all(request("GET /other").as_bytes())?;
        Answer::read(&mut other)?.is(200, "/other")
    })?;
    Ok(stuck)
}

fn never_reads(language: Language) -> Result<()> {
    let server = start(language)?;
    drop(stuck_client_of(&server)?);
    server.lives()
}

fn memory() -> Result<()> {
    let server = start(Language::Rust)?;
    let memory = || server.half.peak_memory().context("/proc/PID/status");
    let idle = memory()?;
    let stuck = [stuck_client_of(&server)?, stuck_client_of(&server)?];
    let more = memory()? - idle;
    drop(stuck);
    ensure!(more < 4 * MIB as u64, "{} KiB more", more / 1024);
    server.lives()
}

fn reset(language: Language) -> Result<()> {
    let server = start(language)?;
    for bytes in [
        "",
        "GET /",
        &request("GET /x"),
        &request("GET /x").repeat(9),
    ] {
        let mut peer = server.connect()?;
        peer.write_all(bytes.as_bytes())?;
        peer.reset()?;
    }
    let mut peer = server.connect()?;
    peer.write_all(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx")?;
    server.half.wait_for("url /")?;
    peer.reset()?;
    server.lives()
}

fn thousand_clients(language: Language) -> Result<()> {
    let server = start(language)?;
    let mut peers = server.connect_many(1000)?;
    for (i, peer) in peers.iter_mut().enumerate() {
        peer.write_all(request(&format!("GET /{i}")).as_bytes())?;
    }
    for (i, peer) in peers.iter_mut().enumerate() {
        Answer::read(peer)?.is(200, &format!("/{i}"))?;
    }
    drop(peers);
    server.lives()
}

fn killed_client(language: Language) -> Result<()> {
    let server = start(language)?;
    for _ in 0..10 {
        let mut client = server.client(Language::Rust, &ENDLESS)?;
        client.wait_for("/hello")?;
        client.stop(Signal::Kill)?;
    }
    let used = server.cpu_time_of_half_a_second()?;
    ensure!(used < Duration::from_millis(250), "it spins: {used:?}");
    Ok(())
}

fn idle_server_ends(language: Language) -> Result<()> {
    for signal in SIGNALS {
        let mut server = start(language)?;
        let mut fresh = server.connect()?;
        let mut kept = server.connect()?;
        kept.write_all(request("GET /").as_bytes())?;
        Answer::read(&mut kept)?.is(200, "/")?;
        server.half.ends_on(signal)?;
        ensure!(fresh.rest()?.is_empty() && kept.rest()?.is_empty());
        ensure!(server.half.stderr().is_empty());
    }
    Ok(())
}

fn busy_server_ends(language: Language) -> Result<()> {
    for signal in SIGNALS {
        let mut server = start(language)?;
        let _stuck = stuck_client_of(&server)?;
        let mut half = server.connect()?;
        half.write_all(b"PUT / HTTP/1.1\r\nContent-Length: 9\r\n")?;
        server.half.ends_on(signal)?;
    }
    Ok(())
}

fn answers(language: Language) -> Result<()> {
    let mut server = start(language)?;
    let mut peer = server.connect()?;
    peer.write_all(
        b"PUT /x HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\no",
    )?;
    server.half.wait_for("url /x")?;
    server.half.signal(Signal::Terminate)?;
    // It has heard of it once it takes nobody else.
    while server.connect().is_ok() {}
    peer.write_all(b"k")?;
    Answer::read(&mut peer)?.is(200, "/x")?;
    ensure!(server.half.wait_at_most(echo::TWO_SECONDS)? == Exit::Code(0));
    Ok(())
}

fn curl(language: Language) -> Result<()> {
    let server = start(language)?;
    let url = |path: &str| format!("http://{}{path}", server.address);
    let body = vec![b'x'; 2 * MIB];
    let curl = |arguments: &[&str], path: &str, input: &[u8]| {
        let url = url(path);
        let fixed = ["-sS", "--noproxy", "*", "--path-as-is", &url];
        tool("curl", &[&fixed, arguments].concat(), input)
    };
    for (arguments, path, input, expected) in [
        (&[][..], "/a/../b?c=d&e=%20", &[][..], "/a/../b?c=d&e=%20"),
        (&["-X", "DELETE"], "/gone", &[], "/gone"),
        (&["--http1.0"], "/old", &[], "/old"),
        (&["--data-binary", "@-"], "/data", &body, "/data"),
        (&["-T", "-"], "/chunked", &body, "/chunked"),
        (&["-X", "OPTIONS", "--request-target", "*"], "/", &[], "*"),
    ] {
        let answer = curl(arguments, path, input)?;
        ensure!(answer == [expected], "{path}: {answer:?}");
    }
    let head = curl(&["-I"], "/head", b"")?;
    ensure!(head[0] == "HTTP/1.1 200 OK", "{head:?}");
    Ok(())
}

/// A server that we drive, and a client that talks to it.
fn client_of(
    language: Language,
    arguments: &[&str],
) -> Result<(Half, TcpListener)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let lesson = lesson(LESSON)?;
    let address = listener.local_addr()?.to_string();
    let mut command = lesson.half(language, "client")?;
    command.arg(lesson.target(&address)).args(arguments);
    Ok((Half::start(&mut command)?, listener))
}

/// The next connection to it.
fn accept(listener: &TcpListener) -> Result<Peer> {
    let (stream, _) = listener.accept()?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LIMIT))?;
    Ok(Peer::Tcp(stream))
}

/// Reads a request of the client; returns its target.
fn read_request(peer: &mut Peer) -> Result<String> {
    let head = peer.read_head()?.context("the client has closed")?;
    let mut words = head.split(' ');
    ensure!(words.next() == Some("GET"), "{head}");
    Ok(words.next().unwrap_or_default().to_owned())
}

const HELLO: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n/hello";

/// `--count` of a client that is to be stopped.
const ENDLESS: [&str; 4] = ["--count", "1000000", "--every", "100"];

fn asks_once(language: Language) -> Result<()> {
    let server = start(language)?;
    let mut client = server.client(language, &[])?;
    ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    ensure!(client.stdout() == ["statusCode: 200", "/hello"]);
    let mut client = server.client(language, &["--count", "0"])?;
    ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    ensure!(client.stdout().is_empty(), "{:?}", client.stdout());
    // Node warns of a listener that is added with each request.
    let pace = ["--count", "30", "--every", "1"];
    let mut client = server.client(language, &pace)?;
    client.succeeds()?;
    ensure!(client.stdout().len() == 60, "{:?}", client.stdout());
    Ok(())
}

/// So no request meets a connection that is just being closed.
fn asks_again(language: Language) -> Result<()> {
    let pace = ["--count", "3", "--every", "10"];
    let (mut client, listener) = client_of(language, &pace)?;
    for _ in 0..3 {
        let mut peer = accept(&listener)?;
        ensure!(read_request(&mut peer)? == "/hello");
        peer.write_all(HELLO)?;
        ensure!(peer.rest()?.is_empty(), "it asks for more here");
    }
    ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    client.wait_for_lines(3, "statusCode: 200")
}

fn gives_up(language: Language) -> Result<()> {
    for answer in [&b""[..], &HELLO[..HELLO.len() - 1]] {
        let (mut client, listener) = client_of(language, &[])?;
        let mut peer = accept(&listener)?;
        read_request(&mut peer)?;
        let begun = Instant::now();
        peer.write_all(answer)?;
        client.fails(&["ask for http://"])?;
        ensure!(begun.elapsed() > SOON, "after {:?}", begun.elapsed());
    }
    Ok(())
}

fn as_it_arrives(language: Language) -> Result<()> {
    let (mut client, listener) = client_of(language, &[])?;
    let mut peer = accept(&listener)?;
    read_request(&mut peer)?;
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    peer.write_all(head.as_bytes())?;
    client.wait_for("statusCode: 200")?;
    for piece in ["/h", "el", "lo"] {
        peer.write_all(format!("2\r\n{piece}\r\n").as_bytes())?;
        client.wait_for(piece)?;
    }
    peer.write_all(b"0\r\n\r\n")?;
    ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    ensure!(client.stdout() == ["statusCode: 200", "/h", "el", "lo"]);
    Ok(())
}

fn other_answer(language: Language) -> Result<()> {
    const OK: &str = "200 OK";
    for (status, length, body, shown, error) in [
        (OK, 6, "/hell", "/hell", "ask for http://"),
        (OK, 9, "\x1b[2J\u{9b}\r", "\\u{1b}[2J", "ask for http://"),
        ("404 Not Found", 3, "no!", "no!", "answered 404"),
        ("400 Bad Request", 0, "", "statusCode: 400", "answered 400"),
        ("500 Oops", 0, "", "statusCode: 500", "answered 500"),
        ("101 Other", 0, "", "statusCode: 101", "answered 101"),
    ] {
        let answer = format!("{status}\r\nContent-Length: {length}");
        let (mut client, listener) = client_of(language, &[])?;
        let mut peer = accept(&listener)?;
        read_request(&mut peer)?;
        let upgrade = "Connection: upgrade\r\nUpgrade: x\r\n";
        let more = if status.starts_with("101") {
            upgrade
        } else {
            ""
        };
        let answer = format!("HTTP/1.1 {answer}\r\n{more}\r\n{body}");
        peer.write_all(answer.as_bytes())?;
        client.wait_for(shown)?;
        drop(peer);
        client.fails(&[error]).context(answer)?;
    }
    // Neither is this an answer, nor is none.
    for answer in [&b"hello\r\n\r\n"[..], b""] {
        let (mut client, listener) = client_of(language, &[])?;
        let mut peer = accept(&listener)?;
        read_request(&mut peer)?;
        peer.write_all(answer)?;
        drop(peer);
        client.fails_at_once(&["ask for http://"])?;
    }
    Ok(())
}

/// The client, for a URL at `server`.
fn client_at(server: &Server, language: Language, url: &str) -> Result<Half> {
    let mut command = lesson(LESSON)?.half(language, "client")?;
    let url = url.replace("SERVER", &server.address);
    command.arg(&url);
    Half::start(&mut command)
}

fn url_path(language: Language) -> Result<()> {
    let server = start(Language::Rust)?;
    for (url, target) in [
        ("http://SERVER/a/b?c=d&e", "/a/b?c=d&e"),
        ("http://SERVER", "/"),
        ("http://SERVER?x", "/?x"),
        ("HTTP://SERVER/x#fragment", "/x"),
        ("http://SERVER//a", "//a"),
        // As browsers do, in both languages.
        ("http://SERVER/a/../b/./c", "/b/c"),
        ("http://SERVER/中 <?x=<", "/%E4%B8%AD%20%3C?x=%3C"),
        ("http:SERVER\\x", "/x"),
    ] {
        let mut client = client_at(&server, language, url)?;
        ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
        ensure!(client.stdout() == ["statusCode: 200", target], "{url}");
    }
    Ok(())
}

fn other_urls(language: Language) -> Result<()> {
    let server = start(Language::Rust)?;
    for url in [
        "wss://SERVER/",
        "SERVER",
        "/hello",
        "http://",
        "ftp://x/",
        // Node would send an Authorization header, hyper would not.
        "http://user@SERVER/x",
        "http://user:password@SERVER/x",
        "http://:password@SERVER/x",
        "https://SERVER/",
        "http://[::1/",
        "http://127.0.0.1:80x/",
        "http://127.0.0.1:-1/",
        "http://127.0.0.256/",
        "http://localhost:65536/",
        "http://[::1]:70000/",
    ] {
        let mut client = client_at(&server, language, url)?;
        ensure!(client.wait()? == Exit::Code(2), "{url}");
        let url = url.replace("SERVER", &server.address);
        client.wait_for_error(&url)?;
    }
    Ok(())
}

fn killed_server(language: Language) -> Result<()> {
    let mut server = start(Language::Rust)?;
    let mut client = server.client(language, &ENDLESS)?;
    client.wait_for_lines(2, "/hello")?;
    server.half.stop(Signal::Kill)?;
    client.fails(&[])
}

fn client_ends(language: Language) -> Result<()> {
    let server = start(Language::Rust)?;
    for signal in SIGNALS {
        let mut client =
            server.client(language, &["--count", "2", "--every", "60000"])?;
        client.wait_for("/hello")?;
        client.ends_on(signal)?;
        ensure!(client.stderr().is_empty(), "{:?}", client.stderr());
    }
    Ok(())
}

fn stuck_client(language: Language) -> Result<()> {
    for signal in SIGNALS {
        let (mut client, listener) = client_of(language, &[])?;
        let mut peer = accept(&listener)?;
        read_request(&mut peer)?;
        client.ends_on(signal)?;
    }
    Ok(())
}

/// What a server makes of a request: "200 /path", the status alone, or
/// "closed" without an answer.
fn outcome(server: &Server, request: &str) -> Result<String> {
    let mut peer = server.connect()?;
    peer.write_all(request.as_bytes())?;
    peer.finish()?; // nobody waits for more
    let answer = String::from_utf8(peer.rest()?)?;
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return Ok("closed".to_owned());
    };
    let status = head.get(9..12).context("no status")?;
    let body = if status == "200" { body } else { "" };
    Ok(format!("{status} {body}").trim_end().to_owned())
}

/// What the README says that Node and Rust make of something: a table with
/// `head` over its first column.
fn table(readme: &str, head: &str) -> Result<BTreeMap<String, [String; 2]>> {
    let (_, table) = readme
        .split_once(&format!("\n| {head} | Node | Rust |\n"))
        .with_context(|| format!("no table of each {head}"))?;
    let table: BTreeMap<_, _> = table
        .lines()
        .skip(1)
        .map_while(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .filter_map(|row| {
            let mut cells = row.split(" | ").map(|cell| {
                let inner = cell.strip_prefix("``");
                let inner = inner.and_then(|cell| cell.strip_suffix("``"));
                inner.unwrap_or_else(|| cell.trim_matches('`')).to_owned()
            });
            Some((cells.next()?, [cells.next()?, cells.next()?]))
        })
        .collect();
    ensure!(table.len() > 3, "too few rows: {table:?}");
    Ok(table)
}

/// The README's table, whose first column is a request line, in both
/// directions: what it says is so, and what it does not list is the same. And
/// the one whose first column is all of a request.
fn differences() -> Result<()> {
    let readme = lesson(LESSON)?.folder().join("README.md");
    let readme = std::fs::read_to_string(readme)?;
    let lines = table(&readme, "request")?;
    let [node, rust] = [start(Language::Node)?, start(Language::Rust)?];
    let both = |bytes: &str| -> Result<[String; 2]> {
        Ok([outcome(&node, bytes)?, outcome(&rust, bytes)?])
    };
    let listed = lines.iter().map(|(line, said)| (request(line), said));
    let whole = table(&readme, "all of a request")?;
    let whole = whole.iter().map(|(bytes, said)| {
        (bytes.replace("\\r", "\r").replace("\\n", "\n"), said)
    });
    for (bytes, said) in listed.chain(whole) {
        let found = both(&bytes)?;
        ensure!(*said == found, "{bytes:?}: not {said:?} but {found:?}");
        ensure!(found[0] != found[1], "{bytes:?}: they do not differ");
    }
    for line in corpus().filter(|line| !lines.contains_key(line)) {
        let found = both(&request(&line))?;
        ensure!(found[0] == found[1], "not in the table: {line}: {found:?}");
    }
    Ok(())
}

/// Request lines that are worth a look.
fn corpus() -> impl Iterator<Item = String> {
    let targets = [
        "/",
        "/?",
        "/??",
        "/?a=b&c",
        "//",
        "//a",
        "/a/../b/./c//",
        "/%",
        "*",
        "/%zz%20%C3%A9",
        "/é",
        "/?é",
        "/中",
        "/a\u{7f}",
        "/\u{1}",
        "/\t",
        "?a",
        "#a",
        "a",
        "a/b",
        "h:80",
        "foo:bar",
        "mailto:a@b",
        "http://h/",
        "http://h/a/../b?c",
        "http://h?a=b",
        "http://u:p@h:8/a?b",
        "http://H.example/A",
        "http://[::1]:80/a",
        "https://h:443/",
        "ws://h/a",
        "ftp://h/a",
        "FTP://h/a",
        "http:/a",
        "http://h:80a/",
        "",
    ];
    let gets = targets.map(|target| format!("GET {target}"));
    let marks = (b'!'..=b'~').map(char::from);
    let marks = marks.filter(|mark| !mark.is_ascii_alphanumeric());
    let marked = marks
        .flat_map(|mark| [format!("GET /a{mark}b"), format!("GET /a?{mark}b")]);
    let methods = [
        "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "LINK", "SOURCE",
        "QUERY", "G@T", "G T",
    ];
    let others = methods.map(|method| format!("{method} /{method}"));
    let tunnels = ["CONNECT h:80", "CONNECT h", "CONNECT [::1]:80"];
    gets.into_iter()
        .chain(marked)
        .chain(others)
        .chain(tunnels.map(str::to_owned))
}
