//! Running programs from a page is a door: who may use it, for what, and what
//! is left behind.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use harness::testing::peer::Peer;
use harness::testing::{Need, Test, test};
use harness::{Exit, Half, LIMIT, Meet, Signal, build};
use serde_json::{Value, json};

pub fn tests() -> Vec<Test> {
    let any = [
        test("only_who_has_the_token_gets_an_answer", token),
        test("another_host_is_refused_as_after_dns_rebinding", host),
        test("another_origin_is_refused", origin),
        test("only_a_lesson_with_its_flags_is_run", listed),
        // Elsewhere, no program says where it prints a line, nor ends by ^C.
        test("a_run_prints_what_the_readme_shows", as_in_readme)
            .needs(Need::Unix),
        test("a_line_comes_with_the_step_that_printed_it", steps)
            .needs(Need::Unix),
    ];
    let linux = [
        test(
            "a_frozen_server_goes_on_and_a_killed_one_is_noticed",
            frozen,
        ),
        test("what_runs_ends_with_its_page", page_gone),
        test("what_runs_ends_with_the_server", server_gone),
        test("four_pages_can_run_something_and_no_fifth", four),
    ]
    .map(|test| test.needs(Need::Proc));
    let all = any.into_iter().chain(linux);
    all.map(|test| test.of("server")).collect()
}

/// The page's server, and where it is.
pub struct Server {
    pub half: Half,
    pub address: String,
    pub token: String,
}

impl Server {
    pub fn start() -> Result<Self> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_page"));
        let half = Half::start(command.args(["--port", "0"]))?;
        let url = half.wait_for("listening on http://")?;
        let (address, path) = url.split_once('/').context("no path")?;
        let token = path.trim_end_matches('/').to_owned();
        ensure!(token.len() == 32, "{url}");
        Ok(Self {
            half,
            address: address.to_owned(),
            token,
        })
    }

    /// The head of a request from a page of ours, without its end.
    fn head(&self, method: &str, path: &str) -> String {
        format!(
            "{method} /{}/{path} HTTP/1.1\r\nHost: {}\r\n",
            self.token, self.address
        )
    }

    fn send(&self, request: &str) -> Result<Peer> {
        let mut peer = Peer::connect(Meet::Tcp, &self.address)?;
        peer.write_all(request.as_bytes())?;
        Ok(peer)
    }

    /// The status of the answer.
    fn status(&self, head: &str) -> Result<u16> {
        let end = "Connection: close\r\nContent-Length: 0\r\n\r\n";
        let answer = self.send(&format!("{head}{end}"))?.rest()?;
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.split(' ').nth(1).context("no status")?;
        Ok(status.parse()?)
    }

    fn post(&self, path: &str, what: &Value) -> Result<Peer> {
        let head = self.head("POST", path);
        let body = what.to_string();
        self.send(&format!(
            "{head}Origin: http://{}\r\nContent-Type: application/json\r\n\
             Connection: close\r\nContent-Length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        ))
    }

    fn act(&self, page: &str, what: &Value) -> Result<()> {
        let answer = self.post(&format!("do/{page}"), what)?.rest()?;
        let answer = String::from_utf8_lossy(&answer);
        ensure!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
        Ok(())
    }

    fn run(&self, page: &str, wanted: &Value) -> Result<Run> {
        let from = BufReader::new(self.post(&format!("run/{page}"), wanted)?);
        Ok(Run { from })
    }
}

/// The answer to a request for a run.
struct Run {
    from: BufReader<Peer>,
}

impl Run {
    /// What is told next; nothing at the end.
    fn next(&mut self) -> Result<Option<Value>> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.from.read_line(&mut line)? == 0 {
                return Ok(None);
            }
            if let Some(data) = line.strip_prefix("data:") {
                return Ok(Some(serde_json::from_str(data)?));
            }
        }
    }

    /// Waits for a line of this half.
    fn wait_for(&mut self, half: usize, text: &str) -> Result<Value> {
        let mut before = Vec::new();
        while let Some(told) = self.next()? {
            if told["half"] == half && told["text"] == text {
                return Ok(told);
            }
            before.push(told);
        }
        bail!("{half} did not print {text:?}: {before:#?}")
    }

    /// All to the end.
    fn rest(mut self) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        while let Some(told) = self.next()? {
            all.push(told);
        }
        ensure!(
            all.last().is_some_and(|it| it["kind"] == "over"),
            "{all:#?}"
        );
        Ok(all)
    }
}

/// tcp-echo in Rust.
fn wanted(count: Option<u32>) -> Value {
    json!({
        "lesson": "tcp-echo", "also": false, "languages": ["rust", "rust"],
        "count": count, "every": 1000,
    })
}

fn token() -> Result<()> {
    let server = Server::start()?;
    let good = server.head("GET", "tcp-echo.html");
    ensure!(server.status(&good)? == 200, "the page itself");
    let styles = server.head("GET", "assets/page.css");
    ensure!(server.status(&styles)? == 200, "its styles");
    let worse = server.token.replace(&server.token[..1], "x");
    for other in ["", "x", &worse, &server.token[1..]] {
        let bad = good.replace(&server.token, other);
        let status = server.status(&bad)?;
        ensure!(status == 403, "{status} for the token {other:?}");
    }
    let out = server.head("GET", "..%2f..%2fCargo.toml");
    ensure!(server.status(&out)? == 404, "a file of the workspace");
    Ok(())
}

fn host() -> Result<()> {
    let server = Server::start()?;
    let good = server.head("GET", "index.html");
    let port = server.address.rsplit(':').next().unwrap_or_default();
    let local = good.replace("127.0.0.1", "localhost");
    ensure!(server.status(&local)? == 200, "localhost is the same");
    for other in [
        format!("evil.example:{port}"),
        "127.0.0.1".to_owned(),
        format!("127.0.0.1.evil.example:{port}"),
        format!("localhost:{port}.evil.example"),
    ] {
        let bad = good.replace(&server.address, &other);
        let status = server.status(&bad)?;
        ensure!(status == 403, "{status} for the host {other}");
    }
    let none = good.replace("Host: ", "X-Host: ");
    ensure!(server.status(&none)? >= 400, "without a host");
    Ok(())
}

fn origin() -> Result<()> {
    let server = Server::start()?;
    let read = server.head("GET", "index.html");
    let write = server.head("POST", "do/page");
    let port = server.address.rsplit(':').next().unwrap_or_default();
    for ours in [&server.address, &format!("localhost:{port}")] {
        let good = format!("{read}Origin: http://{ours}\r\n");
        ensure!(server.status(&good)? == 200, "{ours}");
        // Here no JSON came, and the door was open.
        let good = format!("{write}Origin: http://{ours}\r\n");
        ensure!(server.status(&good)? == 415, "{ours}");
    }
    for other in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        for head in [&read, &write] {
            let bad = format!("{head}Origin: {other}\r\n");
            let status = server.status(&bad)?;
            ensure!(status == 403, "{status} for the origin {other}");
        }
    }
    ensure!(server.status(&write)? == 403, "a POST that says no origin");
    Ok(())
}

fn listed() -> Result<()> {
    let server = Server::start()?;
    let refused = |change: &str, value: Value| -> Result<()> {
        let mut bad = wanted(Some(1));
        bad[change] = value;
        let answer = server.post("run/page", &bad)?.rest()?;
        let answer = String::from_utf8_lossy(&answer);
        let is_refused = answer.starts_with("HTTP/1.1 400 ")
            || answer.starts_with("HTTP/1.1 422 ");
        ensure!(is_refused, "{bad}: {answer}");
        Ok(())
    };
    refused("lesson", json!("bench"))?;
    refused("lesson", json!("../tcp-echo"))?;
    refused("also", json!(true))?;
    refused("languages", json!(["rust", "sh"]))?;
    refused("languages", json!(["rust"]))?;
    refused("count", json!(1_000_000))?;
    refused("count", json!("1; reboot"))?;
    refused("every", json!(0))?;
    refused("message", json!("--help"))?;
    let act = server.post("do/page", &json!({ "act": "kill", "half": 7 }))?;
    let answer = String::from_utf8_lossy(&{ act }.rest()?).into_owned();
    ensure!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    Ok(())
}

fn as_in_readme() -> Result<()> {
    let server = Server::start()?;
    // The second one's server sets the pace: its client has no `--every`.
    for name in ["tcp-echo", "server-sent-events"] {
        let lesson = harness::Lesson::named(name).context(name)?;
        let readme = lesson.folder().join("README.md");
        let blocks = harness::readme::transcripts(&readme)?;
        let scenarios = lesson.scenarios(&blocks, "");
        let mut wanted = wanted(Some(2));
        wanted["lesson"] = json!(name);
        let told = server.run("page", &wanted)?.rest()?;
        for (half, shown) in scenarios[0].iter().enumerate() {
            let lines: Vec<&str> = told
                .iter()
                .filter(|it| it["kind"] == "line" && it["half"] == half)
                .filter_map(|it| it["text"].as_str())
                .map(|line| match line.starts_with("listening on ") {
                    true => "listening on 127.0.0.1:8888",
                    false => line,
                })
                .collect();
            ensure!(lines == shown.lines, "{lines:#?}, {:#?}", shown.lines);
        }
        let ends: Vec<&Value> =
            told.iter().filter(|it| it["kind"] == "ended").collect();
        ensure!(ends.len() == 2, "{told:#?}");
        ensure!(ends.iter().all(|end| end["how"] == "0"), "{ends:?}");
    }
    Ok(())
}

fn steps() -> Result<()> {
    let server = Server::start()?;
    let mut run = server.run("page", &wanted(Some(1)))?;
    // Two steps print such a line, and the program itself says which.
    for (half, text, step) in [
        (1, "connected.", "client-1"),
        (0, "socket connected", "server-4"),
        (0, "receive: hello", "server-5"),
        (0, "send: hello", "server-6"),
        (1, "receive: hello", "client-5"),
    ] {
        let told = run.wait_for(half, text)?;
        ensure!(told["step"] == step, "{told}");
        let halves = ["server", "client"];
        let path = format!("tcp-echo/src/bin/{}.rs", halves[half]);
        let source = fs::read_to_string(harness::root().join(path))?;
        let at = told["at"].as_u64().context("no line")? as usize;
        let line = source.lines().nth(at - 1).unwrap_or_default();
        ensure!(line.contains("log::line("), "{told}: {line}");
    }
    Ok(())
}

fn frozen() -> Result<()> {
    let server = Server::start()?;
    let mut run = server.run("page", &wanted(None))?;
    run.wait_for(1, "receive: hello")?;
    server.act("page", &json!({ "act": "freeze", "half": 0 }))?;
    run.wait_for(0, "kill -STOP")?;
    // It sends on, and nobody answers: what arrives is read at once later.
    for _ in 0..4 {
        run.wait_for(1, "send: hello")?;
    }
    server.act("page", &json!({ "act": "thaw", "half": 0 }))?;
    run.wait_for(0, "kill -CONT")?;
    loop {
        let told = run.next()?.context("it ended")?;
        let text = told["text"].as_str().unwrap_or_default();
        if told["half"] == 0 && text.starts_with("receive: hellohello") {
            break;
        }
    }
    server.act("page", &json!({ "act": "kill", "half": 0 }))?;
    let told = run.rest()?;
    let ended = |half: u64| {
        let mut told = told.iter();
        told.find(|it| it["kind"] == "ended" && it["half"] == half)
    };
    let first = ended(0).with_context(|| format!("{told:#?}"))?;
    ensure!(first["how"] == "signal 9", "{told:#?}");
    // The client's connection was closed or reset, as it happened.
    ensure!(ended(1).is_some(), "{told:#?}");
    Ok(())
}

/// The programs that this process has started, and that still run.
pub fn children(id: u32) -> Result<BTreeSet<u32>> {
    let mut found = BTreeSet::new();
    for thread in fs::read_dir(format!("/proc/{id}/task"))? {
        // A thread may have ended meanwhile.
        let path = thread?.path().join("children");
        let children = fs::read_to_string(path).unwrap_or_default();
        found.extend(
            children
                .split_whitespace()
                .filter_map(|id| id.parse::<u32>().ok()),
        );
    }
    Ok(found)
}

pub fn until(what: &str, done: impl Fn() -> bool) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    while !done() {
        ensure!(Instant::now() < deadline, "waited for {what}");
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn page_gone() -> Result<()> {
    let server = Server::start()?;
    let mut run = server.run("page", &wanted(None))?;
    run.wait_for(1, "receive: hello")?;
    let id = server.half.id();
    ensure!(children(id)?.len() == 2, "{:?}", children(id)?);
    drop(run);
    until("the end of both", || {
        children(id).is_ok_and(|children| children.is_empty())
    })?;
    // The server goes on.
    server.run("other", &wanted(Some(1)))?.rest()?;
    Ok(())
}

fn server_gone() -> Result<()> {
    for signal in [Signal::Terminate, Signal::Kill] {
        let mut server = Server::start()?;
        let mut run = server.run("page", &wanted(None))?;
        run.wait_for(1, "receive: hello")?;
        let children = children(server.half.id())?;
        ensure!(children.len() == 2, "{children:?}");
        let exit = server.half.stop(signal)?;
        let expected = match signal {
            Signal::Kill => Exit::Signal(9),
            _ => Exit::Code(0),
        };
        ensure!(exit == expected, "{exit:?}");
        until("the end of both", || {
            let mut children = children.iter();
            children.all(|id| {
                // One that nobody has waited for yet has ended, too.
                let path = format!("/proc/{id}/stat");
                fs::read_to_string(path).map_or(true, |it| it.contains(") Z "))
            })
        })?;
    }
    Ok(())
}

fn four() -> Result<()> {
    build("tcp-echo", harness::Profile::Debug)?;
    let server = Server::start()?;
    let mut runs = Vec::new();
    for page in ["a", "b", "c", "d"] {
        let mut run = server.run(page, &wanted(None))?;
        run.wait_for(1, "receive: hello")?;
        runs.push(run);
    }
    let answer = |page: &str| -> Result<String> {
        let peer = server.post(&format!("run/{page}"), &wanted(None));
        let mut line = String::new();
        BufReader::new(peer?).read_line(&mut line)?;
        Ok(line)
    };
    let again = answer("a")?;
    ensure!(again.contains(" 409 "), "a second run of a page: {again}");
    let fifth = answer("e")?;
    ensure!(fifth.contains(" 429 "), "a fifth page: {fifth}");
    server.act("a", &json!({ "act": "stop" }))?;
    runs.remove(0).rest()?;
    let mut run = server.run("e", &wanted(Some(1)))?;
    run.wait_for(1, "disconnected.")?;
    Ok(())
}
