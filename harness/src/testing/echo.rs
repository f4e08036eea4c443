//! What every echo over a stream promises, whatever the transport: tcp-echo
//! and pipe-echo, in Rust and in Node.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{fs, iter, thread};

use crate::readme::transcripts;
use crate::{Exit, Half, Language, Lesson, Signal};
use anyhow::{Context, Result, ensure};

use crate::testing::ends::SIGNALS;
pub use crate::testing::ends::TWO_SECONDS;
use crate::testing::peer::{Listening, Peer};
use crate::testing::server::{
    Server, ends_unread, eventually, lesson, start_stuck, start_unread,
    until_stuck,
};
use crate::testing::{Need, Test, both, test};

const MIB: usize = 1024 * 1024;

/// The promises, for the lesson called `name`.
pub fn tests(name: &'static str) -> Vec<Test> {
    let both = |promise, run: fn(&str, Language) -> Result<()>| {
        both(promise, move |language| run(name, language)).map(|t| t.of(name))
    };
    let on_unix = |tests: [Test; 2]| tests.map(|t| t.needs(Need::Unix));
    // A named pipe of Windows has none.
    let with_half_close = |tests: [Test; 2]| match name {
        "pipe-echo" => on_unix(tests),
        _ => tests,
    };
    let mut tests: Vec<Test> = [
        both("bytes_one_at_a_time_come_back", one_at_a_time),
        both("16_mib_come_back_whole", sixteen_mib),
        both("a_split_character_is_shown_whole", split_character),
        both("a_peer_cannot_drive_the_terminal", hostile_text),
        with_half_close(both(
            "the_last_echo_arrives_after_a_half_close",
            half_close,
        )),
        both("a_client_that_never_reads_is_held_back", never_reads),
        both("a_reset_ends_one_connection_only", reset),
        both("1000_clients_at_once_are_served", thousand_clients),
        both("a_killed_client_leaves_the_server_at_rest", killed_client)
            .map(|t| t.needs(Need::Proc)),
        both("a_killed_server_ends_the_client", killed_server),
        both("a_client_without_a_server_says_what_to_start", no_server),
        both("a_second_server_at_the_address_is_refused", in_use),
        both("a_client_that_gets_too_little_fails", too_little),
        both("a_client_that_gets_too_much_fails", too_much),
        on_unix(both(
            "a_client_says_what_a_reset_has_broken_off",
            broken_off,
        )),
        both("a_client_waits_while_its_server_does_not_read", held_back),
        both("a_client_sends_until_ctrl_c", until_ctrl_c),
        on_unix(both("ctrl_c_ends_an_idle_server", idle_server_ends)),
        on_unix(both("sigterm_ends_a_busy_server", busy_server_ends)),
        on_unix(both("what_arrived_is_answered_after_sigterm", answers)),
        on_unix(both("sigterm_ends_a_client_nobody_answers", stuck_client)),
        both("a_closed_stdout_ends_the_server_quietly", closed_stdout),
        both("a_closed_stdout_ends_the_client_quietly", unread_client),
        both("a_full_disk_ends_it_with_one_line", full_disk)
            .map(|t| t.needs(Need::Proc)),
        both("quiet_prints_only_the_address", quiet),
        both("help_and_mistakes", help),
    ]
    .into_iter()
    .flatten()
    .collect();
    type Run = fn(&str) -> Result<()>;
    let rust: [(_, Run); 3] = [
        ("an_idle_client_holds_no_buffer", idle_clients),
        ("lines_that_nobody_reads_hold_the_server_back", unread_lines),
        (
            "a_client_that_never_reads_does_not_fill_the_memory",
            bounded_memory,
        ),
    ];
    tests.extend(rust.map(|(promise, run)| {
        test(promise, move || run(name)).of(name).needs(Need::Proc)
    }));
    tests
}

fn one_at_a_time(name: &str, language: Language) -> Result<()> {
    let server = Server::start(name, language)?;
    let mut peer = server.connect()?;
    for byte in b"hello without an end" {
        peer.write_all(&[*byte])?;
        peer.expect(&[*byte])?;
    }
    drop(peer);
    server.half.wait_for("socket disconnected")?;
    let lines = server.stop()?;
    ensure!(lines.contains(&"receive: w".to_owned()), "{lines:?}");
    Ok(())
}

/// Writes from a second thread: a peer that first only writes and then only
/// reads would wait indefinitely.
fn write_aside(peer: &Peer, bytes: Vec<u8>) -> Result<thread::JoinHandle<()>> {
    let mut writer = peer.try_clone()?;
    Ok(thread::spawn(move || {
        if writer.write_all(&bytes).is_ok() {
            let _ = writer.finish();
        }
    }))
}

fn sixteen_mib(name: &str, language: Language) -> Result<()> {
    let server = Server::start(name, language)?;
    let mut peer = server.connect()?;
    let bytes: Vec<u8> = (0..16 * MIB).map(|i| (i * i / 7) as u8).collect();
    let writer = write_aside(&peer, bytes.clone())?;
    peer.expect(&bytes)?;
    if peer.has_half_close() {
        ensure!(peer.rest()?.is_empty(), "more came back than was sent");
    }
    writer.join().ok().context("the writer panicked")
}

fn split_character(name: &str, language: Language) -> Result<()> {
    let server = Server::start(name, language)?;
    let text = "a中😀";
    for at in 1..text.len() {
        let mut peer = server.connect()?;
        let (left, right) = text.as_bytes().split_at(at);
        for half in [left, right] {
            peer.write_all(half)?;
            // Back here, it was shown: the next half is a read of its own.
            peer.expect(half)?;
        }
    }
    server
        .half
        .wait_for_lines(text.len() - 1, "socket disconnected")?;
    let lines = server.stop()?;
    ensure!(
        !lines.concat().contains('\u{FFFD}'),
        "cut in two: {lines:?}"
    );
    let received: String = lines
        .iter()
        .filter_map(|line| line.strip_prefix("receive: "))
        .collect();
    ensure!(received == text.repeat(text.len() - 1), "{lines:?}");
    Ok(())
}

/// The same lines from both languages.
fn hostile_text(name: &str, language: Language) -> Result<()> {
    let server = Server::start(name, language)?;
    let long = format!("{}é{}", "x".repeat(159), "y".repeat(300));
    for (sent, shown) in [
        ("\x1b[2Jbye\r\n\t\u{9b}", "\\u{1b}[2Jbye\\r\\n\\t\\u{9b}"),
        ("a\u{202e}b\u{2028}", "a\\u{202e}b\\u{2028}"),
        ("\u{feff}bom", "\u{feff}bom"),
        (&long, &format!("{}é… (461 bytes)", "x".repeat(159))),
    ] {
        let mut peer = server.connect()?;
        peer.write_all(sent.as_bytes())?;
        peer.expect(sent.as_bytes())?;
        server.half.wait_for(&format!("send: {shown}"))?;
    }
    let mut peer = server.connect()?;
    peer.write_all(b"ok\xFF\xE4\xB8ok")?;
    server.half.wait_for("receive: ok\u{FFFD}\u{FFFD}ok")?;
    Ok(())
}

fn half_close(name: &str, language: Language) -> Result<()> {
    let server = Server::start(name, language)?;
    let mut peer = server.connect()?;
    peer.write_all(b"the last word")?;
    peer.finish()?;
    ensure!(peer.rest()? == b"the last word");
    Ok(())
}

/// A client that sends and never reads.
fn stuck_client_of(server: &Server) -> Result<Peer> {
    let (stuck, mut other) = (server.connect()?, server.connect()?);
    until_stuck(&stuck, vec![b'x'; 64 * 1024], || {
        other.write_all(b"hello")?;
        other.expect(b"hello")
    })?;
    Ok(stuck)
}

fn never_reads(name: &str, language: Language) -> Result<()> {
    let server = Server::start(name, language)?;
    let stuck = stuck_client_of(&server)?;
    server.lives()?; // for the others
    drop(stuck);
    server.lives()
}

fn bounded_memory(name: &str) -> Result<()> {
    let server = Server::start(name, Language::Rust)?;
    let memory = || server.half.peak_memory().context("/proc/PID/status");
    let idle = memory()?;
    let stuck = [stuck_client_of(&server)?, stuck_client_of(&server)?];
    let more = memory()? - idle;
    drop(stuck);
    ensure!(more < 16 * MIB as u64, "{} MiB more", more / MIB as u64);
    server.lives()
}

/// What each of them has sent before needed 32 KiB at once.
fn idle_clients(name: &str) -> Result<()> {
    let server = Server::start_quiet(name, Language::Rust, &[])?;
    let memory = || server.half.peak_memory().context("/proc/PID/status");
    let mut peers = server.connect_many(1000)?;
    let idle = memory()?;
    let bytes = vec![b'x'; 64 * 1024];
    for peer in &mut peers {
        peer.write_all(&bytes)?;
        peer.expect(&bytes)?;
    }
    let more = memory()? - idle;
    ensure!(more < 8 * MIB as u64, "{} MiB more", more / MIB as u64);
    Ok(())
}

fn reset(name: &str, language: Language) -> Result<()> {
    let server = Server::start(name, language)?;
    let mut peer = server.connect()?;
    peer.write_all(b"hello")?;
    peer.reset()?;
    server.half.wait_for("socket disconnected")?;
    server.lives()
}

fn thousand_clients(name: &str, language: Language) -> Result<()> {
    let server = Server::start(name, language)?;
    let mut peers = server.connect_many(1000)?;
    for (i, peer) in peers.iter_mut().enumerate() {
        peer.write_all(format!("I am {i}").as_bytes())?;
    }
    for (i, peer) in peers.iter_mut().enumerate() {
        peer.expect(format!("I am {i}").as_bytes())?;
    }
    drop(peers);
    server.half.wait_for_lines(1000, "socket disconnected")?;
    ensure!(
        server.half.stderr().is_empty(),
        "{:?}",
        server.half.stderr()
    );
    Ok(())
}

fn killed_client(name: &str, language: Language) -> Result<()> {
    let server = Server::start(name, language)?;
    for _ in 0..10 {
        let mut client = server.client(Language::Rust, &["--every", "1000"])?;
        client.wait_for("receive: hello")?;
        client.stop(Signal::Kill)?;
    }
    server.half.wait_for_lines(10, "socket disconnected")?;
    let used = server.cpu_time_of_half_a_second()?;
    ensure!(used < Duration::from_millis(250), "it spins: {used:?}");
    Ok(())
}

fn killed_server(name: &str, language: Language) -> Result<()> {
    let mut server = Server::start(name, Language::Rust)?;
    let mut client = server.client(language, &["--every", "20"])?;
    client.wait_for_lines(2, "receive: hello")?;
    server.half.stop(Signal::Kill)?;
    // It ends by itself; its status says whether something was on its way.
    let exit = client.wait()?;
    ensure!(matches!(exit, Exit::Code(0 | 1)), "{exit:?}");
    Ok(())
}

/// Without a server, a client says what to start and exits with 1.
pub fn no_server(name: &str, language: Language) -> Result<()> {
    let lesson = lesson(name)?;
    let folder = tempfile::tempdir()?;
    // A free address: somebody listened there, and does not any more.
    let address = lesson.free_address(folder.path()).unwrap_or_default();
    let (listening, address) = Listening::bind(lesson.meet(), &address)?;
    drop(listening);
    let mut command = lesson.half(language, "client")?;
    let mut client = Half::start(command.arg(lesson.target(&address)))?;
    client.fails_at_once(&[&address, "start the server"])
}

/// An address in use is an error that names it.
pub fn in_use(name: &str, language: Language) -> Result<()> {
    let first = Server::start(name, Language::Rust)?;
    let mut command = first.lesson.half(language, "server")?;
    let mut second = Half::start(command.arg(&first.address))?;
    second.fails(&["Error: ", &first.address])?;
    first.lives()
}

/// Starts a client that talks to us.
fn client_of(
    name: &str,
    language: Language,
    arguments: &[&str],
) -> Result<(Half, Peer, tempfile::TempDir)> {
    let lesson = lesson(name)?;
    let folder = tempfile::tempdir()?;
    let address = lesson.free_address(folder.path()).unwrap_or_default();
    let (listening, address) = Listening::bind(lesson.meet(), &address)?;
    let mut command = lesson.half(language, "client")?;
    let client = Half::start(command.arg(&address).args(arguments))?;
    let peer = listening.accept()?;
    Ok((client, peer, folder))
}

fn too_little(name: &str, language: Language) -> Result<()> {
    let arguments = ["--count", "2", "--every", "10"];
    let (mut client, mut peer, _folder) =
        client_of(name, language, &arguments)?;
    peer.expect(b"hellohello")?;
    if peer.has_half_close() {
        ensure!(peer.rest()?.is_empty());
    }
    peer.write_all(b"hellohel")?;
    drop(peer);
    ensure!(client.wait()? == Exit::Code(1), "{:?}", client.stderr());
    client
        .wait_for("disconnected.")
        .context("what it printed")?;
    client.wait_for_error("8 of 10 bytes")?;
    Ok(())
}

fn until_ctrl_c(name: &str, language: Language) -> Result<()> {
    let server = Server::start(name, Language::Rust)?;
    let mut client = server.client(language, &["--every", "10"])?;
    client.wait_for_lines(5, "receive: hello")?;
    if cfg!(unix) {
        ensure!(client.stop(Signal::Interrupt)? == Exit::Code(0));
        client.wait_for("disconnected.")?;
        ensure!(client.stderr().is_empty(), "{:?}", client.stderr());
    }
    Ok(())
}

fn idle_server_ends(name: &str, language: Language) -> Result<()> {
    for signal in SIGNALS {
        let mut server = Server::start(name, language)?;
        let mut peer = server.connect()?;
        server.half.wait_for("socket connected")?;
        server.half.ends_on(signal)?;
        ensure!(peer.rest()?.is_empty());
        ensure!(!server.has_file(), "its file is still there");
        ensure!(server.half.stderr().is_empty());
        // By itself, and not because its time was over.
        server.half.wait_for("socket disconnected")?;
    }
    Ok(())
}

fn busy_server_ends(name: &str, language: Language) -> Result<()> {
    for signal in SIGNALS {
        let mut server = Server::start(name, language)?;
        let _stuck = stuck_client_of(&server)?;
        server.half.ends_on(signal)?;
        ensure!(!server.has_file(), "its file is still there");
    }
    Ok(())
}

fn answers(name: &str, language: Language) -> Result<()> {
    let mut server = Server::start(name, language)?;
    let mut peer = server.connect()?;
    // Held back at first, as nobody reads; then read to the end.
    let bytes = vec![b'x'; 4 * MIB];
    let writer = write_aside(&peer, bytes)?;
    server.half.wait_for("receive: x")?;
    server.half.signal(Signal::Terminate)?;
    let mut back = 0;
    let mut buffer = vec![0; MIB];
    loop {
        match peer.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => back += length,
            // What it had not yet received is lost, and we hear of that.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            // With a time limit, a read ends when a child does.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    ensure!(server.half.wait_at_most(TWO_SECONDS)? == Exit::Code(0));
    ensure!(back > 0, "nothing came back");
    drop(peer);
    let _ = writer.join();

    // What waits in the kernel when the signal comes has arrived too.
    let mut server = Server::start(name, language)?;
    let mut peer = server.connect()?;
    peer.write_all(b"one")?;
    peer.expect(b"one")?;
    server.half.signal(Signal::Freeze)?;
    peer.write_all(b"two")?;
    server.half.signal(Signal::Terminate)?;
    server.half.signal(Signal::Thaw)?;
    ensure!(peer.rest()? == b"two");
    ensure!(server.half.wait_at_most(TWO_SECONDS)? == Exit::Code(0));
    Ok(())
}

fn stuck_client(name: &str, language: Language) -> Result<()> {
    for signal in SIGNALS {
        let (mut client, _peer, _folder) =
            client_of(name, language, &["--every", "10"])?;
        client.wait_for_lines(2, "send: hello")?;
        client.ends_on(signal)?;
    }
    Ok(())
}

/// As `server | less` does: its stdout is open, and full.
fn unread_lines(name: &str) -> Result<()> {
    let lesson = lesson(name)?;
    let folder = tempfile::tempdir()?;
    let address = lesson.free_address(folder.path());
    let mut command = lesson.half(Language::Rust, "server")?;
    let (mut server, line, stdout) = start_stuck(command.args(address))?;
    let address = line.strip_prefix("listening on ").context("address")?;
    let mut peer = Peer::connect(lesson.meet(), address)?;
    let idle = server.peak_memory().context("/proc/PID/status")?;

    // Each makes two lines.
    let echoes = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&echoes);
    let talking = thread::spawn(move || {
        let message = [b'x'; 100];
        while peer.write_all(&message).is_ok() && peer.expect(&message).is_ok()
        {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    // Held back when nothing has moved for a second.
    let (mut before, mut still) = (0, 0);
    while still < 100 {
        thread::sleep(Duration::from_millis(10));
        let now = echoes.load(Ordering::Relaxed);
        still = if now == before { still + 1 } else { 0 };
        before = now;
        ensure!(now < 100_000, "the lines of {now} echoes are somewhere");
    }
    let more = server.peak_memory().context("/proc/PID/status")? - idle;
    ensure!(more < 32 * MIB as u64, "{} MiB more", more / MIB as u64);
    // Stuck in a write, it hears of no signal but this one.
    server.stop(Signal::Kill)?;
    drop(stdout);
    talking.join().ok().context("the client panicked")
}

/// More than what fits on the way, before we read the first byte.
fn held_back(name: &str, language: Language) -> Result<()> {
    // A command line of Windows has at most 32,767 characters.
    let message = "x".repeat(30_000);
    let arguments = ["--message", &message, "--count", "334", "--every", "1"];
    let (mut client, mut peer, _folder) =
        client_of(name, language, &arguments)?;
    client.wait_for_lines(2, "send: ")?;
    let mut buffer = vec![0; message.len()];
    for _ in 0..334 {
        peer.read_exact(&mut buffer)?;
        peer.write_all(&buffer)?;
    }
    drop(peer);
    client.succeeds()?;
    Ok(())
}

fn broken_off(name: &str, language: Language) -> Result<()> {
    let arguments = ["--every", "10"];
    let (mut client, peer, _folder) = client_of(name, language, &arguments)?;
    client.wait_for("send: hello")?;
    peer.reset()?;
    let exit = client.wait()?;
    let errors = client.stderr();
    ensure!(exit == Exit::Code(1) && errors.len() == 1, "{errors:?}");
    let attempts = match language {
        // Whichever of the two learns of it first.
        Language::Rust => &["Error: send: ", "Error: receive: "][..],
        Language::Node => &["Error: talk to "],
    };
    let is_said = attempts.iter().any(|it| errors[0].starts_with(it));
    ensure!(is_said, "{errors:?}");
    Ok(())
}

fn too_much(name: &str, language: Language) -> Result<()> {
    let arguments = ["--count", "1"];
    let (mut client, mut peer, _folder) =
        client_of(name, language, &arguments)?;
    // At once: when one has come back, the client may be content.
    peer.expect(b"hello")?;
    peer.write_all(b"hellohello")?;
    drop(peer);
    client.fails(&[])
}

/// Bytes after which a server of this shape has a line to print.
fn hello(lesson: &Lesson) -> &'static [u8] {
    match lesson.name {
        "http-echo" => b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n",
        _ => b"hello",
    }
}

/// A program whose reader has closed stdout ends quietly.
pub fn closed_stdout(name: &str, language: Language) -> Result<()> {
    let lesson = lesson(name)?;
    let folder = tempfile::tempdir()?;
    let address = lesson.free_address(folder.path());
    let mut command = lesson.half(language, "server")?;
    let (mut server, line) = start_unread(command.args(address))?;
    let address = line.strip_prefix("listening on ").context("address")?;

    let mut peers = Vec::new(); // none leaves before its answer
    ends_unread(&mut server, || {
        if let Ok(mut peer) = Peer::connect(lesson.meet(), address) {
            let _ = peer.write_all(hello(lesson));
            peers.push(peer);
        }
    })?;
    let left = std::fs::read_dir(folder.path())?.count();
    ensure!(left == 0, "its file is still there");
    Ok(())
}

/// A client whose output nobody reads still ends on Ctrl-C.
pub fn unread_client(name: &str, language: Language) -> Result<()> {
    let server = Server::start(name, Language::Rust)?;
    // Who chats says what comes from stdin; the others, what they always do.
    let chats = server.lesson.is_typed();
    let pace: &[&str] = match chats {
        true => &[],
        false => &["--count", "1000000", "--every", "1"],
    };
    let mut command = server.client_command(language, pace)?;
    let (mut client, _) = start_unread(&mut command)?;
    let mut stdin = client.take_stdin()?;
    ends_unread(&mut client, || {
        if chats {
            let _ = stdin.write_all(b"hello\n");
        }
    })?;
    server.lives()
}

/// Where every write fails, but not because nobody reads.
fn full_disk(name: &str, language: Language) -> Result<()> {
    let running = Server::start(name, Language::Rust)?;
    let client = running.client_command(language, &["--count", "1"])?;
    let folder = tempfile::tempdir()?;
    let mut server = lesson(name)?.half(language, "server")?;
    server.args(lesson(name)?.free_address(folder.path()));
    for command in [&server, &client] {
        let mut half = Half::start(&mut in_shell("> /dev/full", command))?;
        half.fails(&["write to stdout: "])?;
    }
    Ok(())
}

/// `command`, run by a shell that has done `before` to itself.
pub fn in_shell(before: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    let script = format!("exec {before}; exec \"$0\" \"$@\"");
    shell.args(["-c", &script]);
    shell.arg(command.get_program()).args(command.get_args());
    shell
}

/// When quiet, a half prints nothing but where it listens.
pub fn quiet(name: &str, language: Language) -> Result<()> {
    let server = Server::start_quiet(name, language, &[])?;
    let arguments = ["--count", "2", "--every", "1"];
    let mut client = server.client_command(language, &arguments)?;
    let mut client = Half::start(client.env("QUIET", "1"))?;
    ensure!(client.wait()? == Exit::Code(0));
    ensure!(client.stdout().is_empty(), "{:?}", client.stdout());
    if cfg!(unix) {
        ensure!(server.stop()?.len() == 1);
    }
    Ok(())
}

/// `--help` names every flag.
pub fn help(name: &str, language: Language) -> Result<()> {
    // Where the README's servers listen without being told.
    let blocks = transcripts(&lesson(name)?.folder().join("README.md"))?;
    let lines = blocks.iter().flat_map(|block| &block.lines);
    let addresses = lines.filter_map(|l| l.strip_prefix("listening on "));
    let ports: Vec<&str> =
        addresses.filter_map(|at| at.rsplit(':').next()).collect();
    for half in lesson(name)?.halves() {
        let run = |argument: &str| -> Result<(Exit, String)> {
            let mut command = lesson(name)?.half(language, half)?;
            let mut program = Half::start(command.arg(argument))?;
            let exit = program.wait()?;
            let lines = [program.stdout(), program.stderr()].concat();
            Ok((exit, lines.join("\n")))
        };
        let (exit, text) = run("--help")?;
        ensure!(exit == Exit::Code(0), "{exit:?}");
        ensure!(text.contains("Usage: "));
        if cfg!(unix) {
            let told = ports.iter().all(|port| text.contains(port));
            ensure!(told, "not {ports:?}: {text}");
        }
        let (exit, text) = run("--no-such-flag")?;
        ensure!(exit == Exit::Code(2), "{exit:?}");
        ensure!(text.contains("--no-such-flag"), "{text}");
    }
    Ok(())
}

/// At `HOST:PORT` of whatever transport.
pub fn addresses(name: &str, language: Language) -> Result<()> {
    for (listen, shown, connect) in [
        ("[::1]:0", "[::1]:", "[::1]"),
        ("localhost:0", "", "localhost"),
        ("0.0.0.0:0", "0.0.0.0:", "127.0.0.1"),
    ] {
        let lesson = lesson(name)?;
        let mut command = lesson.half(language, "server")?;
        let server = Half::start(command.arg(listen))?;
        let address = server.wait_for("listening on ")?;
        ensure!(address.starts_with(shown), "{address}");
        let (_, port) = address.rsplit_once(':').unwrap_or_default();
        let mut command = lesson.half(language, "client")?;
        command.args([&format!("{connect}:{port}"), "--count", "1"]);
        let mut client = Half::start(&mut command)?;
        ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    }
    Ok(())
}

/// At `HOST:PORT` of whatever transport.
pub fn no_address(name: &str, language: Language) -> Result<()> {
    for half in ["server", "client"] {
        for address in [
            "127.0.0.1",
            "127.0.0.1:",
            "127.0.0.1:99999",
            "127.0.0.1:0x50",
            "127.0.0.1:8888/path",
            "tcp://127.0.0.1:8888",
            "127.0.0.1:-1",
            "localhost:8888:8889",
            ":8888",
            "[::1]",
            "[::1]8888",
            "::1",
            "no.such.host.:1",
            "",
        ] {
            let mut command = lesson(name)?.half(language, half)?;
            let mut program = Half::start(command.arg(address))?;
            let exit = program.wait()?;
            let stderr = program.stderr();
            ensure!(matches!(exit, Exit::Code(1 | 2)), "{exit:?}");
            // Node names the host alone where it cannot be found.
            let named = address.strip_suffix(":1").unwrap_or(address);
            ensure!(stderr[0].contains(named), "{stderr:?}");
        }
    }
    Ok(())
}

/// Ctrl-C ends a client also while nobody takes its connection.
pub fn gives_up(name: &str, language: Language) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    // As many as the kernel keeps for a server that accepts none.
    let soon = Duration::from_millis(200);
    let waiting: Vec<TcpStream> =
        iter::from_fn(|| TcpStream::connect_timeout(&address, soon).ok())
            .collect();
    let mut command = lesson(name)?.half(language, "client")?;
    let mut client = Half::start(command.arg(address.to_string()))?;
    eventually(|| asks(address.port()))?;
    client.ends_on(Signal::Interrupt)?;
    ensure!(client.stdout().is_empty(), "{:?}", client.stdout());
    drop(waiting);
    Ok(())
}

/// Whether somebody waits for an answer from `port`: SYN_SENT is 02.
fn asks(port: u16) -> bool {
    let there = format!(":{port:04X}");
    let all = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    all.lines().any(|line| {
        let mut words = line.split_whitespace().skip(2);
        let is_there = words.next().is_some_and(|word| word.ends_with(&there));
        is_there && words.next() == Some("02")
    })
}
