//! What tcp-chat promises.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::{Exit, Half, LIMIT, Language, Signal};

use harness::testing::echo;
use harness::testing::ends::{SIGNALS, TWO_SECONDS};
use harness::testing::peer::{Listening, Peer, uninterrupted};
use harness::testing::server::{Server, lesson, start_stuck, tool};
#[cfg(unix)]
use harness::testing::terminal::Terminal;
use harness::testing::{NC, NODE, Need, Test, both, test};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const FELL: &str = "* you fell too far behind: goodbye";

pub fn tests() -> Vec<Test> {
    let on_proc = |tests: [Test; 2]| tests.map(|t| t.needs(Need::Proc));
    let on_unix = |tests: [Test; 2]| tests.map(|t| t.needs(Need::Unix));
    let with_node = |tests: [Test; 2]| tests.map(|t| t.needs(NODE));
    let tests = [
        both("everybody_hears_all_in_one_order", one_order),
        both("a_line_may_come_in_pieces", pieces),
        both("the_last_line_needs_no_end", no_end),
        both("a_line_over_4_kib_comes_in_pieces", too_long),
        on_proc(both("a_line_without_end_takes_no_memory", endless)),
        both("what_is_not_utf8_is_replaced", not_utf8),
        both("no_client_can_drive_anothers_terminal", hostile_text),
        both("a_hostile_server_cannot_either", hostile_server),
        both("names_are_checked", names),
        with_node(both("whoever_leaves_in_any_way_is_announced", leaving)),
        on_proc(both("nothing_is_left_of_those_who_leave", nothing_left)),
        both("who_does_not_read_is_dropped_with_a_word", stuck),
        on_proc(both("who_floods_and_does_not_read_is_held_back", flood)),
        on_proc(both("stuck_readers_do_not_fill_the_memory", memory)),
        on_proc(both("a_dropped_client_is_gone_in_the_end", overdue)),
        both("one_line_reaches_1000_clients", thousand),
        both("100000_lines_from_a_pipe_are_heard", many_lines),
        both("a_client_that_nobody_reads_reads_no_more", unread_client),
        both("the_servers_end_ends_a_client", servers_end),
        on_unix(both("ctrl_c_ends_a_client", client_interrupted)),
        on_unix(both("ctrl_c_ends_a_server", server_interrupted)),
        on_proc(both("ctrl_c_ends_a_client_that_waits_to_connect", |half| {
            echo::gives_up("tcp-chat", half)
        })),
        on_unix(both("sigterm_ends_a_server_with_stuck_readers", busy)),
        both("a_client_without_a_server_says_what_to_start", |language| {
            echo::no_server("tcp-chat", language)
        }),
        both("a_second_server_at_the_address_is_refused", |language| {
            echo::in_use("tcp-chat", language)
        }),
        both("a_closed_stdout_ends_the_server_quietly", |language| {
            echo::closed_stdout("tcp-chat", language)
        }),
        both("a_closed_stdout_ends_the_client_quietly", |language| {
            echo::unread_client("tcp-chat", language)
        }),
        both("quiet_prints_only_the_address", quiet),
        both("help_and_mistakes", |language| {
            echo::help("tcp-chat", language)
        }),
        both("nc_takes_part", nc).map(|test| test.needs(NC)),
    ];
    #[cfg(unix)]
    let typing = [
        both("what_arrives_does_not_tear_the_line", no_tearing),
        both("a_line_of_several_rows_is_not_torn_either", long_line),
        both("the_editor_has_a_history", history),
        both("ctrl_c_leaves_at_once", |half| leave(half, "half\x03")),
        both("ctrl_d_leaves_at_once", |half| leave(half, "\x04")),
        both("the_servers_end_leaves_at_once", end_while_typing),
        both("a_typed_byte_that_is_not_utf8_ends_nothing", typed_byte),
        both("a_pasted_line_of_70000_characters_is_quick", pasted),
    ];
    #[cfg(not(unix))]
    let typing: [[Test; 2]; 0] = [];
    let all = tests.into_iter().chain(typing).flatten();
    // A Node server keeps such lines in memory: see the README.
    let unread = test("a_server_that_nobody_reads_listens_no_more", || {
        unread_server(Language::Rust)
    });
    all.chain([unread])
        .map(|test| test.of("tcp-chat"))
        .collect()
}

/// Somebody in the room, whom we drive.
struct Guest {
    peer: Peer,
    lines: BufReader<Peer>,
}

impl Guest {
    /// Joins and waits until the server says so.
    fn join(server: &Server) -> Result<Self> {
        Self::enter(server.connect()?)
    }

    fn enter(peer: Peer) -> Result<Self> {
        let lines = BufReader::new(peer.try_clone()?);
        let mut guest = Self { peer, lines };
        guest.hear_until(" joined")?;
        Ok(guest)
    }

    fn named(server: &Server, name: &str) -> Result<Self> {
        Self::join(server)?.with_name(name)
    }

    fn with_name(mut self, name: &str) -> Result<Self> {
        self.say(&format!("/name {name}"))?;
        self.hear_until(&format!(" is now {name}"))?;
        Ok(self)
    }

    fn say(&mut self, line: &str) -> Result<()> {
        Ok(self.peer.write_all(format!("{line}\n").as_bytes())?)
    }

    /// The next line.
    fn hear(&mut self) -> Result<String> {
        let mut line = String::new();
        self.lines.read_line(&mut line).context("hear")?;
        let whole = line.strip_suffix('\n');
        Ok(whole
            .with_context(|| format!("ended: {line:?}"))?
            .to_owned())
    }

    fn expect(&mut self, expected: &str) -> Result<()> {
        let heard = self.hear()?;
        let start: String = heard.chars().take(200).collect();
        ensure!(heard == expected, "expected {expected:.200}, got {start}");
        Ok(())
    }

    /// Hears lines until one ends so; returns all of them.
    fn hear_until(&mut self, end: &str) -> Result<Vec<String>> {
        let mut heard = vec![self.hear()?];
        while !heard.iter().next_back().is_some_and(|h| h.ends_with(end)) {
            heard.push(self.hear()?);
        }
        Ok(heard)
    }

    /// Hears lines until the server closes.
    fn rest(self) -> Result<Vec<String>> {
        let lines = self.lines.lines();
        lines.map(|line| line.context("hear the rest")).collect()
    }
}

/// Two guests who have heard all that has been said so far.
fn two(server: &Server) -> Result<[Guest; 2]> {
    let mut ada = Guest::named(server, "Ada")?;
    let bob = Guest::named(server, "Bob")?;
    ada.hear_until(" is now Bob")?;
    Ok([ada, bob])
}

/// How many descriptors the server has open.
fn descriptors(server: &Server) -> Result<usize> {
    let folder = format!("/proc/{}/fd", server.half.id());
    Ok(std::fs::read_dir(folder)?.count())
}

/// Asks again and again, and lets the server do something in between.
fn wait_until(
    server: &Server,
    what: &str,
    holds: impl Fn() -> Result<bool>,
) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    while !holds()? {
        ensure!(Instant::now() < deadline, "waited too long: {what}");
        let mut guest = Guest::join(server)?;
        guest.peer.finish()?;
        guest.peer.rest()?;
    }
    Ok(())
}

fn one_order(language: Language) -> Result<()> {
    let server = Server::start("tcp-chat", language)?;
    let mut guests = Vec::new();
    for i in 0..5 {
        guests.push(Guest::named(&server, &format!("guest{i}"))?);
    }
    let (_, earlier) = guests.split_last_mut().context("nobody")?;
    for guest in earlier {
        guest.hear_until(" is now guest4")?;
    }
    // All talk at once, in pieces that are not lines.
    let talking = guests.iter().map(|guest| {
        let mut peer = guest.peer.try_clone()?;
        Ok(thread::spawn(move || {
            let lines: String = (0..200).map(|i| format!("{i}\n")).collect();
            let mut pieces = lines.as_bytes().chunks(7);
            pieces.try_for_each(|piece| peer.write_all(piece))
        }))
    });
    let talking: Vec<thread::JoinHandle<std::io::Result<()>>> =
        talking.collect::<Result<_>>()?;
    let mut orders = BTreeSet::new();
    for guest in &mut guests {
        let heard: Result<Vec<_>> = (0..1000).map(|_| guest.hear()).collect();
        orders.insert(heard?);
    }
    for talking in talking {
        talking.join().ok().context("the writer panicked")??;
    }
    ensure!(orders.len() == 1, "{} different orders", orders.len());
    let order = orders.pop_first().unwrap_or_default();
    for i in 0..5 {
        let name = format!("guest{i}: ");
        let said = order.iter().filter_map(|line| line.strip_prefix(&name));
        let expected: Vec<String> = (0..200).map(|i| i.to_string()).collect();
        ensure!(said.eq(&expected), "lines of {name} are missing or moved");
    }
    Ok(())
}

fn pieces(language: Language) -> Result<()> {
    let server = Server::start("tcp-chat", language)?;
    let [mut ada, mut bob] = two(&server)?;
    for byte in "hello 中😀é in pieces".as_bytes() {
        ada.peer.write_all(&[*byte])?;
    }
    // Half a line is not heard: what Bob says comes first.
    bob.say("first")?;
    bob.expect("Bob: first")?;
    ada.peer.write_all(b"\n\nsec")?;
    bob.expect("Ada: hello 中😀é in pieces")?;
    ada.peer.write_all(b"ond\r\n")?;
    bob.expect("Ada: second") // an empty one is not said
}

fn no_end(language: Language) -> Result<()> {
    let server = Server::start("tcp-chat", language)?;
    let [mut ada, mut bob] = two(&server)?;
    ada.peer.write_all(b"hello\nwithout an end")?;
    ada.peer.finish()?;
    bob.expect("Ada: hello")?;
    bob.expect("Ada: without an end")?;
    bob.expect("* Ada left")?;
    let rest = ada.rest()?;
    ensure!(rest == ["Ada: hello", "Ada: without an end"], "{rest:?}");
    Ok(())
}

fn too_long(language: Language) -> Result<()> {
    let server = Server::start("tcp-chat", language)?;
    let [mut ada, mut bob] = two(&server)?;
    let longest = "x".repeat(4 * KIB);
    for (said, heard) in [
        (longest.clone(), vec![longest.as_str()]),
        (format!("{longest}x"), vec![&longest, "x"]),
        ("I am still here".to_owned(), vec!["I am still here"]),
    ] {
        ada.say(&said)?;
        for line in heard {
            ada.expect(&format!("Ada: {line}"))?;
            bob.expect(&format!("Ada: {line}"))?;
        }
    }
    Ok(())
}

fn endless(language: Language) -> Result<()> {
    let server = Server::start("tcp-chat", language)?;
    let mut ada = Guest::named(&server, "Ada")?;
    let peak = || server.half.peak_memory().context("/proc/PID/status");
    let before = peak()?;
    let mut writer = ada.peer.try_clone()?;
    let writing = thread::spawn(move || -> std::io::Result<()> {
        for _ in 0..128 {
            writer.write_all(&vec![b'x'; MIB])?;
        }
        writer.write_all(b"\nsorry\n")
    });
    let piece = format!("Ada: {}", "x".repeat(4 * KIB));
    for _ in 0..128 * MIB / (4 * KIB) {
        ada.expect(&piece)?;
    }
    ada.expect("Ada: sorry")?;
    writing.join().ok().context("the writer panicked")??;
    let more = peak()?.saturating_sub(before) as usize;
    // Node throws its read buffers away and cleans up some time later.
    let most = match language {
        Language::Rust => 16 * MIB,
        Language::Node => 64 * MIB,
    };
    ensure!(more < most, "{} KiB more", more / KIB);
    Ok(())
}

fn not_utf8(language: Language) -> Result<()> {
    let server = Server::start("tcp-chat", language)?;
    let [mut ada, mut bob] = two(&server)?;
    ada.peer.write_all(b"\xFF\xFE\n\xE4\xB8\nok\n")?;
    for line in ["\u{FFFD}\u{FFFD}", "\u{FFFD}", "ok"] {
        ada.expect(&format!("Ada: {line}"))?;
        bob.expect(&format!("Ada: {line}"))?;
    }
    Ok(())
}

fn hostile_text(language: Language) -> Result<()> {
    let server = Server::start("tcp-chat", language)?;
    let [mut ada, mut bob] = two(&server)?;
    for (said, heard) in [
        ("\x1b[2Jbye\x07", "\\u{1b}[2Jbye\\u{7}"),
        ("\rBob: I was never here", "\\rBob: I was never here"),
        ("a\tb\u{9b}c\u{202e}d", "a\\tb\\u{9b}c\\u{202e}d"),
        ("d\u{2028}e\0", "d\\u{2028}e\\u{0}"),
        ("中\u{feff}😀", "中\u{feff}😀"),
    ] {
        ada.say(said)?;
        bob.expect(&format!("Ada: {heard}"))?;
    }
    Ok(())
}

/// A client, and the server it talks to: us.
fn client_of_ours(
    language: Language,
    arguments: &[&str],
) -> Result<(Half, Peer)> {
    let lesson = lesson("tcp-chat")?;
    let (listening, address) = Listening::bind(lesson.meet(), "127.0.0.1:0")?;
    let mut command = lesson.half(language, "client")?;
    let client = Half::start(command.arg(&address).args(arguments))?;
    Ok((client, listening.accept()?))
}

fn hostile_server(language: Language) -> Result<()> {
    let (mut client, mut peer) = client_of_ours(language, &[])?;
    peer.write_all("\x1b[2J\r\u{9b}\u{202e}中\n".as_bytes())?;
    peer.write_all(b"\xFFa\nhalf a li")?;
    peer.finish()?;
    ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    let expected = [
        "connected.",
        "\\u{1b}[2J\\r\\u{9b}\\u{202e}中",
        "\u{FFFD}a",
        "half a li",
        "disconnected.",
    ];
    ensure!(client.stdout() == expected, "{:?}", client.stdout());

    let (mut client, mut peer) = client_of_ours(language, &[])?;
    let line = vec![b'x'; 10 * MIB];
    let _ = peer.write_all(&line); // it is not read to its end
    client.fails(&["Error: receive: a line without an end"])
}

fn names(language: Language) -> Result<()> {
    let server = Server::start("tcp-chat", language)?;
    let [mut ada, mut bob] = two(&server)?;
    let long = "x".repeat(25);
    for name in [
        "",
        " ",
        "*",
        "a b",
        "Ada:",
        "127.0.0.1:1",
        "a\u{200b}b",
        "\u{3164}",
        "Ada\u{202e}",
        "a\x1bb",
        "a\u{85}b",
        &long,
    ] {
        bob.say(&format!("/name {name}"))?;
        bob.expect("* not a name: 1 to 24 letters, digits, - or _")?;
    }
    bob.say("/name")?;
    bob.expect("* not a name: 1 to 24 letters, digits, - or _")?;
    for name in ["Ada", "ada", "ADA", "Server", "server"] {
        bob.say(&format!("/name {name}"))?;
        bob.expect(&format!("* the name {name} is taken"))?;
    }
    // What only begins like it is said.
    bob.say("/names are nice")?;
    bob.expect("Bob: /names are nice")?;
    bob.say(&format!("/name {}", &long[..24]))?;
    bob.expect(&format!("* Bob is now {}", &long[..24]))?;
    bob.say("/name \u{3000} 李_雷-2 \r")?;
    bob.hear_until(" is now 李_雷-2")?;
    ada.hear_until(" is now 李_雷-2")?;
    // A name is free when its owner has gone.
    ada.say("/name bob")?;
    ada.expect("* Ada is now bob")?;
    drop(ada);
    bob.hear_until("* bob left")?;
    bob.say("/name bob")?;
    bob.expect("* 李_雷-2 is now bob")
}

fn leaving(language: Language) -> Result<()> {
    let server = Server::start("tcp-chat", language)?;
    let mut ada = Guest::named(&server, "Ada")?;
    for client in [Language::Rust, Language::Node] {
        let mut bob = server.client(client, &["--name", "Bob"])?;
        ada.hear_until(" is now Bob")?;
        bob.stop(Signal::Kill)?;
        ada.expect("* Bob left")?;
    }
    let mut bob = Guest::named(&server, "Bob")?;
    ada.hear_until(" is now Bob")?;
    // At once, so that the server has both when it answers: Node takes a reset
    // for an end if there is still something to read when it comes.
    bob.peer.write_all(b"half a line\nthat is never comple")?;
    bob.expect("Bob: half a line")?;
    drop(bob.lines);
    bob.peer.reset()?;
    ada.expect("Bob: half a line")?;
    ada.expect("* Bob left")?;

    let bob = Guest::named(&server, "Bob")?;
    ada.hear_until(" is now Bob")?;
    bob.peer.finish()?;
    ada.expect("* Bob left")?;
    ensure!(bob.rest()?.is_empty());

    ada.say("still here")?;
    ada.expect("Ada: still here")?;
    drop(ada);
    server.half.wait_for("* Ada left")?;
    Ok(())
}

fn nothing_left(language: Language) -> Result<()> {
    let server = Server::start("tcp-chat", language)?;
    let mut ada = Guest::named(&server, "Ada")?;
    let before = descriptors(&server)?;
    for round in 0..3 {
        let mut guests = Vec::new();
        for i in 0..30 {
            guests.push(Guest::named(&server, &format!("guest{i}"))?);
        }
        ensure!(descriptors(&server)? >= before + 30);
        // They end, break off, or leave without a word in the middle.
        for mut guest in guests {
            match round {
                0 => guest.peer.finish()?,
                1 => {
                    drop(guest.lines);
                    guest.peer.reset()?;
                }
                _ => guest.peer.write_all(b"half a li")?,
            }
        }
        let mut left = 0;
        while left < 30 {
            left += usize::from(ada.hear()?.ends_with(" left"));
        }
        wait_until(&server, "all descriptors are closed", || {
            Ok(descriptors(&server)? == before)
        })?;
    }
    let used = idle_cpu_time(&server, &mut ada)?;
    ensure!(used < Duration::from_millis(250), "it spins: {used:?}");
    Ok(())
}

/// The processor time that passes in the server while a client waits for
/// half a second.
fn idle_cpu_time(server: &Server, guest: &mut Guest) -> Result<Duration> {
    let time = || server.half.cpu_time().context("/proc/PID/stat");
    let before = time()?;
    guest.say("before")?;
    guest.hear_until("before")?;
    thread::sleep(Duration::from_millis(500));
    Ok(time()? - before)
}

/// Says `line` again and again until so many others have been dropped for
/// not reading it; all that is said in between is heard.
fn drop_others(ada: &mut Guest, line: &str, count: usize) -> Result<()> {
    let said = format!("Ada: {line}");
    let mut dropped = 0;
    while dropped < count {
        ada.say(line)?;
        loop {
            let heard = ada.hear()?;
            if heard == said {
                break;
            }
            ensure!(heard.ends_with(" fell too far behind"), "{heard:.200}");
            dropped += 1;
        }
    }
    Ok(())
}

/// A client that talks, and one that has read nothing and was dropped.
fn drop_one(server: &Server) -> Result<(Guest, Guest)> {
    let stuck = Guest::named(server, "Stuck")?;
    let mut ada = Guest::named(server, "Ada")?;
    drop_others(&mut ada, &"x".repeat(4 * KIB), 1)?;
    server.half.wait_for("* Stuck fell too far behind")?;
    Ok((ada, stuck))
}

fn stuck(language: Language) -> Result<()> {
    let server = Server::start("tcp-chat", language)?;
    let (mut ada, stuck) = drop_one(&server)?;
    // The others go on, and its name is free.
    ada.say("/name stuck")?;
    ada.expect("* Ada is now stuck")?;
    // It starts to read again: whole lines, and the word at the end.
    let heard = stuck.rest()?;
    let (last, earlier) = heard.split_last().context("nothing")?;
    ensure!(last == FELL, "{last:.200}");
    let expected = "x".repeat(4 * KIB);
    let torn = earlier.iter().filter(|line| {
        line.strip_prefix("Ada: ")
            .is_some_and(|said| said != expected)
    });
    ensure!(torn.count() == 0, "it was told half a line");
    Ok(())
}

fn flood(language: Language) -> Result<()> {
    let server = Server::start("tcp-chat", language)?;
    let peak = || server.half.peak_memory().context("/proc/PID/status");
    let before = peak()?;
    let mut ada = Guest::named(&server, "Ada")?;
    // Ada and Bob read, but not while others have the processor. The kernel
    // must hold more for them meanwhile than it does for the flooder, or they
    // fall behind before it is held back.
    let flooder = Guest::enter(Peer::connect_tight(&server.address)?)?
        .with_name("Flooder")?;
    ada.hear_until(" is now Flooder")?;
    let mut writer = flooder.peer.try_clone()?;
    let writing = thread::spawn(move || {
        let lines = "y\n".repeat(32 * KIB);
        while writer.write_all(lines.as_bytes()).is_ok() {}
    });
    // Ada reads what comes, and is not dropped; and it comes to an end, as
    // the flooder reads nothing.
    let reading = thread::spawn(move || -> Result<()> {
        loop {
            let line = ada.hear()?;
            if line == "Bob: are you there?" {
                return Ok(());
            }
            // The server reads no more of the flooder's lines while it does
            // not take its own: so it is not dropped.
            let joins =
                line.ends_with(" joined") || line.ends_with(" is now Bob");
            ensure!(line == "Flooder: y" || joins, "{line}");
        }
    });
    let mut bob = Guest::named(&server, "Bob")?;
    bob.say("are you there?")?;
    reading.join().ok().context("the reader panicked")??;
    let more = peak()?.saturating_sub(before) as usize;
    let most = match language {
        Language::Rust => 16 * MIB,
        Language::Node => 64 * MIB,
    };
    ensure!(more < most, "{} MiB more", more / MIB);
    flooder.peer.finish()?;
    writing.join().ok().context("the writer panicked")
}

fn memory(language: Language) -> Result<()> {
    let server = Server::start("tcp-chat", language)?;
    let peak = || server.half.peak_memory().context("/proc/PID/status");
    let mut ada = Guest::named(&server, "Ada")?;
    let mut stuck = Vec::new();
    for _ in 0..50 {
        stuck.push(server.connect()?);
        ada.hear_until(" joined")?;
    }
    let before = peak()?;
    drop_others(&mut ada, &"x".repeat(4 * KIB), stuck.len())?;
    let more = peak()?.saturating_sub(before) as usize;
    let most = match language {
        Language::Rust => 16 * MIB,
        Language::Node => 64 * MIB,
    };
    ensure!(more < most, "{} MiB more", more / MIB);
    Ok(())
}

fn overdue(language: Language) -> Result<()> {
    let server = Server::start("tcp-chat", language)?;
    let empty = descriptors(&server)?;
    let (ada, stuck) = drop_one(&server)?;
    ensure!(descriptors(&server)? == empty + 2);
    drop(ada);
    // It never reads; after ten seconds it is let go.
    wait_until(&server, "the stuck client is let go", || {
        thread::sleep(Duration::from_millis(50));
        Ok(descriptors(&server)? == empty)
    })?;
    drop(stuck);
    Ok(())
}

fn thousand(language: Language) -> Result<()> {
    let server = Server::start("tcp-chat", language)?;
    let mut guests = server.connect_many(1000)?;
    server.half.wait_until("1000 joined", |lines| {
        let joined = lines.iter().filter(|line| line.ends_with(" joined"));
        (joined.count() == 1000).then_some(())
    })?;
    guests[500].write_all(b"hello everybody\n")?;
    let mut said = BTreeSet::new();
    for peer in &guests {
        let mut lines = BufReader::new(peer.try_clone()?).lines();
        let line = lines.find(|line| {
            !line.as_ref().is_ok_and(|line| line.ends_with(" joined"))
        });
        said.insert(line.context("it ended")??);
    }
    ensure!(said.len() == 1, "{said:?}");
    let line = said.pop_first().unwrap_or_default();
    ensure!(line.ends_with(": hello everybody"), "{line}");
    drop(guests);
    server.half.wait_until("1000 left", |lines| {
        let left = lines.iter().filter(|line| line.ends_with(" left"));
        (left.count() == 1000).then_some(())
    })?;
    Ok(())
}

fn many_lines(language: Language) -> Result<()> {
    let server = Server::start("tcp-chat", language)?;
    let mut ada = Guest::named(&server, "Ada")?;
    let mut bob = server.client(language, &["--name", "Bob"])?;
    ada.hear_until(" is now Bob")?;
    let mut stdin = bob.take_stdin()?;
    let writing = thread::spawn(move || {
        let lines: String = (0..100_000).map(|i| format!("{i}\n")).collect();
        stdin.write_all(lines.as_bytes())
    });
    for i in 0..100_000 {
        ada.expect(&format!("Bob: {i}"))?;
    }
    ada.expect("* Bob left")?;
    writing.join().ok().context("the writer panicked")??;
    ensure!(bob.wait()? == Exit::Code(0), "{:?}", bob.stderr());
    let stdout = bob.stdout();
    let heard = stdout.iter().filter_map(|line| line.strip_prefix("Bob: "));
    ensure!(
        heard.eq((0..100_000).map(|i| i.to_string())),
        "not all came back"
    );
    Ok(())
}

/// As `client | less` does: its stdout is open, and full.
fn unread_client(language: Language) -> Result<()> {
    const MOST: usize = 64 * MIB;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let mut command = lesson("tcp-chat")?.half(language, "client")?;
    let (mut client, first, mut stdout) = start_stuck(command.arg(&address))?;
    ensure!(first == "connected.", "{first}");
    let (mut server, _) = listener.accept()?;
    server.set_write_timeout(Some(Duration::from_secs(2)))?;
    let line = format!("{}\n", "x".repeat(99));
    let piece = line.repeat(KIB);
    let mut written = 0;
    loop {
        let piece = &piece.as_bytes()[written % line.len()..];
        match uninterrupted(|| server.write(piece)) {
            Ok(length) => written += length,
            Err(error) if timed_out(&error) => break,
            Err(error) => return Err(error.into()),
        }
        ensure!(written < MOST, "it took {} MiB", written / MIB);
    }
    // It is read again: nothing is lost.
    server.shutdown(Shutdown::Write)?;
    let mut shown = String::new();
    stdout.read_to_string(&mut shown)?;
    ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    let said = shown.strip_suffix("disconnected.\n").context("the end")?;
    let said = said.strip_suffix('\n').context("a line")?;
    ensure!(said.split('\n').all(|l| line.starts_with(l)), "torn lines");
    ensure!(said.len() == written || said.len() + 1 == written);
    Ok(())
}

/// As `server | less` does: what is said then is told to nobody, until the
/// server's own lines are read again.
fn unread_server(language: Language) -> Result<()> {
    const MOST: usize = 20_000;
    let mut command = lesson("tcp-chat")?.half(language, "server")?;
    let (mut server, line, stdout) = start_stuck(command.arg("127.0.0.1:0"))?;
    let address = line.strip_prefix("listening on ").context("address")?;
    let mut ada = TcpStream::connect(address)?;
    ada.set_nodelay(true)?;
    let mut heard = BufReader::new(ada.try_clone()?);
    let mut joined = String::new();
    heard.read_line(&mut joined)?;
    ada.set_read_timeout(Some(Duration::from_secs(2)))?;
    let (mut said, mut line) = (0, String::new());
    loop {
        ensure!(said < MOST, "the {said} lines are somewhere");
        writeln!(ada, "{}", "x".repeat(100))?;
        said += 1;
        match heard.read_line(&mut line) {
            Ok(length) => ensure!(length > 100, "the server has ended"),
            Err(error) if timed_out(&error) => break,
            Err(error) => return Err(error.into()),
        }
        line.clear();
    }
    let reading = thread::spawn(move || stdout.lines().count());
    ada.set_read_timeout(Some(LIMIT))?;
    heard.read_line(&mut line)?;
    ensure!(line.ends_with("x\n"), "{line:?}");
    ada.shutdown(Shutdown::Write)?;
    ensure!(heard.read_line(&mut line)? == 0, "{line:?}");
    server.stop(Signal::Kill)?;
    let shown = reading.join().ok().context("the reader panicked")?;
    ensure!(shown == said + 2, "{shown} lines of {said}"); // joined, left
    Ok(())
}

/// On Windows, it has another name.
fn timed_out(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn servers_end(language: Language) -> Result<()> {
    // Its stdin stays open: nobody has typed Enter.
    let (mut client, mut peer) = client_of_ours(language, &[])?;
    peer.write_all(b"the last word\n")?;
    peer.finish()?;
    ensure!(client.wait_at_most(TWO_SECONDS)? == Exit::Code(0));
    let expected = ["connected.", "the last word", "disconnected."];
    ensure!(client.stdout() == expected, "{:?}", client.stdout());
    ensure!(client.stderr().is_empty(), "{:?}", client.stderr());

    let (mut client, peer) = client_of_ours(language, &[])?;
    client.wait_for("connected.")?;
    peer.reset()?;
    ensure!(client.wait_at_most(TWO_SECONDS)? == Exit::Code(1));
    ensure!(client.stderr().len() == 1, "{:?}", client.stderr());
    client.wait_for_error("receive: ")?;
    Ok(())
}

fn client_interrupted(language: Language) -> Result<()> {
    for signal in SIGNALS {
        let server = Server::start("tcp-chat", Language::Rust)?;
        let mut client = server.client(language, &["--name", "Ada"])?;
        client.wait_for_lines(2, "* ")?;
        client.ends_on(signal)?;
        client.wait_for("disconnected.")?;
        ensure!(client.stderr().is_empty(), "{:?}", client.stderr());
        server.half.wait_for("* Ada left")?;

        // Busy: it has more to say than we take.
        let (mut client, mut peer) = client_of_ours(language, &[])?;
        let mut stdin = client.take_stdin()?;
        let typing = thread::spawn(move || {
            let lines = "y\n".repeat(32 * KIB);
            while stdin.write_all(lines.as_bytes()).is_ok() {}
        });
        peer.expect(b"y\n")?;
        client.ends_on(signal)?;
        ensure!(client.stderr().is_empty(), "{:?}", client.stderr());
        typing.join().ok().context("the typist panicked")?;
    }
    Ok(())
}

fn server_interrupted(language: Language) -> Result<()> {
    for signal in SIGNALS {
        let mut server = Server::start("tcp-chat", language)?;
        let mut ada = Guest::named(&server, "Ada")?;
        ada.say("hello")?;
        server.half.wait_for("Ada: hello")?;
        server.half.signal(signal)?;
        let rest = ada.rest()?;
        ensure!(rest[0] == "Ada: hello", "{rest:?}");
        let exit = server.half.wait_at_most(TWO_SECONDS)?;
        ensure!(exit == Exit::Code(0), "{exit:?}");
        let stderr = server.half.stderr();
        ensure!(stderr.is_empty(), "{stderr:?}");
    }
    Ok(())
}

fn busy(language: Language) -> Result<()> {
    for signal in SIGNALS {
        let mut server = Server::start("tcp-chat", language)?;
        let (_ada, _stuck) = drop_one(&server)?;
        server.half.ends_on(signal)?;
    }
    Ok(())
}

fn quiet(language: Language) -> Result<()> {
    let server = Server::start_quiet("tcp-chat", language, &[])?;
    let mut client = server.client_command(language, &["--name", "Ada"])?;
    let mut client = Half::start(client.env("QUIET", "1"))?;
    client.take_stdin()?.write_all(b"hello\n")?;
    ensure!(client.wait()? == Exit::Code(0));
    ensure!(client.stdout().is_empty(), "{:?}", client.stdout());
    if cfg!(unix) {
        ensure!(server.stop()?.len() == 1);
    }
    Ok(())
}

fn nc(language: Language) -> Result<()> {
    let server = Server::start("tcp-chat", language)?;
    let (host, port) = server.address.rsplit_once(':').unwrap_or_default();
    // -N: half-close at the end of stdin.
    let heard = tool("nc", &["-N", host, port], b"hello\n/name Ada\nbye")?;
    let joins = heard[0].strip_prefix("* ").context("joins")?;
    let address = joins.strip_suffix(" joined").context("joins")?;
    ensure!(address.starts_with("127.0.0.1:"), "{heard:?}");
    ensure!(heard[1] == format!("{address}: hello"), "{heard:?}");
    ensure!(heard[2] == format!("* {address} is now Ada"), "{heard:?}");
    ensure!(heard[3..] == ["Ada: bye"], "{heard:?}");
    Ok(())
}

/// A client in a terminal, and the server that it talks to: us.
#[cfg(unix)]
fn typing(language: Language) -> Result<(Terminal, Guest)> {
    let lesson = lesson("tcp-chat")?;
    let (listening, address) = Listening::bind(lesson.meet(), "127.0.0.1:0")?;
    let mut command = lesson.half(language, "client")?;
    let terminal = Terminal::start(command.arg(&address))?;
    let peer = listening.accept()?;
    let lines = BufReader::new(peer.try_clone()?);
    terminal.shows(&["connected.", ">"])?;
    Ok((terminal, Guest { peer, lines }))
}

#[cfg(unix)]
fn no_tearing(language: Language) -> Result<()> {
    let (mut terminal, mut server) = typing(language)?;
    terminal.press("half a l")?;
    terminal.shows(&["connected.", "> half a l"])?;
    server.say("Bob: 你好")?;
    terminal.shows(&["connected.", "Bob: 你好", "> half a l"])?;
    server.say("Bob: one\nBob: two")?;
    let above = ["connected.", "Bob: 你好", "Bob: one", "Bob: two"];
    terminal.shows(&[&above[..], &["> half a l"]].concat())?;
    // Half a line from the server is not shown, and the cursor is where it
    // was.
    server.peer.write_all(b"Bob: thr")?;
    terminal.press("\x1b[D\x1b[DX")?;
    terminal.shows(&[&above[..], &["> half aX l"]].concat())?;
    terminal.press("\x05ine\r")?;
    server.expect("half aX line")?;
    terminal.shows(&[&above[..], &["> half aX line", ">"]].concat())?;
    server.say("ee")?;
    let below = ["> half aX line", "Bob: three", ">"];
    terminal.shows(&[&above[..], &below].concat())?;
    terminal.press("\x04")?;
    terminal.ends_well()
}

#[cfg(unix)]
fn long_line(language: Language) -> Result<()> {
    let (mut terminal, mut server) = typing(language)?;
    let digits = "0123456789".repeat(10);
    let (first, second, third) =
        (&digits[..38], &digits[38..78], &digits[78..]);
    let first = format!("> {first}");
    terminal.press(&digits)?;
    terminal.shows(&["connected.", &first, second, third])?;
    server.say("Bob: one")?;
    terminal.shows(&["connected.", "Bob: one", &first, second, third])?;
    // The cursor is in the first of its rows.
    terminal.press("\x01")?;
    server.say(&format!("Bob: {}", "y".repeat(50)))?;
    let y = ["y".repeat(35), "y".repeat(15)];
    let above = ["connected.", "Bob: one", &format!("Bob: {}", y[0]), &y[1]];
    let rows = [&above[..], &[&first, second, third]].concat();
    terminal.shows(&rows)?;
    terminal.press("\r")?;
    server.expect(&digits)?;
    terminal.shows(&[&rows[..], &[">"]].concat())?;
    terminal.press("\x03")?;
    terminal.ends_well()
}

#[cfg(unix)]
fn history(language: Language) -> Result<()> {
    let (mut terminal, mut server) = typing(language)?;
    terminal.press("first\rsecond\r")?;
    server.expect("first")?;
    server.expect("second")?;
    terminal.press("\x1b[A\x1b[A")?;
    let rows = ["connected.", "> first", "> second", "> first"];
    terminal.shows(&rows)?;
    terminal.press("!\r")?;
    server.expect("first!")
}

#[cfg(unix)]
fn leave(language: Language, keys: &str) -> Result<()> {
    let (mut terminal, server) = typing(language)?;
    terminal.press(keys)?;
    terminal.ends_well()?;
    terminal.shows_until("disconnected.", |rows| {
        rows.last().is_some_and(|row| row == "disconnected.")
    })?;
    ensure!(server.rest()?.is_empty(), "half a line was sent");
    Ok(())
}

#[cfg(unix)]
fn end_while_typing(language: Language) -> Result<()> {
    let (mut terminal, mut server) = typing(language)?;
    terminal.press("half a l")?;
    terminal.shows(&["connected.", "> half a l"])?;
    server.say("Bob: bye")?;
    server.say("* the last word")?;
    server.peer.finish()?;
    terminal.ends_well()?;
    let above = ["connected.", "Bob: bye", "* the last word"];
    let below = ["> half a l", "disconnected."];
    terminal.shows(&[&above[..], &below].concat())
}

#[cfg(unix)]
fn typed_byte(language: Language) -> Result<()> {
    let (mut terminal, mut server) = typing(language)?;
    terminal.press(b"a\xE4b")?;
    match language {
        // rustyline gives up the line: it says so, and begins the next one.
        Language::Rust => terminal.shows_until("why", |rows| {
            rows.iter().any(|row| row.starts_with("(not sent: "))
                && rows.last().is_some_and(|row| row == ">")
        })?,
        // Node's editor puts U+FFFD there.
        Language::Node => {
            terminal.press("\r")?;
            server.expect("a\u{FFFD}b")?;
        }
    }
    terminal.press("still here\r")?;
    server.expect("still here")?;
    terminal.shows_until("an empty line", |rows| {
        rows.last().is_some_and(|row| row == ">")
    })?;
    terminal.press("\x04")?;
    terminal.ends_well()
}

/// As today's terminals paste: with a mark at each end, where a program asks
/// for them.
#[cfg(unix)]
fn pasted(language: Language) -> Result<()> {
    let (mut terminal, mut server) = typing(language)?;
    let line = "x".repeat(70_000);
    let marks = match language {
        Language::Rust => ["\x1b[200~", "\x1b[201~"],
        Language::Node => ["", ""],
    };
    let begun = Instant::now();
    for piece in [marks[0], &line, marks[1], "\r"] {
        terminal.press(piece)?;
    }
    server.expect(&line)?;
    let took = begun.elapsed();
    ensure!(took < Duration::from_secs(8), "{took:?}");
    // Several lines that are pasted are several lines that are sent.
    for piece in [marks[0], "one\rtwo", marks[1], "\r"] {
        terminal.press(piece)?;
    }
    server.expect("one")?;
    server.expect("two")
}
