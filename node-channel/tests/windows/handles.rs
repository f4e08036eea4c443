//! TCP sockets that go from one process to the other, with the real Node and
//! with Rust on the other side.

use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use harness::testing::{Test, test};
use harness::{Exit, Half};
use node_channel::child::Inherited;
use node_channel::{Channel, Error, Handle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};

use super::{BOTH, ended, next, node, run, this_program};

pub fn tests() -> Vec<Test> {
    [
        test("a_server_comes_from_a_node_child", || run(server())),
        test("a_connection_comes_from_a_node_child", || run(connection())),
        test("a_node_child_takes_connections_and_servers", || {
            run(to_node_child())
        }),
        test(
            "a_node_parent_takes_connections_and_servers",
            to_node_parent,
        ),
        test("a_rust_child_takes_sockets_and_gives_them_back", || {
            run(there_and_back())
        }),
        test("sockets_in_a_row_go_each_with_its_message", || {
            run(in_a_row())
        }),
        test("a_socket_goes_once_with_a_long_message", || {
            run(with_a_long_message())
        }),
        test(
            "a_socket_that_does_not_listen_yet_arrives_as_a_server",
            || run(bound()),
        ),
        test("what_libuv_refuses_is_not_sent", || run(cannot_send())),
        test("a_refused_socket_is_sent_three_times_more", || {
            run(refused())
        }),
        test("a_socket_for_a_child_that_has_ended_is_an_error", || {
            run(no_child())
        }),
        test(
            "node_counts_the_connections_that_it_has_handed_over",
            || run(counted()),
        ),
        test("node_counts_connections_in_a_third_process", || {
            run(counted_there())
        }),
    ]
    .into()
}

/// What a client gets until the end.
async fn rest(mut stream: TcpStream) -> Result<String> {
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await?;
    Ok(rest)
}

/// A connection: the client's end, and the server's.
async fn connected() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    Ok((client, listener.accept().await?.0))
}

/// It listens in us, also after the child's end.
async fn server() -> Result<()> {
    let mut child = node(
        "const server = require('node:net').createServer()
        server.listen(0, '127.0.0.1', () => {
          process.send('here', server, () => server.close())
        })
        process.on('message', () => {})",
    )
    .spawn()?;
    let message = child.channel.recv().await.context("the end")??;
    ensure!(message.text() == "here");
    let Some(Handle::TcpListener(listener)) = message.handle else {
        bail!("{:?}", message.handle);
    };
    child.channel.disconnect().await?;
    ended(child).await?;
    let client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, _) = listener.accept().await?;
    drop(server);
    ensure!(rest(client).await?.is_empty());
    Ok(())
}

async fn connection() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut child = node(
        "const port = process.argv[1]
        const socket = require('node:net').connect(port, '127.0.0.1', () => {
          process.send('here', socket)
        })
        process.on('message', () => {})",
    )
    .arg(listener.local_addr()?.port().to_string())
    .spawn()?;
    let (server, _) = listener.accept().await?;
    let message = child.channel.recv().await.context("the end")??;
    let Some(Handle::TcpStream(mut stream)) = message.handle else {
        bail!("{:?}", message.handle);
    };
    server.writable().await?;
    server.try_write(b"hello")?;
    let mut got = [0; 5];
    stream.read_exact(&mut got).await?;
    ensure!(&got == b"hello");
    child.channel.disconnect().await?;
    ended(child).await
}

/// What takes a socket in Node, and says what it was.
const TAKES: &str = r#"
    process.on('message', (m, handle) => {
      if (!handle) return process.send(m)
      const name = handle.constructor.name
      if (name === 'Server') {
        handle.on('connection', s => { s.end('from Node'); handle.close() })
      } else handle.once('data', data => handle.end(`${data} from Node`))
      process.send({ m, name })
    })"#;

async fn to_node_child() -> Result<()> {
    for serialization in BOTH {
        let mut child = node(TAKES).serialization(serialization).spawn()?;
        let channel = &mut child.channel;
        let (mut client, accepted) = connected().await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        channel.send_with("accepted", accepted).await?;
        channel.send_with("listener", listener).await?;
        channel.send("behind").await?;
        for expected in [
            r#"{"m":"accepted","name":"Socket"}"#,
            r#"{"m":"listener","name":"Server"}"#,
        ] {
            let message = channel.recv().await.context("the end")??;
            ensure!(message.to_string() == expected, "{message}");
        }
        ensure!(next(channel).await? == "behind");
        client.write_all(b"hello").await?;
        ensure!(rest(client).await? == "hello from Node");
        let client = TcpStream::connect(address).await?;
        ensure!(rest(client).await? == "from Node");
        // Nobody has it any more.
        ensure!(TcpStream::connect(address).await.is_err());
        child.channel.disconnect().await?;
        ended(child).await?;
    }
    Ok(())
}

/// The other role: a Rust child sends. The parent is this test's Node script,
/// and the child is this program.
fn to_node_parent() -> Result<()> {
    let script = "
        const { spawn } = require('node:child_process')
        const net = require('node:net')
        const [program, serialization] = process.argv.slice(1)
        const child = spawn(program, { serialization,
          env: { ...process.env, CHILD: 'gives' },
          stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
        const read = (port, then) => {
          let text = ''
          net.connect(port, '127.0.0.1').setEncoding('utf8')
            .on('data', data => { text += data })
            .on('end', () => then(text))
        }
        child.on('message', (m, handle) => {
          console.log(JSON.stringify(m), handle?.constructor.name)
          if (m === 'server') {
            handle.once('connection', socket => {
              socket.end('from the parent')
              handle.close()
            })
            read(handle.address().port, text => {
              console.log(text)
              child.send('enough')
            })
          } else if (m === 'connection') handle.end('and from here')
          else read(m.port, text => console.log(text))
        })
        child.on('exit', (code, signal) => console.log('exit', code, signal))";
    for serialization in ["json", "advanced"] {
        let mut command = Command::new("node");
        command.args(["-e", script]).arg(std::env::current_exe()?);
        let mut parent = Half::start(command.arg(serialization))?;
        let exit = parent.wait()?;
        ensure!(exit == Exit::Code(0), "{exit:?}: {:?}", parent.stderr());
        let mut lines = parent.stdout().to_vec();
        // The port is another one each time.
        lines.retain(|line| !line.starts_with("{\"port\""));
        lines.sort();
        let expected = [
            "\"connection\" Socket",
            "\"server\" Server",
            "and from here",
            "exit 0 null",
            "from the parent",
        ];
        ensure!(lines == expected, "{lines:?} {:?}", parent.stderr());
    }
    Ok(())
}

/// As a child of [`to_node_parent`]: sends a connection and a server.
pub async fn gives() -> Result<()> {
    let mut channel = node_channel::child::channel()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    channel.send(&serde_json::json!({ "port": port })).await?;
    let (accepted, _) = listener.accept().await?;
    channel.send_with("connection", accepted).await?;
    channel.send_with("server", listener).await?;
    ensure!(next(&mut channel).await? == "enough");
    Ok(channel.disconnect().await?)
}

async fn there_and_back() -> Result<()> {
    for serialization in BOTH {
        let fork = this_program("passes back")?;
        let mut child = fork.serialization(serialization).spawn()?;
        let channel = &mut child.channel;
        let (client, mut accepted) = connected().await?;
        accepted.write_all(b"before ").await?;
        channel.send_with("a", accepted).await?;
        let (text, handle) =
            channel.recv_with::<String>().await.context("the end")??;
        let Some(Handle::TcpStream(mut accepted)) = handle else {
            bail!("{handle:?}");
        };
        accepted.write_all(b"after").await?;
        drop(accepted);
        ensure!(text == "a" && rest(client).await? == "before after");

        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let client = TcpStream::connect(address).await?;
        channel.send_with("b", listener).await?;
        let (text, handle) =
            channel.recv_with::<String>().await.context("the end")??;
        let Some(Handle::TcpListener(listener)) = handle else {
            bail!("{handle:?}");
        };
        ensure!(text == "b" && listener.local_addr()? == address);
        // It has waited in the queue all the way.
        drop(listener.accept().await?);
        ensure!(rest(client).await?.is_empty());
        child.channel.disconnect().await?;
        ended(child).await?;
    }
    Ok(())
}

/// As a child of [`there_and_back`].
pub async fn passes_back() -> Result<()> {
    let mut channel = node_channel::child::channel()?;
    let sender = channel.sender();
    while let Some(message) = channel.recv().await {
        sender.pass_on(message?).await?;
    }
    Ok(())
}

/// The peer acknowledges each before the next one goes.
async fn in_a_row() -> Result<()> {
    let script = "process.on('message', (m, socket) => {
        if (socket) socket.end(`${m}`)
        else process.send(m)
      })";
    for serialization in BOTH {
        let mut child = node(script).serialization(serialization).spawn()?;
        let mut clients = Vec::new();
        for number in 0..50_u32 {
            let (client, accepted) = connected().await?;
            clients.push(client);
            child.channel.send_with(&number, accepted).await?;
            child.channel.send("between").await?;
        }
        for _ in 0..50 {
            ensure!(next(&mut child.channel).await? == "between");
        }
        for (number, client) in clients.into_iter().enumerate() {
            ensure!(rest(client).await? == number.to_string());
        }
        child.channel.disconnect().await?;
        ended(child).await?;
    }
    Ok(())
}

/// The message is longer than the pipe has room, each way.
async fn with_a_long_message() -> Result<()> {
    let script = "process.on('message', (m, socket) => {
        process.send(m, socket)
      })";
    let long = "x".repeat(1 << 22);
    for serialization in BOTH {
        let mut child = node(script).serialization(serialization).spawn()?;
        let (mut client, accepted) = connected().await?;
        child.channel.send_with(&long, accepted).await?;
        let answer = child.channel.recv_with::<String>().await;
        let (text, handle) = answer.context("the end")??;
        ensure!(text == long, "{} bytes", text.len());
        let Some(Handle::TcpStream(mut accepted)) = handle else {
            bail!("{handle:?}");
        };
        accepted.write_all(b"hello").await?;
        drop(accepted);
        let mut got = String::new();
        client.read_to_string(&mut got).await?;
        ensure!(got == "hello", "{got}");
        child.channel.disconnect().await?;
        ended(child).await?;
    }
    Ok(())
}

fn bound_socket() -> Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.bind("127.0.0.1:0".parse()?)?;
    Ok(socket)
}

/// tokio's socket that is neither a connection nor a server, as a descriptor.
fn raw(socket: TcpSocket) -> std::os::windows::io::OwnedSocket {
    use std::os::windows::io::{FromRawSocket, IntoRawSocket};
    // SAFETY: it is open, and nobody else has it any more.
    unsafe {
        std::os::windows::io::OwnedSocket::from_raw_socket(
            socket.into_raw_socket(),
        )
    }
}

async fn bound() -> Result<()> {
    let script = "process.on('message', (m, handle) => {
        const server = require('node:net').createServer(socket => {
          socket.end('from Node')
          server.close()
        })
        server.listen(handle, () => process.send('listens'))
      })";
    let mut child = node(script).spawn()?;
    let socket = bound_socket()?;
    let address = socket.local_addr()?;
    child.channel.send_with("x", raw(socket)).await?;
    ensure!(next(&mut child.channel).await? == "listens");
    let client = TcpStream::connect(address).await?;
    ensure!(rest(client).await? == "from Node");
    child.channel.disconnect().await?;
    ended(child).await
}

async fn cannot_send() -> Result<()> {
    let script = "process.on('message', m => process.send(m))";
    let mut child = node(script).spawn()?;
    let datagrams = UdpSocket::bind("127.0.0.1:0").await?.into_std()?;
    for refused in [datagrams.into(), raw(TcpSocket::new_v4()?)] {
        let refused = Handle::Raw(refused);
        let sent = child.channel.send_with("x", refused).await;
        let Err(Error::Value(why)) = sent else {
            bail!("{sent:?}");
        };
        ensure!(why.starts_with("on Windows, only TCP sockets"), "{why}");
    }
    // The channel is as it was.
    child.channel.send("y").await?;
    ensure!(next(&mut child.channel).await? == "y");
    child.channel.disconnect().await?;
    ended(child).await
}

async fn refused() -> Result<()> {
    let mut child = this_program("refuses")?.spawn()?;
    let (_client, accepted) = connected().await?;
    child.channel.send_with("x", accepted).await?;
    child.channel.send("behind").await?;
    let answer = child.channel.recv().await.context("the end")?;
    ensure!(matches!(answer, Err(Error::HandleRefused)), "{answer:?}");
    ensure!(next(&mut child.channel).await? == "4 with a socket");
    child.channel.disconnect().await?;
    ended(child).await
}

/// As a child of [`refused`]: no socket has ever come.
pub async fn refuses() -> Result<()> {
    let (mut reader, writer) = Inherited::take()?.open_frames()?;
    let mut count = 0;
    while let Some(frame) = reader.next().await? {
        let answer = if frame.bytes() == br#""behind""# {
            format!("\"{count} with a socket\"")
        } else {
            count += frame.descriptors.len();
            r#"{"cmd":"NODE_HANDLE_NACK"}"#.to_owned()
        };
        writer.send(answer.into_bytes().into()).await?;
    }
    Ok(())
}

async fn no_child() -> Result<()> {
    let mut child = node("process.disconnect()").spawn()?;
    ensure!(child.channel.recv().await.is_none());
    child.wait().await?;
    let (client, accepted) = connected().await?;
    let sent = child.channel.send_with("x", accepted).await;
    ensure!(matches!(sent, Err(Error::Closed)), "{sent:?}");
    // It is closed all the same.
    ensure!(rest(client).await?.is_empty());
    Ok(())
}

/// A Node server, which gives its connections away.
const SERVER: &str = r#"
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

async fn count(channel: &mut Channel) -> Result<u32> {
    channel.send("count").await?;
    Ok(channel.recv_as().await.context("the end")??)
}

async fn counted() -> Result<()> {
    for serialization in BOTH {
        let mut child = node(SERVER).serialization(serialization).spawn()?;
        let channel = &mut child.channel;
        let port: u16 = channel.recv_as().await.context("the end")??;
        let mut clients = Vec::new();
        let mut sockets = Vec::new();
        for _ in 0..3 {
            clients.push(TcpStream::connect(("127.0.0.1", port)).await?);
            let message = channel.recv().await.context("the end")??;
            sockets.push(message.handle.context("no socket")?);
        }
        ensure!(count(channel).await? == 3);
        sockets.pop();
        ensure!(count(channel).await? == 2);
        // It is not closed before the last one is.
        channel.send("close").await?;
        channel.send("still there?").await?;
        ensure!(next(channel).await? == "still there?");
        sockets.clear();
        ensure!(next(channel).await? == "closed");
        channel.send("end").await?;
        ended(child).await?;
    }
    Ok(())
}

async fn counted_there() -> Result<()> {
    let third = "const sockets = []
        process.on('message', (m, socket) => {
          if (socket) {
            sockets.push(socket)
            process.send('have')
          } else sockets.pop().destroy()
        })";
    let mut child = node(SERVER).spawn()?;
    let channel = &mut child.channel;
    let mut other = node(third).spawn()?;
    let port: u16 = channel.recv_as().await.context("the end")??;
    let mut clients = Vec::new();
    for _ in 0..2 {
        clients.push(TcpStream::connect(("127.0.0.1", port)).await?);
        let message = channel.recv().await.context("the end")??;
        other.channel.pass_on(message).await?;
        ensure!(next(&mut other.channel).await? == "have");
    }
    // Somebody awaits its answers.
    let sender = other.channel.sender();
    let listening = tokio::spawn(async move {
        while other.channel.recv().await.is_some() {}
        other
    });
    ensure!(count(channel).await? == 2);
    sender.send("drop one").await?;
    ensure!(rest(clients.pop().context("no client")?).await?.is_empty());
    ensure!(count(channel).await? == 1);
    channel.send("close").await?;
    channel.send("still there?").await?;
    ensure!(next(channel).await? == "still there?");
    sender.send("drop one").await?;
    ensure!(next(channel).await? == "closed");
    channel.send("end").await?;
    ended(child).await?;
    sender.disconnect().await?;
    listening.await?.process.wait().await?;
    Ok(())
}
