//! What server-sent-events promises.

use std::fs;
use std::io::{Read, Write};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use harness::{Exit, Half, LIMIT, Language, Meet, Signal, root};

use harness::testing::echo;
use harness::testing::ends::SIGNALS;
use harness::testing::peer::{Listening, Peer};
use harness::testing::relay::Relay;
use harness::testing::server::{
    Server, copied_without_packages, ends_unread, eventually, lesson,
    start_unread, tool,
};
use harness::testing::{CURL, NODE, Need, Test, both, test};

const LESSON: &str = "server-sent-events";
const PACKAGES: Need = Need::Packages(LESSON);
const CHROMIUM: Need = Need::Program("chromium", "--version");
const NGINX: Need = Need::Program("nginx", "-v");
/// Two seconds, and what a busy machine adds while a Node that has fetched
/// something takes itself down.
const SOON: Duration = Duration::from_secs(20);

const MIB: u64 = 1024 * 1024;

/// No event comes unless one is wanted.
const NO_EVENTS: [&str; 2] = ["--count", "0"];

/// Within no test there is a second event.
const ONE_EVENT: [&str; 2] = ["--count", "1"];

pub fn tests() -> Vec<Test> {
    let server = |promise, run: fn(Language) -> Result<()>| both(promise, run);
    let curl = |promise, run: fn(Language) -> Result<()>| {
        both(promise, run).map(|test| test.needs(CURL))
    };
    let client = |promise, run: fn(Language) -> Result<()>| {
        let [rust, node] = both(promise, run);
        [rust, node.needs(PACKAGES)]
    };
    let on_unix = |tests: [Test; 2]| tests.map(|test| test.needs(Need::Unix));
    let browser = |promise, run: fn(Language) -> Result<()>| {
        both(promise, run).map(|test| test.needs(PACKAGES).needs(CHROMIUM))
    };
    let mut tests: Vec<Test> = [
        // The stream.
        curl("curl_reads_the_stream", stream),
        curl("a_line_break_is_a_data_field_of_its_own", line_breaks),
        curl("who_was_away_gets_what_came_since", since),
        curl("what_is_forgotten_is_said", forgotten),
        curl("an_id_of_an_earlier_server_is_no_id_of_this_one", restarted),
        curl("a_heartbeat_comes_where_no_event_does", heartbeat)
            .map(Test::long),
        curl("the_page_is_there_and_nothing_else", page),
        server("a_client_that_never_reads_is_dropped", never_reads)
            .map(|test| test.needs(Need::Proc).long()),
        server("200_clients_get_each_event", many),
        server("a_reset_ends_one_stream_only", reset),
        on_unix(curl("ctrl_c_ends_each_stream_as_it_should", ctrl_c)),
        server("a_second_server_at_the_address_is_refused", |language| {
            echo::in_use(LESSON, language)
        }),
        server("a_closed_stdout_ends_the_server_quietly", unread_server),
        on_unix(curl("nginx_passes_each_event_on_at_once", behind_nginx))
            .map(|test| test.needs(NGINX)),
        // The client.
        client("the_client_asks_again_with_the_last_id", last_event_id),
        client("a_client_that_was_cut_off_misses_nothing", cut_off)
            .map(Test::long),
        client("events_may_arrive_in_pieces", pieces),
        client("a_line_break_arrives_in_the_event", shown_line_breaks),
        client("an_event_without_end_ends_the_connection", no_end),
        client("a_client_notices_a_server_that_is_silent", silent)
            .map(Test::long),
        client("an_answer_that_is_no_stream_ends_the_client", no_stream),
        client("a_client_without_a_server_says_what_to_start", |language| {
            echo::no_server(LESSON, language)
        }),
        client("ipv6_host_names_and_all_addresses_work", |language| {
            echo::addresses(LESSON, language)
        }),
        client("help_names_every_flag", |language| {
            echo::help(LESSON, language)
        }),
        on_unix(client("ctrl_c_ends_a_client", client_ends)),
        client("a_closed_stdout_ends_the_client_quietly", unread_client),
        // The page.
        browser(
            "chromium_shows_what_comes_also_after_a_restart",
            |language| chromium(language, "restart"),
        ),
        browser("chromium_opens_six_streams_and_no_seventh", |language| {
            chromium(language, "six")
        }),
    ]
    .into_iter()
    .flatten()
    .collect();
    tests.push(
        test("missing_packages_are_said_in_one_line", || {
            copied_without_packages(LESSON, &["client"])
        })
        .needs(NODE),
    );
    tests.push(test("300_000_clients_can_wait_at_once", many_wait).needs(NODE));
    tests.into_iter().map(|test| test.of(LESSON)).collect()
}

fn start(language: Language, arguments: &[&str]) -> Result<Server> {
    Server::start_with(LESSON, language, arguments)
}

/// curl, which reads the stream until it is dropped.
fn curl(server: &Server, arguments: &[&str]) -> Result<Half> {
    let url = format!("http://{}/events", server.address);
    Half::start(Command::new("curl").args(["-sN", &url]).args(arguments))
}

/// The ids that curl has been told so far.
fn ids(curl: &Half) -> Result<Vec<u64>> {
    let lines = curl.stdout();
    let ids = lines.iter().filter_map(|line| line.strip_prefix("id: "));
    Ok(ids.map(str::parse).collect::<Result<_, _>>()?)
}

fn stream(language: Language) -> Result<()> {
    let server = start(language, &["--count", "2", "--every", "1"])?;
    let curl = curl(&server, &["-i"])?;
    curl.wait_for("data: tick 2")?;
    let lines = curl.stdout();
    for header in [
        "HTTP/1.1 200 OK",
        "content-type: text/event-stream",
        "cache-control: no-store",
        "x-accel-buffering: no",
    ] {
        ensure!(lines.iter().any(|line| line == header), "{lines:?}");
    }
    let ids = ids(&curl)?;
    ensure!(ids.len() == 2 && ids[1] == ids[0] + 1, "{ids:?}");
    let begin = lines.iter().position(|line| line == "retry: 1000");
    let expected = [
        "retry: 1000",
        "",
        &format!("id: {}", ids[0]),
        "event: message",
        "data: tick 1",
        "",
        &format!("id: {}", ids[1]),
        "event: message",
        "data: tick 2",
    ];
    let events = &lines[begin.context("no retry")?..];
    ensure!(
        events.starts_with(&expected.map(str::to_owned)),
        "{events:?}"
    );
    Ok(())
}

const LINES: &str = "one\ntwo\r\nthree\rfour";

fn line_breaks(language: Language) -> Result<()> {
    let server = start(language, &["--count", "1", "--message", LINES])?;
    let curl = curl(&server, &[])?;
    curl.wait_for("data: four 1")?;
    let lines = curl.stdout();
    let data: Vec<_> = lines
        .iter()
        .filter(|line| line.starts_with("data"))
        .collect();
    let expected = ["data: one", "data: two", "data: three", "data: four 1"];
    ensure!(data == expected, "{lines:?}");
    Ok(())
}

fn since(language: Language) -> Result<()> {
    let server = start(language, &["--count", "3", "--every", "1"])?;
    let all = curl(&server, &[])?;
    all.wait_for("data: tick 3")?;
    let second = ids(&all)?[1];
    let header = format!("last-event-id: {second}");
    let curl = curl(&server, &["-H", &header])?;
    curl.wait_for("data: tick 3")?;
    ensure!(ids(&curl)? == [second + 1], "{:?}", curl.stdout());
    let lines = curl.stdout();
    ensure!(!lines.contains(&"event: missed".to_owned()), "{lines:?}");
    Ok(())
}

fn forgotten(language: Language) -> Result<()> {
    let server = start(language, &["--count", "250", "--every", "1"])?;
    let all = curl(&server, &[])?;
    all.wait_for("data: tick 250")?;
    let newest = *ids(&all)?.last().context("no id")?;

    // A new client gets what is remembered: 100 events.
    let new = curl(&server, &[])?;
    new.wait_for("data: tick 250")?;
    let remembered: Vec<u64> = (newest - 99..=newest).collect();
    ensure!(ids(&new)? == remembered, "{:?}", new.stdout());
    let is_said =
        |curl: &Half| curl.stdout().contains(&"event: missed".to_owned());
    ensure!(!is_said(&new), "{:?}", new.stdout());

    // One that was away for 100 events gets all of them, for 101 not: then
    // an event says so, which has an id of its own.
    for (last, missed) in [(newest - 100, false), (newest - 101, true)] {
        let header = format!("last-event-id: {last}");
        let back = curl(&server, &["-H", &header])?;
        back.wait_for("data: tick 250")?;
        let expected: Vec<u64> = match missed {
            true => (newest - 100..=newest).collect(),
            false => remembered.clone(),
        };
        ensure!(ids(&back)? == expected, "{:?}", back.stdout());
        ensure!(is_said(&back) == missed, "{last}: {:?}", back.stdout());
    }
    Ok(())
}

fn restarted(language: Language) -> Result<()> {
    let first = start(language, &["--count", "5", "--every", "1"])?;
    let all = curl(&first, &[])?;
    all.wait_for("data: tick 5")?;
    let newest = *ids(&all)?.last().context("no id")?;
    drop(first);
    let second = start(language, &ONE_EVENT)?;
    for id in [newest.to_string(), "no number".to_owned()] {
        let header = format!("last-event-id: {id}");
        let curl = curl(&second, &["-H", &header])?;
        curl.wait_for("data: tick 1")?;
        let lines = curl.stdout();
        let said = lines.contains(&"event: missed".to_owned());
        ensure!(said == (id != "no number"), "{id}: {lines:?}");
    }
    Ok(())
}

fn heartbeat(language: Language) -> Result<()> {
    let server = start(language, &NO_EVENTS)?;
    let curl = curl(&server, &[])?;
    curl.wait_for_lines(2, ": heartbeat")?;
    let lines = curl.stdout();
    ensure!(
        !lines.iter().any(|line| line.starts_with("data")),
        "{lines:?}"
    );
    Ok(())
}

fn page(language: Language) -> Result<()> {
    let server = start(language, &NO_EVENTS)?;
    let get = |arguments: &[&str], path: &str| -> Result<Vec<String>> {
        let url = format!("http://{}{path}", server.address);
        tool("curl", &[&["-si", &url], arguments].concat(), b"")
    };
    let page = get(&[], "/")?;
    let kind = "content-type: text/html; charset=utf-8".to_owned();
    ensure!(page.contains(&kind), "{page:?}");
    ensure!(page.iter().any(|line| line.contains("new EventSource")));
    for (arguments, path) in [
        (&[][..], "/other"),
        (&["-X", "POST"], "/events"),
        (&["-I"], "/"),
    ] {
        let answer = get(arguments, path)?;
        ensure!(answer[0].starts_with("HTTP/1.1 404 "), "{path}: {answer:?}");
    }
    Ok(())
}

/// A peer that has asked for the stream.
fn subscribe(mut peer: Peer) -> Result<Peer> {
    peer.write_all(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    Ok(peer)
}

fn never_reads(language: Language) -> Result<()> {
    let text = "x".repeat(60 * 1024);
    let arguments = ["--every", "2", "--message", &text];
    let server = start(language, &arguments)?;
    let mut peer = subscribe(Peer::connect_tight(&server.address)?)?;
    server.half.wait_for("client dropped: it does not read")?;
    server.half.wait_for("client disconnected")?;
    let peak = server.half.peak_memory().context("/proc/PID/status")?;
    // 100 events of 60 KiB are remembered. Node collects garbage late.
    let most = match language {
        Language::Rust => 24 * MIB,
        Language::Node => 200 * MIB,
    };
    ensure!(peak < most, "{} MiB", peak / MIB);
    // What was sent before still arrives; then the connection is gone.
    let mut bytes = Vec::new();
    let _ = peer.read_to_end(&mut bytes); // it may be a reset
    ensure!(bytes.starts_with(b"HTTP/1.1 200 OK"), "{}", bytes.len());
    server.lives()
}

fn many(language: Language) -> Result<()> {
    let server = start(language, &["--count", "3", "--every", "100"])?;
    let peers = server.connect_many(200)?;
    let peers: Result<Vec<_>> = peers.into_iter().map(subscribe).collect();
    for mut peer in peers? {
        let mut text = String::new();
        let mut bytes = [0; 1024];
        while !text.contains("data: tick 3\n") {
            let length = peer.read(&mut bytes)?;
            ensure!(length > 0, "closed: {text}");
            text.push_str(str::from_utf8(&bytes[..length])?);
        }
        ensure!(text.matches("data: ").count() == 3, "{text}");
    }
    Ok(())
}

/// In Node a list of all that wait is easily searched once for each of them. In
/// Rust tokio's `watch` wakes them.
fn many_wait() -> Result<()> {
    let script = root().join(LESSON).join("tests/waiting.js");
    let mut node = Half::start(Command::new("node").arg(script))?;
    let exit = node.wait()?;
    ensure!(exit == Exit::Code(0), "{}", node.stderr().join("\n"));
    Ok(())
}

fn reset(language: Language) -> Result<()> {
    let server = start(language, &["--count", "1"])?;
    let mut peer = subscribe(server.connect()?)?;
    peer.read_exact(&mut [0])?;
    peer.reset()?;
    server.half.wait_for("client disconnected")?;
    ensure!(
        server.half.stderr().is_empty(),
        "{:?}",
        server.half.stderr()
    );
    server.lives()
}

fn ctrl_c(language: Language) -> Result<()> {
    for signal in SIGNALS {
        let mut server = start(language, &ONE_EVENT)?;
        let mut curl = curl(&server, &[])?;
        curl.wait_for("data: tick 1")?;
        server.half.signal(signal)?;
        let exit = server.half.wait_at_most(SOON)?;
        ensure!(exit == Exit::Code(0), "{exit:?}");
        // curl knows a chunked body that was cut off: status 18.
        ensure!(curl.wait()? == Exit::Code(0), "{:?}", curl.stderr());
    }
    Ok(())
}

fn unread_server(language: Language) -> Result<()> {
    let mut command = lesson(LESSON)?.half(language, "server")?;
    command.args(["127.0.0.1:0", "--every", "1"]);
    let (mut server, line) = start_unread(&mut command)?;
    let address = line.strip_prefix("listening on ").context("address")?;
    let _peer = subscribe(Peer::connect(Meet::Tcp, address)?)?;
    ends_unread(&mut server, || {})
}

/// nginx collects the answer of a server before it passes it on, unless this
/// one asks it not to.
fn behind_nginx(language: Language) -> Result<()> {
    let server = start(language, &ONE_EVENT)?;
    let folder = tempfile::tempdir()?;
    let here = folder.path().display();
    let config = folder.path().join("nginx.conf");
    fs::write(
        &config,
        format!(
            "daemon off; pid {here}/pid; error_log stderr;\n\
             events {{}}\n\
             http {{\n\
             access_log off;\n\
             client_body_temp_path {here}/body; proxy_temp_path {here}/proxy;\n\
             fastcgi_temp_path {here}/f; uwsgi_temp_path {here}/u;\n\
             scgi_temp_path {here}/s;\n\
             server {{ listen unix:{here}/socket;\n\
             location / {{ proxy_pass http://{}; }} }} }}\n",
            server.address
        ),
    )?;
    let mut nginx = Command::new("nginx");
    nginx.arg("-e").arg("stderr").arg("-c").arg(&config);
    let nginx = Half::start(nginx.arg("-p").arg(folder.path()))?;
    let socket = folder.path().join("socket");
    let at = socket.display().to_string();
    eventually(|| Peer::connect(Meet::Pipe, &at).is_ok())
        .with_context(|| format!("{:?}", nginx.stderr()))?;
    let mut curl = Command::new("curl");
    curl.args(["-sN", "http://localhost/events", "--unix-socket"]);
    let curl = Half::start(curl.arg(&socket))?;
    curl.wait_for("data: tick 1")?; // and the answer has no end
    Ok(())
}

/// A client, and the requests that it makes of us.
fn client_of(
    language: Language,
) -> Result<(Half, mpsc::Receiver<(Peer, String)>)> {
    let (listening, address) = Listening::bind(Meet::Tcp, "127.0.0.1:0")?;
    let (send, requests) = mpsc::channel();
    thread::spawn(move || {
        while let Ok(mut peer) = listening.accept() {
            let send = send.clone();
            // In a thread of its own: Node's fetch also opens a connection
            // that it does not need yet.
            thread::spawn(move || {
                let head = peer.read_head()?.context("no request")?;
                anyhow::Ok(send.send((peer, head.to_lowercase())))
            });
        }
    });
    let mut command = lesson(LESSON)?.half(language, "client")?;
    let client = Half::start(command.args([&address, "--count", "2"]))?;
    Ok((client, requests))
}

/// The next request.
fn next(requests: &mpsc::Receiver<(Peer, String)>) -> Result<(Peer, String)> {
    let (peer, head) = requests.recv_timeout(LIMIT).context("no request")?;
    ensure!(head.starts_with("get /events http/1.1\r\n"), "{head}");
    Ok((peer, head))
}

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
    connection: close\r\n\r\n";

fn last_event_id(language: Language) -> Result<()> {
    let (mut client, requests) = client_of(language)?;
    let (mut peer, head) = next(&requests)?;
    ensure!(!head.contains("last-event-id"), "{head}");
    peer.write_all(HEAD)?;
    // The last event has no end: neither it nor its id counts.
    peer.write_all(b"retry: 300\n\nid: a7\ndata: one\n\nid: a8\ndata: half")?;
    client.wait_for("receive: one")?;
    let closed = Instant::now();
    drop(peer);
    let (mut peer, head) = next(&requests)?;
    ensure!(closed.elapsed() >= Duration::from_millis(290), "too soon");
    ensure!(head.contains("\r\nlast-event-id: a7\r\n"), "{head}");
    peer.write_all(HEAD)?;
    peer.write_all(b"event: missed\ndata: some\n\ndata: two\n\n")?;
    ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    let expected = [
        "connected.",
        "receive: one",
        "connection lost, connecting again",
        "connected.",
        "missed: some",
        "receive: two",
        "disconnected.",
    ];
    ensure!(client.stdout() == expected, "{:?}", client.stdout());
    Ok(())
}

fn cut_off(language: Language) -> Result<()> {
    // It goes on for 15 seconds: nobody has all events before the cut.
    let server = start(Language::Rust, &["--count", "50", "--every", "300"])?;
    let relay = Relay::to(&format!("tcp://{}", server.address))?;
    let address = relay.url("tcp");
    let address = address.trim_start_matches("tcp://");
    let mut command = lesson(LESSON)?.half(language, "client")?;
    let mut client = Half::start(command.args([address, "--count", "50"]))?;
    client.wait_for("receive: tick 3")?;
    relay.cut();
    client.wait_for_lines(2, "connection lost, connecting again")?;
    relay.mend();
    ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    let lines = client.stdout();
    let events = lines
        .iter()
        .filter_map(|line| line.strip_prefix("receive: "));
    let expected: Vec<_> = (1..=50).map(|n| format!("tick {n}")).collect();
    ensure!(events.eq(expected.iter()), "{lines:?}");
    Ok(())
}

fn pieces(language: Language) -> Result<()> {
    let (mut client, requests) = client_of(language)?;
    let (mut peer, _) = next(&requests)?;
    peer.write_all(HEAD)?;
    let stream = ": c\r\n\r\ndata: 中\r\ndata: b\r\n\r\nevent: x\ndata: \
        no\n\ndata:two\n\n";
    for byte in stream.as_bytes() {
        peer.write_all(&[*byte])?;
    }
    ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    let expected = [
        "connected.",
        "receive: 中\\nb",
        "receive: two",
        "disconnected.",
    ];
    ensure!(client.stdout() == expected, "{:?}", client.stdout());
    Ok(())
}

fn no_end(language: Language) -> Result<()> {
    let (_client, requests) = client_of(language)?;
    let (mut peer, _) = next(&requests)?;
    peer.write_all(HEAD)?;
    peer.write_all(b"retry: 1\n\nid: 5\ndata: one\n\ndata: ")?;
    // 64 MiB, unless the client has had enough before.
    let mut pieces = 0..1024;
    while pieces.next().is_some() && peer.write_all(&[b'x'; 65_536]).is_ok() {}
    ensure!(!pieces.is_empty(), "it has taken all");
    let (_again, head) = next(&requests)?;
    ensure!(head.contains("\r\nlast-event-id: 5\r\n"), "{head}");
    Ok(())
}

fn shown_line_breaks(language: Language) -> Result<()> {
    let server = start(Language::Rust, &["--count", "1", "--message", LINES])?;
    let mut client = server.client(language, &ONE_EVENT)?;
    ensure!(client.wait()? == Exit::Code(0), "{:?}", client.stderr());
    let line = client.wait_for("receive: ")?;
    ensure!(line == "one\\ntwo\\nthree\\nfour 1", "{line}");
    Ok(())
}

fn silent(language: Language) -> Result<()> {
    let (client, requests) = client_of(language)?;
    let (mut peer, _) = next(&requests)?;
    peer.write_all(HEAD)?;
    peer.write_all(b"retry: 1\n\nid: 5\ndata: one\n\n")?;
    client.wait_for("receive: one")?;
    // From here on we say nothing, and close nothing.
    let (_again, head) = next(&requests)?;
    ensure!(head.contains("\r\nlast-event-id: 5\r\n"), "{head}");
    client.wait_for("connection lost, connecting again")?;
    Ok(())
}

fn no_stream(language: Language) -> Result<()> {
    for answer in [
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\
         content-length: 0\r\n\r\n",
    ] {
        let (mut client, requests) = client_of(language)?;
        let (mut peer, _) = next(&requests)?;
        peer.write_all(answer.as_bytes())?;
        client.fails_at_once(&[]).context(answer)?;
    }
    Ok(())
}

fn client_ends(language: Language) -> Result<()> {
    for (signal, is_connected) in
        [(Signal::Interrupt, true), (Signal::Terminate, false)]
    {
        let (mut client, requests) = client_of(language)?;
        let (mut peer, _) = next(&requests)?;
        peer.write_all(HEAD)?;
        peer.write_all(b"retry: 60000\n\ndata: one\n\n")?;
        client.wait_for("receive: one")?;
        if !is_connected {
            drop(peer);
            client.wait_for("connection lost")?;
        }
        client.signal(signal)?;
        let exit = client.wait_at_most(SOON)?;
        ensure!(exit == Exit::Code(0), "{exit:?}: {:?}", client.stderr());
        let last = client.stdout().pop();
        ensure!(last.as_deref() == Some("disconnected."), "{last:?}");
    }
    Ok(())
}

fn unread_client(language: Language) -> Result<()> {
    let server = start(Language::Rust, &["--every", "1"])?;
    let mut command = server.client_command(language, &[])?;
    let (mut client, _) = start_unread(&mut command)?;
    ends_unread(&mut client, || {})
}

fn chromium(language: Language, scenario: &str) -> Result<()> {
    let mut server = start(language, &["--count", "3", "--every", "1"])?;
    let mut node = Command::new("node");
    node.arg(root().join(LESSON).join("tests/browser.js"))
        .args([scenario, &format!("http://{}/", server.address)]);
    let mut node = Half::start(&mut node)?;
    let mut again = None;
    if scenario == "restart" {
        node.wait_for("stop")?;
        server.half.stop(Signal::Kill)?;
        node.wait_for("start")?;
        let message = ["--message", "again", "--count", "1"];
        again = Some(Server::start_at(
            &server.address,
            LESSON,
            language,
            &message,
        )?);
    }
    let exit = node.wait_at_most(LIMIT)?;
    ensure!(exit == Exit::Code(0), "{}", node.stderr().join("\n"));
    drop(again);
    Ok(())
}
