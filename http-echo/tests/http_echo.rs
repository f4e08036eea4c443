//! What http-echo promises. What is behind `--tls` is in `https.rs`, and
//! HTTP/2 in `http2.rs`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, BufRead, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::{Exit, Half, LIMIT, Language, Signal};

use harness::testing::echo;
use harness::testing::peer::{Peer, uninterrupted};
use harness::testing::server::{Server, lesson, start_stuck, tool};
use harness::testing::{CURL, NODE, Need, Test, both, test};

#[path = "http2.rs"]
mod http2;
#[path = "https.rs"]
mod https;

const LESSON: &str = "http-echo";
const MIB: usize = 1024 * 1024;

pub fn tests() -> Vec<Test> {
    let both = |promise, run: fn(Language) -> Result<()>| both(promise, run);
    let on_unix = |tests: [Test; 2]| tests.map(|t| t.needs(Need::Unix));
    let mut tests: Vec<Test> = [
        both("bytes_one_at_a_time_are_answered", one_at_a_time),
        both("requests_in_one_write_are_answered_in_order", two_at_once),
        both("any_method_is_answered", methods),
        both("head_gets_no_body", head),
        both("a_connection_ends_when_the_client_wants_it", close),
        both("a_half_closed_request_is_answered", half_close),
        both("connect_is_refused", connect),
        both("a_reset_after_connect_ends_no_server", reset_tunnel),
        both("an_upgrade_is_not_made", upgrade),
        both("a_browser_is_told_not_to_guess", headers),
        both("a_long_target_is_cut_in_the_log", long_target),
        both("16_mib_of_body_are_read", sixteen_mib),
        both("a_longer_body_gets_413", too_long),
        both("a_413_is_not_lost_while_the_client_sends", not_lost),
        both("who_asks_before_the_body_is_told", expect_continue),
        both("too_long_headers_get_431", too_long_headers),
        both("what_is_no_http_gets_400", malformed),
        both("what_came_before_the_400_is_answered", before_malformed),
        both("slow_headers_end_the_connection", slow_headers),
        both("an_idle_connection_ends", idle),
        both("a_client_that_never_reads_is_held_back", never_reads),
        both("a_reset_ends_one_connection_only", reset),
        both("1000_clients_at_once_are_served", thousand_clients),
        both("a_killed_client_leaves_the_server_at_rest", killed_client)
            .map(|t| t.needs(Need::Proc)),
        on_unix(both("ctrl_c_ends_an_idle_server", idle_server_ends)),
        on_unix(both("sigterm_ends_a_busy_server", busy_server_ends)),
        on_unix(both("what_arrived_is_answered_after_sigterm", answers)),
        both("curl_is_answered", curl).map(|t| t.needs(CURL)),
        both("the_client_keeps_its_connection", keeps_connection),
        both("thirty_requests_leave_nothing_on_the_connection", thirty),
        both("the_client_opens_a_closed_connection_again", opens_again),
        both("the_client_asks_again_when_just_then_closed", asks_again),
        both("the_client_prints_the_body_as_it_arrives", as_it_arrives),
        both("the_client_fails_on_another_answer", other_answer),
        both("the_client_asks_for_the_urls_path", url_path),
        both("the_client_refuses_other_urls", other_urls),
        both("a_message_is_one_segment_of_the_path", segment),
        both("a_killed_server_fails_the_client", killed_server),
        on_unix(both("ctrl_c_ends_a_client", client_ends)),
        on_unix(both("sigterm_ends_a_client_nobody_answers", stuck_client)),
        both("a_client_without_a_server_says_what_to_start", |language| {
            echo::no_server(LESSON, language)
        }),
        both("a_second_server_at_the_address_is_refused", |language| {
            echo::in_use(LESSON, language)
        }),
        both("a_server_that_nobody_reads_answers_no_more", unread_server),
        both("a_closed_stdout_ends_the_server_quietly", |language| {
            echo::closed_stdout(LESSON, language)
        }),
        both("a_closed_stdout_ends_the_client_quietly", |language| {
            echo::unread_client(LESSON, language)
        }),
        both("quiet_prints_only_the_address", |language| {
            echo::quiet(LESSON, language)
        }),
        both("help_and_mistakes", |language| echo::help(LESSON, language)),
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
    tests.extend(https::tests());
    tests.extend(http2::tests());
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

/// Reads what comes before a body, its empty line included. Nothing when the
/// other side has closed.
fn read_head(peer: &mut Peer) -> Result<Option<String>> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if peer.read(&mut byte).context("read a head")? == 0 {
            ensure!(head.is_empty(), "half a head: {head:?}");
            return Ok(None);
        }
        head.push(byte[0]);
    }
    Ok(Some(String::from_utf8(head)?))
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
        let head = read_head(peer)?.context("closed without an answer")?;
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

fn one_at_a_time(language: Language) -> Result<()> {
    let server = start(language)?;
    let mut peer = server.connect()?;
    for byte in request("GET /hello?a=b").bytes() {
        peer.write_all(&[byte])?;
    }
    Answer::read(&mut peer)?.is(200, "/hello?a=b")?;
    let body = "3\r\nabc\r\n0\r\n\r\n";
    let head = "POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n";
    for byte in format!("{head}\r\n{body}").bytes() {
        peer.write_all(&[byte])?;
    }
    Answer::read(&mut peer)?.is(200, "/x")
}

fn two_at_once(language: Language) -> Result<()> {
    let server = start(language)?;
    let mut peer = server.connect()?;
    let post = "POST /2 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nGET /";
    let all = [&request("GET /1"), post, &request("HEAD /3")].concat();
    peer.write_all((all + &request("GET /4")).as_bytes())?;
    Answer::read(&mut peer)?.is(200, "/1")?;
    Answer::read(&mut peer)?.is(200, "/2")?;
    Answer::read_without_body(&mut peer)?.is(200, "")?;
    Answer::read(&mut peer)?.is(200, "/4")?;
    server.half.wait_for_lines(4, "url /")?;
    let lines = server.half.stdout();
    ensure!(lines[1..] == ["url /1", "url /2", "url /3", "url /4"]);
    Ok(())
}

fn methods(language: Language) -> Result<()> {
    let server = start(language)?;
    let mut peer = server.connect()?;
    for method in [
        "GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE",
        "PROPFIND", "PURGE", "M-SEARCH", "REPORT",
    ] {
        peer.write_all(request(&format!("{method} /{method}")).as_bytes())?;
        Answer::read(&mut peer)?.is(200, &format!("/{method}"))?;
    }
    peer.write_all(request("OPTIONS *").as_bytes())?;
    Answer::read(&mut peer)?.is(200, "*")
}

fn head(language: Language) -> Result<()> {
    let server = start(language)?;
    let mut peer = server.connect()?;
    for target in ["/hello", "/bye"] {
        peer.write_all(request(&format!("HEAD {target}")).as_bytes())?;
        let answer = Answer::read_without_body(&mut peer)?;
        let length = answer.headers.get("content-length");
        ensure!(length == Some(&target.len().to_string()), "{answer:?}");
    }
    // What follows is an answer again, and not the missing body.
    peer.write_all(request("GET /").as_bytes())?;
    Answer::read(&mut peer)?.is(200, "/")
}

fn close(language: Language) -> Result<()> {
    let server = start(language)?;
    for ask in [
        "GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
        "GET /x HTTP/1.0\r\n\r\n",
    ] {
        let mut peer = server.connect()?;
        peer.write_all(ask.as_bytes())?;
        Answer::read(&mut peer)?.is(200, "/x")?;
        ensure!(peer.rest()?.is_empty(), "more came");
    }
    Ok(())
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

fn connect(language: Language) -> Result<()> {
    let server = start(language)?;
    let mut peer = server.connect()?;
    peer.write_all(request("CONNECT example.com:80").as_bytes())?;
    Answer::read(&mut peer)?.is(501, "")?;
    peer.finish()?;
    ensure!(peer.rest()?.is_empty());
    server.lives()
}

fn reset_tunnel(language: Language) -> Result<()> {
    let server = start(language)?;
    let mut peer = server.connect()?;
    peer.write_all(request("CONNECT example.com:80").as_bytes())?;
    Answer::read(&mut peer)?.is(501, "")?;
    peer.reset()?;
    server.lives()
}

fn upgrade(language: Language) -> Result<()> {
    let server = start(language)?;
    let ask = "GET /chat HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n\
               Upgrade: websocket\r\n\r\n";
    let mut peer = server.connect()?;
    for _ in 0..2 {
        peer.write_all(ask.as_bytes())?;
        Answer::read(&mut peer)?.is(200, "/chat")?;
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

fn sixteen_mib(language: Language) -> Result<()> {
    let server = start(language)?;
    let mut peer = server.connect()?;
    for chunked in [false, true] {
        let writer = post(&peer, 16 * MIB, chunked)?;
        Answer::read(&mut peer)?.is(200, "/up")?;
        writer.join().ok().context("the writer panicked")??;
    }
    if language == Language::Rust
        && let Some(peak) = server.half.peak_memory()
    {
        ensure!(peak < 16 * MIB as u64, "collected? {} KiB", peak / 1024);
    }
    Ok(())
}

fn too_long(language: Language) -> Result<()> {
    let limit = ["--body-limit", "1000"];
    let server = Server::start_with(LESSON, language, &limit)?;
    for chunked in [false, true] {
        for (length, status) in [(1000, 200), (1001, 413), (20_000, 413)] {
            let mut peer = server.connect()?;
            let writer = post(&peer, length, chunked)?;
            let answer = Answer::read(&mut peer)?;
            ensure!(answer.status == status, "{length}: {answer:?}");
            let _ = writer.join();
            if status == 413 {
                peer.finish()?;
                ensure!(peer.rest()?.is_empty(), "more came");
            }
        }
    }
    // Nobody waits for a body that is too long by its own account.
    ask(
        &server,
        "PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n",
    )?
    .is(413, "")?;
    server.lives()
}

fn not_lost(language: Language) -> Result<()> {
    let limit = ["--body-limit", "1000", "--idle-timeout", "30000"];
    let server = Server::start_with(LESSON, language, &limit)?;
    for chunked in [false, true] {
        let mut peer = server.connect()?;
        let writer = post(&peer, 8 * MIB, chunked)?;
        // First all is sent, as many clients do, then the answer is read. A
        // reset would end the one, and often the other.
        writer.join().ok().context("the writer panicked")??;
        Answer::read(&mut peer)?.is(413, "")?;
    }
    let mut peer = server.connect()?;
    peer.write_all(format!("GET /{}", "x".repeat(8 * MIB)).as_bytes())?;
    Answer::read(&mut peer)?.is(431, "")
}

fn expect_continue(language: Language) -> Result<()> {
    let limit = ["--body-limit", "1000"];
    let server = Server::start_with(LESSON, language, &limit)?;
    let head = |length| {
        format!(
            "PUT /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\
             Content-Length: {length}\r\n\r\n"
        )
    };
    let mut peer = server.connect()?;
    peer.write_all(head(3).as_bytes())?;
    let go = read_head(&mut peer)?.context("no head")?;
    ensure!(go.starts_with("HTTP/1.1 100 "), "{go}");
    peer.write_all(b"abc")?;
    Answer::read(&mut peer)?.is(200, "/x")?;
    ask(&server, &head(1001))?.is(413, "")?;
    // HTTP/1.0 has no such answer: its client would take it for the last one.
    let old = head(3).replace("HTTP/1.1", "HTTP/1.0");
    ask(&server, &(old + "abc"))?.is(200, "/x")
}

fn too_long_headers(language: Language) -> Result<()> {
    let server = start(language)?;
    let with =
        |headers: &str| format!("GET /x HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
    let many = |count| {
        (0..count).fold(String::new(), |mut all, i| {
            let _ = write!(all, "X-{i}: y\r\n");
            all
        })
    };
    let long = |length| format!("X: {}\r\n", "y".repeat(length));
    ask(&server, &with(&long(15_000)))?.is(200, "/x")?;
    ask(&server, &with(&long(17_000)))?.is(431, "")?;
    ask(&server, &with(&many(99)))?.is(200, "/x")?;
    ask(&server, &with(&many(100)))?.is(431, "")?;
    ask(&server, &request(&format!("GET /{}", "x".repeat(17_000))))?
        .is(431, "")?;
    server.lives()
}

fn malformed(language: Language) -> Result<()> {
    let server = start(language)?;
    let control = request("GET /a\u{1b}[2Jb");
    let bad_chunk = "POST /chunked HTTP/1.1\r\nHost: h\r\n\
                     Transfer-Encoding: chunked\r\n\r\nzz\r\n";
    for bytes in [
        "hello\r\n\r\n",
        "GET\r\n\r\n",
        "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
        "GET /a HTTP/3.7\r\nHost: h\r\n\r\n",
        "GET /a HTTP/1.1\r\nHost h\r\n\r\n",
        "GET /a HTTP/1.1\r\n\r\n", // no Host
        "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\r\n\r\n", // TLS
        &control,
        bad_chunk,
    ] {
        let mut peer = server.connect()?;
        peer.write_all(bytes.as_bytes())?;
        let answer = Answer::read(&mut peer)
            .with_context(|| format!("asked {bytes:?}"))?;
        answer
            .is(400, "")
            .with_context(|| format!("asked {bytes:?}"))?;
        peer.finish()?;
        ensure!(peer.rest()?.is_empty(), "it goes on after {bytes:?}");
    }
    let lines = server.half.stdout();
    let of_others = |l: &&String| !l.contains("/chunked");
    ensure!(lines.iter().filter(of_others).count() == 1, "{lines:?}");
    let errors = server.half.stderr();
    ensure!(errors.iter().all(|line| line.starts_with("socket: ")));
    ensure!(!errors.concat().contains("TLS"), "{errors:?}");
    server.lives()
}

fn before_malformed(language: Language) -> Result<()> {
    let server = start(language)?;
    let mut peer = server.connect()?;
    let good = "POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nok";
    let all = [&request("GET /0"), good, "no http\r\n\r\n"].concat();
    peer.write_all(all.as_bytes())?;
    Answer::read(&mut peer)?.is(200, "/0")?;
    Answer::read(&mut peer)?.is(200, "/1")?;
    Answer::read(&mut peer)?.is(400, "")
}

fn slow_headers(language: Language) -> Result<()> {
    let limits = ["--header-timeout", "500", "--idle-timeout", "60000"];
    let server = Server::start_with(LESSON, language, &limits)?;
    let begun = Instant::now();
    let mut peer = server.connect()?;
    peer.write_all(b"GET / HTTP/1.1\r\n")?;
    let mut writer = peer.try_clone()?;
    // Something moves all the time, but it is never a whole request.
    let drip = thread::spawn(move || {
        while writer.write_all(b"X: y\r\n").is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    });
    // The end, or a reset by what still drips in.
    let rest = peer.rest().unwrap_or_default();
    ensure!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
    ensure!(begun.elapsed() > Duration::from_millis(200), "so soon?");
    drop(peer);
    let _ = drip.join();
    server.lives()
}

fn idle(language: Language) -> Result<()> {
    let limits = ["--idle-timeout", "500"];
    let server = Server::start_with(LESSON, language, &limits)?;
    let body = "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf";
    for (bytes, answered) in [
        ("", false),
        (&*request("GET /x"), true),
        ("GET", false),
        (body, false),
    ] {
        let begun = Instant::now();
        let mut peer = server.connect()?;
        peer.write_all(bytes.as_bytes())?;
        if answered {
            Answer::read(&mut peer)?.is(200, "/x")?;
        }
        let rest = peer.rest()?;
        ensure!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest));
        let waited = begun.elapsed();
        ensure!(waited > Duration::from_millis(200), "{bytes:?}: {waited:?}");
    }
    // One that does not read its answers is idle, too.
    let stuck = stuck_client_of(&server)?;
    let begun = Instant::now();
    while !stuck.ended() {
        ensure!(begun.elapsed() < LIMIT, "never ended");
        thread::sleep(Duration::from_millis(10));
    }
    server.lives()
}

/// A client that asks and asks, and never reads.
struct Stuck {
    _peer: Peer,
    writer: thread::JoinHandle<()>,
}

impl Stuck {
    /// The server has closed the connection.
    fn ended(&self) -> bool {
        self.writer.is_finished()
    }
}

/// Asks, without reading, until the server takes no more requests. Others
/// must be served meanwhile.
fn stuck_client_of(server: &Server) -> Result<Stuck> {
    const MOST: usize = 256 * MIB;
    let peer = server.connect()?;
    let mut writer = peer.try_clone()?;
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    let writer = thread::spawn(move || {
        let target = format!("GET /{}", "x".repeat(2000));
        let piece = request(&target).repeat(32);
        for _ in 0..MOST / piece.len() {
            if writer.write_all(piece.as_bytes()).is_err() {
                return;
            }
            count.fetch_add(piece.len(), Ordering::Relaxed);
        }
    });
    // It is stuck when nothing has moved during 300 requests of another one.
    let mut other = server.connect()?;
    let (mut before, mut still) = (0, 0);
    while still < 300 {
        other.write_all(request("GET /other").as_bytes())?;
        Answer::read(&mut other)?.is(200, "/other")?;
        let now = written.load(Ordering::Relaxed);
        still = match now == before && now > 0 {
            true => still + 1,
            false => 0,
        };
        before = now;
        ensure!(now < MOST * 9 / 10, "the server took all of it");
    }
    Ok(Stuck {
        _peer: peer,
        writer,
    })
}

const PATIENT: [&str; 3] = ["--quiet", "--idle-timeout", "60000"];

fn never_reads(language: Language) -> Result<()> {
    let server = Server::start_with(LESSON, language, &PATIENT)?;
    drop(stuck_client_of(&server)?);
    server.lives()
}

fn memory() -> Result<()> {
    let server = Server::start_with(LESSON, Language::Rust, &PATIENT)?;
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
    let patient = ["--idle-timeout", "60000", "--header-timeout", "60000"];
    let server = Server::start_with(LESSON, language, &patient)?;
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
        let mut client = server.client(Language::Rust, &["--every", "1000"])?;
        client.wait_for("/hello")?;
        client.stop(Signal::Kill)?;
    }
    let used = server.cpu_time_of_half_a_second()?;
    ensure!(used < Duration::from_millis(250), "it spins: {used:?}");
    Ok(())
}

fn idle_server_ends(language: Language) -> Result<()> {
    for signal in [Signal::Interrupt, Signal::Terminate] {
        let mut server = start(language)?;
        let mut fresh = server.connect()?;
        let mut kept = server.connect()?;
        kept.write_all(request("GET /").as_bytes())?;
        Answer::read(&mut kept)?.is(200, "/")?;
        server.half.signal(signal)?;
        let exit = server.half.wait_at_most(echo::TWO_SECONDS)?;
        ensure!(exit == Exit::Code(0), "{exit:?}");
        ensure!(fresh.rest()?.is_empty() && kept.rest()?.is_empty());
        ensure!(server.half.stderr().is_empty());
    }
    Ok(())
}

fn busy_server_ends(language: Language) -> Result<()> {
    for signal in [Signal::Interrupt, Signal::Terminate] {
        let mut server = Server::start_with(LESSON, language, &PATIENT)?;
        let _stuck = stuck_client_of(&server)?;
        let mut half = server.connect()?;
        half.write_all(b"PUT / HTTP/1.1\r\nContent-Length: 9\r\n")?;
        server.half.signal(signal)?;
        let exit = server.half.wait_at_most(echo::TWO_SECONDS)?;
        ensure!(exit == Exit::Code(0), "{exit:?}");
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

/// As `server | less` does: what is asked then is answered when the server's
/// own lines are read again.
fn unread_server(language: Language) -> Result<()> {
    const MOST: usize = 10_000;
    let mut command = lesson(LESSON)?.half(language, "server")?;
    command.args(["127.0.0.1:0", "--idle-timeout", "600000"]);
    let (mut server, line, stdout) = start_stuck(&mut command)?;
    let address = line.strip_prefix("listening on ").context("address")?;
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut peer = Peer::Tcp(stream.try_clone()?);
    let target = format!("/{}", "x".repeat(100));
    let ask = request(&format!("POST {target}"))
        .replace("\r\n\r\n", "\r\nContent-Length: 2\r\n\r\nok");
    let mut asked = 0;
    loop {
        ensure!(asked < MOST, "the lines of {asked} requests are somewhere");
        peer.write_all(ask.as_bytes())?;
        asked += 1;
        if uninterrupted(|| stream.peek(&mut [0])).is_err() {
            break; // nothing came in time
        }
        Answer::read(&mut peer)?.is(200, &target)?;
    }
    peer.write_all(ask.repeat(9).as_bytes())?;
    let flood = request(&format!("GET /{}", "x".repeat(2000))).repeat(32);
    let mut other = TcpStream::connect(address)?;
    other.set_write_timeout(Some(Duration::from_secs(2)))?;
    let mut taken = 0;
    while other.write_all(flood.as_bytes()).is_ok() {
        taken += flood.len();
        ensure!(taken < 24 * MIB, "{} MiB are somewhere", taken / MIB);
    }
    drop(other);
    let reading = thread::spawn(move || stdout.lines().count());
    stream.set_read_timeout(Some(LIMIT))?;
    for _ in 0..10 {
        Answer::read(&mut peer)?.is(200, &target)?;
    }
    server.stop(Signal::Kill)?;
    let shown = reading.join().ok().context("the reader panicked")?;
    ensure!(shown >= asked + 9, "{shown} lines of {asked} requests");
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
    let head = read_head(peer)?.context("the client has closed")?;
    let mut words = head.split(' ');
    ensure!(words.next() == Some("GET"), "{head}");
    Ok(words.next().unwrap_or_default().to_owned())
}

const HELLO: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n/hello";

fn keeps_connection(language: Language) -> Result<()> {
    let pace = ["--count", "5", "--every", "10"];
    let (mut client, listener) = client_of(language, &pace)?;
    let mut peer = accept(&listener)?;
    for _ in 0..5 {
        ensure!(read_request(&mut peer)? == "/hello");
        peer.write_all(HELLO)?;
    }
    ensure!(peer.rest()?.is_empty());
    ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    ensure!(client.stdout().len() == 10, "{:?}", client.stdout());
    Ok(())
}

/// Node warns of a listener that is added with each request.
fn thirty(language: Language) -> Result<()> {
    let server = start(language)?;
    let pace = ["--count", "30", "--every", "1"];
    let mut client = server.client(language, &pace)?;
    ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    ensure!(client.stdout().len() == 60, "{:?}", client.stdout());
    ensure!(client.stderr().is_empty(), "{:?}", client.stderr());
    Ok(())
}

fn opens_again(language: Language) -> Result<()> {
    let pace = ["--count", "3", "--every", "300"];
    let (mut client, listener) = client_of(language, &pace)?;
    for _ in 0..3 {
        let mut peer = accept(&listener)?;
        read_request(&mut peer)?;
        peer.write_all(HELLO)?;
    }
    ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    client.wait_for_lines(3, "statusCode: 200")
}

fn asks_again(language: Language) -> Result<()> {
    let pace = ["--count", "2", "--every", "1"];
    let (mut client, listener) = client_of(language, &pace)?;
    let mut peer = accept(&listener)?;
    read_request(&mut peer)?;
    peer.write_all(HELLO)?;
    // The second request is on its way when the connection is closed.
    read_request(&mut peer)?;
    drop(peer);
    let mut peer = accept(&listener)?;
    ensure!(read_request(&mut peer)? == "/hello");
    peer.write_all(HELLO)?;
    ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    // On a new connection it is the server's fault.
    let (mut client, listener) = client_of(language, &pace)?;
    let mut peer = accept(&listener)?;
    read_request(&mut peer)?;
    drop(peer);
    ensure!(client.wait()? == Exit::Code(1));
    client.wait_for_error("ask for /hello: ")?;
    Ok(())
}

fn as_it_arrives(language: Language) -> Result<()> {
    let pace = ["--count", "1"];
    let (mut client, listener) = client_of(language, &pace)?;
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
        (OK, 6, "/HELLO", "/HELLO", "not what was asked"),
        (OK, 7, "/hellos", "/hellos", "not what was asked"),
        (OK, 5, "/hell", "/hell", "1 bytes of the answer"),
        (OK, 6, "/hell", "/hell", "receive: "),
        (OK, 9, "\x1b[2J\u{9b}\r\n", "\\u{1b}[2J", "not what"),
        ("404 Not Found", 3, "no!", "no!", "answered 404 Not Found"),
        (
            "404 Not Found",
            6,
            "/hello",
            "/hello",
            "answered 404 Not Found",
        ),
        ("400 Bad Request", 0, "", "", "answered 400 Bad Request"),
        (
            "101 Switching Protocols",
            0,
            "",
            "",
            "answered 101 Switching",
        ),
    ] {
        let answer = format!("{status}\r\nContent-Length: {length}");
        let (mut client, listener) = client_of(language, &["--count", "1"])?;
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
        ensure!(client.wait()? == Exit::Code(1), "{answer}");
        client.wait_for_error(error)?;
        ensure!(client.stderr().len() == 1, "{:?}", client.stderr());
    }
    // Neither is this an answer.
    let (mut client, listener) = client_of(language, &["--count", "1"])?;
    let mut peer = accept(&listener)?;
    read_request(&mut peer)?;
    peer.write_all(b"hello\r\n\r\n")?;
    ensure!(client.wait()? == Exit::Code(1));
    client.wait_for_error("ask for /hello: ")?;
    Ok(())
}

/// The client, for a URL at `server`.
fn client_at(
    server: &Server,
    language: Language,
    url: &str,
    arguments: &[&str],
) -> Result<Half> {
    let mut command = lesson(LESSON)?.half(language, "client")?;
    let url = url.replace("SERVER", &server.address);
    command.args([&url, "--count", "1"]).args(arguments);
    Half::start(&mut command)
}

fn url_path(language: Language) -> Result<()> {
    let server = start(Language::Rust)?;
    for (url, target) in [
        ("http://SERVER/a/b?c=d&e", "/a/b?c=d&e"),
        ("http://SERVER", "/"),
        ("http://SERVER?x", "/?x"),
        ("http://user@SERVER/x", "/x"),
        ("HTTP://SERVER/x#fragment", "/x"),
        ("http://SERVER//a", "//a"),
    ] {
        let mut client = client_at(&server, language, url, &[])?;
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
        "http://localhost:65536/",
        "http://[::1]:70000/",
    ] {
        let mut client = client_at(&server, language, url, &[])?;
        ensure!(client.wait()? == Exit::Code(2), "{url}");
        let url = url.replace("SERVER", &server.address);
        client.wait_for_error(&url)?;
    }
    Ok(())
}

fn segment(language: Language) -> Result<()> {
    let server = start(Language::Rust)?;
    for (message, target) in [
        ("bye", "/bye"),
        ("", "/"),
        ("a b/c?d#e%", "/a%20b%2Fc%3Fd%23e%25"),
        ("中😀", "/%E4%B8%AD%F0%9F%98%80"),
        ("_-.!~*'()\"<>", "/_-.!~*'()%22%3C%3E"),
        ("..", "/.."),
    ] {
        let message = ["--message", message];
        let url = "http://SERVER/other";
        let mut client = client_at(&server, language, url, &message)?;
        ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
        ensure!(client.stdout() == ["statusCode: 200", target], "{target}");
    }
    Ok(())
}

fn killed_server(language: Language) -> Result<()> {
    let mut server = start(Language::Rust)?;
    let mut client = server.client(language, &["--every", "20"])?;
    client.wait_for_lines(2, "/hello")?;
    server.half.stop(Signal::Kill)?;
    ensure!(client.wait()? == Exit::Code(1), "{:?}", client.stderr());
    ensure!(client.stderr().len() == 1, "{:?}", client.stderr());
    Ok(())
}

fn client_ends(language: Language) -> Result<()> {
    let server = start(Language::Rust)?;
    for signal in [Signal::Interrupt, Signal::Terminate] {
        let mut client = server.client(language, &["--every", "60000"])?;
        client.wait_for("/hello")?;
        client.signal(signal)?;
        let exit = client.wait_at_most(echo::TWO_SECONDS)?;
        ensure!(exit == Exit::Code(0), "{exit:?}");
        ensure!(client.stderr().is_empty(), "{:?}", client.stderr());
    }
    Ok(())
}

fn stuck_client(language: Language) -> Result<()> {
    for signal in [Signal::Interrupt, Signal::Terminate] {
        let (mut client, listener) = client_of(language, &[])?;
        let mut peer = accept(&listener)?;
        read_request(&mut peer)?;
        client.signal(signal)?;
        let exit = client.wait_at_most(echo::TWO_SECONDS)?;
        ensure!(exit == Exit::Code(0), "{exit:?}");
    }
    Ok(())
}

/// What a server makes of a request: "200 /path", or the status alone.
fn outcome(server: &Server, request: &str) -> Result<String> {
    let answer = ask(server, request).with_context(|| request.to_owned())?;
    Ok(format!("{} {}", answer.status, answer.body)
        .trim_end()
        .to_owned())
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
