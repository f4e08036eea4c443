//! The channel over a named pipe, with the real Node on the other side.

use std::process::{Command, ExitCode};
use std::{env, io};

use anyhow::{Context, Result, ensure};
use harness::testing::{NODE, Test, test};
use harness::{Exit, Half};
use node_channel::pool::Pool;
use node_channel::v8::Value;
use node_channel::{Channel, Error, Fork, Forked, Handle, Serialization};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

const BOTH: [Serialization; 2] = [Serialization::Json, Serialization::Advanced];

pub fn tests() -> Vec<Test> {
    [
        test("messages_come_back_from_a_node_child", || run(node_child())),
        test("messages_come_back_to_a_node_parent", node_parent),
        test("messages_come_back_from_a_rust_child", || run(rust_child())),
        test("both_sides_may_flood", || run(flood())),
        test("what_json_cannot_hold_comes_in_advanced_mode", || {
            run(advanced())
        }),
        test("disconnect_delivers_all_that_was_sent", || run(delivers())),
        test("a_node_childs_last_message_arrives", || run(last_message())),
        test("a_rust_childs_last_message_arrives", || {
            run(last_message_of_rust())
        }),
        test("an_exit_code_comes_after_the_end", || run(exit_code())),
        test("a_killed_child_is_an_end", || run(killed())),
        test("arguments_arrive_as_they_are", || run(arguments())),
        test("the_environment_and_the_folder_arrive", || {
            run(environment())
        }),
        test("a_server_comes_from_a_node_child", || run(server())),
        test("a_connection_comes_from_a_node_child", || run(connection())),
        test("a_socket_cannot_be_sent", || run(cannot_send())),
        test("a_program_that_is_not_there_is_named", || run(no_program())),
        test("a_child_without_a_channel_says_so", no_channel),
        test("a_pool_of_node_children_works", || run(pool())),
    ]
    .map(|test| test.needs(NODE))
    .into()
}

/// Runs a test within a runtime as most programs here have it.
fn run(test: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build()?;
    runtime.block_on(async {
        tokio::time::timeout(harness::LIMIT, test)
            .await
            .context("it hangs")?
    })
}

/// Will start a script in Node.
fn node(script: &str) -> Fork {
    Fork::new("node").args(["-e", script])
}

/// One of the programs in `examples/`, which `cargo test` builds, too.
fn program(name: &str) -> Result<std::path::PathBuf> {
    let tests = env::current_exe()?;
    let folder = tests.ancestors().nth(2).context("the tests' folder")?;
    let program = folder.join("examples").join(name).with_extension("exe");
    ensure!(program.is_file(), "{} is not built", program.display());
    Ok(program)
}

async fn next(channel: &mut Channel) -> Result<String> {
    let message = channel.recv().await.context("the channel has ended")?;
    Ok(message?.text().into_owned())
}

/// The channel ends, and the program well.
async fn ended(mut child: Forked) -> Result<()> {
    while let Some(message) = child.channel.recv().await {
        message?;
    }
    let status = child.wait().await?;
    ensure!(status.success(), "{status}");
    Ok(())
}

/// Short, long, empty and not ASCII: each comes back.
async fn echoes(fork: Fork) -> Result<()> {
    let texts = ["hello", "", "中😀\n\0\u{2028}", &"ü".repeat(1 << 20)];
    for serialization in BOTH {
        let mut fork = fork.clone().serialization(serialization);
        let mut child = fork.spawn()?;
        for text in texts {
            child.channel.send(text).await?;
            let back = next(&mut child.channel).await?;
            ensure!(back == text, "{} of {} bytes", back.len(), text.len());
        }
        child.channel.disconnect().await?;
        ended(child).await?;
    }
    Ok(())
}

async fn node_child() -> Result<()> {
    echoes(node("process.on('message', m => process.send(m))")).await
}

async fn rust_child() -> Result<()> {
    echoes(Fork::new(program("echo")?)).await
}

fn node_parent() -> Result<()> {
    let script = "
        const { spawn } = require('node:child_process')
        const { deepStrictEqual } = require('node:assert')
        const [program, serialization] = process.argv.slice(1)
        const sent = ['hello', '', '中😀\\n\\0', { a: [1, null, 'ü'] }, 4.5,
          'ü'.repeat(1 << 20), ...Array(1000).keys(), 'last']
        const child = spawn(program, { serialization,
          stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
        const back = []
        child.on('message', message => {
          back.push(message)
          if (message === 'last') child.disconnect()
        })
        child.on('exit', (code, signal) => {
          deepStrictEqual(back, sent)
          console.log('exit', code, signal)
        })
        for (const message of sent) child.send(message)";
    for serialization in ["json", "advanced"] {
        let mut command = Command::new("node");
        command.args(["-e", script]).arg(program("echo")?);
        let mut parent = Half::start(command.arg(serialization))?;
        let exit = parent.wait()?;
        ensure!(exit == Exit::Code(0), "{exit:?}: {:?}", parent.stderr());
        ensure!(parent.stdout() == ["exit 0 null"], "{:?}", parent.stdout());
    }
    Ok(())
}

/// 16 MiB each way, while the other side does the same.
async fn flood() -> Result<()> {
    let mut child = node(
        "const text = 'x'.repeat(1 << 20)
        for (let i = 0; i < 16; i++) process.send(text)
        let count = 0
        process.on('message', () => {
          if (++count === 16) process.send('all')
        })",
    )
    .spawn()?;
    let sender = child.channel.sender();
    let sending = tokio::spawn(async move {
        let text = "y".repeat(1 << 20);
        for _ in 0..16 {
            sender.send(&text).await?;
        }
        Ok::<_, Error>(())
    });
    for _ in 0..16 {
        ensure!(next(&mut child.channel).await?.len() == 1 << 20);
    }
    ensure!(next(&mut child.channel).await? == "all");
    sending.await??;
    child.channel.disconnect().await?;
    ended(child).await
}

async fn advanced() -> Result<()> {
    let mut child = node(
        "process.on('message', m => process.send(m))
        process.send(new Map([['a', new Date(0)], [1n, Buffer.from('hi')]]))",
    )
    .serialization(Serialization::Advanced)
    .spawn()?;
    let first = child.channel.recv().await.context("the end")??;
    let value = first.value()?;
    ensure!(matches!(value, Value::Map(_)), "{value:?}");
    let first = first.into_bytes();
    child.channel.sender().send_raw(first.clone()).await?;
    let back = child.channel.recv().await.context("the end")??;
    ensure!(back.bytes() == first, "{:?}", back.value());
    child.channel.disconnect().await?;
    ended(child).await
}

async fn delivers() -> Result<()> {
    let mut child = node(
        "let length = 0
        process.on('message', m => { length += m.length })
        process.on('disconnect', () => { process.exit(length / (1 << 20)) })",
    )
    .spawn()?;
    for _ in 0..8 {
        child.channel.send(&"x".repeat(1 << 20)).await?;
    }
    let status = child.end().await?;
    ensure!(status.code() == Some(8), "{status}");
    Ok(())
}

async fn last_message() -> Result<()> {
    let script = "process.send('x'.repeat(1 << 20), () => process.exit())";
    let mut child = node(script).spawn()?;
    ensure!(next(&mut child.channel).await?.len() == 1 << 20);
    ended(child).await
}

/// What this program does when it was started by itself.
pub fn as_child() -> Option<ExitCode> {
    let length = env::var("SENDS_SO_MUCH_AND_ENDS").ok()?.parse().ok()?;
    let sent = run(async {
        let channel = node_channel::child::channel()?;
        channel.send(&"x".repeat(length)).await?;
        Ok(channel.disconnect().await?)
    });
    Some(match sent {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    })
}

async fn last_message_of_rust() -> Result<()> {
    let fork = Fork::this_program()?;
    let mut child = fork.env("SENDS_SO_MUCH_AND_ENDS", "1000000").spawn()?;
    ensure!(next(&mut child.channel).await?.len() == 1_000_000);
    ended(child).await
}

async fn exit_code() -> Result<()> {
    let mut child = node("process.send('hi'); process.exitCode = 7").spawn()?;
    ensure!(next(&mut child.channel).await? == "hi");
    child.channel.disconnect().await?;
    let status = child.wait().await?;
    ensure!(status.code() == Some(7), "{status}");
    let sent = child.channel.send("too late").await;
    ensure!(matches!(sent, Err(Error::Closed)), "{sent:?}");
    Ok(())
}

async fn killed() -> Result<()> {
    let script = "process.on('message', () => {}); process.send('hi')";
    let mut child = node(script).spawn()?;
    ensure!(next(&mut child.channel).await? == "hi");
    ensure!(child.process.try_wait()?.is_none());
    child.process.kill().await?;
    let end = child.channel.recv().await;
    ensure!(end.is_none(), "{end:?}");
    Ok(())
}

async fn arguments() -> Result<()> {
    let given = [
        "",
        " ",
        "a b",
        "\"",
        "a\"b\\",
        "c:\\d\\",
        "\\\\\"x y\\\\",
        "%PATH%",
        "ü中",
        "--x=y",
    ];
    let script = "process.send(process.argv.slice(1))";
    let mut child = node(script).arg("--").args(given).spawn()?;
    let got = child.channel.recv_as::<Vec<String>>().await;
    let got = got.context("the end")??;
    ensure!(got == given, "{got:?}");
    child.channel.disconnect().await?;
    ended(child).await
}

async fn environment() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let script = "process.send([process.env.ÜBER, process.cwd(),
        String(process.env.NODE_CHANNEL_FD)])";
    let mut child = node(script)
        .env("Über", "a=b")
        .env("node_channel_fd", "77") // left over by somebody else
        .cwd(folder.path())
        .spawn()?;
    let got = child.channel.recv_as::<[String; 3]>().await;
    let [variable, cwd, number] = got.context("the end")??;
    ensure!(
        variable == "a=b" && number == "undefined",
        "{variable} {number}"
    );
    let name = folder.path().file_name().context("its name")?;
    ensure!(cwd.ends_with(&*name.to_string_lossy()), "{cwd}");
    child.channel.disconnect().await?;
    ended(child).await
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
        anyhow::bail!("{:?}", message.handle);
    };
    child.channel.disconnect().await?;
    ended(child).await?;
    let mut client = TcpStream::connect(listener.local_addr()?).await?;
    let (server, _) = listener.accept().await?;
    drop(server);
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await?;
    ensure!(rest.is_empty());
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
        anyhow::bail!("{:?}", message.handle);
    };
    server.writable().await?;
    server.try_write(b"hello")?;
    let mut got = [0; 5];
    stream.read_exact(&mut got).await?;
    ensure!(&got == b"hello");
    child.channel.disconnect().await?;
    ended(child).await
}

async fn cannot_send() -> Result<()> {
    let script = "process.on('message', m => process.send(m))";
    let mut child = node(script).spawn()?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let sent = child.channel.sender().send_with("x", listener).await;
    let error = sent.err().context("it was sent")?.to_string();
    ensure!(error.contains("cannot be sent on Windows"), "{error}");
    // The channel is as it was.
    child.channel.send("y").await?;
    ensure!(next(&mut child.channel).await? == "y");
    child.channel.disconnect().await?;
    ended(child).await
}

async fn no_program() -> Result<()> {
    let error = Fork::new("no-such-program").spawn().err();
    let error = error.context("it has started")?;
    ensure!(error.kind() == io::ErrorKind::NotFound, "{error:?}");
    let text = error.to_string();
    ensure!(text.starts_with("start no-such-program: "), "{text}");
    Ok(())
}

fn no_channel() -> Result<()> {
    for (number, why) in [
        ("", "not started with a channel"),
        ("3", "the name was left over by another process"),
        ("77", "the name was left over by another process"),
        ("x", "NODE_CHANNEL_FD cannot be 'x'"),
    ] {
        let mut command = Command::new(program("echo")?);
        command.env("NODE_CHANNEL_FD", number);
        let mut child = Half::start(&mut command)?;
        ensure!(child.wait()? == Exit::Code(1));
        child.wait_for_error(why)?;
    }
    Ok(())
}

async fn pool() -> Result<()> {
    let script = "process.on('message', n => process.send(n * 2))";
    let pool = Pool::new(node(script), 2);
    let jobs = (0..20_u32).map(|number| {
        let pool = &pool;
        async move { pool.run::<_, u32>(&number).await }
    });
    for (number, job) in (0..20_u32).zip(jobs) {
        ensure!(job.await? == 2 * number);
    }
    pool.close().await;
    Ok(())
}
