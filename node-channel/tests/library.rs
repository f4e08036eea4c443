//! The library, with the real Node on the other side.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use node_channel::child::ChildError;
use node_channel::frames::Decoder;
use node_channel::{
    Channel, Error, Fork, Forked, Message, Options, Serialization,
};

use super::handles::limit_descriptors;
use super::recipes::program;
use harness::testing::{NODE, Need, Test, test};

pub fn tests() -> Vec<Test> {
    [
        test("raw_text_keeps_what_serde_cannot_hold", || run(raw_text())),
        test("a_bad_message_is_one_error", || run(bad_message())),
        test("a_message_that_is_no_such_value_is_one_error", || {
            run(as_values())
        }),
        test("many_senders_send_whole_messages_in_order", || {
            run(many_senders())
        }),
        test("send_waits_where_node_says_false", || run(high_water())),
        test("a_thread_without_a_runtime_may_send", || run(elsewhere())),
        test(
            "a_cancelled_send_leaves_whole_messages",
            || run(cancelled()),
        ),
        test("disconnect_delivers_all_that_was_sent", || run(delivers())),
        test("both_sides_may_flood", || run(flood())),
        test("a_kill_in_the_middle_of_a_message_is_an_end", || {
            run(killed_in_message())
        }),
        test("a_half_closed_channel_is_an_end", || run(half_close())),
        test("what_was_sent_before_the_peers_end_arrives", || {
            run(sent_before_end())
        }),
        test("a_length_that_is_only_claimed_takes_no_memory", || {
            claimed_memory()?;
            run(claimed())
        }),
        test("80_children_at_once_have_a_channel_each", || run(eighty())),
        test("any_descriptor_number_will_do", || run(numbers())),
        test(
            "the_number_may_be_in_use_by_another_thread",
            || run(taken()),
        ),
        test("leftover_variables_are_replaced", || run(replaced())),
        test("exit_codes_and_signals_come_after_the_end", || run(ends())),
        test("disconnect_ends_although_others_go_on_sending", || {
            run(ends_beside_senders())
        }),
        test("a_child_ends_whatever_it_is_at", || run(ends_anyway())),
        test("what_cannot_be_sent_ends_nothing", || run(refused_here())),
        test("a_full_channel_needs_no_more_descriptors", || {
            run(no_descriptor_left())
        })
        .needs(Need::Proc),
        test("the_channel_may_be_where_stdin_was", || {
            run(instead_of_stdin())
        }),
        test("nothing_is_not_a_message", || run(empty())),
        test("flush_says_when_the_kernel_has_all", || run(flushed())),
        test("a_second_disconnect_is_none", || run(second())),
        test("an_error_says_why_also_when_main_returns_it", errors),
        test("a_peer_that_left_something_unread_is_an_end", || {
            run(unread())
        }),
        test("a_peer_that_reads_no_more_is_an_end", || run(deaf())),
    ]
    .map(|test| test.needs(NODE))
    .into()
}

/// Runs a test within a runtime as most programs here have it.
pub fn run(test: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build()?;
    runtime.block_on(async {
        tokio::time::timeout(harness::LIMIT, test)
            .await
            .context("it hangs")?
    })
}

/// Starts a script in Node; it is gone with the test.
pub fn node(script: &str) -> Fork {
    let mut fork = Fork::new("node").args(["-e", script]);
    fork.command().kill_on_drop(true);
    fork
}

/// The next message, which must be a good one.
pub async fn next(channel: &mut Channel) -> Result<Message> {
    let message = channel.recv().await.context("the channel has ended")?;
    Ok(message?)
}

/// The channel ends, and Node ends well.
pub async fn ended(mut child: Forked) -> Result<()> {
    while let Some(message) = child.channel.recv().await {
        message?;
    }
    let status = child.wait().await?;
    ensure!(status.success(), "{status}");
    Ok(())
}

/// What comes back is sent as it is.
const ECHO: &str = "process.on('message', m => process.send(m))";

async fn raw_text() -> Result<()> {
    let script = r#"
        process.send('\ud800')
        process.send({ '\udfff': 1, 10: 2, 9: 3, __proto__: null, b: 1, a: 2 })
        process.send(JSON.parse('{"__proto__":7}'))
        let deep = []
        for (let i = 0; i < 4000; i++) deep = [deep]
        process.send(deep)
        process.channel.unref()"#;
    let mut child = node(script).spawn()?;
    for expected in [
        r#""\ud800""#,
        r#"{"9":3,"10":2,"\udfff":1,"b":1,"a":2}"#,
        r#"{"__proto__":7}"#,
    ] {
        let message = next(&mut child.channel).await?;
        ensure!(message.bytes() == expected.as_bytes(), "{message}");
    }
    let deep = next(&mut child.channel).await?;
    ensure!(deep.bytes().len() == 8002);
    ensure!(deep.parse::<serde_json::Value>().is_err());
    ended(child).await
}

async fn bad_message() -> Result<()> {
    // The bytes of the channel in Node's own hands.
    let script = r#"
        const wire = new (require('net').Socket)({ fd: 3 })
        wire.write('"a"\n1e999\n{"a":\n\n')
        wire.write(Buffer.concat([Buffer.from('"'), Buffer.of(0xff, 0xe4, 0xb8),
          Buffer.from('"\n"b"\n"unfinished')]))
        wire.end()"#;
    let mut child = without_channel(script).spawn()?;
    let channel = &mut child.channel;
    ensure!(next(channel).await?.parse::<String>()? == "a");
    let infinite = next(channel).await?;
    ensure!(infinite.bytes() == b"1e999");
    for _ in 0..2 {
        let error = channel.recv().await.context("end")?.err();
        let malformed = matches!(error, Some(Error::Malformed { .. }));
        ensure!(malformed, "{error:?}");
    }
    ensure!(next(channel).await?.parse::<String>()? == "\u{FFFD}\u{FFFD}");
    ensure!(next(channel).await?.parse::<String>()? == "b");
    ensure!(channel.recv().await.is_none());
    Ok(())
}

/// As values of a type, read once.
async fn as_values() -> Result<()> {
    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Job {
        cmd: String,
    }
    let script = r#"
        const wire = new (require('net').Socket)({ fd: 3 })
        for (const line of [
          '{"cmd":"NODE_X"}', '{"cmd":"\\u004eODE_X"}',
          '{"cmd":"a"}', '{"cmd":1}', '{"cmd":"b","more":"NODE_X"}', '{"cmd"',
          '{"cmd":"\\u0063\\\\"}', '{"cmd":"\\ud800"}', '',
          '{"cmd":"last"}'
        ]) wire.write(line + '\n')
        wire.end()"#;
    let mut child = without_channel(script).spawn()?;
    let mut got = Vec::new();
    while let Some(job) = child.channel.recv_as::<Job>().await {
        got.push(match job {
            Ok(job) => job.cmd,
            Err(Error::Malformed { bytes, .. }) => String::from_utf8(bytes)?,
            Err(error) => Err(error)?,
        });
    }
    let expected = [
        "a",
        r#"{"cmd":1}"#,
        "b",
        r#"{"cmd""#,
        "c\\",
        r#"{"cmd":"\ud800"}"#,
        "",
        "last",
    ];
    ensure!(got == expected, "{got:?}");
    Ok(())
}

/// A script that has descriptor 3 as a plain socket: Node does not know that
/// there is a channel.
fn without_channel(script: &str) -> Fork {
    let mut fork = Fork::new("env")
        .args(["-u", "NODE_CHANNEL_FD", "node", "-e"])
        .arg(script);
    fork.command().kill_on_drop(true);
    fork
}

async fn many_senders() -> Result<()> {
    let mut child = node(ECHO).spawn()?;
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..50_u32 {
        let sender = child.channel.sender();
        tasks.spawn(async move {
            for count in 0..40_u32 {
                let long = "x".repeat((count * 997 % 5000) as usize);
                sender.send(&(task, count, long)).await?;
            }
            Ok::<_, Error>(())
        });
    }
    let mut counts = [0; 50];
    for _ in 0..50 * 40 {
        let message = next(&mut child.channel).await?;
        let (task, count, long): (usize, u32, String) = message.parse()?;
        ensure!(counts[task] == count, "{task}: {count}");
        ensure!(long.len() == (count * 997 % 5000) as usize);
        counts[task] += 1;
    }
    while let Some(sent) = tasks.join_next().await {
        sent??;
    }
    child.channel.disconnect().await?;
    ended(child).await
}

/// A pair of our own channels.
fn pair(limit: usize) -> Result<(Channel, Channel)> {
    pair_of(Serialization::Json, limit)
}

fn pair_of(
    serialization: Serialization,
    limit: usize,
) -> Result<(Channel, Channel)> {
    let (one, other) = std::os::unix::net::UnixStream::pair()?;
    let options = Options::default().serialization(serialization).limit(limit);
    let one = Channel::new(one.into(), options)?;
    Ok((one, Channel::new(other.into(), options)?))
}

/// How many messages Node takes while nobody reads.
async fn node_takes(text: &str) -> Result<u32> {
    let script = "let count = 0
        while (process.send(process.argv[1])) count++
        console.log(count)
        process.exit()";
    let mut fork = node(script).arg(text).stdout(std::process::Stdio::piped());
    let Forked {
        channel: _unread,
        process,
    } = fork.spawn()?;
    let output = process.wait_with_output().await?;
    let printed = String::from_utf8(output.stdout)?;
    printed.trim().parse().context(printed)
}

async fn high_water() -> Result<()> {
    let (mut one, other) = pair(1 << 26)?;
    let sender = other.sender();
    let text = "x".repeat(998); // 1,001 bytes with quotes and line end
    let mut count = 0_u32;
    while sender.try_send(&text)? {
        count += 1;
    }
    ensure!(sender.would_block());
    // 128 KiB of ours, and what the kernel took: as many as Node's `send()`
    // takes before it says `false`.
    let nodes = node_takes(&text).await?;
    ensure!(count.abs_diff(nodes) < 20, "{count} messages, Node {nodes}");
    let waits = Duration::from_millis(50);
    let send = tokio::time::timeout(waits, sender.send("late")).await;
    ensure!(send.is_err(), "it did not wait");
    for _ in 0..=count {
        ensure!(next(&mut one).await?.bytes().len() == 1000);
    }
    sender.send("now").await?;
    ensure!(next(&mut one).await?.parse::<String>()? == "now");
    Ok(())
}

async fn elsewhere() -> Result<()> {
    let (mut one, other) = pair(1 << 26)?;
    // More than the kernel takes: the rest has to go later.
    let long = "x".repeat(1 << 20);
    let sender = other.sender();
    let sent = std::thread::spawn(move || sender.try_send(&long)).join();
    let sent = sent.map_err(|_| anyhow!("it has panicked"))??;
    ensure!(!sent, "there was room for it");
    ensure!(next(&mut one).await?.bytes().len() == 2 + (1 << 20));
    Ok(())
}

async fn cancelled() -> Result<()> {
    let (mut one, other) = pair(1 << 26)?;
    let long = "x".repeat(1 << 20);
    for _ in 0..20 {
        // Accepted or not, and never a half.
        let send = other.send(&long);
        let _ = tokio::time::timeout(Duration::from_millis(1), send).await;
    }
    tokio::spawn(async move {
        let _ = other.send("end").await;
        let _ = other.disconnect().await;
    });
    let mut count = 0;
    loop {
        let text = next(&mut one).await?.parse::<String>()?;
        if text == "end" {
            break;
        }
        ensure!(text == long);
        count += 1;
    }
    ensure!((1..20).contains(&count), "{count}");
    Ok(())
}

async fn delivers() -> Result<()> {
    // Node loses all beyond 219,264 bytes here, without a word.
    let script = "let n = 0
        process.on('message', m => { n += m.length })
        process.on('disconnect', () => { console.log(n); process.exit() })";
    for serialization in [Serialization::Json, Serialization::Advanced] {
        let mut fork = node(script).serialization(serialization);
        fork.command().stdout(std::process::Stdio::piped());
        let child = fork.spawn()?;
        for _ in 0..5 {
            child.channel.send(&"x".repeat(1 << 20)).await?;
        }
        child.channel.disconnect().await?;
        let output = child.process.wait_with_output().await?;
        let printed = String::from_utf8_lossy(&output.stdout);
        ensure!(printed.trim() == (5 << 20).to_string(), "{printed}");
    }
    Ok(())
}

async fn flood() -> Result<()> {
    let script = "const long = 'x'.repeat(2 ** 16)
        for (let i = 0; i < 200; i++) process.send(long)
        let n = 0
        process.on('message', () => {
          if (++n === 200) process.send('done', () => process.disconnect())
        })";
    for serialization in [Serialization::Json, Serialization::Advanced] {
        let mut fork = node(script).serialization(serialization);
        let mut child = fork.spawn()?;
        let sender = child.channel.sender();
        let sending = tokio::spawn(async move {
            let long = "y".repeat(1 << 16);
            for _ in 0..200 {
                sender.send(&long).await?;
            }
            Ok::<_, Error>(())
        });
        for _ in 0..200 {
            let text = next(&mut child.channel).await?.parse::<String>()?;
            ensure!(text.len() == 1 << 16);
        }
        ensure!(next(&mut child.channel).await?.to_string() == "done");
        sending.await??;
        ended(child).await?;
    }
    Ok(())
}

async fn killed_in_message() -> Result<()> {
    for (serialization, bytes) in [
        (Serialization::Json, r#"'"whole"\n"half'"#),
        (
            Serialization::Advanced,
            r#"'\0\0\0\x09\xff\x0f"\x05whole\0\0\0\x09\xff\x0f"'"#,
        ),
    ] {
        let script = format!(
            "const wire = new (require('net').Socket)({{ fd: 3 }})
            wire.write({bytes}, 'latin1', () =>
              process.kill(process.pid, 'SIGKILL'))"
        );
        let mut fork = without_channel(&script).serialization(serialization);
        let mut child = fork.spawn()?;
        ensure!(next(&mut child.channel).await?.to_string() == "whole");
        ensure!(child.channel.recv().await.is_none());
        ensure!(child.wait().await?.signal() == Some(9));
        ensure!(matches!(child.channel.send("x").await, Err(Error::Closed)));
    }
    Ok(())
}

async fn half_close() -> Result<()> {
    // Node closes its end too when we have said that this was all.
    let child = node(ECHO).spawn()?;
    child.channel.send("last").await?;
    child.channel.disconnect().await?;
    ensure!(matches!(child.channel.send("x").await, Err(Error::Closed)));
    ended(child).await?;

    // And so do we when Node has said it: otherwise this one goes on.
    let script = r#"
        const wire = new (require('net').Socket)({ fd: 3, allowHalfOpen: true })
        wire.end('"last"\n')
        wire.resume().on('end', () => process.exit(5))"#;
    let mut child = without_channel(script).spawn()?;
    ensure!(next(&mut child.channel).await?.to_string() == "last");
    ensure!(child.channel.recv().await.is_none());
    let status = child.wait().await?;
    ensure!(status.code() == Some(5), "{status}");
    ensure!(matches!(child.channel.send("x").await, Err(Error::Closed)));
    Ok(())
}

/// A peer that has said all may still listen, as ours does.
async fn sent_before_end() -> Result<()> {
    for serialization in [Serialization::Json, Serialization::Advanced] {
        let options = Options::default().serialization(serialization);
        let (one, other) = std::os::unix::net::UnixStream::pair()?;
        let mut one = Channel::new(one.into(), options)?;
        let mut other = Channel::new(other.into(), options)?;
        // More than the socket holds.
        let long = "x".repeat(1 << 20);
        let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await?;
        one.send(&long).await?;
        // The answer to this will not come, and holds nothing up.
        other.sender().send_with("with", socket).await?;
        other.sender().try_send(&long)?;
        other.sender().try_send("last")?;
        let (ended, message) = tokio::join!(one.disconnect(), next(&mut other));
        ended?;
        ensure!(message?.parse::<String>()? == long);
        ensure!(other.recv().await.is_none());
        ensure!(matches!(other.send("x").await, Err(Error::Closed)));
        drop(other);
        ensure!(next(&mut one).await?.handle.is_some());
        ensure!(next(&mut one).await?.parse::<String>()? == long);
        ensure!(next(&mut one).await?.parse::<String>()? == "last");
        ensure!(one.recv().await.is_none());
    }
    Ok(())
}

async fn claimed() -> Result<()> {
    for claimed in [1_u32 << 25, 1 << 26, u32::MAX >> 1, u32::MAX] {
        let (one, other) = std::os::unix::net::UnixStream::pair()?;
        let options = Options::default().serialization(Serialization::Advanced);
        let mut channel = Channel::new(one.into(), options)?;
        std::io::Write::write_all(&mut &other, &claimed.to_be_bytes())?;
        std::io::Write::write_all(&mut &other, b"\xFF\x0F\"")?;
        let waits = Duration::from_millis(20);
        let waited = tokio::time::timeout(waits, channel.recv()).await;
        match claimed as usize > options.limit {
            true => {
                let error = waited?.context("end")?.err();
                ensure!(
                    matches!(error, Some(Error::TooLong { .. })),
                    "{error:?}"
                );
                ensure!(channel.recv().await.is_none());
            }
            false => ensure!(waited.is_err()),
        }
    }
    Ok(())
}

/// Room is made for what has arrived, not for what is promised.
fn claimed_memory() -> Result<()> {
    for claimed in [1_u32 << 20, 1 << 25, 1 << 26] {
        let mut decoder = Decoder::new(Serialization::Advanced, 1 << 26);
        decoder.push(&claimed.to_be_bytes());
        for arrived in (0..1 << 18).step_by(1 << 12) {
            ensure!(decoder.next_frame()?.is_none());
            let room = decoder.room().len();
            let enough = (1 << 16) + arrived;
            ensure!(room <= enough, "{arrived} bytes, and room for {room}");
            decoder.push(&[b'x'; 1 << 12]);
        }
    }
    Ok(())
}

async fn eighty() -> Result<()> {
    // Each reads when its parent has something to say: a channel that does
    // not block would have it fail at once.
    let start = |number| -> Result<Forked> {
        let script = format!(
            "echo '{number}' >&3; read -r line <&3; test $line = {number}"
        );
        let mut fork = Fork::new("sh").args(["-c", &script]);
        fork.command().kill_on_drop(true);
        Ok(fork.spawn()?)
    };
    let runtime = tokio::runtime::Handle::current();
    let mut children = Vec::new();
    // From several threads, so that one may inherit what another has open.
    std::thread::scope(|scope| {
        let threads: Vec<_> = [0, 20, 40, 60]
            .map(|first| {
                let runtime = &runtime;
                scope.spawn(move || -> Result<Vec<Forked>> {
                    let _within = runtime.enter();
                    (first..first + 20).map(start).collect()
                })
            })
            .into();
        for thread in threads {
            let started = thread.join();
            children.extend(started.map_err(|_| anyhow!("a panic"))??);
        }
        anyhow::Ok(())
    })?;
    for (number, child) in children.iter_mut().enumerate() {
        let message = next(&mut child.channel).await?;
        ensure!(message.parse::<usize>()? == number);
    }
    for (number, mut child) in children.into_iter().enumerate() {
        // Its end comes although 79 others were started beside it.
        child.channel.send(&number).await?;
        child.channel.disconnect().await?;
        ensure!(child.channel.recv().await.is_none());
        let status = child.wait().await?;
        ensure!(status.success(), "{number}: {status}");
    }
    Ok(())
}

/// What has the channel's number here is opened and closed all the time.
async fn taken() -> Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || -> std::io::Result<()> {
                while !stop.load(Ordering::Relaxed) {
                    let files: std::io::Result<Vec<_>> =
                        (0..50).map(|_| File::open("/dev/null")).collect();
                    drop(files?);
                }
                Ok(())
            })
        })
        .collect();
    let all = async {
        for number in 0..200_u16 {
            let mut fork = Fork::new("sh").descriptor(4 + number % 6);
            fork = fork.args(["-c", "echo 7 >&$NODE_CHANNEL_FD"]);
            let mut child = fork.spawn()?;
            ensure!(next(&mut child.channel).await?.parse::<u8>()? == 7);
            child.wait().await?;
        }
        Ok(())
    }
    .await;
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        let ended = thread.join();
        ended.map_err(|_| anyhow!("a thread panicked"))??;
    }
    all
}

async fn numbers() -> Result<()> {
    for number in [0, 1, 3, 4, 7, 57] {
        let script = "process.send(process.env)
            process.on('message', () => process.disconnect())";
        let mut child = node(script).descriptor(number).spawn()?;
        // Node has removed its variables.
        let message = next(&mut child.channel).await?;
        ensure!(!message.to_string().contains("NODE_CHANNEL"), "{message}");
        child.channel.send("enough").await?;
        ended(child).await.with_context(|| format!("{number}"))?;
    }
    Ok(())
}

async fn replaced() -> Result<()> {
    let mut fork = Fork::new("sh")
        .args([
            "-c",
            "printenv NODE_CHANNEL_FD NODE_CHANNEL_SERIALIZATION_MODE >&2; \
             echo 1 >&3",
        ])
        .env("NODE_CHANNEL_FD", "99")
        .env("NODE_CHANNEL_SERIALIZATION_MODE", "advanced")
        .stderr(std::process::Stdio::piped());
    let mut child = fork.spawn()?;
    next(&mut child.channel).await?;
    let output = child.process.wait_with_output().await?;
    let printed = String::from_utf8_lossy(&output.stderr);
    ensure!(printed == "3\njson\n", "{printed}");
    Ok(())
}

async fn ends() -> Result<()> {
    for (script, code, signal) in [
        ("process.exit(3)", Some(3), None),
        ("process.kill(process.pid)", None, Some(15)),
        ("throw 1", Some(1), None),
    ] {
        let mut fork = node(script).stderr(std::process::Stdio::null());
        let mut child = fork.spawn()?;
        ensure!(child.channel.recv().await.is_none());
        let status = child.wait().await?;
        ensure!(status.code() == code && status.signal() == signal);
    }
    let error = Fork::new("/no/such/program").spawn().err();
    let error = error.context("it started")?.to_string();
    ensure!(error.starts_with("start /no/such/program: "), "{error}");
    Ok(())
}

/// `main` prints the Debug form: with the advice, and the system's reason.
fn errors() -> Result<()> {
    use std::error::Error as _;
    use std::io;

    // This process has threads, and no channel.
    let error = node_channel::child::channel().err().context("a channel")?;
    let shown = format!("{error:?}");
    let expected = "not started with a channel: NODE_CHANNEL_FD is not set";
    ensure!(shown == expected, "{shown}");
    let late = format!("{:?}", ChildError::TooLate);
    ensure!(late.contains("before the runtime is built"), "{late}");

    // A user's own: it is not this channel's end.
    let error = Error::from(io::Error::from(io::ErrorKind::BrokenPipe));
    let source = error.source().context("no source")?;
    ensure!(source.to_string() == "broken pipe", "{source}");
    ensure!(error.to_string() == "a system call failed", "{error}");
    ensure!(format!("{error:?}") == "a system call failed: broken pipe");
    let chain = format!("{:#}", anyhow::Error::from(error));
    ensure!(chain == "a system call failed: broken pipe", "{chain}");
    Ok(())
}

/// What was accepted arrives; what was not is an error, and so it ends.
async fn ends_beside_senders() -> Result<()> {
    let (one, mut other) = pair(1 << 26)?;
    let arriving = Arc::new(tokio::sync::Notify::new());
    let all_there = Arc::clone(&arriving);
    let received = tokio::spawn(async move {
        let mut counts = [0; 4];
        while let Some(message) = other.recv().await {
            let (task, _): (usize, String) = message?.parse()?;
            counts[task] += 1;
            if counts.iter().all(|count| *count > 10) {
                all_there.notify_one();
            }
        }
        Ok::<_, Error>(counts)
    });
    let long = "x".repeat(1 << 16);
    let senders = [0, 1, 2, 3].map(|task: usize| {
        let (sender, long) = (one.sender(), long.clone());
        tokio::spawn(async move {
            let mut sent = 0;
            while sender.send(&(task, &long)).await.is_ok() {
                sent += 1;
            }
            sent
        })
    });
    arriving.notified().await;
    one.disconnect().await?;
    ensure!(matches!(one.send("late").await, Err(Error::Closed)));
    let mut sent = [0; 4];
    for (task, sender) in senders.into_iter().enumerate() {
        sent[task] = sender.await?;
    }
    let received = received.await??;
    ensure!(received == sent, "{received:?} of {sent:?}");
    Ok(())
}

async fn ends_anyway() -> Result<()> {
    // Its acknowledgement of the socket is still to come.
    let script = "process.on('message', (m, socket) => socket.destroy())";
    let mut child = node(script).spawn()?;
    let (one, _other) = tokio::net::UnixStream::pair()?;
    child.channel.sender().send_with("x", one).await?;
    let status = child.end().await?;
    ensure!(status.success(), "{status}");

    // It has more to say than the kernel takes, before it reads.
    let script = "yes '\"yes\"' | head -n 100000 >&3; cat <&3 >/dev/null";
    let mut fork = Fork::new("sh").args(["-c", script]);
    fork.command().kill_on_drop(true);
    let mut child = fork.spawn()?;
    next(&mut child.channel).await?;
    let status = child.end().await?;
    ensure!(status.success(), "{status}");

    // It has gone and left the channel to somebody else.
    let mut fork = Fork::new("sh").args(["-c", "sleep 600 <&3 & echo $! >&3"]);
    fork.command().kill_on_drop(true);
    let mut child = fork.spawn()?;
    let id = next(&mut child.channel).await?.parse()?;
    let status = child.end().await?;
    let id = rustix::process::Pid::from_raw(id).context("no process")?;
    rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
    ensure!(status.success(), "{status}");

    // What we have sent arrives before that.
    let script = "process.on('message', m => console.log(m.length))
        setInterval(() => process.send('x'.repeat(2 ** 16)), 1)
        process.on('disconnect', () => process.exit())";
    let mut fork = node(script).stdout(std::process::Stdio::piped());
    fork.command().kill_on_drop(true);
    let mut child = fork.spawn()?;
    next(&mut child.channel).await?;
    child.channel.send(&"y".repeat(1 << 22)).await?;
    let status = child.end().await?;
    ensure!(status.success(), "{status}");
    let output = child.process.wait_with_output().await?;
    ensure!(output.stdout == b"4194304\n");
    Ok(())
}

/// It is the value that is wrong, and the channel is as it was.
async fn refused_here() -> Result<()> {
    let (mut one, other) = pair(1 << 20)?;
    let sender = other.sender();
    let two_lines = "{\n}".to_owned().into_bytes();
    let sent = sender.send_raw(two_lines).await;
    ensure!(matches!(sent, Err(Error::Value(_))), "{sent:?}");
    let two_lines: &serde_json::value::RawValue =
        serde_json::from_str("[1,\n2]")?;
    let sent = sender.send(two_lines).await;
    ensure!(matches!(sent, Err(Error::Value(_))), "{sent:?}");
    let sent = sender.try_send(two_lines);
    ensure!(matches!(sent, Err(Error::Value(_))), "{sent:?}");
    sender.send("fine").await?;
    ensure!(next(&mut one).await?.to_string() == "fine");
    Ok(())
}

/// The child may open nothing more, and its answer does not go in one piece.
async fn no_descriptor_left() -> Result<()> {
    let mut fork = Fork::new(program("echo")?.get_program());
    fork.command().kill_on_drop(true);
    let mut child = fork.spawn()?;
    child.channel.send("are you there?").await?;
    next(&mut child.channel).await?;
    limit_descriptors(child.process.id().context("it has ended")?, 0)?;
    let long = "x".repeat(1 << 24);
    child.channel.send(&long).await?;
    let echo = next(&mut child.channel).await?.parse::<String>()?;
    ensure!(echo == long);
    child.channel.disconnect().await?;
    ended(child).await
}

/// Also when the program was to have another stdin, stdout or stderr.
async fn instead_of_stdin() -> Result<()> {
    for number in [0, 1, 2] {
        let script = format!("echo 7 >&{number}");
        let mut fork = Fork::new("sh")
            .args(["-c", &script])
            .descriptor(number)
            .stdin(File::open("/dev/null")?)
            .stdout(File::create("/dev/null")?)
            .stderr(File::create("/dev/null")?);
        fork.command().kill_on_drop(true);
        let mut child = fork.spawn()?;
        ensure!(next(&mut child.channel).await?.parse::<u8>()? == 7);
        ended(child).await?;
    }
    Ok(())
}

/// A Node process dies of a blank line.
async fn empty() -> Result<()> {
    for serialization in [Serialization::Json, Serialization::Advanced] {
        let mut child = node(ECHO).serialization(serialization).spawn()?;
        let sender = child.channel.sender();
        let sent = sender.send_raw(Vec::new()).await;
        ensure!(matches!(sent, Err(Error::Value(_))), "{sent:?}");
        sender.send("fine").await?;
        ensure!(next(&mut child.channel).await?.to_string() == "fine");
        child.channel.disconnect().await?;
        ended(child).await?;
    }
    Ok(())
}

async fn flushed() -> Result<()> {
    let (mut one, other) = pair(1 << 26)?;
    let sender = other.sender();
    sender.flush().await?;
    sender.try_send(&"x".repeat(1 << 22))?;
    let waits = Duration::from_millis(50);
    let flush = tokio::time::timeout(waits, sender.flush()).await;
    ensure!(flush.is_err(), "nobody has read it");
    let flush = sender.flush();
    let (message, flush) = tokio::join!(next(&mut one), flush);
    flush?;
    ensure!(message?.bytes().len() == (1 << 22) + 2);
    // And not when it never will.
    sender.try_send(&"x".repeat(1 << 22))?;
    let flush = tokio::spawn({
        let sender = sender.clone();
        async move { sender.flush().await }
    });
    drop(one);
    let flush = flush.await?;
    ensure!(matches!(flush, Err(Error::Closed)), "{flush:?}");

    // What others send meanwhile is not waited for: there is always more.
    let (mut one, other) = pair(1 << 26)?;
    let sender = other.sender();
    let long = "x".repeat(1 << 22);
    sender.try_send(&long)?;
    let go_on = async {
        for _ in 0..100 {
            sender.try_send(&long)?;
            next(&mut one).await?;
        }
        bail!("more was waited for")
    };
    tokio::select! {
        flush = sender.flush() => Ok(flush?),
        end = go_on => end,
    }
}

async fn second() -> Result<()> {
    let (mut one, other) = pair(1 << 20)?;
    let sender = other.sender();
    sender.send("last").await?;
    sender.disconnect().await?;
    sender.disconnect().await?;
    other.disconnect().await?;
    ensure!(next(&mut one).await?.to_string() == "last");
    ensure!(one.recv().await.is_none());
    one.disconnect().await?;
    Ok(())
}

/// The system says "connection reset" then, or "broken pipe": no failure, and
/// what the peer has said before arrives.
async fn unread() -> Result<()> {
    for receives in [true, false] {
        let (ours, mut theirs) = std::os::unix::net::UnixStream::pair()?;
        let mut channel = Channel::new(ours.into(), Options::default())?;
        channel.send("unread").await?;
        std::io::Write::write_all(&mut theirs, b"\"last\"\n")?;
        drop(theirs);
        if receives {
            ensure!(next(&mut channel).await?.to_string() == "last");
            let end = channel.recv().await;
            ensure!(end.is_none(), "{end:?}");
        }
        let sent = channel.send("x").await;
        ensure!(matches!(sent, Err(Error::Closed)), "{sent:?}");
    }
    Ok(())
}

/// It may still have something to say, but nobody could answer: the channel
/// is of no more use, and who waits for messages learns that.
async fn deaf() -> Result<()> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    let mut channel = Channel::new(ours.into(), Options::default())?;
    theirs.shutdown(std::net::Shutdown::Read)?;
    let sender = channel.sender();
    let (end, sent) = tokio::join!(channel.recv(), async {
        // It waits already.
        tokio::task::yield_now().await;
        sender.send("x").await
    });
    ensure!(matches!(sent, Err(Error::Closed)), "{sent:?}");
    ensure!(end.is_none(), "{end:?}");
    drop(theirs);
    Ok(())
}
