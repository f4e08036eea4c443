//! The promises of redis-pubsub that only a Unix can check: what the lesson's
//! own server leaves on the disk, and who can reach it.

use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::{fs, io, thread};

use anyhow::{Context, Result, ensure};
use harness::build::root;
use harness::half::on_path;
use harness::{Exit, Half, LIMIT, Language, Signal};

use super::{half, half_in};
use harness::testing::redis::Redis;
use harness::testing::server::lesson;

/// A port of the system's choice in front of the server's socket: `--port 0`
/// means to redis-server that there is none.
fn port_of(redis: &Redis) -> Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let socket = redis.socket();
    thread::spawn(move || -> io::Result<()> {
        loop {
            let (tcp, _) = listener.accept()?;
            let unix = UnixStream::connect(&socket)?;
            let (mut from, mut to) = (tcp.try_clone()?, unix.try_clone()?);
            thread::spawn(move || io::copy(&mut from, &mut to));
            let (mut from, mut to) = (unix, tcp);
            thread::spawn(move || io::copy(&mut from, &mut to));
        }
    });
    Ok(port)
}

pub fn tcp(language: Language) -> Result<()> {
    let redis = Redis::start(&["--requirepass", "top-secret"])?;
    let port = port_of(&redis)?;
    let url = format!("redis://:top-secret@127.0.0.1:{port}");
    let mut consumer = half(language, "consumer", &url, &["--count", "1"])?;
    consumer.wait_for("listening on ")?;
    let mut producer = half(language, "producer", &url, &["--count", "1"])?;
    ensure!(producer.wait()? == Exit::Code(0), "{:?}", producer.stderr());
    ensure!(consumer.wait()? == Exit::Code(0), "{:?}", consumer.stderr());
    let wrong = format!("redis://:wrong@127.0.0.1:{port}");
    for name in ["consumer", "producer"] {
        let mut half = half(language, name, &wrong, &[])?;
        ensure!(half.wait()? == Exit::Code(1), "{:?}", half.stdout());
        let stderr = half.stderr();
        ensure!(stderr.len() == 1, "{stderr:?}");
        ensure!(!stderr[0].contains("wrong@"), "{stderr:?}");
    }
    Ok(())
}

pub fn own_server(language: Language) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut consumer = half_in(language, "consumer", folder.path(), &[])?;
    let socket = consumer.wait_for("started redis-server at ")?;
    ensure!(Path::new(&socket).starts_with(folder.path()), "{socket}");
    consumer.wait_for("listening on channel")?;
    let private = Path::new(&socket).parent().context("its folder")?;
    let mode = private.metadata()?.permissions().mode() & 0o777;
    ensure!(mode == 0o700, "others can reach it: {mode:o}");

    // The other half, in either language, finds it and says nothing of it.
    for other in [Language::Rust, Language::Node] {
        let count = ["--count", "1"];
        let mut producer = half_in(other, "producer", folder.path(), &count)?;
        ensure!(producer.wait()? == Exit::Code(0), "{:?}", producer.stderr());
        ensure!(producer.stdout().len() == 1, "{:?}", producer.stdout());
    }
    consumer.wait_for_lines(2, "Received from channel: ")?;
    ensure!(consumer.stop(Signal::Interrupt)? == Exit::Code(0));
    let left: Vec<_> = fs::read_dir(folder.path())?.collect();
    ensure!(left.is_empty(), "{left:?}");

    // Alone, a producer starts one too.
    let count = ["--count", "1"];
    let mut alone = half_in(language, "producer", folder.path(), &count)?;
    ensure!(alone.wait()? == Exit::Code(0), "{:?}", alone.stderr());
    alone.wait_for("started redis-server at ")?;
    ensure!(fs::read_dir(folder.path())?.next().is_none());
    Ok(())
}

pub fn empty_url(language: Language) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut command = lesson("redis-pubsub")?.half(language, "producer")?;
    command.env("REDIS_URL", "").env("TMPDIR", folder.path());
    let mut producer = Half::start(command.args(["--count", "1"]))?;
    ensure!(producer.wait()? == Exit::Code(0), "{:?}", producer.stderr());
    producer.wait_for("started redis-server at ")?;
    Ok(())
}

pub fn orphan(language: Language) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut consumer = half_in(language, "consumer", folder.path(), &[])?;
    let socket = consumer.wait_for("started redis-server at ")?;
    consumer.wait_for("listening on channel")?;
    let mut connection = UnixStream::connect(socket)?;
    connection.set_read_timeout(Some(LIMIT))?;
    consumer.stop(Signal::Kill)?;
    // Returns when the server ends the connection, as it is ending itself.
    let mut nothing = Vec::new();
    connection
        .read_to_end(&mut nothing)
        .context("it lives on")?;

    // Killed before the server was ready: nobody reads what is started.
    let folder = tempfile::tempdir()?;
    let mut script = Command::new("sh");
    script.arg(root().join("common/own-redis.sh")).arg("early");
    script.env("TMPDIR", folder.path());
    let (mut script, stdout) = Half::start_with_stdout(&mut script)?;
    drop(stdout);
    drop(script.take_stdin()?);
    ensure!(script.wait()? == Exit::Code(0), "{:?}", script.stderr());
    ensure!(fs::read_dir(folder.path())?.next().is_none());
    Ok(())
}

pub fn stale(language: Language) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let count = ["--count", "1"];
    let start = || half_in(language, "producer", folder.path(), &count);
    let mut first = start()?;
    ensure!(first.wait()? == Exit::Code(0), "{:?}", first.stderr());
    let socket = first.wait_for("started redis-server at ")?;
    // What is left when the server is killed too: its name, and a socket on
    // which nobody listens.
    let there = Path::new(&socket).parent().context("its folder")?;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(there)?;
    drop(UnixListener::bind(there.join("1.sock"))?);
    symlink("1.sock", &socket)?;
    let mut producer = start()?;
    ensure!(producer.wait()? == Exit::Code(0), "{:?}", producer.stderr());
    producer.wait_for(&format!("started redis-server at {socket}"))?;
    ensure!(fs::read_dir(folder.path())?.next().is_none(), "files left");
    Ok(())
}

pub fn not_installed(language: Language) -> Result<()> {
    let folder = tempfile::tempdir()?;
    for program in ["sh", "id", "node"] {
        if let Some(path) = on_path(program) {
            symlink(path, folder.path().join(program))?;
        }
    }
    let refused = || {
        for name in ["consumer", "producer"] {
            let mut command = lesson("redis-pubsub")?.half(language, name)?;
            command.env_remove("REDIS_URL").env("PATH", folder.path());
            let mut half = Half::start(&mut command)?;
            ensure!(half.wait()? == Exit::Code(1), "{:?}", half.stdout());
            let stderr = half.stderr();
            ensure!(stderr.len() == 1, "{stderr:?}");
            let advice = "apt install redis-server";
            ensure!(stderr[0].contains(advice), "{stderr:?}");
        }
        Ok(())
    };
    refused()?;
    // Nor is there a shell to ask, as on Windows.
    fs::remove_file(folder.path().join("sh"))?;
    refused()
}
