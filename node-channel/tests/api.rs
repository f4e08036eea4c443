//! What a service needs beside `send` and `recv`.

use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream as StdUnixStream;

use anyhow::{Context, Result, ensure};
use node_channel::frames::Frame;
use node_channel::v8::Value;
use node_channel::{Error, Fork, Handle, Serialization};
use tokio::net::{TcpListener, UnixStream};

use super::handles::{lines, raw_peer, send_descriptors};
use super::library::{ended, next, node, run};
use super::recipes::program;
use harness::testing::{NODE, Test, test};

pub fn tests() -> Vec<Test> {
    vec![
        #[cfg(feature = "stream")]
        test("a_sink_waits_for_a_stream_and_ends_it", || {
            run(stream::sink())
        }),
        #[cfg(feature = "stream")]
        test("a_stream_wakes_when_its_answers_have_room", || {
            run(stream::room())
        }),
        test("a_fork_can_be_started_again", || run(again())),
        test("bytes_go_without_being_looked_at", || run(frames())),
        test("a_message_goes_on_with_its_socket_and_its_name", || {
            run(forwarded())
        }),
        test("a_socket_goes_without_waiting", || run(at_once())),
        test("a_handle_is_a_descriptor_and_back", || run(descriptors())),
        test("a_clone_of_a_message_has_no_socket", || run(cloned())),
    ]
    .into_iter()
    .map(|test| test.needs(NODE))
    .collect()
}

#[cfg(feature = "stream")]
mod stream {
    use std::time::Duration;

    use futures_util::{SinkExt, StreamExt};
    use node_channel::{Channel, Options};
    use tokio::time::timeout;

    use super::*;

    fn pair() -> Result<(Channel, Channel)> {
        let (one, other) = StdUnixStream::pair()?;
        let one = Channel::new(one.into(), Options::default())?;
        Ok((one, Channel::new(other.into(), Options::default())?))
    }

    pub async fn sink() -> Result<()> {
        let (one, other) = pair()?;
        // More than the socket and the queue hold.
        let count = 20_000;
        let text = "x".repeat(100);
        let mut sink = one.sender().sink::<(u32, String)>();
        let values = (0..count).map(|number| Ok((number, text.clone())));
        let mut values = futures_util::stream::iter(values);
        let sending = async {
            let stuck = sink.send_all(&mut values);
            stuck.await?;
            sink.close().await?;
            anyhow::Ok(())
        };
        let receiving = async {
            // Nobody reads: it has to wait.
            tokio::task::yield_now().await;
            ensure!(one.would_block(), "it does not wait");
            let numbers =
                other.map(|message| message?.parse::<(u32, String)>());
            let all: Vec<_> = numbers.collect().await;
            ensure!(all.len() == count as usize, "{}", all.len());
            for (expected, found) in (0..count).zip(all) {
                ensure!(found?.0 == expected);
            }
            Ok(())
        };
        tokio::try_join!(sending, receiving)?;
        let late = sink.send((0, String::new())).await;
        ensure!(matches!(late, Err(Error::Closed)), "{late:?}");
        Ok(())
    }

    /// A peer that asks and takes no answers is no longer read from, until it
    /// takes them.
    pub async fn room() -> Result<()> {
        let (mut channel, peer) = raw_peer()?;
        let mut writing = peer.try_clone()?;
        let writer = std::thread::spawn(move || -> std::io::Result<()> {
            let ask = "{\"cmd\":\"NODE_SOCKET_GET_COUNT\",\"key\":\"k\"}\n";
            writing.write_all(ask.repeat(30_000).as_bytes())?;
            writing.write_all(b"\"end\"\n")
        });
        let mut end = channel.next();
        let waits = timeout(Duration::from_millis(200), &mut end).await;
        ensure!(waits.is_err(), "{waits:?}");
        let reader = std::thread::spawn(move || {
            let lines = BufReader::new(peer).lines();
            lines.take(30_000).filter(|line| line.is_ok()).count()
        });
        let end = end.await.context("the end")??;
        ensure!(end.parse::<String>()? == "end");
        writer.join().map_err(|_| anyhow::anyhow!("panic"))??;
        channel.flush().await?;
        ensure!(reader.join().is_ok_and(|count| count == 30_000));
        Ok(())
    }
}

async fn again() -> Result<()> {
    let script = "process.on('message', m => process.send([m, process.pid]))";
    let mut fork = node(script);
    let mut children = [fork.spawn()?, fork.spawn()?, fork.spawn()?];
    let mut found = Vec::new();
    for (number, child) in (0_u32..).zip(&mut children) {
        child.channel.send(&number).await?;
        let answer = child.channel.recv_as::<(u32, u32)>().await;
        let (back, pid) = answer.context("the end")??;
        ensure!(back == number && Some(pid) == child.process.id());
        found.push(pid);
    }
    for child in &mut children {
        ensure!(child.end().await?.success());
    }
    // With another number, too.
    let mut fork = fork.descriptor(9);
    let mut child = fork.spawn()?;
    child.channel.send(&4).await?;
    next(&mut child.channel).await?;
    child.channel.disconnect().await?;
    ended(child).await
}

/// A parent and a child that pass on what they do not know.
async fn frames() -> Result<()> {
    for (serialization, bytes) in [
        (Serialization::Json, &b"not JSON"[..]),
        (Serialization::Advanced, b"\0\n\xFF"),
    ] {
        let mut fork = Fork::new(program("echo")?.get_program())
            .arg("frames")
            .serialization(serialization);
        fork.command().kill_on_drop(true);
        let (mut reader, writer, mut process) = fork.spawn_frames()?;
        let mut frame = Frame::from(bytes.to_vec());
        let (socket, mut peer) = StdUnixStream::pair()?;
        frame.descriptors.push(socket.into());
        writer.send(frame).await?;
        let mut back = reader.next().await?.context("the end")?;
        ensure!(back.bytes() == bytes, "{:x?}", back.bytes());
        let socket = back.descriptors.pop().context("no descriptor")?;
        StdUnixStream::from(socket).write_all(b"here\n")?;
        let mut line = String::new();
        BufReader::new(&mut peer).read_line(&mut line)?;
        ensure!(line == "here\n");
        writer.finish().await?;
        ensure!(process.wait().await?.success());
    }
    Ok(())
}

async fn forwarded() -> Result<()> {
    let (mut from, sending) = raw_peer()?;
    let (to, receiving) = raw_peer()?;
    let (socket, _peer) = StdUnixStream::pair()?;
    let socket = OwnedFd::from(socket);
    let envelope = r#"{"cmd":"NODE_HANDLE","type":"net.Native","msg":{"a":"\ud800"},"key":"4:k"}"#;
    send_descriptors(&sending, envelope, &[&socket])?;
    send_descriptors(&sending, "\"plain\"", &[])?;
    let message = next(&mut from).await?;
    ensure!(message.handle_kind() == Some("net.Native"));
    ensure!(message.handle_key() == Some("4:k"));
    to.pass_on(message).await?;
    let seen = lines(&receiving)?;
    ensure!(seen == [envelope], "{seen:?}");
    let plain = next(&mut from).await?;
    ensure!(plain.handle_kind().is_none());
    // Behind the socket, which nobody has acknowledged.
    to.try_send_raw(plain)?;
    ensure!(lines(&receiving)?.is_empty());

    // In advanced mode, with what the envelope is written around.
    let script = "process.on('message', (m, socket) => {
      m.self = m.self === m
      process.send([m, socket !== undefined])
      socket.destroy()
    })";
    let fork = node(script).serialization(Serialization::Advanced);
    let mut child = { fork }.spawn()?;
    let cycle = Value::from([("self", Value::Reference(0))]);
    let (socket, _peer) = UnixStream::pair()?;
    let bytes = cycle.write()?;
    child.channel.send_raw_with(bytes, socket).await?;
    let back = child.channel.recv_as::<serde_json::Value>().await;
    let back = back.context("the end")??;
    ensure!(back == serde_json::json!([{"self": true}, true]), "{back}");
    let other = from.pass_on(next_json()?).await;
    ensure!(other.is_ok(), "{other:?}");
    let other = child.channel.pass_on(next_json()?).await;
    ensure!(matches!(other, Err(Error::Value(_))), "{other:?}");
    child.channel.disconnect().await?;
    ended(child).await
}

fn next_json() -> Result<node_channel::Message> {
    let bytes = b"1".to_vec();
    Ok(node_channel::Message::from_bytes(
        Serialization::Json,
        bytes,
    )?)
}

async fn at_once() -> Result<()> {
    let (mut channel, peer) = raw_peer()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    ensure!(channel.try_send_with("server", listener)?);
    ensure!(channel.try_send("behind")?);
    let seen = lines(&peer)?;
    let envelope =
        r#"{"cmd":"NODE_HANDLE","type":"net.Server","msg":"server"}"#;
    ensure!(seen == [envelope], "{seen:?}");
    send_descriptors(&peer, r#"{"cmd":"NODE_HANDLE_ACK"}"#, &[])?;
    send_descriptors(&peer, "1", &[])?;
    next(&mut channel).await?;
    let seen = lines(&peer)?;
    ensure!(seen == ["\"behind\""], "{seen:?}");
    let no_message = channel.send_raw_with(b"{".to_vec(), pipe()?).await;
    ensure!(matches!(no_message, Err(Error::Value(_))), "{no_message:?}");
    Ok(())
}

fn pipe() -> Result<OwnedFd> {
    Ok(std::io::pipe()?.0.into())
}

async fn descriptors() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let handle = Handle::from(listener);
    let number = handle.as_fd().as_raw_fd();
    let descriptor = OwnedFd::try_from(handle)?;
    ensure!(descriptor.as_raw_fd() == number);
    let Handle::TcpListener(listener) = Handle::from_descriptor(descriptor)?
    else {
        anyhow::bail!("it is something else now");
    };
    ensure!(listener.local_addr()? == address);
    ensure!(matches!(Handle::from_descriptor(pipe()?)?, Handle::Raw(_)));
    Ok(())
}

async fn cloned() -> Result<()> {
    let (mut channel, peer) = raw_peer()?;
    let (socket, _peer) = StdUnixStream::pair()?;
    let envelope = r#"{"cmd":"NODE_HANDLE","type":"net.Socket","msg":[1]}"#;
    send_descriptors(&peer, envelope, &[&socket.into()])?;
    let message = next(&mut channel).await?;
    let clone = message.clone();
    ensure!(clone.bytes() == message.bytes());
    ensure!(clone.handle.is_none() && message.handle.is_some());
    Ok(())
}
