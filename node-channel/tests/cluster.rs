//! A worker in a Node cluster: where the primary is the real one, and where
//! we write its bytes ourselves, to be at the right moment.

use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use harness::{Exit, Half};
use node_channel::cluster::{Event, Worker};
use node_channel::{Error, Forked};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Child as Process;

use super::handles::{limit_descriptors, lines, raw_peer, send_descriptors};
use super::library::{node, run};
use super::recipes::program;
use harness::testing::{NODE, Need, Test, test};

pub fn tests() -> Vec<Test> {
    let of_node = [
        test(
            "a_worker_that_leaves_under_load_leaves_no_client_waiting",
            under_load,
        ),
        test(
            "workers_that_ask_for_the_same_address_share_it",
            same_address,
        ),
        test("a_worker_hears_why_the_primary_cannot_listen", refused),
        test("workers_serve_in_turn", || in_full("rr", "json")),
        test("workers_share_a_socket", || in_full("none", "json")),
        test("workers_serve_in_turn_in_advanced_mode", || {
            in_full("rr", "advanced")
        }),
        test("workers_share_a_socket_in_advanced_mode", || {
            in_full("none", "advanced")
        }),
        test("a_killed_primary_ends_its_worker", killed_primary),
        test("a_worker_without_descriptors_serves_again", exhausted)
            .needs(Need::Proc),
        test("a_worker_that_must_leave_at_once_does", leaves_at_once),
        test("who_must_leave_listens_no_more", || run(told_to_leave())),
        test("a_cancelled_leave_is_finished", || run(half_way())),
        test("a_cancelled_question_is_not_asked_again", || {
            run(asked_again())
        }),
        test("a_socket_that_is_of_no_use_is_given_back", || {
            run(given_back())
        }),
        test("a_bad_line_is_no_answer_to_a_question", || run(bad_line())),
        test("a_worker_that_is_told_to_leave_sends_its_socket", || {
            run(leaves_with_a_socket())
        }),
        test("a_worker_that_leaves_sends_its_socket", || {
            run(sends_and_leaves())
        }),
    ];
    let of_ours = [
        test(
            "a_client_that_comes_while_a_worker_leaves_is_given_back",
            || run(leaving()),
        ),
        test("a_client_that_comes_early_is_served", || run(early())),
        test("a_client_of_an_unknown_server_is_given_back", || {
            run(unknown())
        }),
        test("what_is_not_of_the_cluster_is_ignored", || run(foreign())),
        test("a_cancelled_wait_loses_no_client", || run(cancelled())),
        test("servers_are_counted_for_each_address", || run(counted())),
        test("any_error_number_is_one", || run(any_number())),
    ];
    let of_node = of_node.map(|test| test.needs(NODE));
    of_node.into_iter().chain(of_ours).collect()
}

/// How the primary distributes the clients: `rr` or `none`. Node reads it
/// when it loads the module.
const POLICY: &str = "NODE_CLUSTER_SCHED_POLICY";

/// Runs a script of Node's as an ES module: `exec` is our worker.
fn primary(script: &str, arguments: &[&str]) -> Result<Half> {
    scheduled("rr", script, arguments)
}

/// As [`primary`]; with `none`, the workers share the socket.
fn scheduled(policy: &str, script: &str, arguments: &[&str]) -> Result<Half> {
    let script = format!(
        "import cluster from 'node:cluster'
        import net from 'node:net'
        const [exec, ...args] = process.argv.slice(1)
        cluster.setupPrimary({{ exec, args, execArgv: [] }})
        process.execPath = exec
        const once = (emitter, name) =>
          new Promise(resolve => emitter.once(name, resolve))
        {script}"
    );
    let mut node = Command::new("node");
    node.args(["--input-type=module", "-e", &script]);
    node.arg(program("worker")?.get_program()).args(arguments);
    node.env(POLICY, policy);
    Half::start(&mut node)
}

fn prints(half: &mut Half, expected: &[&str]) -> Result<()> {
    let exit = half.wait()?;
    let (lines, errors) = (half.stdout(), half.stderr());
    ensure!(exit == Exit::Code(0), "{exit:?} {lines:?} {errors:?}");
    ensure!(lines == expected, "{lines:?} {errors:?}");
    Ok(())
}

/// 600 clients, and one of two workers leaves amid them.
fn under_load() -> Result<()> {
    let script = "
        const workers = [cluster.fork(), cluster.fork()]
        const [{ port }] = await Promise.all(
          workers.map(worker => once(worker, 'listening')))
        let answers = 0
        const one = async () => {
          const socket = net.connect(port, '127.0.0.1')
          socket.write('GET / HTTP/1.1\\r\\n\\r\\n')
          let text = ''
          for await (const piece of socket.setEncoding('utf8')) text += piece
          if (text.startsWith('HTTP/1.1 200 OK')) answers += 1
        }
        const clients = Array.from({ length: 300 }, one)
        await clients[0]
        clients.push(...Array.from({ length: 300 }, one))
        workers[0].send('leave')
        await Promise.all([once(workers[0], 'exit'), ...clients])
        console.log(answers, workers[0].exitedAfterDisconnect)
        workers[1].disconnect()";
    prints(&mut primary(script, &[])?, &["600 true"])
}

/// Two workers of ours and one of Node's, each in another order: each address
/// has one port, and whoever connects there is served.
fn same_address() -> Result<()> {
    let script = "
        const file = args.pop()
        const ports = {}
        const listening = worker => new Promise(resolve => {
          let count = 0
          worker.on('listening', ({ address, port }) => {
            (ports[address] ??= new Set()).add(port)
            if (++count === args.length) resolve()
          })
        })
        await listening(cluster.fork())
        cluster.setupPrimary({ args: args.toReversed() })
        await listening(cluster.fork())
        process.execPath = process.argv0
        cluster.setupPrimary({ exec: file, args })
        await listening(cluster.fork())
        for (const [address, of] of Object.entries(ports).sort()) {
          for (const port of of) {
            const socket = net.connect(port, '127.0.0.1')
            socket.write('GET / HTTP/1.1\\r\\n\\r\\n')
            const text = String(await once(socket, 'data'))
            console.log(address, of.size, text.slice(0, 12))
            socket.destroy()
          }
        }
        cluster.disconnect()";
    let of_node = "
        const listen = addresses => addresses.length &&
          require('net').createServer(socket => socket.end('HTTP/1.1 200 Node'))
            .listen(0, addresses.pop().split(':')[0], () => listen(addresses))
        listen(process.argv.slice(2))";
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("worker.cjs");
    std::fs::write(&file, of_node)?;
    let file = file.to_str().context("a path that is no text")?;
    let mut half = primary(script, &["127.0.0.1:0", "0.0.0.0:0", file])?;
    let expected = ["0.0.0.0 1 HTTP/1.1 200", "127.0.0.1 1 HTTP/1.1 200"];
    prints(&mut half, &expected)
}

fn refused() -> Result<()> {
    // The primary itself has the port.
    let script = "
        const server = net.createServer().listen(0, '127.0.0.1')
        await once(server, 'listening')
        const address = `127.0.0.1:${server.address().port}`
        cluster.setupPrimary({ args: [address] })
        console.log('exit', await once(cluster.fork(), 'exit'))
        server.close()";
    for policy in ["rr", "none"] {
        let mut half = scheduled(policy, script, &[])?;
        prints(&mut half, &["exit 1"])?;
        half.wait_for_error("ddress")?; // in use
    }
    Ok(())
}

/// Two workers, 40 clients, a message there and back; then one of them leaves
/// by itself, and the primary has the other one leave.
fn in_full(policy: &str, serialization: &str) -> Result<()> {
    let script = "
        cluster.setupPrimary({ args: [], serialization: args[0] })
        const workers = [cluster.fork(), cluster.fork()]
        const [{ port }, second] = await Promise.all(
          workers.map(worker => once(worker, 'listening')))
        if (port !== second.port) throw Error('two ports')
        const counts = {}
        for (let i = 0; i < 40; i++) {
          const socket = net.connect(port, '127.0.0.1')
          socket.write('GET / HTTP/1.1\\r\\n\\r\\n')
          let text = ''
          for await (const piece of socket.setEncoding('utf8')) text += piece
          const name = text.split('\\r\\n').pop()
          counts[name] = (counts[name] ?? 0) + 1
        }
        const known = name => /^Rust worker [12]$/.test(name)
        console.log(Object.keys(counts).every(known))
        const all = Object.values(counts)
        const inTurn = cluster.schedulingPolicy === cluster.SCHED_RR
        console.log(inTurn ? String(all) : all.reduce((a, b) => a + b))
        workers[0].send({ echo: 'é' })
        console.log(await once(workers[0], 'message'))
        workers[0].send('leave')
        workers[1].disconnect()
        for (const worker of workers) {
          if (!worker.isDead()) await once(worker, 'exit')
          console.log(worker.process.exitCode, worker.exitedAfterDisconnect)
        }";
    let mut half = scheduled(policy, script, &[serialization])?;
    let counts = if policy == "rr" { "20,20" } else { "40" };
    let expected = ["true", counts, "{ echo: 'é' }", "0 true", "0 true"];
    prints(&mut half, &expected)
}

/// A shell outlives the primary and says how the worker has ended.
fn killed_primary() -> Result<()> {
    let script = r#"
        process.execPath = '/bin/sh'
        cluster.setupPrimary({ execArgv: ['-c', '"$0"; echo "worker $?"'] })
        const { port } = await once(cluster.fork(), 'listening')
        console.log('port', port)
        await once(process.stdin, 'data')
        process.kill(process.pid, 'SIGKILL')"#;
    for connected in [false, true] {
        let mut half = primary(script, &[])?;
        let port: u16 = half.wait_for("port ")?.parse()?;
        let idle = if connected {
            // It asks for nothing, and stays. The next one comes behind it.
            let idle = std::net::TcpStream::connect(("127.0.0.1", port))?;
            fetch(port)?;
            Some(idle)
        } else {
            None
        };
        half.take_stdin()?.write_all(b"\n")?;
        ensure!(half.wait()? == Exit::Signal(9), "{:?}", half.stderr());
        ensure!(half.wait_for("worker ")? == "0", "{:?}", half.stderr());
        drop(idle);
    }
    Ok(())
}

/// The worker answers.
fn fetch(port: u16) -> Result<()> {
    let mut client = std::net::TcpStream::connect(("127.0.0.1", port))?;
    client.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
    let mut answer = String::new();
    client.read_to_string(&mut answer)?;
    ensure!(answer.ends_with("Rust worker 1"), "{answer}");
    Ok(())
}

/// Where the workers share the socket, each one accepts clients itself, and
/// may have no room for one more.
fn exhausted() -> Result<()> {
    let script = "
        const worker = cluster.fork()
        worker.once('message', () => cluster.disconnect())
        console.log('process', worker.process.pid)
        const { port } = await once(worker, 'listening')
        console.log('port', port)
        await once(process.stdin, 'data')
        worker.send('last')";
    let mut half = scheduled("none", script, &[])?;
    let process = half.wait_for("process ")?.parse()?;
    let port: u16 = half.wait_for("port ")?.parse()?;
    limit_descriptors(process, 20)?;
    let connect = || std::net::TcpStream::connect(("127.0.0.1", port));
    let clients = (0..20).map(|_| connect()).collect::<Result<Vec<_>, _>>()?;
    half.wait_for_error("accept: ")?;
    drop(clients);
    fetch(port)?;
    half.take_stdin()?.write_all(b"\n")?;
    ensure!(half.wait()? == Exit::Code(0), "{:?}", half.stderr());
    Ok(())
}

/// Before it has started, before it has asked, and between two questions:
/// Node answers none of those that come then.
fn leaves_at_once() -> Result<()> {
    let script = "
        for (const leave of [
          () => cluster.disconnect(),
          worker => worker.once('online', () => cluster.disconnect()),
          worker => worker.once('online', () => worker.disconnect()),
          worker => worker.once('listening', () => worker.disconnect())
        ]) {
          const worker = cluster.fork()
          leave(worker)
          console.log(await once(worker, 'exit'), worker.exitedAfterDisconnect)
        }";
    let mut half = primary(script, &[ANY, "0.0.0.0:0"])?;
    prints(&mut half, &["0 true"; 4])
}

/// Node's primary, whose worker is not a process of its own, but this test.
async fn of_node(policy: &str, script: &str) -> Result<(Worker, Process)> {
    let script = format!(
        "require('child_process').fork = () => process
        const cluster = require('cluster')
        const net = require('net')
        const worker = cluster.fork()
        const heard = []
        process.prependListener('internalMessage', ({{ act, index }}) => {{
          if (act) heard.push(act === 'queryServer' ? act + index : act)
        }})
        {script}"
    );
    let Forked { channel, process } =
        node(&script).env(POLICY, policy).spawn()?;
    Ok((Worker::new(channel, 1).await?, process))
}

/// Node dies of a question that it has answered before.
async fn survives(mut primary: Process) -> Result<()> {
    let status = primary.wait().await?;
    ensure!(status.success(), "{status}");
    Ok(())
}

async fn told_to_leave() -> Result<()> {
    let script = "worker.on('listening', () => worker.disconnect())";
    let (mut worker, primary) = of_node("rr", script).await?;
    worker.listen(ANY.parse()?).await?;
    for _ in 0..2 {
        let listening = worker.listen("0.0.0.0:0".parse()?).await;
        ensure!(matches!(listening, Err(Error::Closed)), "{listening:?}");
    }
    ensure!(worker.next().await.is_none());
    survives(primary).await
}

/// Node answers no question any more, as soon as it knows.
async fn half_way() -> Result<()> {
    let (mut worker, primary) = of_node("rr", "").await?;
    worker.listen(ANY.parse()?).await?;
    tokio::select! {
        biased;
        left = worker.disconnect() => bail!("{left:?}"),
        () = std::future::ready(()) => {}
    }
    let listening = worker.listen(ANY.parse()?).await;
    ensure!(matches!(listening, Err(Error::Closed)), "{listening:?}");
    ensure!(worker.next().await.is_none());
    survives(primary).await
}

async fn asked_again() -> Result<()> {
    let script = "worker.on('listening', () => worker.send(heard.join(' ')))";
    let (mut worker, primary) = of_node("rr", script).await?;
    tokio::select! {
        biased;
        answer = worker.listen(ANY.parse()?) => bail!("{answer:?}"),
        () = std::future::ready(()) => {}
    }
    worker.listen(ANY.parse()?).await?;
    let heard = message(&mut worker).await?;
    let expected = "online queryServer0 queryServer1 close listening";
    ensure!(heard == expected, "{heard}");
    worker.disconnect().await?;
    survives(primary).await
}

/// Where the workers share a socket, Node hands out one that is not bound
/// when the port is in use.
async fn given_back() -> Result<()> {
    let script = "
        const server = net.createServer().listen(0, '127.0.0.1', () =>
          worker.send(server.address().port))
        worker.on('message', () => server.close(() => worker.send('free')))
        worker.on('listening', () => worker.send(heard.join(' ')))";
    let (mut worker, primary) = of_node("none", script).await?;
    let port = message(&mut worker).await?.parse()?;
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    for _ in 0..2 {
        let error = worker.listen(address).await;
        ensure!(matches!(error, Err(Error::Io(_))), "{error:?}");
    }
    worker.sender().send("free it").await?;
    ensure!(message(&mut worker).await? == "free");
    ensure!(worker.listen(address).await? == address);
    let heard = message(&mut worker).await?;
    // The same question each time: it is the one server of all workers.
    let expected =
        "online queryServer0 close queryServer0 close queryServer0 listening";
    ensure!(heard == expected, "{heard}");
    worker.disconnect().await?;
    survives(primary).await
}

/// 3 is the channel; Node itself would not write such a line.
async fn bad_line() -> Result<()> {
    let script = "require('fs').writeSync(3, 'no JSON\\n')";
    let (mut worker, primary) = of_node("rr", script).await?;
    for _ in 0..2 {
        worker.listen(ANY.parse()?).await?;
    }
    let error = worker.next().await;
    let malformed = matches!(error, Some(Err(Error::Malformed { .. })));
    ensure!(malformed, "{error:?}");
    worker.disconnect().await?;
    survives(primary).await
}

/// A Node primary that takes a socket and ends it with a word.
const TAKES: &str =
    "worker.on('message', (message, socket) => socket.end(message));";

/// A client, and the socket that is to be sent for it.
async fn client() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind(ANY).await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    Ok((client, listener.accept().await?.0))
}

async fn is_served(mut client: TcpStream) -> Result<()> {
    let mut text = String::new();
    client.read_to_string(&mut text).await?;
    ensure!(text == "served", "{text}");
    Ok(())
}

async fn leaves_with_a_socket() -> Result<()> {
    let script = "worker.on('listening', () => {
          worker.send('last')
          worker.disconnect()
        })";
    let (mut worker, primary) =
        of_node("rr", &format!("{TAKES}{script}")).await?;
    worker.listen(ANY.parse()?).await?;
    ensure!(message(&mut worker).await? == "last");
    // The acknowledgement comes behind what tells us to leave.
    let (client, socket) = client().await?;
    worker.sender().send_with("served", socket).await?;
    ensure!(worker.next().await.is_none());
    is_served(client).await?;
    survives(primary).await
}

async fn sends_and_leaves() -> Result<()> {
    let (mut worker, primary) = of_node("rr", TAKES).await?;
    worker.listen(ANY.parse()?).await?;
    let sender = worker.sender();
    let (client, socket) = client().await?;
    // And here behind the answer for which the worker waits.
    let (left, sent) = tokio::join!(
        biased;
        worker.disconnect(),
        sender.send_with("served", socket),
    );
    left?;
    sent?;
    ensure!(worker.next().await.is_none());
    is_served(client).await?;
    survives(primary).await
}

/// Our end of a channel, as a primary's.
struct Primary(StdUnixStream);

impl Primary {
    fn say(&mut self, what: &str) -> Result<()> {
        Ok(self
            .0
            .write_all(format!("{}\n", of_cluster(what)).as_bytes())?)
    }

    /// Answers the question for a server.
    fn grant(&mut self, ack: u64, key: &str) -> Result<()> {
        self.say(&format!(r#""errno":null,"key":"{key}","ack":{ack}"#))
    }

    /// Hands a client over; returns the client.
    async fn connect(&self, key: &str, seq: u64) -> Result<TcpStream> {
        let (client, accepted) = client().await?;
        let accepted: OwnedFd = accepted.into_std()?.into();
        let newconn = format!(r#""act":"newconn","key":"{key}","seq":{seq}"#);
        let envelope = format!(
            r#"{{"cmd":"NODE_HANDLE","type":"net.Native","msg":{}}}"#,
            of_cluster(&newconn)
        );
        send_descriptors(&self.0, &envelope, &[&accepted])?;
        Ok(client)
    }

    /// What the worker has said.
    fn heard(&self, what: &str) -> Result<()> {
        let lines = lines(&self.0)?;
        let found = lines.iter().any(|line| line.contains(what));
        ensure!(found, "no {what}: {lines:?}");
        Ok(())
    }
}

fn of_cluster(what: &str) -> String {
    format!(r#"{{"cmd":"NODE_CLUSTER",{what}}}"#)
}

async fn worker() -> Result<(Worker, Primary)> {
    let (channel, peer) = raw_peer()?;
    Ok((Worker::new(channel, 1).await?, Primary(peer)))
}

const ANY: &str = "127.0.0.1:0";

/// A worker that listens: it has said 0 (online), 1 (the question) and 2
/// (listening).
async fn listening() -> Result<(Worker, Primary)> {
    let (mut worker, mut primary) = worker().await?;
    primary.grant(1, "K")?;
    worker.listen(ANY.parse()?).await?;
    Ok((worker, primary))
}

async fn event(worker: &mut Worker) -> Result<Event> {
    Ok(worker.next().await.context("it has stopped")??)
}

async fn connection(worker: &mut Worker) -> Result<TcpStream> {
    match event(worker).await? {
        Event::Connection(stream) => Ok(stream),
        other => bail!("{other:?}"),
    }
}

async fn message(worker: &mut Worker) -> Result<String> {
    match event(worker).await? {
        Event::Message(message) => Ok(message.to_string()),
        other => bail!("{other:?}"),
    }
}

async fn is_closed(mut client: TcpStream) -> Result<()> {
    ensure!(client.read(&mut [0; 1]).await? == 0);
    Ok(())
}

async fn leaving() -> Result<()> {
    let (mut worker, mut primary) = listening().await?;
    // It will say 3 (close) and 4 (on purpose).
    let client = primary.connect("K", 7).await?;
    primary.0.write_all(b"\"x\"\n")?;
    primary.say(r#""ack":4"#)?;
    worker.disconnect().await?;
    primary.heard(r#""ack":7,"accepted":false"#)?;
    is_closed(client).await?;
    // A message is not lost.
    ensure!(message(&mut worker).await? == "x");
    ensure!(worker.next().await.is_none());
    Ok(())
}

async fn early() -> Result<()> {
    let (mut worker, mut primary) = listening().await?;
    let client = primary.connect("K", 7).await?;
    primary.grant(3, "L")?;
    worker.listen("0.0.0.0:0".parse()?).await?;
    drop(connection(&mut worker).await?);
    primary.heard(r#""ack":7,"accepted":true"#)?;
    is_closed(client).await
}

async fn unknown() -> Result<()> {
    let (mut worker, mut primary) = listening().await?;
    let client = primary.connect("other", 7).await?;
    // Without a socket, it is refused as well.
    primary.say(r#""act":"newconn","key":"K","seq":8"#)?;
    let ours = primary.connect("K", 9).await?;
    drop(connection(&mut worker).await?);
    is_closed(client).await?;
    is_closed(ours).await?;
    let lines = lines(&primary.0)?;
    for (seq, accepted) in [(7, false), (8, false), (9, true)] {
        let answer = format!(r#""ack":{seq},"accepted":{accepted}"#);
        let found = lines.iter().any(|line| line.contains(&answer));
        ensure!(found, "{answer}: {lines:?}");
    }
    Ok(())
}

async fn foreign() -> Result<()> {
    let (mut worker, mut primary) = worker().await?;
    let foreign = b"{\"cmd\":\"NODE_FOO\",\"act\":5}\n\
        {\"cmd\":\"NODE_FOO\",\"ack\":1,\"key\":\"F\"}\n\
        {\"cmd\":\"NODE_FOO\",\"act\":\"disconnect\"}\n";
    primary.0.write_all(foreign)?;
    primary.grant(1, "K")?;
    worker.listen(ANY.parse()?).await?;
    primary.0.write_all(foreign)?;
    let client = primary.connect("K", 7).await?;
    drop(connection(&mut worker).await?);
    is_closed(client).await
}

/// The primary does not read, and whoever waits does not wait long.
async fn cancelled() -> Result<()> {
    let (mut worker, primary) = listening().await?;
    while worker.sender().try_send(&"x".repeat(1000))? {}
    let client = primary.connect("K", 7).await?;
    let stream = loop {
        let wait = connection(&mut worker);
        match tokio::time::timeout(Duration::from_millis(5), wait).await {
            Ok(stream) => break stream?,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    drop(stream);
    is_closed(client).await
}

/// As in Node: a worker's second server at an address is another one.
async fn counted() -> Result<()> {
    let (mut worker, mut primary) = worker().await?;
    let other: SocketAddr = "0.0.0.0:0".parse()?;
    let mut seq = 1;
    for (address, index) in [(ANY.parse()?, 0), (other, 0), (other, 1)] {
        primary.grant(seq, &format!("K{seq}"))?;
        worker.listen(address).await?;
        let ip = address.ip();
        primary.heard(&format!(
            r#""queryServer","index":{index},"data":null,"address":"{ip}""#
        ))?;
        seq += 2;
    }
    // One that was refused does not count.
    for _ in 0..2 {
        primary.say(&format!(r#""errno":-98,"key":"F","ack":{seq}"#))?;
        let error = worker.listen(other).await;
        ensure!(matches!(error, Err(Error::Io(_))), "{error:?}");
        primary.heard(r#""queryServer","index":2,"#)?;
        seq += 1;
    }
    // What the primary does not hear of makes no difference.
    for index in 0..2 {
        primary.grant(seq, &format!("K{seq}"))?;
        let address = SocketAddrV6::new(Ipv6Addr::LOCALHOST, 80, 0, index);
        worker.listen(address.into()).await?;
        primary.heard(&format!(r#""queryServer","index":{index},"#))?;
        seq += 2;
    }
    Ok(())
}

async fn any_number() -> Result<()> {
    let (mut worker, mut primary) = worker().await?;
    primary.say(&format!(r#""errno":{},"key":"K","ack":1"#, i32::MIN))?;
    let error = worker.listen(ANY.parse()?).await;
    ensure!(matches!(error, Err(Error::Io(_))), "{error:?}");
    Ok(())
}
