//! What udp-echo promises.

use std::io::{BufRead, ErrorKind};
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::{Exit, Half, Language, Signal};

use harness::testing::echo;
use harness::testing::ends::{SIGNALS, TWO_SECONDS};
use harness::testing::peer::uninterrupted;
use harness::testing::random::Random;
use harness::testing::server::{
    Server, ends_unread, lesson, start_stuck, start_unread, tool,
};
use harness::testing::{NC, NODE, Need, Test, both, test};

const NAME: &str = "udp-echo";
const MIB: usize = 1024 * 1024;

pub fn tests() -> Vec<Test> {
    let on_unix = |tests: [Test; 2]| tests.map(|test| test.needs(Need::Unix));
    let on_linux = |tests: [Test; 2]| tests.map(|test| test.needs(Need::Proc));
    let tests = [
        both("each_datagram_comes_back_alone", borders),
        both("65507_bytes_come_back_whole", largest),
        // A command line of Windows cannot be that long.
        on_unix(both("one_byte_more_is_a_clear_error", too_large)),
        both("only_the_sender_gets_an_answer", only_the_sender),
        on_linux(both("no_answer_goes_to_our_own_port", own_port)),
        on_linux(both("on_all_addresses_one_of_them_answers", all_addresses)),
        both("a_peer_cannot_drive_the_terminal", hostile_text),
        both("1000_clients_at_once_are_served", thousand_clients),
        on_linux(both("a_killed_client_leaves_the_server_at_rest", killed)),
        both("a_client_without_a_server_says_so", no_server),
        both("a_client_outlives_its_server", restarted_server),
        both("a_second_server_at_the_address_is_refused", |language| {
            echo::in_use(NAME, language)
        }),
        both("the_numbers_of_a_lossy_path_are_right", lossy_path),
        both("a_client_hears_nobody_but_its_server", stranger),
        both("something_else_than_the_echo_is_told", something_else),
        on_unix(both("a_client_sends_until_ctrl_c", until_ctrl_c)),
        on_unix(both("sigterm_ends_a_client_nobody_answers", unanswered)),
        on_unix(both("signals_end_an_idle_server", idle_server_ends)),
        on_unix(both("signals_end_a_busy_server", busy_server_ends)),
        both("a_closed_stdout_ends_the_server_quietly", closed_stdout),
        both("a_closed_stdout_ends_the_client_quietly", |language| {
            echo::unread_client(NAME, language)
        }),
        both("the_last_lines_come_through_a_slow_pipe", slow_pipe),
        both("a_round_trip_is_as_long_as_it_was", round_trip),
        both("quiet_prints_only_the_address", |language| {
            echo::quiet(NAME, language)
        }),
        both("help_and_mistakes", |language| echo::help(NAME, language)),
        both("ipv6_host_names_and_all_addresses_work", |language| {
            echo::addresses(NAME, language)
        }),
        both("an_address_is_understood_whole_or_refused", |language| {
            echo::no_address(NAME, language)
        }),
        both("nc_gets_its_bytes_back", nc).map(|test| test.needs(NC)),
    ];
    let once = [
        test("a_flood_does_not_fill_the_memory", bounded_memory)
            .needs(Need::Proc),
        test("a_server_that_nobody_reads_echoes_no_more", unread_server),
        test("no_answer_goes_to_a_service", service)
            .needs(Need::Proc)
            .needs(NODE),
    ];
    let tests = tests.into_iter().flatten().chain(once);
    tests.map(|test| test.of(NAME)).collect()
}

/// A socket of ours that talks to `address`.
fn socket(address: &str) -> Result<UdpSocket> {
    let any = if address.starts_with('[') {
        "[::1]:0"
    } else {
        "127.0.0.1:0"
    };
    let socket = UdpSocket::bind(any)?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(Duration::from_secs(60)))?;
    Ok(socket)
}

fn receive(socket: &UdpSocket) -> Result<Vec<u8>> {
    let mut buffer = vec![0; 65_536];
    let heard = uninterrupted(|| socket.recv(&mut buffer));
    let length = heard.context("no datagram came")?;
    buffer.truncate(length);
    Ok(buffer)
}

fn expect(socket: &UdpSocket, expected: &[u8]) -> Result<()> {
    let bytes = receive(socket)?;
    ensure!(
        bytes == expected,
        "{} bytes came back for {}",
        bytes.len(),
        expected.len()
    );
    Ok(())
}

fn borders(language: Language) -> Result<()> {
    let server = Server::start(NAME, language)?;
    let peer = socket(&server.address)?;
    let sent = ["hello", "hello", "", "x", "", "\n", "中"];
    for text in sent {
        peer.send(text.as_bytes())?;
    }
    for text in sent {
        expect(&peer, text.as_bytes())?;
    }
    server.half.wait_for_lines(sent.len(), "send: ")?;
    if cfg!(unix) {
        let expected = ["hello", "hello", "", "x", "", "\\n", "中"];
        let lines = server.stop()?;
        let shown = lines.iter().filter_map(|l| l.strip_prefix("receive: "));
        ensure!(shown.eq(expected), "{lines:?}");
    }
    Ok(())
}

fn largest(language: Language) -> Result<()> {
    let server = Server::start(NAME, language)?;
    let peer = socket(&server.address)?;
    let bytes: Vec<u8> = (0..65_507_u64).map(|i| (i * i / 7) as u8).collect();
    if peer.send(&bytes).is_err() {
        return Ok(()); // macOS takes 9,216 bytes, unless told otherwise
    }
    expect(&peer, &bytes)?;

    // A command line of Windows has at most 32,767 characters.
    let longest = if cfg!(windows) { 30_000 } else { 65_507 };
    let message = "x".repeat(longest - "1 ".len());
    let arguments =
        ["--count", "1", "--message", &message, "--timeout", "60000"];
    let mut client = server.client(language, &arguments)?;
    ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    client.wait_for("sent 1, received 1, lost 0")?;
    Ok(())
}

fn too_large(language: Language) -> Result<()> {
    let server = Server::start(NAME, language)?;
    let message = "x".repeat(65_508 - "1 ".len());
    let arguments = ["--count", "1", "--message", &message];
    let mut client = server.client(language, &arguments)?;
    ensure!(client.wait()? == Exit::Code(1));
    let stderr = client.stderr();
    ensure!(stderr[0].starts_with("send 65508 bytes: "), "{stderr:?}");
    client.wait_for("lost: 1 xxx")?;
    server.lives()
}

fn only_the_sender(language: Language) -> Result<()> {
    let server = Server::start(NAME, language)?;
    let [first, second, silent] = [
        socket(&server.address)?,
        socket(&server.address)?,
        socket(&server.address)?,
    ];
    for i in 0..20 {
        first.send(format!("first {i}").as_bytes())?;
        second.send(format!("second {i}").as_bytes())?;
    }
    for i in 0..20 {
        expect(&first, format!("first {i}").as_bytes())?;
        expect(&second, format!("second {i}").as_bytes())?;
    }
    // Had it got anything before, that would come first.
    silent.send(b"now me")?;
    expect(&silent, b"now me")
}

/// Only root may use such a port; where we are not, there is nothing to see.
fn service() -> Result<()> {
    let Ok(service) = UdpSocket::bind("127.0.0.3:1023") else {
        return Ok(());
    };
    for language in [Language::Rust, Language::Node] {
        let server = Server::start(NAME, language)?;
        service.send_to(b"hello", &server.address)?;
        let expected = "no answer to 127.0.0.3:1023: not a client";
        server.half.wait_for_error(expected)?;
    }
    Ok(())
}

/// Two of these servers at the same port of two computers would answer each
/// other for ever. 127.0.0.2 is a second computer, in a way.
fn own_port(language: Language) -> Result<()> {
    let server = Server::start(NAME, language)?;
    let (_, port) = server.address.rsplit_once(':').context("no port")?;
    let twin = UdpSocket::bind(format!("127.0.0.2:{port}"))?;
    twin.send_to(b"hello", &server.address)?;
    let expected = format!("no answer to 127.0.0.2:{port}: not a client");
    server.half.wait_for_error(&expected)?;
    twin.set_nonblocking(true)?;
    let heard = twin.recv(&mut [0; 100]);
    ensure!(
        heard.is_err_and(|error| error.kind() == ErrorKind::WouldBlock),
        "it was answered"
    );
    server.lives()
}

/// What the README says about 0.0.0.0: the system chooses the address that an
/// echo comes from. 127.0.0.2 is a second address of this computer.
fn all_addresses(language: Language) -> Result<()> {
    let start = |address: &str| Server::start_at(address, NAME, language, &[]);
    let to_the_second = |server: &Server| {
        let (_, port) = server.address.rsplit_once(':').unwrap_or_default();
        format!("127.0.0.2:{port}")
    };
    let everywhere = start("0.0.0.0:0")?;
    let second = to_the_second(&everywhere);
    let anybody = UdpSocket::bind("127.0.0.1:0")?;
    anybody.set_read_timeout(Some(Duration::from_secs(60)))?;
    anybody.send_to(b"hello", &second)?;
    let (_, from) = uninterrupted(|| anybody.recv_from(&mut [0; 100]))?;
    ensure!(from.ip().to_string() == "127.0.0.1", "{from} answered");
    // So one that is connected to the second hears nothing.
    let client = |address: &str| -> Result<Half> {
        let mut command = lesson(NAME)?.half(language, "client")?;
        command.args([address, "--count", "1", "--timeout", "1000"]);
        Half::start(&mut command)
    };
    let mut unheard = client(&second)?;
    ensure!(unheard.wait()? == Exit::Code(1));
    everywhere.half.wait_for("send: 1 hello")?;
    unheard.wait_for("lost: 1 hello")?;

    let there = start("127.0.0.2:0")?;
    ensure!(there.address == to_the_second(&there), "{}", there.address);
    let mut heard = client(&there.address)?;
    ensure!(heard.wait()? == Exit::Code(0), "{:?}", heard.stderr());
    Ok(())
}

/// The same lines from both languages.
fn hostile_text(language: Language) -> Result<()> {
    let server = Server::start(NAME, language)?;
    let peer = socket(&server.address)?;
    let long = format!("{}é{}", "x".repeat(159), "y".repeat(300));
    let cut = format!("{}é… (461 bytes)", "x".repeat(159));
    for (sent, shown) in [
        (
            b"\x1b[2Jbye\r\n\t\xC2\x9B".as_slice(),
            "\\u{1b}[2Jbye\\r\\n\\t\\u{9b}",
        ),
        ("a\u{202e}b".as_bytes(), "a\\u{202e}b"),
        ("\u{feff}bom".as_bytes(), "\u{feff}bom"),
        (long.as_bytes(), &cut),
        (b"ok\xFF\xE4\xB8ok", "ok\u{FFFD}\u{FFFD}ok"),
        // Nothing follows that could make this one whole.
        (b"cut \xE4\xB8", "cut \u{FFFD}"),
    ] {
        peer.send(sent)?;
        expect(&peer, sent)?;
        server.half.wait_for(&format!("receive: {shown}"))?;
        server.half.wait_for(&format!("send: {shown}"))?;
    }
    Ok(())
}

/// Sends until an echo comes: by then the server has taken all that came
/// before. What a full buffer drops is sent again.
fn catch_up(server: &Server) -> Result<()> {
    let peer = socket(&server.address)?;
    peer.set_read_timeout(Some(Duration::from_millis(200)))?;
    for _ in 0..300 {
        peer.send(b"still there?")?;
        if receive(&peer).is_ok() {
            return Ok(());
        }
    }
    anyhow::bail!("the server does not answer any more")
}

fn thousand_clients(language: Language) -> Result<()> {
    let server = Server::start(NAME, language)?;
    let peers = (0..1000)
        .map(|_| socket(&server.address))
        .collect::<Result<Vec<_>>>()?;
    for (i, peer) in peers.iter().enumerate() {
        peer.send(format!("I am {i}").as_bytes())?;
    }
    // Where the kernel's buffer was full, a datagram was dropped. Whoever
    // uses UDP has to send again: some at a time, once that buffer is empty.
    catch_up(&server)?;
    for some in peers.chunks(50) {
        for (i, peer) in some.iter().enumerate() {
            peer.set_read_timeout(Some(Duration::from_secs(5)))?;
            peer.send(format!("again {i}").as_bytes())?;
        }
        for (i, peer) in some.iter().enumerate() {
            let text = format!("again {i}");
            // The echo of the first one may come before.
            while receive(peer)? != text.as_bytes() {}
        }
    }
    server.lives()
}

fn killed(language: Language) -> Result<()> {
    let server = Server::start(NAME, language)?;
    for _ in 0..10 {
        let mut client = server.client(Language::Rust, &["--every", "1000"])?;
        client.wait_for("receive: 1 hello")?;
        client.stop(Signal::Kill)?;
    }
    let used = server.cpu_time_of_half_a_second()?;
    ensure!(used < Duration::from_millis(250), "it spins: {used:?}");
    server.lives()
}

fn bounded_memory() -> Result<()> {
    let server = Server::start(NAME, Language::Rust)?;
    let memory = || server.half.peak_memory().context("/proc/PID/status");
    let idle = memory()?;
    let peer = socket(&server.address)?;
    let piece = vec![b'x'; 64_000];
    for _ in 0..256 * MIB / piece.len() {
        peer.send(&piece)?;
    }
    catch_up(&server)?;
    let more = memory()? - idle;
    ensure!(more < 16 * MIB as u64, "{} MiB more", more / MIB as u64);
    Ok(())
}

/// An address where nobody listens: somebody did, and does not any more.
fn nobody() -> Result<String> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    Ok(socket.local_addr()?.to_string())
}

fn no_server(language: Language) -> Result<()> {
    let address = nobody()?;
    let mut command = lesson(NAME)?.half(language, "client")?;
    command.args([&address, "--count", "2", "--every", "50"]);
    let mut client = Half::start(command.args(["--timeout", "100"]))?;
    ensure!(client.wait()? == Exit::Code(1));
    let stderr = client.stderr();
    if cfg!(target_os = "linux") {
        ensure!(stderr[0].starts_with("send 7 bytes: "), "{stderr:?}");
        ensure!(stderr[0].to_lowercase().contains("refused"), "{stderr:?}");
    }
    let last = stderr.last().context("no error")?;
    let expected = "Error: 2 of 2 messages were lost; is the server running? ";
    ensure!(last.starts_with(expected), "{stderr:?}");
    let expected = [
        "send: 1 hello",
        "lost: 1 hello",
        "send: 2 hello",
        "lost: 2 hello",
        "sent 2, received 0, lost 2",
    ];
    ensure!(client.stdout() == expected, "{:?}", client.stdout());
    Ok(())
}

fn restarted_server(language: Language) -> Result<()> {
    let mut server = Server::start(NAME, Language::Rust)?;
    let arguments = ["--every", "20", "--timeout", "50"];
    let client = server.client(language, &arguments)?;
    client.wait_for("receive: ")?;
    server.half.stop(Signal::Kill)?;
    client.wait_for("lost: ")?;
    if cfg!(target_os = "linux") {
        client.wait_for_error("send ")?;
    }
    let heard = client.stdout();
    let mut command = lesson(NAME)?.half(Language::Rust, "server")?;
    let _server = Half::start(command.arg(&server.address))?;
    client.wait_until("an echo of the new server", |lines| {
        let mut new = lines.iter().skip(heard.len());
        new.any(|line| line.starts_with("receive: ")).then_some(())
    })
}

/// Starts a client that talks to us.
fn client_of_ours(
    language: Language,
    arguments: &[&str],
) -> Result<(Half, UdpSocket)> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut command = lesson(NAME)?.half(language, "client")?;
    command
        .arg(socket.local_addr()?.to_string())
        .args(arguments);
    Ok((Half::start(&mut command)?, socket))
}

/// Waits for the client's next datagram; says where it comes from.
fn next(socket: &UdpSocket, expected: &str) -> Result<SocketAddr> {
    let mut buffer = [0; 100];
    let (length, sender) = uninterrupted(|| socket.recv_from(&mut buffer))?;
    let text = String::from_utf8_lossy(&buffer[..length]);
    ensure!(text == expected, "it sent {text:?}");
    Ok(sender)
}

/// Three echoes, of which we keep the second back for a while.
fn round_trip(language: Language) -> Result<()> {
    const KEPT: Duration = Duration::from_millis(300);
    let arguments = ["--count", "3", "--every", "1", "--timeout", "60000"];
    let (mut client, server) = client_of_ours(language, &arguments)?;
    let began = Instant::now();
    for number in 1..=3 {
        let text = format!("{number} hello");
        let peer = next(&server, &text)?;
        if number == 2 {
            thread::sleep(KEPT); // the network is slow
        }
        server.send_to(text.as_bytes(), peer)?;
    }
    ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    let most = began.elapsed();
    let line = client.wait_for("receive: 2 hello after ")?;
    let ms: f64 = line.strip_suffix(" ms").context("no unit")?.parse()?;
    let kept = KEPT.as_secs_f64() * 1000.0;
    ensure!(ms >= kept && ms <= most.as_secs_f64() * 1000.0, "{line}");
    Ok(())
}

/// As `client | less` does: what it prints fits into no pipe, and is read in
/// the end.
fn slow_pipe(language: Language) -> Result<()> {
    let nobody = UdpSocket::bind("127.0.0.1:0")?;
    let message = "x".repeat(100);
    let mut command = lesson(NAME)?.half(language, "client")?;
    command.arg(nobody.local_addr()?.to_string());
    command.args(["--count", "1000", "--every", "1", "--timeout", "1"]);
    command.args(["--message", &message]);
    let (mut client, first, stdout) = start_stuck(&mut command)?;
    let why = "Error: 1000 of 1000 messages were lost; ";
    // Rust's client waits for who reads, Node's has a queue.
    if language == Language::Node {
        client.wait_for_error(why)?;
    }
    let lines: Vec<String> = stdout.lines().collect::<Result<_, _>>()?;
    let last = lines.last().context("nothing")?;
    let summary = "sent 1000, received 0, lost 1000";
    ensure!(last == summary, "{} lines, then {last}", lines.len());
    ensure!(first == format!("send: 1 {message}") && lines.len() == 2000);
    client.fails(&[why])
}

fn stranger(language: Language) -> Result<()> {
    let arguments = ["--count", "1", "--timeout", "60000"];
    let (mut client, server) = client_of_ours(language, &arguments)?;
    let peer = next(&server, "1 hello")?;
    let stranger = UdpSocket::bind("127.0.0.1:0")?;
    let peer = SocketAddr::from(([127, 0, 0, 1], peer.port()));
    stranger.send_to(b"1 hello", peer)?;
    stranger.send_to(b"I am your server", peer)?;
    server.send_to(b"1 hello", peer)?;
    ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    client.wait_for("sent 1, received 1, lost 0")?;
    ensure!(client.stderr().is_empty(), "{:?}", client.stderr());
    Ok(())
}

fn something_else(language: Language) -> Result<()> {
    let arguments = ["--count", "1", "--timeout", "500"];
    let (mut client, server) = client_of_ours(language, &arguments)?;
    let peer = next(&server, "1 hello")?;
    for text in ["1 HELLO", "2 hello", "0 hello", "", "1 hello\x1b"] {
        server.send_to(text.as_bytes(), peer)?;
    }
    ensure!(client.wait()? == Exit::Code(1), "{:?}", client.stderr());
    let lines = client.stdout();
    let told: Vec<&String> =
        lines.iter().filter(|l| l.starts_with("ignore: ")).collect();
    let expected = ["1 HELLO", "2 hello", "0 hello", "", "1 hello\\u{1b}"]
        .map(|text| format!("ignore: {text}"));
    ensure!(told.into_iter().eq(&expected), "{lines:?}");
    client.wait_for("lost: 1 hello")?;
    client.wait_for("sent 1, received 0, lost 1")?;
    Ok(())
}

fn until_ctrl_c(language: Language) -> Result<()> {
    for signal in SIGNALS {
        let server = Server::start(NAME, Language::Rust)?;
        let mut client = server.client(language, &["--every", "10"])?;
        client.wait_for_lines(5, "receive: ")?;
        ensure!(client.stop(signal)? == Exit::Code(0));
        client.wait_for("sent ")?;
        ensure!(client.stderr().is_empty(), "{:?}", client.stderr());
    }
    Ok(())
}

fn unanswered(language: Language) -> Result<()> {
    for signal in SIGNALS {
        let (mut client, _server) = client_of_ours(language, &[])?;
        client.wait_for("send: 1 hello")?;
        client.signal(signal)?;
        ensure!(client.wait_at_most(TWO_SECONDS)? == Exit::Code(1));
        client.wait_for("lost: 1 hello")?;
        client.wait_for("sent 1, received 0, lost 1")?;
    }
    Ok(())
}

fn idle_server_ends(language: Language) -> Result<()> {
    for signal in SIGNALS {
        let mut server = Server::start(NAME, language)?;
        server.half.ends_on(signal)?;
        ensure!(server.half.stderr().is_empty());
    }
    Ok(())
}

fn busy_server_ends(language: Language) -> Result<()> {
    for signal in SIGNALS {
        let mut server = Server::start(NAME, language)?;
        let peer = socket(&server.address)?;
        let done = Arc::new(AtomicBool::new(false));
        let until = Arc::clone(&done);
        let flood = thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                let _ = peer.send(b"flood"); // refused, once it has ended
            }
        });
        server.half.wait_for_lines(100, "send: flood")?;
        server.half.signal(signal)?;
        let exit = server.half.wait_at_most(TWO_SECONDS);
        done.store(true, Ordering::Relaxed);
        let _ = flood.join();
        ensure!(exit? == Exit::Code(0));
    }
    Ok(())
}

/// As `server | less` does: what comes then has no echo, until the server's
/// own lines are read again.
fn unread_server() -> Result<()> {
    const MOST: usize = 20_000;
    let mut command = lesson(NAME)?.half(Language::Rust, "server")?;
    let (mut server, line, stdout) = start_stuck(command.arg("127.0.0.1:0"))?;
    let address = line.strip_prefix("listening on ").context("address")?;
    let peer = socket(address)?;
    peer.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut echoes = 0;
    loop {
        ensure!(echoes < MOST, "the lines of {echoes} echoes are somewhere");
        peer.send(&[b'x'; 100])?;
        if receive(&peer).is_err() {
            break;
        }
        echoes += 1;
    }
    let reading = thread::spawn(move || stdout.lines().count());
    // What came while it was stuck, it may have dropped or not.
    peer.set_read_timeout(Some(Duration::from_millis(200)))?;
    let again = (0..300).any(|_| {
        peer.send(b"still there?").is_ok()
            && receive(&peer).is_ok_and(|bytes| bytes == b"still there?")
    });
    ensure!(again, "it does not answer any more");
    server.stop(Signal::Kill)?;
    let shown = reading.join().ok().context("the reader panicked")?;
    ensure!(shown >= 2 * echoes, "{shown} lines of {echoes} echoes");
    Ok(())
}

fn closed_stdout(language: Language) -> Result<()> {
    let mut command = lesson(NAME)?.half(language, "server")?;
    let (mut server, line) = start_unread(command.arg("127.0.0.1:0"))?;
    let address = line.strip_prefix("listening on ").context("address")?;
    let peer = socket(address)?;
    ends_unread(&mut server, || drop(peer.send(b"hello")))
}

fn nc(language: Language) -> Result<()> {
    let server = Server::start(NAME, language)?;
    let (host, port) = server.address.rsplit_once(':').unwrap_or_default();
    // -w: ends when nothing has come for two seconds.
    let arguments = ["-u", "-w", "2", host, port];
    let echo = tool("nc", &arguments, "你好\nnc\n".as_bytes())?;
    ensure!(echo == ["你好", "nc"], "{echo:?}");
    Ok(())
}

/// What the path does to one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    Delivers,
    LosesMessage,
    LosesEcho,
    /// Delivers the echo, and once more while the next one is waited for.
    Doubles,
    /// Delivers the echo only then, when it is too late.
    Delays,
}

/// Messages that go over the lossy path.
const MESSAGES: usize = 40;

/// What a lossy path does to each message: about a third goes wrong. The
/// last one goes through.
fn plan(seed: u64) -> Vec<Path> {
    let mut random = Random(seed);
    let mut plan: Vec<Path> = (1..MESSAGES)
        .map(|_| match random.below(12) {
            0 => Path::LosesMessage,
            1 => Path::LosesEcho,
            2 | 3 => Path::Doubles,
            4 | 5 => Path::Delays,
            _ => Path::Delivers,
        })
        .collect();
    plan.push(Path::Delivers);
    plan
}

/// Carries datagrams between one client and the server, as `plan` says: each
/// message is answered before the next one is sent.
fn lossy(front: &UdpSocket, back: &UdpSocket, plan: &[Path]) -> Result<()> {
    let mut late: Option<Vec<u8>> = None;
    for (index, path) in plan.iter().enumerate() {
        let message = format!("{} hello", index + 1);
        let client = next(front, &message)?;
        if let Some(echo) = late.take() {
            front.send_to(&echo, client)?;
        }
        if *path == Path::LosesMessage {
            continue;
        }
        back.send(message.as_bytes())?;
        let echo = receive(back)?;
        match path {
            Path::LosesMessage | Path::LosesEcho => {}
            Path::Delivers => drop(front.send_to(&echo, client)?),
            Path::Doubles => {
                front.send_to(&echo, client)?;
                late = Some(echo);
            }
            Path::Delays => late = Some(echo),
        }
    }
    Ok(())
}

fn lossy_path(language: Language) -> Result<()> {
    for seed in [1, 20_261_121] {
        let server = Server::start(NAME, Language::Rust)?;
        let back = socket(&server.address)?;
        let count = MESSAGES.to_string();
        let pace = ["--count", &count, "--every", "1", "--timeout", "700"];
        let (mut client, front) = client_of_ours(language, &pace)?;
        let plan = plan(seed);
        lossy(&front, &back, &plan)?;
        ensure!(client.wait()? == Exit::Code(1), "nothing was lost?");

        let numbers = |wanted: &[Path]| -> Vec<String> {
            let paths = plan.iter().enumerate();
            let found = paths.filter(|(_, path)| wanted.contains(path));
            found.map(|(index, _)| (index + 1).to_string()).collect()
        };
        let lines = client.stdout();
        let told = |start: &str| -> Vec<String> {
            let found = lines.iter().filter_map(|l| l.strip_prefix(start));
            found
                .map(|l| l.split(' ').next().unwrap_or("").to_owned())
                .collect()
        };
        let lost =
            numbers(&[Path::LosesMessage, Path::LosesEcho, Path::Delays]);
        let received = numbers(&[Path::Delivers, Path::Doubles]);
        let ignored = numbers(&[Path::Delays, Path::Doubles]);
        ensure!(ignored.len() > 6 && lost.len() > 6, "too good: {plan:?}");
        ensure!(told("lost: ") == lost, "lost: {lines:?}");
        ensure!(told("receive: ") == received, "received: {lines:?}");
        ensure!(told("ignore: ") == ignored, "ignored: {lines:?}");
        client.wait_for(&format!(
            "sent {MESSAGES}, received {}, lost {}",
            received.len(),
            lost.len()
        ))?;
    }
    Ok(())
}
