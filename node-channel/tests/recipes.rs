//! "Recipes" in the README: each one, run.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context, Result, anyhow, ensure};
use harness::{Exit, Half, Signal, root};
use node_channel::Fork;

use super::library::{ended, run};
use harness::testing::peer::Peer;
use harness::testing::{NODE, Need, Test, test};

pub fn tests() -> Vec<Test> {
    vec![
        test(
            "recipe_compute_a_rust_worker_counts_as_a_node_worker",
            compute,
        ),
        test("a_worker_computes_with_the_greatest_numbers", || {
            run(greatest())
        }),
        test("recipe_drive_a_node_script_works_for_rust", drive),
        test("recipe_ready_a_process_manager_is_obeyed", ready),
        test("recipe_handover_no_connection_is_refused", handover),
        #[cfg(feature = "cluster")]
        test("a_worker_without_a_cluster_says_so", no_cluster),
        #[cfg(feature = "cluster")]
        test(
            "a_worker_takes_no_other_address_than_it_was_given",
            bad_worker,
        ),
        #[cfg(feature = "cluster")]
        test("who_is_no_worker_of_a_cluster_may_be_a_child", either),
        test("a_grandchild_does_not_inherit_the_channel", grandchild),
        test("the_descriptor_is_neither_inherited_nor_blocking", flags)
            .needs(Need::Proc),
    ]
    .into_iter()
    .map(|test| test.needs(NODE))
    .collect()
}

/// One of the programs in `examples/`. `cargo test` builds them into a folder
/// beside that of the tests, unless it is told to build only one target.
pub fn program(name: &str) -> Result<Command> {
    let tests = std::env::current_exe()?;
    let folder = tests
        .ancestors()
        .nth(2)
        .context("the folder of the tests")?;
    let program = folder.join("examples").join(name);
    ensure!(program.is_file(), "no {}: build it", program.display());
    Ok(Command::new(program))
}

/// A recipe's script with its program.
fn script(name: &str, with: &str, arguments: &[&str]) -> Result<Half> {
    let path = root().join("node-channel/examples").join(name);
    let mut node = Command::new("node");
    node.arg(path).arg(program(with)?.get_program());
    Half::start(node.args(arguments))
}

pub fn ends_well(half: &mut Half) -> Result<()> {
    let exit = half.wait()?;
    ensure!(
        exit == Exit::Code(0),
        "{exit:?} {:?} {:?}",
        half.stdout(),
        half.stderr()
    );
    Ok(())
}

fn compute() -> Result<()> {
    let mut half = script("compute.js", "compute", &[])?;
    ends_well(&mut half)?;
    half.wait_for("Rust, all cores: 78498 primes in ")?;
    half.wait_for("Node, one thread: 78498 primes in ")?;
    Ok(())
}

/// Up to the greatest number that a job can name.
async fn greatest() -> Result<()> {
    let program = program("compute")?;
    let mut child = Fork::new(program.get_program()).spawn()?;
    let last = u32::MAX;
    let job = serde_json::json!({"from": last - 10, "to": last});
    child.channel.send(&job).await?;
    let done = child.channel.recv_as::<serde_json::Value>().await;
    let done = done.context("it has ended")??;
    // 4,294,967,291 is the last one of 32 bits.
    let expected = serde_json::json!({"from": last - 10, "primes": 1});
    ensure!(done == expected, "{done}");
    child.channel.disconnect().await?;
    ended(child).await
}

fn drive() -> Result<()> {
    let mut half = Half::start(&mut program("drive")?)?;
    ends_well(&mut half)?;
    let expected = [
        "Hello Rust",
        "4 letters",
        "error: SyntaxError",
        "node exited with code 0",
    ];
    ensure!(half.stdout() == expected, "{:?}", half.stdout());
    Ok(())
}

/// What PM2 does with `wait_ready` and `shutdown_with_message`.
fn ready() -> Result<()> {
    let manager = "
        const child = require('child_process').spawn(process.argv[1], {
          stdio: ['pipe', 'inherit', 'inherit', 'ipc'] })
        child.on('message', m => {
          console.log('manager hears', m)
          if (process.argv[2] === 'gone') process.kill(process.pid, 'SIGKILL')
          child.send({ unknown: 1 })
          child.send('shutdown')
        })
        child.on('exit', code => console.log('exit', code))";
    let mut command = Command::new("node");
    command
        .args(["-e", manager])
        .arg(program("ready")?.get_program());
    let mut half = Half::start(&mut command)?;
    ends_well(&mut half)?;
    let lines = half.stdout();
    ensure!(
        lines[1..] == ["manager hears ready", "shutdown", "exit 0"],
        "{lines:?}"
    );

    let mut half = Half::start(command.arg("gone"))?;
    ensure!(half.wait()? == Exit::Signal(9));
    half.wait_for("the manager has gone")?;

    // By hand, without a manager.
    let mut half = Half::start(&mut program("ready")?)?;
    let address = half.wait_for("listening on ")?;
    // Clients that have gone before they are served do no harm.
    for _ in 0..200 {
        Peer::Tcp(TcpStream::connect(&address)?).reset()?;
    }
    ensure!(fetch(TcpStream::connect(&address)?)? == "hello\n");
    ensure!(half.stop(Signal::Interrupt)? == Exit::Code(0));
    Ok(())
}

fn fetch(mut stream: TcpStream) -> Result<String> {
    stream.set_read_timeout(Some(harness::LIMIT))?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

fn handover() -> Result<()> {
    let mut half = script("handover.js", "handover", &[])?;
    let address = half.wait_for("listening on ")?;
    let connect = || fetch(TcpStream::connect(&address)?);
    let mut stdin = half.take_stdin()?;
    ensure!(connect()? == "Node\n");
    let stop = AtomicBool::new(false);
    let served = AtomicUsize::new(0);
    // All the time clients come, and each is served by somebody.
    let come = || -> Result<()> {
        while !stop.load(Ordering::Relaxed) {
            let answer = connect()?;
            let known = ["Node\n", "handed over\n", "Rust\n"];
            ensure!(known.contains(&&*answer), "{answer}");
            served.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let clients = [0; 3].map(|_| scope.spawn(come));
        let some_more = || -> Result<()> {
            let enough = served.load(Ordering::Relaxed) + 30;
            while served.load(Ordering::Relaxed) < enough {
                let failed = clients.iter().any(|one| one.is_finished());
                ensure!(!failed, "a client was not served");
                std::thread::yield_now();
            }
            Ok(())
        };
        // One step after the other.
        let mut steps = || -> Result<()> {
            some_more()?;
            stdin.write_all(b"1\n")?;
            half.wait_for("handing over")?;
            half.wait_for("taken")?;
            some_more()?;
            stdin.write_all(b"2\n")?;
            // Node asks for open connections that came from its server, and
            // is told in the end that there is none.
            half.wait_for("closed here")?;
            some_more()
        };
        let done = steps();
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            client.join().map_err(|_| anyhow!("a client panicked"))??;
        }
        done
    })?;
    for _ in 0..50 {
        ensure!(connect()? == "Rust\n");
    }
    stdin.write_all(b"3\n")?;
    drop(stdin);
    ends_well(&mut half)
}

#[cfg(feature = "cluster")]
fn no_cluster() -> Result<()> {
    let mut half = Half::start(&mut program("worker")?)?;
    ensure!(half.wait()? == Exit::Code(1));
    half.wait_for_error("Error: not started with a channel")?;
    let manager = "require('child_process').spawn(process.argv[1], {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })";
    let mut command = Command::new("node");
    command.args(["-e", manager]);
    command.arg(program("worker")?.get_program());
    let mut half = Half::start(&mut command)?;
    ends_well(&mut half)?;
    half.wait_for_error("not a worker of a cluster: NODE_UNIQUE_ID")?;
    Ok(())
}

#[cfg(feature = "cluster")]
/// What cannot be understood is no reason to listen somewhere else.
fn bad_worker() -> Result<()> {
    let script = "
        const cluster = require('cluster')
        const [program, ...args] = process.argv.slice(1)
        cluster.setupPrimary({ exec: program, args, execArgv: [] })
        process.execPath = program
        cluster.fork().on('exit', code => console.log('exit', code))";
    let mut node = Command::new("node");
    node.args(["-e", script])
        .arg(program("worker")?.get_program())
        .arg("127.0.0.1:99999");
    let mut half = Half::start(&mut node)?;
    ends_well(&mut half)?;
    half.wait_for("exit 1")?;
    half.wait_for_error("Error: address 127.0.0.1:99999: ")?;

    let mut worker = program("worker")?;
    worker
        .env("NODE_CHANNEL_FD", "3")
        .env("NODE_UNIQUE_ID", "x");
    let mut half = Half::start(&mut worker)?;
    ensure!(half.wait()? == Exit::Code(1));
    half.wait_for_error("NODE_UNIQUE_ID cannot be 'x'")?;
    Ok(())
}

#[cfg(feature = "cluster")]
/// The same program in a cluster and without one.
fn either() -> Result<()> {
    let script = "
        const cluster = require('cluster')
        const [program] = process.argv.splice(1, 1)
        cluster.setupPrimary({ exec: program, execArgv: [] })
        process.execPath = program
        cluster.fork().on('message', message => console.log(message))
        require('child_process').spawn(program, {
          stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
          .on('message', message => console.log(message))";
    let mut node = Command::new("node");
    node.args(["-e", script])
        .arg(program("either")?.get_program());
    let mut half = Half::start(&mut node)?;
    ends_well(&mut half)?;
    let mut lines = half.stdout();
    lines.sort();
    ensure!(
        lines == ["child", "worker"],
        "{lines:?} {:?}",
        half.stderr()
    );
    Ok(())
}

/// The Rust child starts a program and ends. The program waits until the
/// parent has seen the child's end, and runs Node then.
fn grandchild() -> Result<()> {
    let script = "
        const { spawn } = require('child_process')
        const child = spawn(process.argv[1], process.argv.slice(2), {
          env: { ...process.env, NODE_UNIQUE_ID: '7' },
          stdio: ['pipe', 'inherit', 'inherit', 'ipc'] })
        child.on('disconnect', () => {
          console.log('disconnected')
          child.stdin.end('go on\\n')
        })";
    let program = program("outlived")?;
    let shell = "read -r line
        node -e 'process.on(\"message\", () => {}); process.channel?.unref()'
        echo \"node: $?\"
        node -e 0
        echo \"node -e 0: $?\"
        printenv NODE_CHANNEL_FD NODE_UNIQUE_ID || echo no names";
    let mut node = Command::new("node");
    node.args(["-e", script]).arg(program.get_program());
    node.args(["sh", "-c", shell]);
    let mut half = Half::start(&mut node)?;
    ends_well(&mut half)?;
    let lines = half.stdout();
    let expected = ["disconnected", "node: 0", "node -e 0: 0", "no names"];
    ensure!(lines == expected, "{lines:?} {:?}", half.stderr());
    Ok(())
}

/// The channel's descriptor in the child, as the system sees it.
fn flags() -> Result<()> {
    // The child's descriptors that a grandchild would inherit: FD_CLOEXEC is
    // the flag 02000000.
    let manager = "
        const { spawn } = require('child_process')
        const fs = require('fs')
        const child = spawn(process.argv[1], {
          stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
        child.on('message', () => {
          const info = fs.readFileSync(`/proc/${child.pid}/fdinfo/3`, 'utf8')
          console.log('flags', /flags:\\s+(\\d+)/.exec(info)[1])
          child.disconnect()
        })
        child.send({ from: 0, to: 10 })";
    let mut command = Command::new("node");
    command.args(["-e", manager]);
    command.arg(program("compute")?.get_program());
    let mut half = Half::start(&mut command)?;
    ends_well(&mut half)?;
    let flags = half.wait_for("flags ")?;
    let flags = i32::from_str_radix(&flags, 8).context("flags")?;
    ensure!(flags & 0o2_000_000 != 0, "inheritable: {flags:o}");
    ensure!(flags & 0o4_000 != 0, "blocking: {flags:o}");
    Ok(())
}
