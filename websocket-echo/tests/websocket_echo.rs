//! What websocket-echo promises.

use std::fs;
use std::io::{Read, Write};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use futures_util::{FutureExt, SinkExt};
use harness::testing::echo;
use harness::testing::ends::SIGNALS;
use harness::testing::peer::{Listening, Peer};
use harness::testing::server::{
    Server, copied_without_packages, ends_unread, lesson, start_unread,
    until_stuck,
};
use harness::testing::{NODE, Need, Test, both, test};
use harness::{Exit, Half, Language, Meet, Signal};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

#[path = "autobahn.rs"]
mod autobahn;
#[path = "peer.rs"]
mod peer;

use peer::{
    BINARY, CLOSE, FIN, PING, PONG, TEXT, WebSocket, frame, head, header,
    read_head, request,
};

const NAME: &str = "websocket-echo";
/// What Node's halves need.
const PACKAGES: Need = Need::Packages(NAME);
const CHROMIUM: Need = Need::Program("chromium", "--version");
const MIB: usize = 1024 * 1024;
/// None while a test runs.
const NO_HEARTBEAT: [&str; 2] = ["--heartbeat", "600000"];

pub fn tests() -> Vec<Test> {
    let both = |promise: &str, run: fn(Language) -> Result<()>| {
        let [rust, node] = both(promise, run);
        [rust.of(NAME), node.of(NAME).needs(PACKAGES)]
    };
    let on_unix = |tests: [Test; 2]| tests.map(|t| t.needs(Need::Unix));
    let mut tests: Vec<Test> = [
        // 1. Messages.
        both("text_and_bytes_come_back_as_they_were", kinds),
        both("a_message_in_fragments_arrives_whole", fragments),
        both("bytes_one_at_a_time_are_a_message", one_at_a_time),
        both("a_peer_cannot_drive_the_terminal", hostile_text),
        // 2. Back-pressure.
        both("a_client_that_never_reads_is_held_back", never_reads)
            .map(|t| t.needs(Need::Proc)),
        both("a_client_that_never_reads_is_terminated", never_reads_ends),
        // 3. Heartbeat.
        both("a_silent_client_is_pinged_and_terminated", silent_client),
        both("a_client_that_answers_pings_stays", answers_pings)
            .map(Test::long),
        on_unix(both("a_frozen_client_is_terminated", frozen_client)),
        on_unix(both("a_frozen_server_is_given_up", frozen_server))
            .map(Test::long),
        // 4. The closing handshake.
        both("a_close_is_answered_with_its_code", close_answered),
        both("what_is_no_websocket_is_told_1002", protocol_errors),
        on_unix(both("ctrl_c_closes_with_1001", ctrl_c_server)),
        on_unix(both("ctrl_c_ends_a_client_with_1000", ctrl_c_client)),
        // 5. Limits.
        both("a_message_over_the_limit_is_told_1009", too_long),
        both("a_client_does_not_reconnect_into_1009", no_second_1009),
        both("a_server_is_told_what_it_did_wrong", wrong_server),
        both("a_flood_of_tiny_fragments_stays_bounded", tiny_fragments)
            .map(|t| t.needs(Need::Proc)),
        // 6. Before the upgrade.
        both("pages_of_other_sites_get_403", origins),
        both("a_missing_or_wrong_token_gets_401", tokens),
        both("plain_http_gets_the_page_or_426", plain_http),
        both("a_client_that_is_refused_says_why", refused_client),
        // 7. Reconnecting.
        on_unix(both("a_client_reconnects_with_a_fresh_token", reconnects)),
        both("what_was_on_its_way_is_said_to_be_lost", lost),
        both("what_came_right_before_the_end_is_not_lost", not_lost),
        both("nodes_own_websocket_is_a_client_too", built_in)
            .map(|t| t.needs(NODE)),
        // 8. Subprotocols and UTF-8.
        both("a_subprotocol_is_chosen", subprotocols),
        both("text_that_is_not_utf8_is_told_1007", not_utf8),
        // What every server and client withstands.
        both("a_reset_ends_one_connection_only", reset),
        both("1000_clients_at_once_are_served", thousand_clients),
        both("a_client_without_a_server_says_what_to_start", no_server),
        both("a_second_server_at_the_address_is_refused", |language| {
            echo::in_use(NAME, language)
        }),
        both("a_closed_stdout_ends_the_server_quietly", unread_server),
        both("a_closed_stdout_ends_the_client_quietly", |language| {
            echo::unread_client(NAME, language)
        }),
    ]
    .into_iter()
    .flatten()
    .collect();
    let absent = test("missing_packages_are_said_in_one_line", || {
        copied_without_packages(NAME, &["server", "client"])
    });
    tests.push(absent.of(NAME).needs(NODE));
    tests.push(test("feed_waits_when_its_buffer_is_full", feed).of(NAME));
    tests.push(page_in_a_browser());
    tests.extend(autobahn::tests());
    tests
}

fn start(language: Language) -> Result<Server> {
    Server::start(NAME, language)
}

fn kinds(language: Language) -> Result<()> {
    let server = start(language)?;
    let mut socket = WebSocket::connect(&server)?;
    socket.echoes()?;
    socket.send(FIN | TEXT, b"")?;
    socket.expect(FIN | TEXT, b"")?;
    let bytes: Vec<u8> = (0..=255).rev().collect();
    for bytes in [bytes, vec![7; 70_000], vec![0xFF; MIB]] {
        socket.send(FIN | BINARY, &bytes)?;
        socket.expect(FIN | BINARY, &bytes)?;
    }
    // Two in one write are two, other than with TCP.
    let two = [frame(FIN | TEXT, b"a", true), frame(FIN | TEXT, b"b", true)];
    socket.peer.write_all(&two.concat())?;
    socket.expect(FIN | TEXT, b"a")?;
    socket.expect(FIN | TEXT, b"b")?;
    server.half.wait_for("send: b")?;
    let lines = server.half.stdout();
    for line in ["receive: 256 bytes", "receive: a", "receive: b"] {
        ensure!(lines.iter().any(|it| it == line), "{line}: {lines:?}");
    }
    Ok(())
}

fn fragments(language: Language) -> Result<()> {
    let server = start(language)?;
    let mut socket = WebSocket::connect(&server)?;
    // A character in two fragments, and a ping between them.
    socket.send(TEXT, b"a\xE4\xB8")?;
    socket.send(FIN | PING, b"now?")?;
    socket.expect(FIN | PONG, b"now?")?;
    socket.send(0, b"\xAD")?;
    socket.send(FIN, b"b")?;
    socket.expect(FIN | TEXT, "a中b".as_bytes())?;
    server.half.wait_for("receive: a中b")?;
    Ok(())
}

fn one_at_a_time(language: Language) -> Result<()> {
    let server = start(language)?;
    let mut peer = server.connect()?;
    for byte in request("/", "").bytes() {
        peer.write_all(&[byte])?;
    }
    ensure!(read_head(&mut peer)?.starts_with("HTTP/1.1 101 "));
    for byte in frame(FIN | TEXT, "你好".as_bytes(), true) {
        peer.write_all(&[byte])?;
    }
    peer.expect(&frame(FIN | TEXT, "你好".as_bytes(), false))?;
    // What came with the request is not lost.
    let mut peer = server.connect()?;
    let first = frame(FIN | TEXT, b"at once", true);
    peer.write_all(&[request("/", "").as_bytes(), &first].concat())?;
    ensure!(read_head(&mut peer)?.starts_with("HTTP/1.1 101 "));
    peer.expect(&frame(FIN | TEXT, b"at once", false))
}

fn hostile_text(language: Language) -> Result<()> {
    let server = start(language)?;
    let mut socket = WebSocket::connect(&server)?;
    let text = b"\x1b[2Jbye\r\n";
    socket.send(FIN | TEXT, text)?;
    socket.expect(FIN | TEXT, text)?;
    server.half.wait_for("receive: \\u{1b}[2Jbye\\r\\n")?;
    server.half.wait_for("send: \\u{1b}[2Jbye\\r\\n")?;
    Ok(())
}

/// A client that sends and never reads.
fn stuck_client_of(server: &Server) -> Result<WebSocket> {
    let stuck = WebSocket::over(Peer::connect_tight(&server.address)?)?;
    let piece = frame(FIN | BINARY, &[b'x'; 64 * 1024], true);
    let mut other = WebSocket::connect(server)?;
    until_stuck(&stuck.peer, piece, || other.echoes())?;
    Ok(stuck)
}

fn never_reads(language: Language) -> Result<()> {
    let server = Server::start_quiet(NAME, language, &NO_HEARTBEAT)?;
    let memory = || server.half.peak_memory().context("/proc/PID/status");
    let idle = memory()?;
    let stuck = [stuck_client_of(&server)?, stuck_client_of(&server)?];
    // How much memory a program in JavaScript has taken says little.
    let more = memory()? - idle;
    if language == Language::Rust {
        ensure!(more < 16 * MIB as u64, "{} MiB more", more / MIB as u64);
    }
    server.lives()?;
    drop(stuck);
    server.lives()
}

fn never_reads_ends(language: Language) -> Result<()> {
    let server = Server::start_with(NAME, language, &["--heartbeat", "300"])?;
    let mut stuck = WebSocket::over(Peer::connect_tight(&server.address)?)?;
    let mut writer = stuck.peer.try_clone()?;
    let piece = frame(FIN | BINARY, &[b'x'; 64 * 1024], true);
    while writer.write_all(&piece).is_ok() {}
    server.half.wait_for("socket disconnected")?;
    // Much was on its way; no Close frame is.
    let mut rest = Vec::new();
    let _ = stuck.peer.read_to_end(&mut rest);
    ensure!(!rest.ends_with(&[FIN | CLOSE, 2, 3, 0xE9]), "it has closed");
    server.lives()
}

fn silent_client(language: Language) -> Result<()> {
    let server = Server::start_with(NAME, language, &["--heartbeat", "200"])?;
    let mut socket = WebSocket::connect(&server)?;
    socket.expect(FIN | PING, b"")?;
    // No pong. It does not close, it terminates: no Close frame comes.
    socket.expect_end()?;
    server.half.wait_for_error("socket: no pong")?;
    server.half.wait_for("socket disconnected")?;
    Ok(())
}

fn answers_pings(language: Language) -> Result<()> {
    let server = Server::start_with(NAME, language, &["--heartbeat", "4000"])?;
    let mut socket = WebSocket::connect(&server)?;
    for _ in 0..3 {
        socket.expect(FIN | PING, b"")?;
        socket.send(FIN | PONG, b"")?;
    }
    socket.echoes()
}

fn frozen_client(language: Language) -> Result<()> {
    let server = Server::start_with(NAME, language, &["--heartbeat", "4000"])?;
    let mut frozen = server.client(Language::Rust, &["--every", "60000"])?;
    let mut awake = server.client(language, &["--every", "60000"])?;
    for client in [&frozen, &awake] {
        client.wait_for("receive: hello")?;
    }
    frozen.signal(Signal::Freeze)?;
    server.half.wait_for_error("socket: no pong")?;
    server.half.wait_for("socket disconnected")?;
    ensure!(server.half.stderr().len() == 1, "the other one as well?");
    ensure!(awake.stop(Signal::Interrupt)? == Exit::Code(0));
    frozen.stop(Signal::Kill)?;
    server.lives()
}

fn frozen_server(language: Language) -> Result<()> {
    let mut server = start(Language::Rust)?;
    let pace = ["--every", "60000"];
    let mut client = server.client(language, &pace)?;
    client.wait_for("receive: hello")?;
    server.half.signal(Signal::Freeze)?;
    client.wait_for_error("socket: no pong")?;
    client.wait_for("disconnected: 1006")?;
    server.half.signal(Signal::Thaw)?;
    client.wait_for_lines(2, "receive: hello")?;
    ensure!(client.stop(Signal::Interrupt)? == Exit::Code(0));
    ensure!(server.half.stop(Signal::Interrupt)? == Exit::Code(0));
    Ok(())
}

fn close_answered(language: Language) -> Result<()> {
    let server = start(language)?;
    for code in [1000, 1001, 3000, 4999] {
        let mut socket = WebSocket::connect(&server)?;
        socket.send_close(code)?;
        socket.expect_close(code)?;
        socket.expect_end()?;
    }
    // One without a code, 1005, is answered with one without.
    let mut socket = WebSocket::connect(&server)?;
    socket.send(FIN | CLOSE, b"")?;
    socket.expect(FIN | CLOSE, b"")?;
    socket.expect_end()?;
    // 1005 and 1006 stand for no code and no frame; nobody may send them.
    for code in [1005, 1006, 1015, 999] {
        let mut socket = WebSocket::connect(&server)?;
        socket.send_close(code)?;
        socket.expect_close(1002)?;
        socket.expect_end()?;
    }
    server.half.wait_for_lines(9, "socket disconnected")?;
    Ok(())
}

fn protocol_errors(language: Language) -> Result<()> {
    let server = start(language)?;
    for bytes in [
        frame(FIN | TEXT, b"hello", false), // not masked
        frame(FIN | 0x40 | TEXT, b"hello", true), // compressed, or so it says
        frame(FIN | 3, b"hello", true),     // an opcode of the future
        frame(FIN, b"hello", true),         // the rest of nothing
        frame(PING, b"hello", true),        // a ping in fragments
        frame(FIN | PING, &[0; 126], true), // a ping that is too long
        frame(FIN | CLOSE, &[3], true),     // half a code
        [frame(TEXT, b"a", true), frame(FIN | TEXT, b"b", true)].concat(),
    ] {
        let mut socket = WebSocket::connect(&server)?;
        socket.peer.write_all(&bytes)?;
        socket
            .expect_close(1002)
            .with_context(|| bytes.escape_ascii().to_string())?;
    }
    server.lives()
}

fn ctrl_c_server(language: Language) -> Result<()> {
    let mut server = start(language)?;
    let mut polite = WebSocket::connect(&server)?;
    let mut rude = WebSocket::connect(&server)?;
    let _idle = server.connect()?; // asks for nothing
    let mut client = server.client(language, &["--every", "60000"])?;
    client.wait_for("receive: hello")?;
    server.half.signal(Signal::Interrupt)?;
    polite.expect_close(1001)?;
    polite.send_close(1001)?;
    rude.expect_close(1001)?; // and does not answer
    client.wait_for("disconnected: 1001")?;
    let exit = server.half.wait_at_most(echo::TWO_SECONDS)?;
    ensure!(exit == Exit::Code(0), "{exit:?}");
    ensure!(client.stop(Signal::Interrupt)? == Exit::Code(0));
    Ok(())
}

fn ctrl_c_client(language: Language) -> Result<()> {
    for signal in SIGNALS {
        let server = start(Language::Rust)?;
        let mut client = server.client(language, &["--every", "60000"])?;
        client.wait_for("receive: hello")?;
        ensure!(client.stop(signal)? == Exit::Code(0), "{signal:?}");
        let lines = client.stdout();
        let last = lines.last().map(String::as_str);
        ensure!(last == Some("disconnected: 1000"), "{lines:?}");
    }
    Ok(())
}

fn too_long(language: Language) -> Result<()> {
    let server = Server::start_with(NAME, language, &["--limit", "1000"])?;
    let mut socket = WebSocket::connect(&server)?;
    socket.send(FIN | BINARY, &[1; 1000])?;
    socket.expect(FIN | BINARY, &[1; 1000])?;
    // One byte more; 2^62 bytes, of which none come; and in fragments.
    for bytes in [
        frame(FIN | BINARY, &[1; 1001], true),
        head(FIN | BINARY, 1 << 62, true),
        frame(BINARY, &[1; 600], true).repeat(1),
    ] {
        let mut socket = WebSocket::connect(&server)?;
        socket.peer.write_all(&bytes)?;
        if bytes.len() < 700 && bytes.len() > 100 {
            socket.send(0, &[1; 600])?;
        }
        socket.expect_close(1009)?;
    }
    server.lives()
}

/// The head of the next client's request is read, and answered.
fn accept(listening: &Listening) -> Result<WebSocket> {
    Ok(WebSocket::accept(listening.accept()?)?.0)
}

fn listen() -> Result<(Listening, String)> {
    let (listening, address) = Listening::bind(Meet::Tcp, "127.0.0.1:0")?;
    Ok((listening, format!("ws://{address}")))
}

fn client(language: Language, url: &str, arguments: &[&str]) -> Result<Half> {
    let mut command = lesson(NAME)?.half(language, "client")?;
    Half::start(command.arg(url).args(arguments))
}

fn no_second_1009(language: Language) -> Result<()> {
    for server in [Language::Rust, Language::Node] {
        if server == Language::Node && language == Language::Rust {
            continue; // it would need npm
        }
        let server = Server::start_with(NAME, server, &["--limit", "4"])?;
        let mut client = server.client(language, &["--every", "60000"])?;
        ensure!(client.wait()? == Exit::Code(1), "{:?}", client.stdout());
        let lines = client.stdout();
        let expected = ["connected.", "send: hello", "disconnected: 1009"];
        ensure!(lines == expected, "{lines:?}");
        let why = "Error: 1 messages did not come back";
        ensure!(client.stderr() == [why], "{:?}", client.stderr());
    }
    Ok(())
}

fn wrong_server(language: Language) -> Result<()> {
    for (bytes, code) in [
        (frame(FIN | TEXT, b"\xFF", false), 1007),
        (head(FIN | BINARY, MIB as u64 + 1, false), 1009),
        (frame(FIN | TEXT, b"hello", true), 1002), // a server does not mask
    ] {
        let (listening, url) = listen()?;
        let pace = ["--every", "60000"];
        let mut client = client(language, &url, &pace)?;
        let mut server = accept(&listening)?;
        server.expect(FIN | TEXT, b"hello")?;
        server.peer.write_all(&bytes)?;
        server.expect_close(code)?;
        drop(server);
        ensure!(client.wait()? == Exit::Code(1), "{:?}", client.stdout());
        client.wait_for(&format!("disconnected: {code}"))?;
    }
    Ok(())
}

/// Each fragment is an object in `ws`, which so limits their number. Rust has
/// one buffer for all.
fn tiny_fragments(language: Language) -> Result<()> {
    let server = Server::start_quiet(NAME, language, &["--limit", "100000"])?;
    let memory = || server.half.peak_memory().context("/proc/PID/status");
    server.lives()?;
    let idle = memory()?;
    for (payload, code) in [(b"".as_slice(), 1008), (b"x", 1009)] {
        let mut socket = WebSocket::connect(&server)?;
        socket.send(BINARY, b"")?;
        let many = frame(0, payload, true).repeat(1000);
        for _ in 0..140 {
            if socket.peer.write_all(&many).is_err() {
                break; // it has closed
            }
        }
        if payload.is_empty() && language == Language::Rust {
            // It is still a message of zero bytes.
            socket.send(FIN, b"end")?;
            socket.expect(FIN | BINARY, b"end")?;
        } else {
            socket.expect_close(code)?;
        }
    }
    let more = memory()? - idle;
    let most = if language == Language::Rust { 16 } else { 64 };
    ensure!(more < most * MIB as u64, "{} MiB", more / MIB as u64);
    server.lives()
}

/// Asks for an upgrade, and returns the answer's head.
fn ask(server: &Server, path: &str, headers: &str) -> Result<String> {
    let mut peer = server.connect()?;
    peer.write_all(request(path, headers).as_bytes())?;
    read_head(&mut peer)
}

fn status(head: &str) -> &str {
    head.get(9..12).unwrap_or(head)
}

fn origins(language: Language) -> Result<()> {
    let site = ["--origin", "https://a.example", "--origin", "null"];
    let server = Server::start_with(NAME, language, &site)?;
    let (_, port) = server.address.rsplit_once(':').context("port")?;
    for (origin, expected) in [
        (format!("http://127.0.0.1:{port}"), "101"),
        (format!("http://localhost:{port}"), "101"),
        ("https://a.example".into(), "101"),
        ("null".into(), "101"),
        (format!("http://evil.example:{port}"), "403"),
        (format!("https://127.0.0.1:{port}"), "403"),
        ("http://127.0.0.1:1".into(), "403"),
        ("https://a.example.evil".into(), "403"),
        (String::new(), "403"),
    ] {
        let head = ask(&server, "/", &format!("Origin: {origin}\r\n"))?;
        ensure!(status(&head) == expected, "{origin}: {head}");
    }
    // No browser at all.
    ensure!(status(&ask(&server, "/", "")?) == "101");
    server.lives()
}

fn tokens(language: Language) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("token");
    fs::write(&file, "s3cret\n")?;
    let path = file.display().to_string();
    let server = Server::start_with(NAME, language, &["--token", &path])?;
    let good = "/?a=b&token=s3cret";
    for (path, expected) in [
        ("/", "401"),
        ("/?token=", "401"),
        ("/?token=s3cre", "401"),
        ("/?token=s3crets", "401"),
        ("/?tokens=s3cret", "401"),
        (good, "101"),
    ] {
        let head = ask(&server, path, "")?;
        ensure!(status(&head) == expected, "{path}: {head}");
    }
    // Another site stays outside, with whatever token.
    let head = ask(&server, good, "Origin: http://evil.example\r\n")?;
    ensure!(status(&head) == "403", "{head}");
    // Each connection is asked for what the file says now.
    fs::write(&file, "fresh")?;
    ensure!(status(&ask(&server, good, "")?) == "401");
    ensure!(status(&ask(&server, "/?token=fresh", "")?) == "101");
    // No token, or no file: nobody comes in, and the server goes on.
    fs::write(&file, "")?;
    ensure!(status(&ask(&server, "/?token=", "")?) == "401");
    fs::remove_file(&file)?;
    ensure!(status(&ask(&server, "/?token=fresh", "")?) == "500");
    fs::write(&file, "again")?;
    ensure!(status(&ask(&server, "/?token=again", "")?) == "101");
    Ok(())
}

fn plain_http(language: Language) -> Result<()> {
    let server = start(language)?;
    for (line, expected, says) in [
        ("GET /", "200", "new WebSocket(url, 'echo.v1')"),
        ("GET /?token=x", "200", "new WebSocket(url, 'echo.v1')"),
        ("GET /other", "426", "426 Upgrade Required\n"),
        ("POST /other", "426", "426 Upgrade Required\n"),
    ] {
        let mut peer = server.connect()?;
        let head = "HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        peer.write_all(format!("{line} {head}").as_bytes())?;
        let answer = String::from_utf8(peer.rest()?)?;
        ensure!(status(&answer) == expected, "{answer}");
        ensure!(answer.contains(says), "{answer}");
        let upgrade = header(&answer, "upgrade");
        ensure!(upgrade == Some("websocket"), "{answer}");
    }
    // A version of WebSocket that there has never been, and keys that are none.
    let whole = request("/other", "");
    let key = header(&whole, "sec-websocket-key").context("no key")?;
    for (text, other) in
        [("Version: 13", "Version: 14"), (key, ""), (key, "hello")]
    {
        let mut peer = server.connect()?;
        peer.write_all(whole.replace(text, other).as_bytes())?;
        ensure!(status(&read_head(&mut peer)?) == "426");
    }
    // Another protocol is offered, which this server does not speak.
    let mut peer = server.connect()?;
    let other = "GET /other HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\n\
                 Connection: Upgrade\r\n\r\n";
    peer.write_all(other.as_bytes())?;
    ensure!(status(&read_head(&mut peer)?) == "426");
    server.lives()
}

fn refused_client(language: Language) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("token");
    fs::write(&file, "secret")?;
    let path = file.display().to_string();
    let server = Server::start_with(NAME, Language::Rust, &["--token", &path])?;
    let mut client = server.client(language, &[])?;
    client.fails(&["Error: connect to ", "401"])?;
    let error = client.stderr().concat();
    ensure!(!error.contains("start the server"), "{error}");
    Ok(())
}

fn reconnects(language: Language) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("token");
    let path = file.display().to_string();
    let token = ["--token", path.as_str()];
    fs::write(&file, "first")?;
    let mut server = Server::start_with(NAME, Language::Rust, &token)?;
    let pace = ["--token", &path, "--every", "60000"];
    let mut client = server.client(language, &pace)?;
    client.wait_for("receive: hello")?;
    ensure!(server.half.stop(Signal::Interrupt)? == Exit::Code(0));
    client.wait_for("disconnected: 1001")?;
    client.wait_for_error("connect to ")?; // it has tried in vain
    fs::write(&file, "second")?;
    let mut again =
        Server::start_at(&server.address, NAME, Language::Rust, &token)?;
    client.wait_for_lines(2, "receive: hello")?;
    // Killed, it says no goodbye.
    again.half.stop(Signal::Kill)?;
    client.wait_for("disconnected: 1006")?;
    ensure!(client.stop(Signal::Interrupt)? == Exit::Code(0));
    Ok(())
}

fn lost(language: Language) -> Result<()> {
    let (listening, url) = listen()?;
    let pace = ["--every", "60000", "--count", "2"];
    let mut client = client(language, &url, &pace)?;
    let mut server = accept(&listening)?;
    server.expect(FIN | TEXT, b"hello")?;
    drop(server); // and answers nothing
    client.wait_for("disconnected: 1006")?;
    let mut server = accept(&listening)?;
    server.expect(FIN | TEXT, b"hello")?;
    server.send(FIN | TEXT, b"hello")?;
    server.expect_close(1000)?;
    server.send_close(1000)?;
    drop(server);
    ensure!(client.wait()? == Exit::Code(1), "{:?}", client.stdout());
    let stderr = client.stderr();
    let last = stderr.last().map(String::as_str);
    ensure!(
        last == Some("Error: 1 messages did not come back"),
        "{stderr:?}"
    );
    Ok(())
}

fn not_lost(language: Language) -> Result<()> {
    let (listening, url) = listen()?;
    let mut client = client(language, &url, &["--count", "1"])?;
    let mut server = accept(&listening)?;
    server.expect(FIN | TEXT, b"hello")?;
    server.send(FIN | TEXT, b"hello")?;
    drop(server); // the client learns of both at once
    ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    client.wait_for("disconnected: 1006")?;
    Ok(())
}

fn subprotocols(language: Language) -> Result<()> {
    let server = start(language)?;
    for (offered, chosen) in [
        ("", None),
        ("Sec-WebSocket-Protocol: echo.v1\r\n", Some("echo.v1")),
        ("Sec-WebSocket-Protocol: chat, echo.v1\r\n", Some("echo.v1")),
        ("Sec-WebSocket-Protocol: chat,echo.v2\r\n", None),
    ] {
        let head = ask(&server, "/", offered)?;
        ensure!(status(&head) == "101", "{head}");
        let found = header(&head, "sec-websocket-protocol");
        ensure!(found == chosen, "{offered}: {head}");
    }
    // Our client offers one, and insists on it.
    let (listening, url) = listen()?;
    let mut client = client(language, &url, &[])?;
    let mut peer = listening.accept()?;
    let head = read_head(&mut peer)?;
    let offered = header(&head, "sec-websocket-protocol");
    ensure!(offered == Some("echo.v1"), "{head}");
    let key = header(&head, "sec-websocket-key").context("key")?;
    let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(
        key.as_bytes(),
    );
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    peer.write_all(answer.as_bytes())?;
    ensure!(client.wait()? == Exit::Code(1), "{:?}", client.stdout());
    client.wait_for_error("Server sent no subprotocol")?;
    Ok(())
}

fn not_utf8(language: Language) -> Result<()> {
    let server = start(language)?;
    for frames in [
        frame(FIN | TEXT, b"ok\xFF", true),
        frame(FIN | TEXT, b"\xED\xA0\x80", true), // half a surrogate pair
        [frame(TEXT, b"\xE4\xB8", true), frame(FIN, b"x", true)].concat(),
    ] {
        let mut socket = WebSocket::connect(&server)?;
        socket.peer.write_all(&frames)?;
        socket.expect_close(1007)?;
    }
    // Bytes may be anything.
    let mut socket = WebSocket::connect(&server)?;
    socket.send(FIN | BINARY, b"\xFF")?;
    socket.expect(FIN | BINARY, b"\xFF")?;
    server.lives()
}

fn reset(language: Language) -> Result<()> {
    let server = start(language)?;
    let mut socket = WebSocket::connect(&server)?;
    socket.send(FIN | TEXT, b"hello")?;
    socket.peer.reset()?;
    server.half.wait_for("socket disconnected")?;
    // In the middle of the handshake, admitted or not.
    for headers in ["", "Origin: http://evil.example\r\n"] {
        let mut peer = server.connect()?;
        peer.write_all(request("/", headers).as_bytes())?;
        peer.reset()?;
    }
    let mut peer = server.connect()?;
    peer.write_all(&[0xFF; 100_000]).ok();
    drop(peer);
    server.lives()
}

fn thousand_clients(language: Language) -> Result<()> {
    let server = Server::start_quiet(NAME, language, &NO_HEARTBEAT)?;
    let mut sockets = Vec::new();
    for _ in 0..1000 {
        sockets.push(WebSocket::connect(&server)?);
    }
    for (i, socket) in sockets.iter_mut().enumerate() {
        socket.send(FIN | TEXT, format!("I am {i}").as_bytes())?;
    }
    for (i, socket) in sockets.iter_mut().enumerate() {
        socket.expect(FIN | TEXT, format!("I am {i}").as_bytes())?;
    }
    drop(sockets);
    server.lives()
}

fn no_server(language: Language) -> Result<()> {
    let (listening, url) = listen()?;
    drop(listening);
    let mut client = client(language, &url, &[])?;
    let start = format!("Error: connect to {url}");
    client.fails_at_once(&[&start, "; start the server first: "])
}

fn unread_server(language: Language) -> Result<()> {
    let mut command = lesson(NAME)?.half(language, "server")?;
    let (mut server, line) = start_unread(command.arg("127.0.0.1:0"))?;
    let address = line.strip_prefix("listening on ").context("address")?;
    let mut sockets = Vec::new(); // none leaves before the server has ended
    ends_unread(&mut server, || {
        let peer = Peer::connect(Meet::Tcp, address);
        if let Ok(socket) = peer.and_then(WebSocket::over) {
            sockets.push(socket);
        }
    })
}

fn built_in(language: Language) -> Result<()> {
    let server = start(language)?;
    let script = lesson(NAME)?.folder().join("node/built-in.js");
    let mut node = Command::new("node");
    node.arg("--experimental-websocket").arg(script);
    let mut client = Half::start(node.arg(format!("ws://{}", server.address)))?;
    client.succeeds()?;
    let lines = client.stdout();
    let expected = [
        "connected.",
        "send: hello",
        "receive: hello",
        "disconnected: 1000",
    ];
    ensure!(lines == expected, "{lines:?}");
    Ok(())
}

/// The page sends "hello" as soon as it is connected.
fn page_in_a_browser() -> Test {
    test("the_page_is_a_client_in_a_real_browser", || {
        let server = start(Language::Rust)?;
        let folder = tempfile::tempdir()?;
        let profile = format!("--user-data-dir={}", folder.path().display());
        let mut chromium = Command::new("chromium");
        chromium.args(["--headless", "--no-sandbox", "--disable-gpu"]);
        chromium.args(["--remote-debugging-port=0", &profile]);
        let url = format!("http://{}/", server.address);
        let mut chromium = Half::start(chromium.arg(url))?;
        server.half.wait_for("send: hello")?;
        chromium.stop(Signal::Terminate)?;
        server.half.wait_for("socket disconnected")?;
        Ok(())
    })
    .of(NAME)
    .needs(CHROMIUM)
    .needs(Need::Unix)
}

/// It only buffers, up to `write_buffer_size`; beyond that it waits.
fn feed() -> Result<()> {
    let feeding = async {
        let (ours, _theirs) = tokio::io::duplex(1024); // nobody reads it
        let limits = Some(crate::limits(MIB));
        let mut socket =
            WebSocketStream::from_raw_socket(ours, Role::Server, limits).await;
        let mut fed = 0;
        loop {
            let message = Message::binary(vec![0; 10_000]);
            // now_or_never: None where it would wait.
            match socket.feed(message).now_or_never() {
                Some(result) => result?,
                None => return anyhow::Ok(fed),
            }
            fed += 10_000;
            ensure!(fed < 10 * MIB, "it does not wait");
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let fed = runtime.block_on(feeding)?;
    ensure!(fed >= 100_000, "it waits after {fed} bytes");
    Ok(())
}
