//! What node-cluster promises: the primary is Node's, the workers are written
//! in one language or in both.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use harness::readme::transcripts;
use harness::{Exit, Half, Language, Meet, Signal, root};

use harness::testing::peer::Peer;
use harness::testing::server::lesson;
use harness::testing::{NODE, Need, Test, both, test};

const NAME: &str = "node-cluster";

pub fn tests() -> Vec<Test> {
    let both = |promise, run: fn(Language) -> Result<()>| {
        both(promise, run).map(|test| test.needs(NODE))
    };
    let of_both = [
        both("the_workers_serve_in_turn", in_turn),
        both("workers_that_share_the_socket_serve_all", shared),
        both("16_mib_come_back_whole", sixteen_mib),
        both("a_client_that_resets_ends_no_worker", reset),
        both("a_killed_worker_is_replaced", killed_worker)
            .map(|test| test.needs(Need::Proc)),
        both("a_worker_that_leaves_is_not_replaced", leaves)
            .map(|test| test.needs(Need::Proc)),
        both("a_worker_that_cannot_listen_ends_the_primary", refused),
        both("who_is_connected_is_served_after_sigterm", served),
        both("an_idle_client_does_not_hold_up_the_end", idle),
        both("ctrl_c_in_a_terminal_ends_all_in_order", terminal),
        both("ctrl_c_while_workers_start_ends_all_in_order", early),
        both("a_killed_primary_ends_its_workers", killed_primary),
        both("a_worker_without_a_primary_says_what_to_start", alone),
    ];
    let of_primary = [
        test("both_languages_serve_one_port", mixed),
        test("a_program_that_is_not_there_is_named", no_program),
    ];
    of_both
        .into_iter()
        .flatten()
        .chain(of_primary.map(|test| test.needs(NODE)))
        .map(|test| test.of(NAME))
        .collect()
}

/// A primary whose workers are written in `language`, and where they listen.
/// By default it asks them nothing.
fn primary(language: Language, arguments: &[&str]) -> Result<(Half, String)> {
    let half = start(language, arguments)?;
    let address = half.wait_for("listening on ")?;
    Ok((half, address))
}

fn start(language: Language, arguments: &[&str]) -> Result<Half> {
    Half::start(&mut lesson(NAME)?.parent(
        Language::Node,
        language,
        arguments,
    )?)
}

/// It asks once, and then goes on.
const SELDOM: [&str; 2] = ["--every", "86400000"];
const OFTEN: [&str; 2] = ["--every", "20"];

/// What a client gets that sends this.
fn answer(address: &str, message: &str) -> Result<String> {
    let mut client = Peer::connect(Meet::Tcp, address)?;
    client.write_all(message.as_bytes())?;
    client.finish()?;
    Ok(String::from_utf8(client.rest()?)?)
}

fn in_turn(language: Language) -> Result<()> {
    let all = [&SELDOM[..], &["--workers", "3"]].concat();
    let (half, address) = primary(language, &all)?;
    half.wait_for("receive: worker 1: hello")?;
    for id in [2, 3, 1, 2, 3] {
        ensure!(answer(&address, "你好")? == format!("worker {id}: 你好"));
    }
    Ok(())
}

/// Which of them is up to the system.
fn shared(language: Language) -> Result<()> {
    let (_half, address) =
        primary(language, &[&SELDOM[..], &["--shared"]].concat())?;
    let clients: Result<Vec<_>, _> =
        (0..50).map(|_| TcpStream::connect(&address)).collect();
    for mut client in clients? {
        client.write_all(b"a")?;
        client.shutdown(std::net::Shutdown::Write)?;
        let mut text = String::new();
        client.read_to_string(&mut text)?;
        let known = ["worker 1: a", "worker 2: a"].contains(&&*text);
        ensure!(known, "{text}");
    }
    Ok(())
}

fn sixteen_mib(language: Language) -> Result<()> {
    let (_half, address) = primary(language, &SELDOM)?;
    let mut client = Peer::connect(Meet::Tcp, &address)?;
    let sent: Vec<u8> = (0..16 << 20).map(|n: u32| (n / 7) as u8).collect();
    let mut writer = client.try_clone()?;
    let bytes = sent.clone();
    let writing = std::thread::spawn(move || -> Result<()> {
        writer.write_all(&bytes)?;
        writer.finish()
    });
    let received = client.rest()?;
    writing.join().ok().context("the writer")??;
    let (hello, echo) = received.split_at(b"worker 1: ".len());
    ensure!(hello.starts_with(b"worker "));
    ensure!(echo == sent, "{} bytes, or others", echo.len());
    Ok(())
}

fn reset(language: Language) -> Result<()> {
    let (half, address) = primary(language, &SELDOM)?;
    half.wait_for("receive: worker 1: hello")?;
    for id in [2, 1] {
        let mut client = Peer::connect(Meet::Tcp, &address)?;
        client.expect(format!("worker {id}: ").as_bytes())?;
        client.reset()?;
        half.wait_for_error(&format!("[{id}] socket: "))?;
    }
    for id in [2, 1] {
        ensure!(answer(&address, "")? == format!("worker {id}: "));
    }
    Ok(())
}

fn killed_worker(language: Language) -> Result<()> {
    let (half, _) = primary(language, &OFTEN)?;
    half.wait_for("receive: worker 2: ")?;
    half.remote().signal_child(Signal::Kill)?;
    half.wait_for_error("worker 1 was killed by SIGKILL")?;
    half.wait_for("receive: worker 3: ")?;
    Ok(())
}

fn leaves(language: Language) -> Result<()> {
    let (mut half, _) = primary(language, &OFTEN)?;
    half.wait_for("receive: worker 2: ")?;
    half.remote().signal_child(Signal::Terminate)?;
    half.wait_for_error("worker 1 exited with code 0")?;
    let before = half.stdout().len();
    half.wait_until("more answers", |lines| {
        (lines.len() > before + 20).then_some(())
    })?;
    half.ends_on(Signal::Interrupt)?;
    let more = half.stdout().iter().any(|line| line == "worker 3 online");
    ensure!(!more, "{:?}", half.stdout());
    half.wait_for("worker 2 exited with code 0")?;
    Ok(())
}

fn refused(language: Language) -> Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    for arguments in [&[&*address][..], &[&*address, "--shared"]] {
        let mut half = start(language, arguments)?;
        let exit = half.wait()?;
        ensure!(exit == Exit::Code(1), "{exit:?}: {:?}", half.stdout());
        half.wait_for_error("Error: worker 1 exited with code 1")?;
        half.wait_for_error(match language {
            Language::Rust => "Address already in use",
            Language::Node => "EADDRINUSE",
        })?;
    }
    Ok(())
}

/// Whatever the worker knows by then.
fn served(language: Language) -> Result<()> {
    let (mut half, address) = primary(language, &SELDOM)?;
    half.wait_for("receive: worker 1: hello")?;
    let mut client = Peer::connect(Meet::Tcp, &address)?;
    client.expect(b"worker 2: ")?;
    half.signal(Signal::Terminate)?;
    client.write_all(b"late")?;
    client.finish()?;
    ensure!(client.rest()? == b"late");
    half.succeeds()?;
    for id in [1, 2] {
        half.wait_for(&format!("worker {id} exited with code 0"))?;
    }
    Ok(())
}

fn idle(language: Language) -> Result<()> {
    let (mut half, address) = primary(language, &SELDOM)?;
    half.wait_for("receive: worker 1: hello")?;
    let mut client = Peer::connect(Meet::Tcp, &address)?;
    client.expect(b"worker 2: ")?;
    half.ends_on(Signal::Terminate)?;
    half.wait_for("worker 2 was killed by SIGKILL")?;
    Ok(())
}

/// As in a terminal, where Ctrl-C reaches the workers, too.
fn type_ctrl_c(half: &Half) -> Result<()> {
    let mut shell = Command::new("sh");
    let shell = shell.args(["-c", r#"kill -INT "-$0""#]);
    let status = shell.arg(half.id().to_string()).status()?;
    ensure!(status.success(), "{status}");
    Ok(())
}

fn terminal(language: Language) -> Result<()> {
    let (mut half, _) = primary(language, &SELDOM)?;
    half.wait_for("receive: worker 1: hello")?;
    type_ctrl_c(&half)?;
    half.succeeds()?;
    ensure!(half.stderr().is_empty(), "{:?}", half.stderr());
    for id in [1, 2] {
        half.wait_for(&format!("worker {id} exited with code 0"))?;
    }
    Ok(())
}

/// Ctrl-C comes while there are more to start: nobody starts them any more.
fn early(language: Language) -> Result<()> {
    let mut half = start(language, &["--workers", "1000"])?;
    half.wait_for("worker 1 listening")?;
    type_ctrl_c(&half)?;
    half.succeeds()?;
    half.wait_for("worker 1 exited with code 0")?;
    Ok(())
}

/// `stop` waits for the end of the outputs, which the workers share.
fn killed_primary(language: Language) -> Result<()> {
    let (mut half, address) = primary(language, &SELDOM)?;
    half.wait_for("receive: worker 1: hello")?;
    let mut client = Peer::connect(Meet::Tcp, &address)?;
    client.expect(b"worker 2: ")?;
    ensure!(half.stop(Signal::Kill)? == Exit::Signal(9));
    Ok(())
}

fn alone(language: Language) -> Result<()> {
    let mut worker = Half::start(&mut lesson(NAME)?.half(language, "worker")?)?;
    let start = "start node-cluster/node/primary.js";
    worker.fails(&["Error: join a cluster: ", " is not set; ", start])
}

fn no_program() -> Result<()> {
    let mut command = lesson(NAME)?.half(Language::Node, "primary")?;
    let mut half = Half::start(command.args(["--", "/no/such/program"]))?;
    half.fails(&["Error: spawn /no/such/program ENOENT"])
}

/// As the README shows it.
fn mixed() -> Result<()> {
    let lesson = lesson(NAME)?;
    let readme = transcripts(&lesson.folder().join("README.md"))?;
    let is_it = |command: &str| command.ends_with("-- target/debug/worker");
    let mut blocks = readme.iter();
    let block =
        blocks.find(|block| block.command.as_deref().is_some_and(is_it));
    let block = block.context("no such run in the README")?;
    let worker = lesson.half(Language::Rust, "worker")?;
    let mut primary = lesson.half(Language::Node, "primary")?;
    primary.args(["--count", "4", "--every", "100", "--mixed", "--"]);
    primary.arg(worker.get_program()).current_dir(root());
    let mut half = Half::start(&mut primary)?;
    half.succeeds()?;
    let lines = half.stdout().into_iter();
    let lines = lines.filter(|line| lesson.speaker(0, line) == 0);
    // The program is elsewhere, and the port another one.
    let normal = |line: String| {
        let stable = ["worker 1 runs ", "listening on "];
        let start = stable.iter().find(|start| line.starts_with(**start));
        start.map_or(line.clone(), |start| (*start).to_owned())
    };
    let shown: Vec<String> = lines.map(normal).collect();
    let expected: Vec<String> =
        block.lines.iter().cloned().map(normal).collect();
    ensure!(shown == expected, "{shown:#?}");
    Ok(())
}
