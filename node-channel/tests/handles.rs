//! Sockets that go from one process to the other.

use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use harness::{Exit, Half, LIMIT};
use node_channel::frames::{self, Frame};
use node_channel::v8::{self, Value};
use node_channel::{Channel, Error, Forked, Handle, Options, Serialization};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixListener};

use super::library::{ended, next, node, run};
use super::recipes::program;
use harness::testing::server::eventually;
use harness::testing::{NODE, Need, Test, test};

pub fn tests() -> Vec<Test> {
    [
        test("node_hands_over_every_kind_of_socket", || run(from_node())),
        test("node_takes_every_kind_of_socket", || run(to_node())),
        test("a_javascript_value_goes_with_a_socket", || {
            run(value_with_socket())
        }),
        test("a_socket_that_was_not_asked_for_is_not_lost", || {
            run(not_asked_for())
        }),
        test("a_node_server_learns_of_open_connections", || {
            run(bookkeeping())
        }),
        test(
            "node_counts_the_connections_that_it_has_handed_over",
            || run(counted()),
        ),
        test("node_counts_connections_in_a_third_process", || {
            run(counted_there())
        }),
        test(
            "what_node_repeats_is_unwrapped_and_acknowledged_once",
            || run(repeated()),
        ),
        test(
            "a_socket_lost_on_the_way_comes_when_node_repeats_it",
            || run(lost_on_the_way()),
        ),
        test("messages_behind_a_socket_wait_for_its_answer", || {
            run(held_back())
        }),
        test("a_refused_socket_is_sent_three_times_more", || {
            run(refused())
        }),
        test("an_answer_to_nothing_is_ignored", || run(stray())),
        test("descriptors_that_nobody_announced_are_closed", || {
            run(unexpected())
        })
        .needs(Need::Proc),
        test("10_000_sockets_leave_nothing_open", ten_thousand)
            .needs(Need::Proc),
        test(
            "a_peer_that_never_answers_holds_up_nothing_at_the_end",
            || run(never_answered()),
        ),
        test("a_file_is_not_sent", || run(no_file())),
        test("a_socket_is_there_although_its_sender_is_not", || {
            run(dead_sender())
        }),
        test("what_harms_a_node_process_is_not_sent", || run(harmless())),
        test("a_blocking_socket_does_not_stop_node", || run(blocking())),
        test("an_open_connection_does_not_hold_the_channel", || {
            run(let_go())
        }),
        test("a_received_descriptor_is_not_inherited", || {
            run(close_on_exec())
        }),
        test("a_socket_goes_once_with_a_long_message", || {
            run(long_with_socket())
        }),
        test(
            "a_socket_is_there_whatever_pieces_its_message_is_in",
            || run(socket_in_pieces()),
        ),
        test("sockets_in_a_row_go_each_with_its_message", || {
            run(in_a_row())
        }),
        test("a_stream_that_is_no_tcp_goes_both_ways", || run(no_tcp())),
        test(
            "what_is_behind_a_socket_that_cannot_be_taken_arrives",
            no_room,
        )
        .needs(Need::Proc),
        test(
            "open_connections_count_when_there_is_no_room_to_look",
            counted_without_room,
        )
        .needs(Need::Proc),
        test("a_frame_has_no_more_descriptors_than_one_may", too_many)
            .needs(Need::Proc),
        test("a_peer_that_takes_no_answers_is_heard_no_more", || {
            run(unread_answers())
        }),
    ]
    .map(|test| test.needs(NODE))
    .into()
}

const BOTH: [Serialization; 2] = [Serialization::Json, Serialization::Advanced];

async fn from_node() -> Result<()> {
    let script = r#"
        const net = require('net'), dgram = require('dgram')
        const path = process.argv[1]
        const server = net.createServer(socket => socket.destroy())
        server.listen(0, '127.0.0.1', () => {
          const port = server.address().port
          process.send({ port }, server, () => {
            const pipe = net.createServer().listen(path, () => {
              process.send({ path }, pipe, () => {
                const udp = dgram.createSocket('udp4').bind(0, '127.0.0.1', () => {
                  process.send({ port: udp.address().port }, udp, () => {
                    const client = net.connect(process.argv[2], '127.0.0.1', () => {
                      process.send('client', client, () => {
                        process.send('last')
                      })
                    })
                  })
                })
              })
            })
          })
        })
        process.on('message', () => process.exit())"#;
    for serialization in BOTH {
        let folder = tempfile::tempdir()?;
        let ours = TcpListener::bind("127.0.0.1:0").await?;
        let mut fork = node(script)
            .arg(folder.path().join("s"))
            .arg(ours.local_addr()?.port().to_string())
            .serialization(serialization);
        let mut child = fork.spawn()?;

        let mut message = next(&mut child.channel).await?;
        let Some(Handle::TcpListener(server)) = message.handle.take() else {
            bail!("{:?}", message.handle);
        };
        // Node goes on listening: who is quicker has the client.
        let client = loop {
            let client = TcpStream::connect(server.local_addr()?).await?;
            tokio::select! {
                accepted = server.accept() => {
                    accepted?.0.write_all(b"from Rust").await?;
                    break client;
                }
                // Node was, and has closed it again.
                ended = client.readable() => ended?,
            }
        };
        ensure!(rest(client).await? == "from Rust");

        let mut message = next(&mut child.channel).await?;
        ensure!(matches!(
            message.handle.take(),
            Some(Handle::UnixListener(_))
        ));
        let mut message = next(&mut child.channel).await?;
        let Some(Handle::UdpSocket(udp)) = message.handle.take() else {
            bail!("{:?}", message.handle);
        };
        let other = UdpSocket::bind("127.0.0.1:0").await?;
        other.send_to(b"datagram", udp.local_addr()?).await?;
        let mut buffer = [0; 20];
        ensure!(udp.recv(&mut buffer).await? == 8);

        let mut message = next(&mut child.channel).await?;
        ensure!(message.to_string() == "client");
        let Some(Handle::TcpStream(mut client)) = message.handle.take() else {
            bail!("{:?}", message.handle);
        };
        client.write_all(b"handed on").await?;
        drop(client);
        ensure!(rest(ours.accept().await?.0).await? == "handed on");
        ensure!(next(&mut child.channel).await?.to_string() == "last");
        child.channel.send("enough").await?;
        ended(child).await?;
    }
    Ok(())
}

async fn rest(mut stream: TcpStream) -> Result<String> {
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

async fn to_node() -> Result<()> {
    let script = r#"
        process.on('message', (m, handle) => {
          if (!handle) return process.send(m)
          const name = handle.constructor.name
          if (name === 'Server') {
            handle.on('connection', s => { s.end('from Node'); handle.close() })
          } else if (name === 'Socket' && handle.write) handle.end('from Node')
          else handle.close()
          process.send({ m, name })
        })"#;
    for serialization in BOTH {
        let mut fork = node(script).serialization(serialization);
        let mut child = fork.spawn()?;
        let folder = tempfile::tempdir()?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let stream = TcpStream::connect(address).await?;
        let (accepted, _) = listener.accept().await?;
        let udp = UdpSocket::bind("127.0.0.1:0").await?;
        let unix = UnixListener::bind(folder.path().join("s"))?;
        let sender = child.channel.sender();
        sender.send_with("accepted", accepted).await?;
        sender.send_with("listener", listener).await?;
        sender.send("between").await?;
        sender.send_with("udp", udp).await?;
        sender.send_with("unix", unix).await?;
        for expected in [
            r#"{"m":"accepted","name":"Socket"}"#,
            r#"{"m":"listener","name":"Server"}"#,
            "between",
            r#"{"m":"udp","name":"Socket"}"#,
            r#"{"m":"unix","name":"Server"}"#,
        ] {
            let message = next(&mut child.channel).await?;
            ensure!(message.to_string() == expected, "{message}");
        }
        ensure!(rest(stream).await? == "from Node");
        let stream = TcpStream::connect(address).await?;
        ensure!(rest(stream).await? == "from Node");
        // The server on the pipe would keep Node alive.
        child.process.kill().await?;
    }
    Ok(())
}

/// What no type of Rust's is, and a socket: Node gets both.
async fn value_with_socket() -> Result<()> {
    let script = r#"
        const { inspect } = require('util')
        process.on('message', (m, handle) => {
          process.send(inspect(m, { depth: 9, breakLength: Infinity }))
          handle?.end?.('from Node') ?? handle?.close()
        })"#;
    let mut fork = node(script).serialization(Serialization::Advanced);
    let mut child = fork.spawn()?;
    let sender = child.channel.sender();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (accepted, _) = listener.accept().await?;
    let map = Value::Map(vec![("中".into(), Value::Date(0.0))]);
    // It contains itself and the same Map twice.
    let value = Value::from([
        ("self", Value::Reference(0)),
        ("map", map),
        ("again", Value::Reference(1)),
    ]);
    let shown = "<ref *1> { self: [Circular *1], \
        map: Map(1) { '中' => 1970-01-01T00:00:00.000Z }, \
        again: Map(1) { '中' => 1970-01-01T00:00:00.000Z } }";
    sender.send_value_with(&value, accepted).await?;
    let seen = next(&mut child.channel).await?;
    ensure!(seen.to_string() == shown, "{seen}");
    ensure!(rest(client).await? == "from Node");
    let udp = UdpSocket::bind("127.0.0.1:0").await?;
    sender.send_value_with(&Value::Undefined, udp).await?;
    sender.send_value(&value).await?;
    for shown in ["undefined", shown] {
        let seen = next(&mut child.channel).await?;
        ensure!(seen.to_string() == shown, "{seen}");
    }
    child.channel.disconnect().await?;
    ended(child).await?;

    // JSON has no words for it.
    let (channel, _peer) = raw_peer()?;
    let sent = channel.sender().send_value(&value).await;
    ensure!(matches!(sent, Err(Error::Value(_))), "{sent:?}");
    let (one, _other) = tokio::net::UnixStream::pair()?;
    let sent = channel.sender().send_value_with(&value, one).await;
    ensure!(matches!(sent, Err(Error::Value(_))), "{sent:?}");
    Ok(())
}

/// `server.getConnections` and `server.close` in Node ask the process that
/// has the connections now.
async fn counted() -> Result<()> {
    let script = r#"
        const server = require('net').createServer(
          socket => process.send('socket', socket))
        server.listen(0, '127.0.0.1', () => process.send(server.address().port))
        process.on('message', m => {
          if (m === 'count') server.getConnections(
            (error, count) => process.send({ error, count }))
          if (m === 'close') server.close(() => process.send('closed'))
          if (m === 'end') process.disconnect()
          if (m === 'still there?') process.send(m)
        })"#;
    for serialization in BOTH {
        let mut child = node(script).serialization(serialization).spawn()?;
        let channel = &mut child.channel;
        let port: u16 = next(channel).await?.parse()?;
        let mut clients = Vec::new();
        let mut sockets = Vec::new();
        for _ in 0..3 {
            clients.push(TcpStream::connect(("127.0.0.1", port)).await?);
            let message = next(channel).await?;
            sockets.push(message.handle.context("no socket")?);
        }
        for count in [3, 2] {
            sockets.truncate(count);
            channel.send("count").await?;
            let answer = next(channel).await?.to_string();
            let expected = format!(r#""count":{count}"#);
            ensure!(answer.contains(&expected), "{answer}");
        }
        // It is not closed before the last one is.
        channel.send("close").await?;
        channel.send("still there?").await?;
        ensure!(next(channel).await?.to_string() == "still there?");
        sockets.clear();
        ensure!(next(channel).await?.to_string() == "closed");
        channel.send("end").await?;
        ended(child).await?;
    }
    Ok(())
}

/// A Node server, we, and another Node process that has the connections now.
async fn counted_there() -> Result<()> {
    let server = r#"
        const server = require('net').createServer(
          socket => process.send('socket', socket))
        server.listen(0, '127.0.0.1', () => process.send(server.address().port))
        process.on('message', m => {
          if (m === 'count') server.getConnections(
            (error, count) => process.send(count))
          if (m === 'close') server.close(() => process.send('closed'))
          if (m === 'end') process.disconnect()
          if (m === 'still there?') process.send(m)
        })"#;
    let third = "const sockets = []
        process.on('message', (m, socket) => {
          if (socket) {
            sockets.push(socket)
            process.send('have')
          } else sockets.pop().destroy()
        })";
    for serialization in BOTH {
        let mut child = node(server).serialization(serialization).spawn()?;
        let channel = &mut child.channel;
        let mut other = node(third).serialization(serialization).spawn()?;
        let port: u16 = next(channel).await?.parse()?;
        let mut clients = Vec::new();
        for _ in 0..2 {
            clients.push(TcpStream::connect(("127.0.0.1", port)).await?);
            other.channel.pass_on(next(channel).await?).await?;
            ensure!(next(&mut other.channel).await?.to_string() == "have");
        }
        // Somebody awaits its answers.
        let sender = other.channel.sender();
        let listening = tokio::spawn(async move {
            while other.channel.recv().await.is_some() {}
            other
        });
        for count in [2, 1] {
            channel.send("count").await?;
            let found = next(channel).await?.parse::<u32>()?;
            ensure!(found == count, "{found} {count}");
            if count == 2 {
                sender.send("drop one").await?;
                // It is gone there: the client sees its end.
                let mut rest = String::new();
                let mut client = clients.pop().context("no client")?;
                client.read_to_string(&mut rest).await?;
            }
        }
        // It is not closed before the last one is.
        channel.send("close").await?;
        channel.send("still there?").await?;
        ensure!(next(channel).await?.to_string() == "still there?");
        sender.send("drop one").await?;
        ensure!(next(channel).await?.to_string() == "closed");
        channel.send("end").await?;
        ended(child).await?;
        sender.disconnect().await?;
        listening.await?.process.wait().await?;
    }
    Ok(())
}

/// A type of yours has no place for the socket that comes with it.
async fn not_asked_for() -> Result<()> {
    let (mut channel, peer) = raw_peer()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let socket: OwnedFd = listener.into_std()?.into();
    let envelope = r#"{"cmd":"NODE_HANDLE","type":"net.Server","msg":7}"#;
    send_descriptors(&peer, envelope, &[&socket])?;
    send_descriptors(&peer, envelope, &[&socket])?;
    send_descriptors(&peer, "8", &[])?;
    let only = channel.recv_as::<u8>().await.context("the end")?;
    let Err(Error::UnexpectedHandle(message)) = only else {
        bail!("{only:?}");
    };
    ensure!(message.parse::<u8>()? == 7);
    ensure!(matches!(message.handle, Some(Handle::TcpListener(_))));
    let both = channel.recv_with::<u8>().await.context("the end")??;
    ensure!(
        matches!(both, (7, Some(Handle::TcpListener(_)))),
        "{both:?}"
    );
    let both = channel.recv_with::<u8>().await.context("the end")??;
    ensure!(matches!(both, (8, None)), "{both:?}");
    Ok(())
}

async fn bookkeeping() -> Result<()> {
    let (ours, theirs) = StdUnixStream::pair()?;
    let mut raw = theirs.try_clone()?;
    let mut channel = Channel::new(ours.into(), Options::default())?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let accepted: OwnedFd = listener.accept().await?.0.into_std()?.into();
    let envelope =
        r#"{"cmd":"NODE_HANDLE","type":"net.Socket","msg":"s","key":"4:k"}"#;
    send_descriptors(&theirs, envelope, &[&accepted])?;
    drop(accepted);
    let mut message = next(&mut channel).await?;
    let socket = message.handle.take().context("no socket")?;
    let ask = |what: &str| {
        format!("{{\"cmd\":\"NODE_SOCKET_{what}\",\"key\":\"4:k\"}}\n")
    };
    raw.write_all(ask("GET_COUNT").as_bytes())?;
    raw.write_all(ask("NOTIFY_CLOSE").as_bytes())?;
    raw.write_all(b"1\n")?;
    next(&mut channel).await?;
    let lines = lines(&theirs)?;
    ensure!(
        lines
            == [
                r#"{"cmd":"NODE_HANDLE_ACK"}"#,
                r#"{"cmd":"NODE_SOCKET_COUNT","key":"4:k","count":1}"#,
            ],
        "{lines:?}"
    );
    drop(socket);
    ensure!(rest(client).await?.is_empty());
    raw.write_all(ask("GET_COUNT").as_bytes())?;
    raw.write_all(b"2\n")?;
    next(&mut channel).await?;
    let mut found = Vec::new();
    while found.len() < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        found.extend(self::lines(&theirs)?);
    }
    found.sort();
    ensure!(
        found
            == [
                r#"{"cmd":"NODE_SOCKET_ALL_CLOSED","key":"4:k"}"#,
                r#"{"cmd":"NODE_SOCKET_COUNT","key":"4:k","count":0}"#,
            ],
        "{found:?}"
    );
    Ok(())
}

/// Writes a line and sends descriptors with its first byte.
pub fn send_descriptors(
    to: &StdUnixStream,
    line: &str,
    descriptors: &[&OwnedFd],
) -> Result<()> {
    send_bytes(to, &format!("{line}\n"), descriptors)
}

fn send_bytes(
    to: &StdUnixStream,
    bytes: &str,
    descriptors: &[&OwnedFd],
) -> Result<()> {
    use rustix::net::{
        SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg,
    };
    use std::os::fd::AsFd;
    let rights: Vec<_> = descriptors.iter().map(|fd| fd.as_fd()).collect();
    let mut space =
        [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(253))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    ensure!(control.push(SendAncillaryMessage::ScmRights(&rights)));
    let parts = [std::io::IoSlice::new(bytes.as_bytes())];
    let sent = sendmsg(to, &parts, &mut control, SendFlags::empty())?;
    ensure!(sent == bytes.len());
    Ok(())
}

/// The lines that have arrived.
pub fn lines(from: &StdUnixStream) -> Result<Vec<String>> {
    from.set_nonblocking(true)?;
    let mut bytes = Vec::new();
    let _ = std::io::Read::read_to_end(&mut { from }, &mut bytes);
    from.set_nonblocking(false)?;
    let text = String::from_utf8(bytes)?;
    Ok(text.lines().map(str::to_owned).collect())
}

/// A peer of ours whose bytes we write ourselves.
pub fn raw_peer() -> Result<(Channel, StdUnixStream)> {
    let (ours, theirs) = StdUnixStream::pair()?;
    Ok((Channel::new(ours.into(), Options::default())?, theirs))
}

async fn repeated() -> Result<()> {
    let (mut channel, peer) = raw_peer()?;
    let (one, _other) = StdUnixStream::pair()?;
    let envelope = r#"{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"cmd":"NODE_HANDLE","type":"net.Socket","msg":{"x":"中"},"key":"k"}}"#;
    send_descriptors(&peer, envelope, &[&one.into()])?;
    let message = next(&mut channel).await?;
    ensure!(message.bytes() == r#"{"x":"中"}"#.as_bytes());
    ensure!(matches!(message.handle, Some(Handle::UnixStream(_))));
    let answers = lines(&peer)?;
    ensure!(answers == [r#"{"cmd":"NODE_HANDLE_ACK"}"#], "{answers:?}");

    // Without end: acknowledged once, and one error.
    let deep = format!(
        "{}1{}",
        r#"{"cmd":"NODE_HANDLE","msg":"#.repeat(20),
        "}".repeat(20)
    );
    let (one, _other) = StdUnixStream::pair()?;
    send_descriptors(&peer, &deep, &[&one.into()])?;
    let error = channel.recv().await.context("end")?.err();
    ensure!(matches!(error, Some(Error::Malformed { .. })), "{error:?}");
    let answers = lines(&peer)?;
    ensure!(answers == [r#"{"cmd":"NODE_HANDLE_ACK"}"#], "{answers:?}");
    Ok(())
}

/// Between Node and us, descriptors are lost, as they are where a process has
/// no room for one. Node sends a `net.Socket` four times in all.
async fn lost_on_the_way() -> Result<()> {
    for serialization in BOTH {
        for lost in [1, 3, 4] {
            let (message, behind) = after_loss(serialization, lost).await?;
            ensure!(behind == "behind", "{lost} lost: {behind}");
            ensure!(message == (lost < 4), "{lost} lost: {message}");
        }
    }
    Ok(())
}

/// What arrives when so many of Node's descriptors are lost: whether the
/// socket, through which something is said then, and the text of what was
/// sent after it.
async fn after_loss(
    serialization: Serialization,
    lost: usize,
) -> Result<(bool, String)> {
    let script = "
        const client = require('net').connect(process.argv[1], '127.0.0.1')
        client.on('connect', () => {
          process.send('socket', client)
          process.send('behind')
        })
        process.on('disconnect', () => process.exit())";
    let options = Options::default().serialization(serialization);
    let server = TcpListener::bind("127.0.0.1:0").await?;
    let (nodes, ours) = StdUnixStream::pair()?;
    let mode = match serialization {
        Serialization::Json => "json",
        Serialization::Advanced => "advanced",
    };
    let process = tokio::process::Command::new("node")
        .args(["-e", script, &server.local_addr()?.port().to_string()])
        .env("NODE_CHANNEL_FD", "0")
        .env("NODE_CHANNEL_SERIALIZATION_MODE", mode)
        .stdin(OwnedFd::from(nodes))
        .stderr(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let (mut from_node, to_node) =
        frames::open(ours.into(), serialization, frames::LIMIT)?;
    let (ours, theirs) = StdUnixStream::pair()?;
    let mut channel = Channel::new(ours.into(), options)?;
    let (mut from_us, to_us) =
        frames::open(theirs.into(), serialization, frames::LIMIT)?;

    let mut left = lost;
    let there = tokio::spawn(async move {
        while let Some(mut frame) = from_node.next().await? {
            if !frame.descriptors.is_empty() && left > 0 {
                frame.descriptors.clear();
                left -= 1;
            }
            to_us.send(frame).await?;
        }
        Ok::<_, io::Error>(left)
    });
    let back = tokio::spawn(async move {
        while let Some(frame) = from_us.next().await? {
            to_node.send(frame).await?;
        }
        to_node.finish().await
    });

    let mut message = next(&mut channel).await?;
    let arrived = match message.handle.take() {
        Some(Handle::TcpStream(mut client)) => {
            ensure!(message.to_string() == "socket", "{message}");
            client.write_all(b"from Rust").await?;
            drop(client);
            let mut text = String::new();
            // To the end: Node has closed its own.
            server.accept().await?.0.read_to_string(&mut text).await?;
            ensure!(text == "from Rust", "{text}");
            message = next(&mut channel).await?;
            true
        }
        None => false,
        other => bail!("{other:?}"),
    };
    channel.disconnect().await?;
    let more = channel.recv().await.transpose()?;
    ensure!(more.is_none(), "one more message: {more:?}");
    back.await??;
    ensure!(there.await?? == 0, "Node has not repeated it often enough");
    let output = process.wait_with_output().await?;
    ensure!(output.status.success(), "{}", output.status);
    let said = String::from_utf8_lossy(&output.stderr);
    let warned = said.contains("SentHandleNotReceivedWarning");
    ensure!(warned != arrived, "{lost} lost: {said}");
    Ok((arrived, message.to_string()))
}

async fn held_back() -> Result<()> {
    let (mut channel, mut peer) = raw_peer()?;
    let sender = channel.sender();
    let (one, _other) = tokio::net::UnixStream::pair()?;
    sender.send_with("socket", one).await?;
    sender.send("behind").await?;
    // Answers go before all that waits.
    peer.write_all(b"{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Socket\"}\n1\n")?;
    next(&mut channel).await?;
    let first = lines(&peer)?;
    ensure!(
        first
            == [
                r#"{"cmd":"NODE_HANDLE","type":"net.Socket","msg":"socket"}"#,
                r#"{"cmd":"NODE_HANDLE_NACK"}"#,
            ],
        "{first:?}"
    );
    // Without an answer there is no end, either: whoever cannot wait closes.
    let waits = Duration::from_millis(50);
    let end = tokio::time::timeout(waits, sender.disconnect()).await;
    ensure!(end.is_err());
    peer.write_all(b"{\"cmd\":\"NODE_HANDLE_ACK\"}\n2\n")?;
    next(&mut channel).await?;
    ensure!(lines(&peer)? == [r#""behind""#]);
    sender.disconnect().await?;
    Ok(())
}

async fn refused() -> Result<()> {
    let (mut channel, peer) = raw_peer()?;
    let (mut sent, answers) =
        frames::open(peer.into(), Serialization::Json, frames::LIMIT)?;
    let sender = channel.sender();
    let (one, _other) = tokio::net::UnixStream::pair()?;
    sender.send_with(&1, one).await?;
    sender.send("behind").await?;
    for again in 0..4 {
        let frame = sent.next().await?.context("the end")?;
        let text = String::from_utf8_lossy(frame.bytes()).into_owned();
        ensure!(text.contains("NODE_HANDLE"), "{text}");
        ensure!(frame.descriptors.len() == 1, "without its socket");
        for answer in [r#"{"cmd":"NODE_HANDLE_NACK"}"#, "1"] {
            answers.send(answer.as_bytes().to_vec().into()).await?;
        }
        if again < 3 {
            ensure!(next(&mut channel).await?.to_string() == "1");
        }
    }
    let refused = channel.recv().await.context("the end")?;
    ensure!(matches!(refused, Err(Error::HandleRefused)), "{refused:?}");
    ensure!(next(&mut channel).await?.to_string() == "1");
    let behind = sent.next().await?.context("the end")?;
    ensure!(behind.bytes() == br#""behind""#, "{behind:?}");
    ensure!(behind.descriptors.is_empty());
    Ok(())
}

async fn stray() -> Result<()> {
    let (mut channel, mut peer) = raw_peer()?;
    peer.write_all(b"{\"cmd\":\"NODE_HANDLE_ACK\"}\n")?;
    peer.write_all(b"{\"cmd\":\"NODE_HANDLE_NACK\"}\n1\n")?;
    ensure!(next(&mut channel).await?.to_string() == "1");
    channel.send("fine").await?;
    ensure!(lines(&peer)? == [r#""fine""#]);
    Ok(())
}

async fn unexpected() -> Result<()> {
    let (mut channel, peer) = raw_peer()?;
    let read_end = |text: &str, count| -> Result<StdUnixStream> {
        let (one, other) = StdUnixStream::pair()?;
        let one: OwnedFd = one.into();
        send_descriptors(&peer, text, &vec![&one; count])?;
        Ok(other)
    };
    let mut others = vec![
        read_end("1", 1)?,
        read_end("{\"cmd\":\"NODE_X\"}", 1)?,
        read_end("not JSON", 3)?,
        read_end(r#"{"cmd":"NODE_HANDLE","msg":2}"#, 3)?,
    ];
    ensure!(next(&mut channel).await?.handle.is_none());
    ensure!(channel.recv().await.context("end")?.is_err());
    let message = next(&mut channel).await?;
    ensure!(message.handle.is_some());
    drop(message);
    for other in &mut others {
        // Its other end is closed, here and in the channel.
        ensure!(std::io::Read::read(other, &mut [0; 1])? == 0);
    }
    Ok(())
}

/// Both ends are processes of their own, so the counts are exact: other tests
/// open files in this one.
fn ten_thousand() -> Result<()> {
    let script = r#"
        const { readdirSync } = require('fs'), net = require('net')
        const { spawn } = require('child_process')
        const child = spawn(process.argv[1],
          { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
        const open = () => [process, child].map(
          ({ pid }) => readdirSync(`/proc/${pid}/fd`).length)
        let before, left = 10_000
        const server = net.createServer().listen(0, '127.0.0.1', () =>
          child.send('first'))
        child.on('message', (m, handle) => {
          if (m === 'first') before = open()
          if (m === 'last') {
            console.log(`before ${before}, after ${open()}`)
            server.close()
            return child.disconnect()
          }
          handle?.close(() => {})
          if (m === 'socket' && !handle) throw 'lost'
          if (left-- > 0) child.send('socket', server)
          else child.send('last')
        })"#;
    let echo = program("echo")?;
    let mut node = Command::new("node");
    node.args(["-e", script]).arg(echo.get_program());
    let mut half = Half::start(&mut node)?;
    ensure!(half.wait()? == Exit::Code(0), "{:?}", half.stderr());
    let lines = half.stdout();
    let counts = lines[0].strip_prefix("before ").context("no counts")?;
    let (before, after) = counts.split_once(", after ").context("counts")?;
    ensure!(before == after, "{counts}");
    Ok(())
}

async fn never_answered() -> Result<()> {
    let (mut channel, mut peer) = raw_peer()?;
    let sender = channel.sender();
    let (one, mut other) = tokio::net::UnixStream::pair()?;
    sender.send_with("socket", one).await?;
    // What is behind it waits, and whoever sends more is held back.
    let long = "x".repeat(1 << 16);
    while sender.try_send(&long)? {}
    let late = tokio::spawn({
        let sender = sender.clone();
        async move { sender.send("late").await }
    });
    // The other direction goes on.
    peer.write_all(b"1\n")?;
    next(&mut channel).await?;
    ensure!(!late.is_finished());
    // At the end, nothing more is taken; what was, is waited for.
    let end = tokio::spawn(async move { sender.disconnect().await });
    ensure!(matches!(late.await?, Err(Error::Closed)));
    peer.write_all(b"2\n")?;
    next(&mut channel).await?;
    ensure!(!end.is_finished());
    ensure!(lines(&peer)?.len() == 1);
    // With the peer gone nobody waits any longer, and nothing stays open.
    drop(peer);
    ensure!(channel.recv().await.is_none());
    end.await?.ok();
    ensure!(other.read(&mut [0; 1]).await? == 0);
    Ok(())
}

async fn no_file() -> Result<()> {
    let (channel, _peer) = raw_peer()?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("file");
    fs::write(&file, "x")?;
    for path in [&*file, folder.path(), Path::new("/dev/null")] {
        let file: OwnedFd = fs::File::open(path)?.into();
        let sent = channel.sender().send_with("x", file).await;
        ensure!(matches!(sent, Err(Error::Value(_))), "{path:?} {sent:?}");
    }
    Ok(())
}

/// Its acknowledgement reaches nobody, and that is all.
async fn dead_sender() -> Result<()> {
    let script = "
        const server = require('net').createServer()
        server.listen(0, '127.0.0.1', () => {
          process.send('last', server)
          process.kill(process.pid, 'SIGKILL')
        })";
    for serialization in BOTH {
        let mut child = node(script).serialization(serialization).spawn()?;
        child.wait().await?;
        let message = next(&mut child.channel).await?;
        ensure!(message.to_string() == "last", "{message}");
        ensure!(matches!(message.handle, Some(Handle::TcpListener(_))));
        ensure!(child.channel.recv().await.is_none());
    }

    // Or we are the one who has said that this was all.
    let (mut channel, peer) = raw_peer()?;
    let (one, _other) = StdUnixStream::pair()?;
    let envelope = r#"{"cmd":"NODE_HANDLE","type":"net.Socket","msg":1}"#;
    send_descriptors(&peer, envelope, &[&one.into()])?;
    channel.disconnect().await?;
    ensure!(next(&mut channel).await?.handle.is_some());
    Ok(())
}

/// Node keeps a socket that it has no name for, and takes none after it.
async fn harmless() -> Result<()> {
    let script = "process.on('message', (m, handle) => {
        process.send([m, handle.constructor.name])
        handle.close()
      })";
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    let mut child = node(script).spawn()?;
    let sender = child.channel.sender();
    for kind in [SocketType::DGRAM, SocketType::SEQPACKET] {
        let flags = SocketFlags::empty();
        let pair = socketpair(AddressFamily::UNIX, kind, flags, None);
        // Not every system has both.
        let Ok((one, _other)) = pair else { continue };
        let sent = sender.send_with("no", one).await;
        ensure!(matches!(sent, Err(Error::Value(_))), "{sent:?}");
    }
    // All that it has a name for, as bare descriptors.
    let listener = std::net::TcpListener::bind("[::1]:0")?;
    let udp = std::net::UdpSocket::bind("127.0.0.1:0")?;
    let (unix, _other) = StdUnixStream::pair()?;
    let (_pipe, pipe) = std::io::pipe()?;
    let descriptors: [(_, OwnedFd); 4] = [
        ("TCP", listener.into()),
        ("UDP", udp.into()),
        ("Pipe", unix.into()),
        ("Pipe", pipe.into()),
    ];
    for (name, descriptor) in descriptors {
        sender.send_with("raw", descriptor).await?;
        let seen: [String; 2] = next(&mut child.channel).await?.parse()?;
        ensure!(seen == ["raw", name], "{seen:?}");
    }
    child.channel.disconnect().await?;
    ended(child).await
}

/// A socket of std's blocks, and Node's only thread would with it.
async fn blocking() -> Result<()> {
    let script = "const net = require('net')
        process.on('message', (m, handle) => {
          new net.Socket({ handle }).end(Buffer.alloc(2 ** 24))
          process.send('still here')
        })";
    let mut child = node(script).spawn()?;
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let client = std::net::TcpStream::connect(listener.local_addr()?)?;
    let accepted: OwnedFd = listener.accept()?.0.into();
    child.channel.sender().send_with("write", accepted).await?;
    // Nobody has read any of it.
    ensure!(next(&mut child.channel).await?.to_string() == "still here");
    client.set_nonblocking(true)?;
    let mut client = TcpStream::from_std(client)?;
    let mut bytes = Vec::new();
    client.read_to_end(&mut bytes).await?;
    ensure!(bytes.len() == 1 << 24);
    drop(client);
    child.channel.disconnect().await?;
    ended(child).await
}

/// Node's server waits for a connection that we have. It learns all the same
/// that the channel is gone.
async fn let_go() -> Result<()> {
    let script = r#"
        const server = require('net').createServer(socket => {
          process.send('socket', socket)
          server.close()
          process.send('asked')
        })
        server.listen(0, '127.0.0.1', () => process.send(server.address().port))
        process.on('disconnect', () => process.exit())"#;
    let Forked {
        mut channel,
        mut process,
    } = node(script).spawn()?;
    let port: u16 = next(&mut channel).await?.parse()?;
    let _client = TcpStream::connect(("127.0.0.1", port)).await?;
    let _socket = next(&mut channel).await?.handle.context("no socket")?;
    ensure!(next(&mut channel).await?.to_string() == "asked");
    drop(channel);
    let status = process.wait().await?;
    ensure!(status.success(), "{status}");
    Ok(())
}

/// A program that is started here must not hold somebody's connection.
async fn close_on_exec() -> Result<()> {
    let (mut channel, peer) = raw_peer()?;
    let (unix, _other) = StdUnixStream::pair()?;
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let (_pipe, pipe) = std::io::pipe()?;
    let envelope = r#"{"cmd":"NODE_HANDLE","type":"net.Socket","msg":1}"#;
    let sent: [OwnedFd; 3] = [unix.into(), listener.into(), pipe.into()];
    for descriptor in sent {
        send_descriptors(&peer, envelope, &[&descriptor])?;
        let handle = next(&mut channel).await?.handle;
        let flags = match handle.context("no socket")? {
            Handle::UnixStream(socket) => rustix::io::fcntl_getfd(&socket),
            Handle::TcpListener(socket) => rustix::io::fcntl_getfd(&socket),
            Handle::Raw(pipe) => rustix::io::fcntl_getfd(&pipe),
            other => bail!("{other:?}"),
        };
        ensure!(flags?.contains(rustix::io::FdFlags::CLOEXEC));
    }
    Ok(())
}

/// And not with each piece that the kernel takes.
async fn long_with_socket() -> Result<()> {
    let long = "x".repeat(1 << 22);
    let (ours, theirs) = StdUnixStream::pair()?;
    let channel = Channel::new(ours.into(), Options::default())?;
    let (mut reader, _writer) =
        frames::open(theirs.into(), Serialization::Json, frames::LIMIT)?;
    let (one, _other) = tokio::net::UnixStream::pair()?;
    channel.sender().send_with(&long, one).await?;
    let frame = reader.next().await?.context("end")?;
    ensure!(frame.descriptors.len() == 1, "{}", frame.descriptors.len());

    let script = "process.on('message', (m, handle) => {
        const { length } = m
        process.send([length, handle.constructor.name, handle.type ?? '']
          .join(' '))
        if (length === 1) process.send(m.repeat(2 ** 22), handle)
        else handle.close()
      })";
    for serialization in BOTH {
        let mut child = node(script).serialization(serialization).spawn()?;
        let sender = child.channel.sender();
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        sender.send_with(&long, listener).await?;
        let udp = UdpSocket::bind("[::1]:0").await?;
        let address = udp.local_addr()?;
        sender.send_with("y", udp).await?;
        let seen = next(&mut child.channel).await?;
        ensure!(seen.to_string() == "4194304 Server ", "{seen}");
        let seen = next(&mut child.channel).await?;
        ensure!(seen.to_string() == "1 Socket udp6", "{seen}");
        // And the other way.
        let back = next(&mut child.channel).await?;
        ensure!(back.parse::<String>()? == "y".repeat(1 << 22));
        let Some(Handle::UdpSocket(back)) = back.handle else {
            bail!("{:?}", back.handle);
        };
        ensure!(back.local_addr()? == address);
        child.process.kill().await?;
    }
    Ok(())
}

async fn socket_in_pieces() -> Result<()> {
    let (mut channel, mut peer) = raw_peer()?;
    let envelope =
        "{\"cmd\":\"NODE_HANDLE\",\"type\":\"net.Socket\",\"msg\":1}\n";
    for cut in [1, 20, envelope.len() - 1] {
        let (first, rest) = envelope.split_at(cut);
        let (one, mut other) = StdUnixStream::pair()?;
        send_bytes(&peer, first, &[&one.into()])?;
        let waits = Duration::from_millis(20);
        let early = tokio::time::timeout(waits, channel.recv()).await;
        ensure!(early.is_err(), "{early:?}");
        // It goes with its own message, not with the next one.
        peer.write_all(rest.as_bytes())?;
        peer.write_all(b"2\n")?;
        let handle = next(&mut channel).await?.handle;
        let Some(Handle::UnixStream(mut socket)) = handle else {
            bail!("{handle:?}");
        };
        ensure!(next(&mut channel).await?.handle.is_none());
        socket.write_all(b"!").await?;
        std::io::Read::read_exact(&mut other, &mut [0; 1])?;
    }
    Ok(())
}

/// Node waits for an answer to each; another peer need not, and all of it is
/// there before we look.
async fn in_a_row() -> Result<()> {
    for serialization in BOTH {
        let options = Options::default().serialization(serialization);
        let (ours, theirs) = StdUnixStream::pair()?;
        let mut channel = Channel::new(ours.into(), options)?;
        let (_, peer) =
            frames::open(theirs.into(), serialization, frames::LIMIT)?;
        let written = |value: serde_json::Value| match serialization {
            Serialization::Json => Ok(serde_json::to_vec(&value)?),
            Serialization::Advanced => v8::to_vec(&value).map_err(Into::into),
        };
        let mut others = Vec::new();
        for number in 0..4_u8 {
            let (one, other) = StdUnixStream::pair()?;
            let envelope = serde_json::json!({
                "cmd": "NODE_HANDLE", "type": "net.Socket", "msg": number
            });
            let mut frame = Frame::from(written(envelope)?);
            frame.descriptors.push(one.into());
            peer.send(frame).await?;
            let between: Result<_> = written("between".into());
            peer.send(between?.into()).await?;
            others.push((number, other));
        }
        for (number, mut other) in others {
            let message = next(&mut channel).await?;
            ensure!(message.parse::<u8>()? == number, "{message}");
            let Some(Handle::UnixStream(mut socket)) = message.handle else {
                bail!("{message:?}");
            };
            let between = next(&mut channel).await?;
            ensure!(between.to_string() == "between", "{between}");
            ensure!(between.handle.is_none());
            socket.write_all(&[number]).await?;
            let mut byte = [0];
            other.read_exact(&mut byte)?;
            ensure!(byte == [number]);
        }
    }
    Ok(())
}

/// Unix streams, and pipes, for which there is no type here.
async fn no_tcp() -> Result<()> {
    let script = r#"
        const net = require('net')
        process.on('message', (m, socket) => {
          socket.end('from Node')
          const client = net.connect(process.argv[1], () => {
            process.send('client', client, () => {
              const stdin = new net.Socket({ fd: 0, readable: false })
              process.send('stdin', stdin._handle)
            })
          })
        })"#;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("s");
    let server = UnixListener::bind(&path)?;
    let mut fork = node(script).arg(&path).stdin(std::process::Stdio::piped());
    let mut child = fork.spawn()?;
    let (mut ours, theirs) = tokio::net::UnixStream::pair()?;
    child.channel.sender().send_with("x", theirs).await?;

    let message = next(&mut child.channel).await?;
    let Some(Handle::UnixStream(mut client)) = message.handle else {
        bail!("{:?}", message.handle);
    };
    client.write_all(b"from Rust").await?;
    drop(client);
    let mut text = String::new();
    server.accept().await?.0.read_to_string(&mut text).await?;
    ensure!(text == "from Rust", "{text}");
    text.clear();
    ours.read_to_string(&mut text).await?;
    ensure!(text == "from Node", "{text}");

    let message = next(&mut child.channel).await?;
    let Some(Handle::Raw(stdin)) = message.handle else {
        bail!("{:?}", message.handle);
    };
    let mut pipe = child.process.stdin.take().context("no stdin")?;
    pipe.write_all(b"through a pipe").await?;
    drop(pipe);
    text.clear();
    let mut stdin = tokio::net::unix::pipe::Receiver::from_owned_fd(stdin)?;
    stdin.read_to_string(&mut text).await?;
    ensure!(text == "through a pipe", "{text}");
    child.process.kill().await?;
    Ok(())
}

/// The program `echo`, whose channel we write to by hand; killed in the end.
struct Echo {
    process: std::process::Child,
    channel: StdUnixStream,
    /// Its own end once more, to see what it has not read.
    theirs: OwnedFd,
}

impl Echo {
    /// Has answered once.
    fn start() -> Result<Self> {
        let (channel, theirs) = StdUnixStream::pair()?;
        channel.set_read_timeout(Some(LIMIT))?;
        let theirs = OwnedFd::from(theirs);
        let process = program("echo")?
            .env("NODE_CHANNEL_FD", "0")
            .stdin(theirs.try_clone()?)
            .spawn()?;
        let echo = Self {
            process,
            channel,
            theirs,
        };
        echo.write("1\n")?;
        ensure!(echo.read()? == "1");
        Ok(echo)
    }

    fn write(&self, text: &str) -> Result<()> {
        Ok((&self.channel).write_all(text.as_bytes())?)
    }

    fn read(&self) -> Result<String> {
        let mut line = Vec::new();
        let mut byte = [0];
        while byte != *b"\n" {
            (&self.channel).read_exact(&mut byte)?;
            line.push(byte[0]);
        }
        Ok(String::from_utf8(line)?.trim_end().to_owned())
    }

    fn open(&self) -> Result<Vec<u32>> {
        let list = format!("/proc/{}/fd", self.process.id());
        let names = fs::read_dir(list)?.map(|entry| Ok(entry?.file_name()));
        let names: Vec<OsString> = names.collect::<io::Result<_>>()?;
        let numbers = names.iter().filter_map(|name| name.to_str());
        Ok(numbers.filter_map(|name| name.parse().ok()).collect())
    }

    /// It may open nothing more.
    fn take_all_descriptors(&self) -> Result<()> {
        let open = self.open()?;
        let free = (0..).find(|number| !open.contains(number));
        limit_descriptors(self.process.id(), free.context("no end")?)
    }

    fn pid(&self) -> Result<Pid> {
        Pid::from_raw(self.process.id().cast_signed()).context("no process")
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn no_room() -> Result<()> {
    let echo = Echo::start()?;
    echo.take_all_descriptors()?;
    // Both are there before it reads.
    kill_process(echo.pid()?, Signal::STOP)?;
    let (one, _other) = StdUnixStream::pair()?;
    let envelope = r#"{"cmd":"NODE_HANDLE","type":"net.Native","msg":2}"#;
    send_descriptors(&echo.channel, envelope, &[&one.into()])?;
    echo.write("3\n")?;
    kill_process(echo.pid()?, Signal::CONT)?;
    ensure!(echo.read()? == r#"{"cmd":"NODE_HANDLE_NACK"}"#);
    ensure!(echo.read()? == "3");
    Ok(())
}

/// What is open cannot be looked up then, and what is not known to be closed
/// counts as open.
fn counted_without_room() -> Result<()> {
    let echo = Echo::start()?;
    let (one, _other) = StdUnixStream::pair()?;
    let envelope =
        r#"{"cmd":"NODE_HANDLE","type":"net.Socket","msg":2,"key":"k"}"#;
    send_descriptors(&echo.channel, envelope, &[&one.into()])?;
    ensure!(echo.read()? == r#"{"cmd":"NODE_HANDLE_ACK"}"#);
    // Not acknowledged, what comes back stays open there.
    ensure!(echo.read()? == envelope);
    echo.take_all_descriptors()?;
    echo.write("{\"cmd\":\"NODE_SOCKET_GET_COUNT\",\"key\":\"k\"}\n")?;
    let count = r#"{"cmd":"NODE_SOCKET_COUNT","key":"k","count":1}"#;
    ensure!(echo.read()? == count);
    Ok(())
}

fn too_many() -> Result<()> {
    let echo = Echo::start()?;
    let before = echo.open()?.len();
    let (one, _other) = StdUnixStream::pair()?;
    let one = OwnedFd::from(one);
    for _ in 0..5 {
        send_bytes(&echo.channel, "4", &[&one; 253])?;
    }
    echo.write("\n")?;
    ensure!(echo.read()? == "44444");
    let after = echo.open()?.len();
    ensure!(before == after, "{before} and now {after}");

    // As long as the frame is not whole, it has those of one frame at most.
    for _ in 0..5 {
        send_bytes(&echo.channel, "5", &[&one; 253])?;
    }
    // It has read all of it, and waits for more.
    let stat = format!("/proc/{}/stat", echo.process.id());
    let sleeps = || fs::read_to_string(&stat).is_ok_and(|s| s.contains(") S "));
    let unread = || rustix::io::ioctl_fionread(&echo.theirs).unwrap_or(1);
    eventually(|| unread() == 0 && sleeps())?;
    let after = echo.open()?.len();
    ensure!(after <= before + 253, "{before} and now {after}");
    Ok(())
}

async fn unread_answers() -> Result<()> {
    const MOST: usize = 64 << 20;
    let (mut channel, mut peer) = raw_peer()?;
    tokio::spawn(async move { while channel.recv().await.is_some() {} });
    peer.set_nonblocking(true)?;
    // Each answer has the key in it, too.
    let key = "k".repeat(1 << 20);
    let ask =
        format!("{{\"cmd\":\"NODE_SOCKET_GET_COUNT\",\"key\":\"{key}\"}}\n");
    let (mut sent, mut idle) = (0, 0);
    while idle < 1000 {
        ensure!(sent < MOST, "it takes {sent} bytes and more");
        match peer.write(&ask.as_bytes()[sent % ask.len()..]) {
            Ok(length) => (sent, idle) = (sent + length, 0),
            Err(error) => ensure!(error.kind() == ErrorKind::WouldBlock),
        }
        // Whatever the channel can do, it does now.
        idle += 1;
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Lets a process open only descriptors whose numbers are below `most`. With
/// `Need::Proc`: no other system can do that to another process.
pub fn limit_descriptors(process: u32, most: u32) -> Result<()> {
    let process = Pid::from_raw(process.cast_signed()).context("no process")?;
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{Resource, Rlimit, prlimit};
        let limit = Rlimit {
            current: Some(most.into()),
            maximum: Some(most.into()),
        };
        prlimit(Some(process), Resource::Nofile, limit)?;
        Ok(())
    }
    #[cfg(not(target_os = "linux"))]
    bail!("no such limit here: {process:?} {most}")
}
