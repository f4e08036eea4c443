//! What socketio-chat promises.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{ChildStdin, Command};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, Result, ensure};
use harness::{Exit, Half, Language, Signal, root};

use harness::testing::echo;
use harness::testing::ends::SIGNALS;
use harness::testing::peer::Peer;
use harness::testing::server::{
    Server, copied_without_packages, ends_unread, lesson, start_stuck,
    start_unread,
};
use harness::testing::{NODE, Need, Test, both, test};

const NAME: &str = "socketio-chat";
/// What Node's real client needs, whatever the server is written in.
const PACKAGES: Need = Need::Packages(NAME);

const CHROMIUM: Need = Need::Program("chromium", "--version");

pub fn tests() -> Vec<Test> {
    let plain = |promise: &str, run: fn(Language) -> Result<()>| {
        both(promise, run).map(|test| test.of(NAME).needs(PACKAGES))
    };
    // Both halves are of the one language: only Node's need npm.
    let alike = |promise: &str, run: fn(Language) -> Result<()>| {
        let [rust, node] = both(promise, run);
        [rust.of(NAME), node.of(NAME).needs(PACKAGES)]
    };
    let mut tests = Vec::new();
    for transport in ["websocket", "polling", "upgrade"] {
        for (promise, scenario) in [
            ("each_event_reaches_whom_it_is_for", "events"),
            ("what_is_wrong_is_refused_in_words", "refusals"),
            ("500_in_a_row_keep_their_order", "order"),
            ("the_limits_are_those_of_every_transport", "limits"),
        ] {
            let promise = format!("{promise}::by_{transport}");
            let both = both(&promise, move |language| {
                real(language, scenario, transport)
            });
            tests.extend(both.map(|test| test.of(NAME).needs(PACKAGES)));
        }
    }
    let own = [
        plain("the_time_is_told_now_and_then", the_time),
        plain("nothing_is_lost_in_an_upgrade", upgrades),
        plain("a_thousand_clients_at_once_are_served", thousand)
            .map(Test::long),
        plain("a_client_that_never_reads_costs_little", never_reads)
            .map(Test::long),
        alike("pages_of_other_sites_may_not_connect", origins),
        alike("a_name_that_leads_here_makes_no_page_our_own", rebinding),
        alike("a_named_site_may_connect_and_read", named_origin),
        alike("the_page_comes_with_all_it_needs", page),
        plain("a_signal_ends_a_server_that_has_clients", ended_server)
            .map(|test| test.needs(Need::Unix)),
        alike("a_closed_stdout_ends_the_server_quietly", unread_server),
        alike("a_closed_stdout_ends_the_client_quietly", unread_client),
        alike("a_second_server_at_the_address_is_refused", |language| {
            echo::in_use(NAME, language)
        }),
        alike("hostile_bytes_end_no_server", hostile),
        alike("a_client_comes_back_to_its_room", comes_back),
        alike("a_client_whose_text_was_lost_says_so", text_lost)
            .map(|test| test.needs(Need::Unix)),
        alike("also_after_ctrl_c_a_lost_text_is_said", left_with_loss)
            .map(|test| test.needs(Need::Unix)),
        plain("where_no_websocket_gets_through_it_is_said", no_websocket),
        alike("a_client_says_what_is_typed", typed),
        alike("a_client_shows_the_time_if_asked", client_time),
        alike("a_client_without_a_server_says_what_to_start", no_server),
        alike("a_client_that_is_refused_says_why", refused),
        alike("no_part_of_a_url_is_ignored", odd_url),
        plain("a_client_that_is_refused_later_says_why", refused_later),
        plain("a_client_that_is_disconnected_pauses", disconnected),
        plain("a_client_goes_on_after_odd_data", odd_data),
        alike("a_signal_ends_a_client", ended_client)
            .map(|test| test.needs(Need::Unix)),
        plain("the_page_is_a_chat_in_a_real_browser", |language| {
            browser(language, "chat")
        })
        .map(|test| test.needs(CHROMIUM)),
    ];
    tests.extend(own.into_iter().flatten());
    // The page is the same, whoever serves it.
    for (promise, scenario) in [
        ("the_door_says_why_it_is_closed", "door"),
        ("rooms_fit_on_a_phone_and_keep_their_drafts", "rooms"),
        ("older_messages_and_links_can_be_read", "reading"),
        ("axe_finds_nothing_at_any_width_by_day_or_night", "looks"),
        ("the_log_is_there_at_400_percent", "zoom"),
        ("the_page_speaks_chinese", "chinese"),
    ] {
        let run = move || browser(Language::Rust, scenario);
        let page = test(format!("page::{promise}"), run).of(NAME);
        tests.push(page.needs(PACKAGES).needs(CHROMIUM));
    }
    let kicked = test("page::a_page_that_is_disconnected_pauses", kicked);
    tests.push(kicked.of(NAME).needs(PACKAGES).needs(CHROMIUM));
    // Node's server keeps such lines in memory: see the README.
    let held_back = test("a_server_that_nobody_reads_listens_no_more", || {
        held_back(Language::Rust)
    });
    tests.push(held_back.of(NAME).needs(PACKAGES));
    let absent = test("missing_packages_are_said_in_one_line", || {
        copied_without_packages(NAME, &["server", "client"])
    });
    tests.push(absent.of(NAME).needs(NODE));
    let script = test("the_page_has_the_socket_io_client_of_npm", npms_file);
    tests.push(script.of(NAME).needs(PACKAGES));
    tests.extend(several::tests());
    tests
}

/// Node's real client plays a scenario of `real.js`.
fn play(url: &str, scenario: &str, transport: &str) -> Result<Half> {
    let script = root().join(NAME).join("tests/real.js");
    let mut node = Command::new("node");
    node.arg(script).args([scenario, url, transport]);
    Half::start(&mut node)
}

fn real(language: Language, scenario: &str, transport: &str) -> Result<()> {
    let server = Server::start_with(NAME, language, &["--every", "60000"])?;
    real_with(&server, scenario, transport)?;
    let errors = server.half.stderr();
    ensure!(errors.is_empty(), "{errors:?}");
    Ok(())
}

fn real_with(server: &Server, scenario: &str, transport: &str) -> Result<()> {
    let url = format!("http://{}", server.address);
    let mut client = play(&url, scenario, transport)?;
    // It has a limit of its own.
    let exit = client.wait_at_most(Duration::from_secs(600))?;
    ensure!(exit == Exit::Code(0), "{}", client.stderr().join("\n"));
    Ok(())
}

fn the_time(language: Language) -> Result<()> {
    let server = Server::start_with(NAME, language, &["--every", "100"])?;
    real_with(&server, "notifications", "websocket")
}

fn upgrades(language: Language) -> Result<()> {
    let server = Server::start_quiet(NAME, language, &[])?;
    real_with(&server, "upgrade", "upgrade")
}

fn thousand(language: Language) -> Result<()> {
    let server = Server::start_quiet(NAME, language, &[])?;
    real_with(&server, "thousand", "websocket")
}

fn never_reads(language: Language) -> Result<()> {
    let server = Server::start_quiet(NAME, language, &[])?;
    // Also what anybody takes who says something is there before.
    real_with(&server, "order", "websocket")?;
    let idle = server.half.peak_memory();
    let url = format!("http://{}", server.address);
    let mut client = play(&url, "silent", "websocket")?;
    let exit = client.wait()?;
    ensure!(exit == Exit::Code(0), "{}", client.stderr().join("\n"));
    // 20 MB were said to a client that reads nothing. Rust's server keeps
    // the beginning for it. Node's has sent it away: how much memory a
    // program in JavaScript has taken says little.
    match (language, idle, server.half.peak_memory()) {
        (Language::Rust, Some(idle), Some(peak)) => {
            let more = peak - idle;
            ensure!(more < 16 << 20, "{more} bytes more");
        }
        (Language::Rust, ..) => {}
        (Language::Node, ..) => {
            let here = client.wait_for("here: ")?;
            ensure!(here == "Ada", "{here}");
        }
    }
    server.lives()
}

/// The answer to one request, head and body.
fn http(server: &Server, request: &str) -> Result<String> {
    let mut peer = server.connect()?;
    let (line, headers) = request.split_once('\n').unwrap_or((request, ""));
    let mut head = format!("{line} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.contains("Host:") {
        head += &format!("Host: {}\r\n", server.address);
    }
    for header in headers.lines() {
        head += &format!("{}\r\n", header.trim());
    }
    peer.write_all(format!("{head}\r\n").as_bytes())?;
    let mut answer = Vec::new();
    peer.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

const OPEN: &str = "GET /socket.io/?EIO=4&transport=polling";

/// A connection that asks to be a WebSocket, from a page at `origin`, and the
/// beginning of the answer.
fn upgrade(server: &Server, origin: &str) -> Result<(Peer, String)> {
    upgrade_at(server, &server.address, origin)
}

/// As [`upgrade`], with another name of the server.
fn upgrade_at(
    server: &Server,
    host: &str,
    origin: &str,
) -> Result<(Peer, String)> {
    let mut peer = server.connect()?;
    let head = format!(
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n\
        Host: {host}\r\nOrigin: {origin}\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    peer.write_all(head.as_bytes())?;
    let mut start = [0; 12];
    peer.read_exact(&mut start)?;
    Ok((peer, String::from_utf8_lossy(&start).into_owned()))
}

fn origins(language: Language) -> Result<()> {
    let server = Server::start(NAME, language)?;
    let own = format!("http://{}", server.address);
    for (origin, welcome) in [
        (own.as_str(), true),
        ("http://evil.example", false),
        ("http://127.0.0.1:1", false),
        ("null", false),
        ("", false),
    ] {
        let answer = http(&server, &format!("{OPEN}\nOrigin: {origin}"))?;
        let taken = answer.starts_with("HTTP/1.1 200 ");
        ensure!(taken == welcome, "{origin}: {answer}");
        let lower = answer.to_lowercase();
        ensure!(!lower.contains("access-control"), "{answer}");
        // Nobody is asked to allow what no site was named for.
        for path in ["/socket.io/?EIO=4&transport=polling", "/"] {
            let question = format!(
                "OPTIONS {path}\nOrigin: {origin}\n\
                Access-Control-Request-Method: POST"
            );
            let answer = http(&server, &question)?;
            ensure!(answer.starts_with("HTTP/1.1 4"), "{answer}");
            let lower = answer.to_lowercase();
            ensure!(!lower.contains("access-control"), "{answer}");
        }
        let (_peer, start) = upgrade(&server, origin)?;
        let taken = start == "HTTP/1.1 101";
        ensure!(taken == welcome, "{origin}: {start}");
    }
    // No browser at all.
    let answer = http(&server, OPEN)?;
    ensure!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    Ok(())
}

/// Somebody's DNS says of his site that it is at 127.0.0.1: his page, loaded
/// before, now has us as its own server.
fn rebinding(language: Language) -> Result<()> {
    let server = Server::start(NAME, language)?;
    let (_, port) = server.address.rsplit_once(':').context("port")?;
    for (name, welcome) in [
        ("localhost", true),
        ("LocalHost", true),
        ("127.0.0.1", true),
        ("[::1]", true),
        ("evil.example", false),
        ("localhost.evil.example", false),
        ("127.0.0.1.evil.example", false),
    ] {
        let host = format!("{name}:{port}");
        let origin = format!("http://{host}");
        let (_peer, start) = upgrade_at(&server, &host, &origin)?;
        let taken = start == "HTTP/1.1 101";
        ensure!(taken == welcome, "{host}: {start}");
        // A browser names no origin in what a page GETs from its own server.
        for origin in [format!("\nOrigin: {origin}"), String::new()] {
            let question = format!("{OPEN}\nHost: {host}{origin}");
            let answer = http(&server, &question)?;
            let taken = answer.starts_with("HTTP/1.1 200 ");
            ensure!(taken == welcome, "{question}: {answer}");
        }
    }
    Ok(())
}

fn named_origin(language: Language) -> Result<()> {
    let site = "https://chat.example";
    let named = ["--origin", "http://a.example", "--origin", site];
    let server = Server::start_with(NAME, language, &named)?;
    let answer = http(&server, &format!("{OPEN}\nOrigin: {site}"))?;
    let lower = answer.to_lowercase();
    ensure!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let allowed = format!("access-control-allow-origin: {site}\r\n");
    ensure!(lower.contains(&allowed), "{answer}");
    // Behind a proxy, we have the site's name.
    for origin in [format!("\nOrigin: {site}"), String::new()] {
        let question = format!("{OPEN}\nHost: chat.example{origin}");
        let answer = http(&server, &question)?;
        ensure!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    let question = format!(
        "{}\nOrigin: {site}\nAccess-Control-Request-Method: POST",
        OPEN.replace("GET", "OPTIONS")
    );
    let answer = http(&server, &question)?;
    ensure!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    ensure!(answer.to_lowercase().contains(&allowed), "{answer}");
    let answer = http(&server, &format!("{OPEN}\nOrigin: {site}.evil"))?;
    ensure!(!answer.starts_with("HTTP/1.1 200 "), "{answer}");
    Ok(())
}

fn page(language: Language) -> Result<()> {
    let server = Server::start(NAME, language)?;
    let answer = http(&server, "GET /")?;
    ensure!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    for header in [
        "content-type: text/html; charset=utf-8",
        "content-security-policy: default-src 'none'; script-src 'self'; ",
        "x-content-type-options: nosniff",
    ] {
        ensure!(answer.to_lowercase().contains(header), "{header}: {answer}");
    }
    // Whatever the page names is there, and nothing of another site.
    let named: Vec<&str> = ["href=\"", "src=\""]
        .iter()
        .flat_map(|name| answer.split(name).skip(1))
        .filter_map(|rest| rest.split('"').next())
        .collect();
    ensure!(named.len() == 5, "{named:?}");
    for path in named {
        ensure!(path.starts_with('/'), "{path}");
        let answer = http(&server, &format!("GET {path}"))?;
        ensure!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    }
    for (request, status) in [
        ("GET /chat.js?v=2", "200"),
        ("HEAD /", "200"),
        ("GET /no-such-page", "404"),
        ("GET /../Cargo.toml", "404"),
        ("POST /", "405"),
    ] {
        let answer = http(&server, request)?;
        let start = format!("HTTP/1.1 {status} ");
        ensure!(answer.starts_with(&start), "{request}: {answer}");
    }
    Ok(())
}

fn npms_file() -> Result<()> {
    let folder = root().join(NAME);
    let ours = fs::read(folder.join("page/socket.io.min.js"))?;
    let npms = "node_modules/socket.io-client/dist/socket.io.min.js";
    ensure!(ours == fs::read(folder.join(npms))?, "another file");
    Ok(())
}

fn ended_server(language: Language) -> Result<()> {
    for signal in SIGNALS {
        server_ends(language, signal).with_context(|| format!("{signal:?}"))?;
    }
    Ok(())
}

fn server_ends(language: Language, signal: Signal) -> Result<()> {
    let mut server = Server::start(NAME, language)?;
    let url = format!("http://{}", server.address);
    let mut clients = Vec::new();
    for transport in ["websocket", "polling", "upgrade"] {
        let client = play(&url, "stay", transport)?;
        client.wait_for("in")?;
        clients.push(client);
    }
    // One that has asked for nothing yet, and one that never finishes.
    let _idle = server.connect()?;
    let mut half = server.connect()?;
    half.write_all(b"GET / HTTP/1.1\r\n")?;
    server.half.ends_on(signal)?;
    let errors = server.half.stderr();
    ensure!(errors.is_empty(), "{errors:?}");
    for client in &mut clients {
        ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    }
    Ok(())
}

fn unread_server(language: Language) -> Result<()> {
    let mut command = lesson(NAME)?.half(language, "server")?;
    let (mut server, line) = start_unread(command.arg("127.0.0.1:0"))?;
    let address = line.strip_prefix("listening on ").context("address")?;
    let url = format!("http://{address}");
    let mut command = lesson(NAME)?.half(Language::Rust, "client")?;
    command.arg(url);
    ends_unread(&mut server, || {
        // Whoever comes in gives the server a line to print.
        if let Ok(client) = Half::start(&mut command) {
            let _ = client.wait_for("greeting: ");
        }
    })
}

/// As `server | less` does, for a while.
fn held_back(language: Language) -> Result<()> {
    for transport in ["websocket", "polling"] {
        let mut command = lesson(NAME)?.half(language, "server")?;
        command.arg("127.0.0.1:0");
        let (mut server, line, stdout) = start_stuck(&mut command)?;
        let address = line.strip_prefix("listening on ").context("address")?;
        let url = format!("http://{address}");
        let mut client = play(&url, "unread", transport)?;
        client.wait_for("held back")?;
        let reading = thread::spawn(move || stdout.lines().count());
        let exit = client.wait()?;
        ensure!(exit == Exit::Code(0), "{}", client.stderr().join("\n"));
        server.stop(Signal::Kill)?;
        let shown = reading.join().ok().context("the reader panicked")?;
        ensure!(shown > 100, "{shown} lines");
    }
    Ok(())
}

fn unread_client(language: Language) -> Result<()> {
    let server = Server::start(NAME, language)?;
    let pace = ["--message", "hello", "--every", "1"];
    let mut command = server.client_command(language, &pace)?;
    let (mut client, line) = start_unread(&mut command)?;
    ensure!(line == "connected.", "{line}: {:?}", client.stderr());
    ends_unread(&mut client, || ())?;
    server.lives()
}

fn hostile(language: Language) -> Result<()> {
    let server = Server::start(NAME, language)?;
    let mut peer = server.connect()?;
    peer.write_all(&[0xFF; 100_000]).ok();
    drop(peer);
    for request in [
        "GET /socket.io/",
        "GET /socket.io/?EIO=9&transport=polling",
        "GET /socket.io/?EIO=4&transport=pigeon",
        "GET /socket.io/?EIO=4&transport=polling&sid=nobody",
        "POST /socket.io/?EIO=4&transport=polling",
        "GET /socket.io/?EIO=4&transport=websocket",
    ] {
        let answer = http(&server, request)?;
        ensure!(answer.starts_with("HTTP/1.1 4"), "{request}: {answer}");
    }
    // A WebSocket, and then what is none: a frame that is not masked, one of
    // 2^60 bytes, text that is no packet.
    for bytes in [
        b"\x81\x05hello".as_slice(),
        b"\x81\xff\x10\x00\x00\x00\x00\x00\x00\x00abcd",
        b"\x81\x85\x00\x00\x00\x0099999",
        b"\x81\x84\x00\x00\x00\x00420[",
        b"\x82\x84\x00\x00\x00\x00\xff\xff\xff\xff",
    ] {
        let own = format!("http://{}", server.address);
        let (mut peer, start) = upgrade(&server, &own)?;
        ensure!(start == "HTTP/1.1 101", "{start}");
        peer.write_all(bytes)?;
        drop(peer);
    }
    server.lives()
}

/// What the README shows of a client whose server was started again.
fn shown_of_a_reconnect(readme: &str) -> Result<Vec<String>> {
    let readme = fs::read_to_string(root().join(NAME).join(readme))?;
    let readme = readme.replace("\r\n", "\n");
    let (_, block) = readme.split_once("```text\n").context("no block")?;
    let (block, _) = block.split_once("\n```").context("no end")?;
    Ok(block.lines().map(str::to_owned).collect())
}

fn comes_back(language: Language) -> Result<()> {
    let mut server = Server::start(NAME, language)?;
    let arguments = ["--name", "Ada", "--room", "lobby"];
    let mut client = server.client(language, &arguments)?;
    let mut keyboard = client.take_stdin()?;
    keyboard.write_all(b"hello\n")?;
    client.wait_for("acknowledged.")?;
    ensure!(server.half.stop(Signal::Interrupt)? == Exit::Code(0));
    client.wait_for("disconnected: trying again")?;

    let mut command = lesson(NAME)?.half(language, "server")?;
    let again = Half::start(command.arg(&server.address))?;
    again.wait_for("* Ada joined lobby")?;
    client.wait_for_lines(2, "in lobby: Ada")?;
    keyboard.write_all(b"hello again\n")?;
    drop(keyboard);
    client.succeeds()?;
    for readme in ["README.md", "README.zh-CN.md"] {
        let shown = shown_of_a_reconnect(readme)?;
        ensure!(client.stdout() == shown, "{:?}", client.stdout());
    }
    Ok(())
}

/// A frozen server, and a client that has sent it a text and waits for the
/// acknowledgement.
fn unanswered(language: Language) -> Result<(Server, Half, ChildStdin)> {
    let server = Server::start(NAME, language)?;
    let client = server.client(language, &["--name", "Ada"])?;
    let mut keyboard = client.take_stdin()?;
    keyboard.write_all(b"one\n")?;
    client.wait_for("acknowledged.")?;
    server.half.signal(Signal::Freeze)?;
    keyboard.write_all(b"two\n")?;
    client.wait_for("send: two")?;
    Ok((server, client, keyboard))
}

/// A server is killed with a text that it has not answered. The client comes
/// back to the next one, says the rest there, and does not pretend at its end
/// that all is well.
fn text_lost(language: Language) -> Result<()> {
    let (mut server, mut client, mut keyboard) = unanswered(language)?;
    ensure!(server.half.stop(Signal::Kill)? == Exit::Signal(9));
    client.wait_for("disconnected: trying again")?;

    let mut command = lesson(NAME)?.half(language, "server")?;
    let again = Half::start(command.arg(&server.address))?;
    again.wait_for("* Ada joined")?;
    keyboard.write_all(b"three\n")?;
    drop(keyboard);
    ensure!(client.wait()? == Exit::Code(1), "{:?}", client.stdout());
    let lines = client.stdout();
    let answers = lines.iter().filter(|line| *line == "acknowledged.");
    ensure!(answers.count() == 2, "{lines:?}");
    ensure!(lines.last().is_some_and(|line| line == "disconnected."));
    let why = "Error: something on its way was lost";
    ensure!(client.stderr() == [why], "{:?}", client.stderr());
    Ok(())
}

/// Ctrl-C comes first, and the server is killed afterwards: nobody reconnects
/// any more, and what was lost is said all the same.
fn left_with_loss(language: Language) -> Result<()> {
    let (mut server, mut client, _keyboard) = unanswered(language)?;
    client.signal(Signal::Interrupt)?;
    ensure!(server.half.stop(Signal::Kill)? == Exit::Signal(9));
    ensure!(client.wait()? == Exit::Code(1), "{:?}", client.stdout());
    let why = "Error: something on its way was lost";
    ensure!(client.stderr() == [why], "{:?}", client.stderr());
    Ok(())
}

/// The address of a way to this server on which no WebSocket gets through,
/// as with the proxies of some companies.
fn without_websocket(server: &Server) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let there = server.address.clone();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let there = there.clone();
            thread::spawn(move || one_connection(client, &there));
        }
    });
    Ok(address)
}

fn one_connection(mut client: TcpStream, there: &str) -> io::Result<()> {
    let mut from = BufReader::new(client.try_clone()?);
    let mut head = String::new();
    while from.read_line(&mut head)? > 2 {} // an empty line ends it
    if head.to_lowercase().contains("upgrade: websocket") {
        let refusal = "HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\
            Content-Length: 0\r\n\r\n";
        return client.write_all(refusal.as_bytes());
    }
    let mut server = TcpStream::connect(there)?;
    server.write_all(head.as_bytes())?;
    let mut answers = server.try_clone()?;
    thread::spawn(move || io::copy(&mut answers, &mut client));
    io::copy(&mut from, &mut server)?;
    Ok(())
}

fn no_websocket(language: Language) -> Result<()> {
    let server = Server::start(NAME, language)?;
    let url = format!("http://{}", without_websocket(&server)?);
    let start = |language: Language| {
        let mut client = lesson(NAME)?.half(language, "client")?;
        client.args([url.as_str(), "--name", "Ada", "--count", "1"]);
        let mut client = Half::start(&mut client)?;
        anyhow::Ok((client.wait()?, client))
    };
    // Node's client speaks by long polling, and nobody sees a difference.
    let (exit, node) = start(Language::Node)?;
    ensure!(exit == Exit::Code(0), "{:?}", node.stderr());
    let shown = [
        "connected.",
        "greeting: Welcome, Ada!",
        "send: hello",
        "receive: Ada: hello",
        "acknowledged.",
        "disconnected.",
    ];
    ensure!(node.stdout() == shown, "{:?}", node.stdout());
    ensure!(node.stderr().is_empty(), "{:?}", node.stderr());
    // Ours says why it cannot.
    let (exit, rust) = start(Language::Rust)?;
    ensure!(exit == Exit::Code(1), "{:?}", rust.stdout());
    let why = format!(
        "Error: connect to {url}: no WebSocket there (403 Forbidden), and \
         this client has nothing else; the page and node/client.js have \
         long polling"
    );
    ensure!(rust.stderr() == [why], "{:?}", rust.stderr());
    ensure!(rust.stdout().is_empty(), "{:?}", rust.stdout());
    Ok(())
}

fn said_by_ada(lines: &[String]) -> Vec<&str> {
    lines
        .iter()
        .filter_map(|line| line.strip_prefix("receive: Ada: "))
        .collect()
}

fn typed(language: Language) -> Result<()> {
    let server = Server::start(NAME, language)?;
    let mut client = server.client(language, &["--name", "Ada"])?;
    let long = "x".repeat(2001);
    client
        .take_stdin()?
        .write_all(format!("one\n\n 你好\r\n{long}\nlast").as_bytes())?;
    ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    let lines = client.stdout();
    let receives = said_by_ada(&lines);
    ensure!(receives == ["one", " 你好", "last"], "{lines:?}");
    let why = "refused: a message has 1 to 2000 characters";
    ensure!(lines.iter().any(|line| line == why), "{lines:?}");
    ensure!(lines.last().is_some_and(|line| line == "disconnected."));
    Ok(())
}

fn client_time(language: Language) -> Result<()> {
    let server = Server::start_with(NAME, language, &["--every", "50"])?;
    let client = server.client(language, &["--time"])?;
    let time = client.wait_for("notification: ")?;
    let shape: String = time
        .chars()
        .map(|c| if c.is_ascii_digit() { '0' } else { c })
        .collect();
    ensure!(shape == "00:00:00 UTC", "{time}");
    Ok(())
}

fn no_server(language: Language) -> Result<()> {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", nobody.local_addr()?);
    drop(nobody);
    let mut command = lesson(NAME)?.half(language, "client")?;
    let mut client = Half::start(command.arg(&url))?;
    let start = format!("Error: connect to {url}: ");
    client.fails_at_once(&[&start, "; start the server first: "])?;
    if language == Language::Rust {
        let https = url.replace("http", "https");
        let mut command = lesson(NAME)?.half(language, "client")?;
        let mut client = Half::start(command.arg(&https))?;
        let why = "this client has no TLS; node/client.js has";
        client.fails(&[&format!("Error: connect to {https}: {why}")])?;
    }
    Ok(())
}

fn odd_url(language: Language) -> Result<()> {
    let server = Server::start(NAME, language)?;
    let url = format!("http://{}", server.address);
    for url in [
        server.address.clone(),
        format!("{url}/lobby"),
        format!("{url}?room=lobby"),
        format!("{url}#lobby"),
        url.replace("//", "//ada@"),
        "http://".to_owned(),
        "http://127.0.0.1:0".to_owned(),
    ] {
        let mut command = lesson(NAME)?.half(language, "client")?;
        let mut client = Half::start(command.args([&url, "--count", "1"]))?;
        client.fails_at_once(&[&format!("Error: connect to {url}: ")])?;
    }
    Ok(())
}

fn refused(language: Language) -> Result<()> {
    let server = Server::start(NAME, language)?;
    for (arguments, why) in [
        (
            ["--name", ""],
            "it refuses: a name has 1 to 24 visible characters",
        ),
        (
            ["--room", ""],
            "it refuses: a room's name has 1 to 24 visible characters",
        ),
    ] {
        let mut client = server.client(language, &arguments)?;
        client.fails(&[why])?;
    }
    Ok(())
}

/// A server that is odd in the way of a scenario of `odd.js`, and its URL.
fn odd(scenario: &str) -> Result<(Half, String)> {
    let script = root().join(NAME).join("tests/odd.js");
    let mut node = Command::new("node");
    let server = Half::start(node.arg(script).arg(scenario))?;
    let address = server.wait_for("listening on ")?;
    Ok((server, format!("http://{address}")))
}

/// The same, and a client.
fn client_of_odd(
    language: Language,
    scenario: &str,
    arguments: &[&str],
) -> Result<(Half, Half)> {
    let (server, url) = odd(scenario)?;
    let mut command = lesson(NAME)?.half(language, "client")?;
    command.arg(url).args(arguments);
    Ok((server, Half::start(&mut command)?))
}

/// The connection is lost, and when it is back we are not wanted.
fn refused_later(language: Language) -> Result<()> {
    for (scenario, arguments, why) in [
        ("again", &[][..], ": it refuses: not twice"),
        ("room", &["--room", "lobby"], ": it refuses: it is full"),
        ("gone", &[], "40"), // 403 or 400
    ] {
        let (_server, mut client) =
            client_of_odd(language, scenario, arguments)?;
        let mut keyboard = client.take_stdin()?;
        keyboard.write_all(b"hello\n")?;
        client.wait_for("disconnected: trying again")?;
        client.fails(&["Error: ", why])?;
    }
    Ok(())
}

/// A server that disconnects us each time is tried again with a pause.
fn disconnected(language: Language) -> Result<()> {
    let (server, mut client) = client_of_odd(language, "kick", &[])?;
    client.wait_for("disconnected: trying again")?;
    let begun = Instant::now();
    server.wait_for("visit 4")?;
    // Three pauses: half a second each at the least, the second one twice.
    let took = begun.elapsed();
    ensure!(took > Duration::from_millis(1500), "{took:?}");
    client.stop(Signal::Kill)?;
    Ok(())
}

fn odd_data(language: Language) -> Result<()> {
    let arguments = ["--room", "lobby", "--time"];
    let (_server, mut client) = client_of_odd(language, "data", &arguments)?;
    client.wait_for("in lobby: A, B")?;
    client.take_stdin()?.write_all(b"1\n2\n3\n4\n5\n")?;
    client.succeeds()?;
    let (answers, lines): (Vec<_>, Vec<_>) = client
        .stdout()
        .into_iter()
        .filter(|line| !line.starts_with("send: "))
        .partition(|line| {
            line == "acknowledged." || line.starts_with("refused: ")
        });
    let fine = ["acknowledged."; 4];
    ensure!(answers == [&fine[..], &["refused: no"]].concat());
    let mut expected = vec!["connected.", "greeting: ?"];
    for (odd, good) in [
        ("receive: ?: ?", "receive: A in B: C"),
        ("receive: ?: ?", "receive: A in B: C"),
        ("* ? joined", "* A joined B"),
        ("* ? left", "* A left B"),
    ] {
        expected.extend([odd, odd, odd, odd, good]);
    }
    expected.extend(["notification: ?"; 5]);
    expected.extend([
        "notification: 16:00:00 UTC",
        "notification: 01:02:03 UTC",
        "notification: ?",
        "in lobby: A, B",
        "disconnected.",
    ]);
    ensure!(lines == expected, "{lines:?}");
    Ok(())
}

fn ended_client(language: Language) -> Result<()> {
    let server = Server::start(NAME, language)?;
    let all = SIGNALS
        .map(|signal| [(&["--message", "x"][..], signal), (&[], signal)]);
    for (arguments, signal) in all.into_iter().flatten() {
        let mut client = server.client(language, arguments)?;
        client.wait_for("greeting: ")?;
        client.ends_on(signal)?;
        let last = client.stdout().pop().context("no line")?;
        ensure!(last == "disconnected.", "{last}");
    }
    Ok(())
}

fn browser(language: Language, scenario: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut server = Server::start_with(NAME, language, &["--every", "200"])?;
    let mut node = Command::new("node");
    node.arg(root().join(NAME).join("tests/browser.js"))
        .arg(scenario)
        .arg(format!("http://{}/", server.address))
        .arg(format!("http://{}/", without_websocket(&server)?))
        .arg(folder.path());
    let mut node = Half::start(&mut node)?;
    let mut again = None;
    if ["chat", "door", "chinese"].contains(&scenario) {
        node.wait_for("stop")?;
        ensure!(server.half.stop(Signal::Interrupt)? == Exit::Code(0));
        node.wait_for("start")?;
        let mut command = lesson(NAME)?.half(language, "server")?;
        let server = Half::start(command.arg(&server.address))?;
        server.wait_for("listening on ")?;
        again = Some(server);
    }
    let exit = node.wait_at_most(Duration::from_secs(200))?;
    ensure!(exit == Exit::Code(0), "{}", node.stderr().join("\n"));
    drop(again);
    Ok(())
}

fn kicked() -> Result<()> {
    let (server, url) = odd("kick")?;
    let mut node = Command::new("node");
    node.arg(root().join(NAME).join("tests/browser.js"))
        .args(["kicked", &url]);
    let mut node = Half::start(&mut node)?;
    let exit = node.wait_at_most(Duration::from_secs(200))?;
    ensure!(exit == Exit::Code(0), "{}", node.stderr().join("\n"));
    let lines = server.stdout();
    let pauses = lines.iter().filter_map(|line| line.strip_prefix("pause "));
    let pauses: Result<Vec<u64>, _> = pauses.map(str::parse).collect();
    let pauses = pauses?;
    // Half a second at the least, by the browser's clock.
    let shortest = pauses.iter().min().context("it did not come back")?;
    ensure!(*shortest >= 400, "{pauses:?} ms");
    Ok(())
}

/// Several servers, with a real Redis between them, on a Unix socket.
mod several {
    use super::*;
    use harness::redis::Redis;

    pub fn tests() -> Vec<Test> {
        // The clients are ours, in Rust: only Node's servers need npm.
        let alike = |promise: &str, run: fn(Language) -> Result<()>| {
            let [rust, node] = both(promise, run);
            [rust, node.needs(PACKAGES)]
        };
        let events = both("each_event_reaches_two_servers", events);
        [
            alike("a_room_spans_two_servers", room),
            events.map(|test| test.needs(PACKAGES)),
            alike("without_redis_each_server_goes_on", no_redis),
            alike("each_connection_to_redis_comes_back", comes_back),
            alike("no_redis_at_the_start_is_said", none),
            alike("what_redis_refuses_is_said", refused_by_redis),
        ]
        .into_iter()
        .flatten()
        .map(|test| test.of(NAME).needs(Need::Unix).needs(Need::Redis))
        .collect()
    }

    fn server(language: Language, redis: &Redis) -> Result<Server> {
        Server::start_with(NAME, language, &["--redis", &redis.url()])
    }

    /// Somebody in the lobby who says what is typed.
    fn person(server: &Server, name: &str) -> Result<Half> {
        let arguments = ["--name", name, "--room", "lobby"];
        let person = server.client(Language::Rust, &arguments)?;
        person.wait_for("in lobby: ")?;
        Ok(person)
    }

    fn room(language: Language) -> Result<()> {
        let redis = Redis::start(&[])?;
        let (one, two) = (server(language, &redis)?, server(language, &redis)?);
        let ada = person(&one, "Ada")?;
        let bob = person(&two, "Bob")?;
        ada.wait_for("* Bob joined lobby")?;
        ensure!(bob.wait_for("in lobby: ")? == "Ada, Bob");
        ada.take_stdin()?.write_all(b"hello\nagain\n")?;
        for half in [&ada, &bob] {
            half.wait_for("receive: Ada in lobby: again")?;
        }
        bob.wait_for("* Ada left")?;
        let heard = bob.stdout();
        let heard = heard.iter().filter(|line| line.starts_with("receive"));
        ensure!(heard.count() == 2, "twice: {:?}", bob.stdout());
        one.stop()?;
        two.stop()?;
        Ok(())
    }

    fn events(language: Language) -> Result<()> {
        let redis = Redis::start(&[])?;
        let (one, two) = (server(language, &redis)?, server(language, &redis)?);
        let url = |server: &Server| format!("http://{}", server.address);
        let script = root().join(NAME).join("tests/real.js");
        let mut node = Command::new("node");
        node.arg(script)
            .args(["servers", &url(&one), "websocket", &url(&two)]);
        let mut node = Half::start(&mut node)?;
        let exit = node.wait()?;
        ensure!(exit == Exit::Code(0), "{}", node.stderr().join("\n"));
        one.stop()?;
        two.stop()?;
        Ok(())
    }

    fn no_redis(language: Language) -> Result<()> {
        let mut redis = Redis::start(&[])?;
        let (one, two) = (server(language, &redis)?, server(language, &redis)?);
        let (ada, bob) = (person(&one, "Ada")?, person(&one, "Bob")?);
        let eve = person(&two, "Eve")?;
        let mut keyboard = ada.take_stdin()?;
        let mut say =
            |text: &str| keyboard.write_all(format!("{text}\n").as_bytes());

        // It does not answer, and there is nobody to say that it is away.
        redis.freeze()?;
        let dora = person(&one, "Dora")?;
        ensure!(dora.wait_for("in lobby: ")? == "Ada, Bob, Dora");
        drop(dora);

        redis.kill()?;
        for server in [&one, &two] {
            server.half.wait_for_error("redis: connection lost")?;
        }
        say("alone")?;
        bob.wait_for("receive: Ada in lobby: alone")?;
        ada.wait_for_lines(1, "acknowledged.")?;
        // Somebody can also come, and sees who is on this server.
        let carl = person(&one, "Carl")?;
        ensure!(carl.wait_for("in lobby: ")? == "Ada, Bob, Carl");

        redis.start_again()?;
        for server in [&one, &two] {
            server.half.wait_for_error("redis: connected again")?;
        }
        say("together")?;
        eve.wait_for("receive: Ada in lobby: together")?;
        let alone = "receive: Ada in lobby: alone";
        ensure!(!eve.stdout().iter().any(|line| line == alone));
        one.stop()?;
        two.stop()?;
        Ok(())
    }

    /// Node's twin has two: one that publishes and one that subscribes.
    fn comes_back(language: Language) -> Result<()> {
        let kinds: &[&str] = match language {
            Language::Rust => &["pubsub"],
            Language::Node => &["pubsub", "normal"],
        };
        for kind in kinds {
            let redis = Redis::start(&[])?;
            let (one, two) =
                (server(language, &redis)?, server(language, &redis)?);
            let (ada, eve) = (person(&one, "Ada")?, person(&two, "Eve")?);
            let ended = redis.command(&["client", "kill", "type", kind])?;
            ensure!(ended == ["2"], "{ended:?}");
            for server in [&one, &two] {
                server.half.wait_for_error("redis: connection lost")?;
                server.half.wait_for_error("redis: connected again")?;
            }
            ada.take_stdin()?.write_all(b"together\n")?;
            eve.wait_for("receive: Ada in lobby: together")?;
            one.stop()?;
            two.stop()?;
        }
        Ok(())
    }

    fn none(language: Language) -> Result<()> {
        let mut redis = Redis::start(&[])?;
        redis.kill()?;
        let mut command = lesson(NAME)?.half(language, "server")?;
        command.args(["127.0.0.1:0", "--redis", &redis.url()]);
        let mut server = Half::start(&mut command)?;
        server.fails(&["Error: connect to Redis at "])
    }

    /// A user who may not subscribe, and one who may not publish.
    fn refused_by_redis(language: Language) -> Result<()> {
        for command in ["subscribe", "publish"] {
            let redis = Redis::start_on_tcp(&[])?;
            let less = format!("-{command}");
            let mut rule = vec!["acl", "setuser", "less", "on", ">secret"];
            rule.extend(["~*", "&*", "+@all", &less, "-psubscribe"]);
            if command == "publish" {
                rule.pop();
            }
            redis.command(&rule)?;
            let url = redis.url().replace("://", "://less:secret@");
            let mut server = lesson(NAME)?.half(language, "server")?;
            server.args(["127.0.0.1:0", "--redis", &url]);
            let mut server = Half::start(&mut server)?;
            if command == "subscribe" {
                server.fails(&["o permissions"])?; // No, or no
                continue;
            }
            let address = server.wait_for("listening on ")?;
            let mut client = lesson(NAME)?.half(Language::Rust, "client")?;
            client.args([&format!("http://{address}"), "--count", "2"]);
            let mut client = Half::start(client.args(["--every", "1"]))?;
            ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
            server.wait_for_error("redis: publish: ")?;
            ensure!(server.stderr().len() == 1, "{:?}", server.stderr());
        }
        Ok(())
    }
}
