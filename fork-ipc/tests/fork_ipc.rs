//! What fork-ipc promises.
//!
//! The other side is the real Node: a parent or a child of the lesson, or a
//! script here that has the channel's bytes in its own hands.

use std::io::Write;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use harness::{Exit, Half, Language, Signal};

use harness::testing::echo::TWO_SECONDS;
use harness::testing::server::lesson;
use harness::testing::{NODE, Need, Test, both, test};

const NAME: &str = "fork-ipc";

pub fn tests() -> Vec<Test> {
    let both = |promise, run: fn(Language) -> Result<()>| {
        both(promise, run).map(|test| test.needs(NODE))
    };
    let rust = |promise: &'static str, run: fn() -> Result<()>| {
        [test(promise, run).needs(NODE)]
    };
    let of_both = [
        both("bytes_one_at_a_time_make_a_message", one_at_a_time),
        both("two_messages_in_one_write_are_two", two_at_once),
        both("any_json_value_is_a_message", any_value),
        both("16_mib_arrive_whole", sixteen_mib),
        both("a_peer_cannot_drive_the_terminal", hostile_text),
        both("node_s_own_messages_are_not_the_user_s", internal),
        both("a_handle_that_did_not_come_is_refused_once", no_handle),
        both("a_child_without_a_channel_says_so", no_channel),
        both("a_killed_parent_ends_the_child", killed_parent),
        both("a_killed_child_is_reported", killed_child),
        both("an_exit_code_is_reported", exit_code),
        both("a_child_that_has_disconnected_may_go_on", goes_on),
        both("too_few_answers_are_a_failure", too_few),
        both("a_program_that_is_not_there_is_named", no_program),
        both(
            "a_parent_that_inherits_an_ignored_sigchld_waits",
            ignored_sigchld,
        )
        .map(|test| test.needs(Need::Program("bash", "--version"))),
        both("signals_end_parent_and_child", signals),
        both("a_stubborn_child_is_killed", stubborn),
        both("a_closed_stdout_ends_both_quietly", closed_stdout),
        both("a_stdout_that_is_full_is_an_error", full_disk)
            .map(|test| test.needs(Need::Proc)),
    ];
    let of_rust = [
        rust("a_line_that_is_not_json_is_reported", not_json),
        rust("a_line_over_the_limit_ends_the_channel", too_long),
        rust("what_fork_puts_into_argv_is_left_out", argv),
        rust("a_channel_that_is_none_gets_a_clear_error", bad_channels),
        rust("a_child_that_ends_has_said_all", says_all),
        rust("a_child_that_never_reads_is_held_back", never_reads)
            .map(|test| test.needs(Need::Proc)),
    ];
    of_both
        .into_iter()
        .flatten()
        .chain(of_rust.into_iter().flatten())
        .map(|test| test.of(NAME))
        .collect()
}

/// Starts the lesson's child from a Node script that has the channel as a
/// plain stream, `wire`.
fn raw_parent(
    language: Language,
    script: &str,
    arguments: &[&str],
) -> Result<Half> {
    let child = lesson(NAME)?.half(language, "child")?;
    let script = format!(
        "const [program, ...args] = process.argv.slice(1)
        const child = require('child_process').spawn(program, args, {{
          stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
          env: {{ ...process.env, NODE_CHANNEL_FD: '3' }} }})
        const wire = child.stdio[3]
        wire.on('error', () => {{}})
        child.on('exit', (code, signal) => console.log('exit', code ?? signal))
        {script}"
    );
    let mut node = Command::new("node");
    node.args(["-e", &script])
        .arg(child.get_program())
        .args(child.get_args())
        .args(arguments);
    Half::start(&mut node)
}

/// Starts the lesson's parent with a child that is a Node script which has
/// the channel as a plain stream, `wire`.
fn raw_child(language: Language, script: &str) -> Result<Half> {
    let script = format!(
        "const wire = new (require('net').Socket)({{ fd: 3 }})
        wire.on('error', () => {{}})
        {script}"
    );
    parent(
        language,
        &["env", "-u", "NODE_CHANNEL_FD", "node", "-e", &script],
    )
}

/// Starts the lesson's parent with `program`.
fn parent(language: Language, program: &[&str]) -> Result<Half> {
    let mut command = lesson(NAME)?.half(language, "parent")?;
    Half::start(command.arg("--").args(program))
}

fn exits(half: &mut Half, expected: Exit) -> Result<()> {
    let exit = half.wait()?;
    ensure!(
        exit == expected,
        "{exit:?}\n{:?}\n{:?}",
        half.stdout(),
        half.stderr()
    );
    Ok(())
}

fn expect_lines(half: &Half, expected: &[&str]) -> Result<()> {
    let lines = half.stdout();
    ensure!(lines == expected, "{lines:?}");
    Ok(())
}

fn one_at_a_time(language: Language) -> Result<()> {
    let script = r#"
        const bytes = [...Buffer.from('"中😀"\n')]
        const next = () => bytes.length && wire.write(
          Buffer.of(bytes.shift()), () => setImmediate(next))
        next()"#;
    let arguments = ["--count", "1"];
    let mut half = raw_parent(language, script, &arguments)?;
    exits(&mut half, Exit::Code(0))?;
    expect_lines(&half, &["message from parent: 中😀", "exit 0"])
}

fn two_at_once(language: Language) -> Result<()> {
    let script = r#"wire.write('"one"\n"two"\n"thr')
        setTimeout(() => wire.write('ee"\r\n'), 50)"#;
    let arguments = ["--count", "3", "--every", "1"];
    let mut half = raw_parent(language, script, &arguments)?;
    exits(&mut half, Exit::Code(0))?;
    let lines = ["one", "two", "three"];
    let lines = lines.map(|word| format!("message from parent: {word}"));
    expect_lines(&half, &[&lines[0], &lines[1], &lines[2], "exit 0"])
}

fn any_value(language: Language) -> Result<()> {
    let script = r#"
        const values = [null, true, 0, -1.5, [], [1, [2]], {}, { a: { b: '中' } },
          '', '{"a":1}', '\ud800!', { '\udfff': 1, z: 1, a: 2, 7: 3 }]
        wire.write(values.map(value => JSON.stringify(value) + '\n').join(''))
        wire.write(Buffer.from([0x22, 0xff, 0x22, 0x0a]))"#;
    let arguments = ["--count", "13", "--every", "1"];
    let mut half = raw_parent(language, script, &arguments)?;
    exits(&mut half, Exit::Code(0))?;
    let shown = [
        "null",
        "true",
        "0",
        "-1.5",
        "[]",
        "[1,[2]]",
        "{}",
        r#"{"a":{"b":"中"}}"#,
        "",
        r#"{"a":1}"#,
        "\u{FFFD}!",
        r#"{"7":3,"\udfff":1,"z":1,"a":2}"#,
        "\u{FFFD}",
    ];
    let mut lines: Vec<String> = shown
        .iter()
        .map(|text| format!("message from parent: {text}"))
        .collect();
    lines.push("exit 0".to_owned());
    let printed = half.stdout();
    ensure!(printed == lines, "{printed:#?}");
    Ok(())
}

fn sixteen_mib(language: Language) -> Result<()> {
    let script = "wire.write(JSON.stringify('x'.repeat(2 ** 24)) + '\\n')";
    let mut half = raw_parent(language, script, &["--count", "1"])?;
    exits(&mut half, Exit::Code(0))?;
    let shown =
        format!("message from parent: {}… (16777216 bytes)", "x".repeat(160));
    expect_lines(&half, &[&shown, "exit 0"])?;

    // And the other way: the child's message arrives whole.
    let script = "process.send('y'.repeat(2 ** 24))
        process.on('message', () => process.disconnect())";
    let mut half = parent(language, &["node", "-e", script])?;
    exits(&mut half, Exit::Code(0))?;
    let shown =
        format!("message from child: {}… (16777216 bytes)", "y".repeat(160));
    let end = ["child disconnected", "child exited with code 0"];
    expect_lines(&half, &[&shown, end[0], end[1]])
}

fn hostile_text(language: Language) -> Result<()> {
    let script = r#"process.send('\x1b[2J\r\n\u202e')
        process.on('message', () => process.disconnect())"#;
    let mut half = parent(language, &["node", "-e", script])?;
    exits(&mut half, Exit::Code(0))?;
    let lines = half.stdout();
    let shown = "message from child: \\u{1b}[2J\\r\\n\\u{202e}";
    ensure!(lines[0] == shown, "{lines:?}");
    Ok(())
}

fn internal(language: Language) -> Result<()> {
    let script = r#"wire.write('{"cmd":"NODE_SECRET"}\n{"cmd":"NODE_"}\n')"#;
    let mut half = raw_parent(language, script, &["--count", "1"])?;
    exits(&mut half, Exit::Code(0))?;
    let shown = r#"message from parent: {"cmd":"NODE_"}"#;
    expect_lines(&half, &[shown, "exit 0"])
}

fn no_handle(language: Language) -> Result<()> {
    let script = r#"let all = ''
        wire.on('data', text => {
          all += text
          if (all.includes('NACK')) wire.write('"done"\n')
        })
        wire.on('close', () => console.log(all.split('\n').sort().join()))
        wire.write('{"cmd":"NODE_HANDLE","type":"net.Socket","msg":1}\n')"#;
    let mut half = raw_parent(language, script, &["--count", "1"])?;
    exits(&mut half, Exit::Code(0))?;
    half.wait_for(r#","hello",{"cmd":"NODE_HANDLE_NACK"}"#)?;
    Ok(())
}

fn no_channel(language: Language) -> Result<()> {
    let mut child = Half::start(&mut lesson(NAME)?.half(language, "child")?)?;
    exits(&mut child, Exit::Code(1))?;
    let stderr = child.stderr();
    ensure!(
        stderr
            == ["Error: not started with a channel: \
                 NODE_CHANNEL_FD is not set"],
        "{stderr:?}"
    );
    Ok(())
}

fn killed_parent(language: Language) -> Result<()> {
    for first in [Language::Rust, Language::Node] {
        let pace = ["--every", "10"];
        let mut command = lesson(NAME)?.parent(first, language, &pace)?;
        let mut half = Half::start(&mut command)?;
        half.wait_for_lines(2, "message from parent: hi")?;
        // Waits for the child as well, as it holds the same stdout.
        half.stop(Signal::Kill)?;
        half.wait_for_error("Error: the parent has disconnected")?;
    }
    Ok(())
}

fn killed_child(language: Language) -> Result<()> {
    let script = "process.send(process.pid)
        process.on('message', () => process.kill(process.pid, 'SIGKILL'))";
    let mut half = parent(language, &["node", "-e", script])?;
    exits(&mut half, Exit::Code(1))?;
    let lines = half.stdout();
    let end = ["child disconnected", "child was killed by SIGKILL"];
    ensure!(lines[1..] == end, "{lines:?}");
    half.wait_for_error("Error: the child was killed by SIGKILL")?;
    Ok(())
}

fn exit_code(language: Language) -> Result<()> {
    let mut half = parent(language, &["sh", "-c", "exit 7"])?;
    exits(&mut half, Exit::Code(1))?;
    let end = ["child disconnected", "child exited with code 7"];
    expect_lines(&half, &end)
}

fn goes_on(language: Language) -> Result<()> {
    let script = r#"eval "exec $NODE_CHANNEL_FD>&-"; read line; exit $line"#;
    let mut half = parent(language, &["sh", "-c", script])?;
    let mut keyboard = half.take_stdin()?;
    half.wait_for("child disconnected")?;
    keyboard.write_all(b"7\n")?;
    exits(&mut half, Exit::Code(1))?;
    let end = ["child disconnected", "child exited with code 7"];
    expect_lines(&half, &end)
}

fn too_few(language: Language) -> Result<()> {
    let script = r#"wire.once('data', () => wire.end('"one"\n'))"#;
    let mut half = raw_parent(language, script, &["--count", "2"])?;
    exits(&mut half, Exit::Code(0))?;
    expect_lines(&half, &["message from parent: one", "exit 1"])
}

fn no_program(language: Language) -> Result<()> {
    // Node hears of the one later, and of the other one at once.
    for program in ["/no/such/program", "/bin/sh/program"] {
        let mut half = parent(language, &[program])?;
        exits(&mut half, Exit::Code(1))?;
        half.wait_for_error(&format!("Error: start {program}: "))?;
        ensure!(half.stderr().len() == 1, "{:?}", half.stderr());
        ensure!(half.stdout().is_empty(), "{:?}", half.stdout());
    }
    Ok(())
}

/// An ignored signal stays ignored when another program is started. Not by
/// `sh`: Debian's does not let anybody ignore this one.
fn ignored_sigchld(language: Language) -> Result<()> {
    let parent = lesson(NAME)?.half(language, "parent")?;
    // Not every sh hands it on: dash sets it to the default again.
    let mut command = Command::new("bash");
    command
        .args(["-c", r#"trap '' CHLD; exec "$@""#, "bash"])
        .arg(parent.get_program())
        .args(parent.get_args())
        .args(["--count", "1"]);
    let mut half = Half::start(&mut command)?;
    exits(&mut half, Exit::Code(0))?;
    half.wait_for("child exited with code 0").map(drop)
}

fn signals(language: Language) -> Result<()> {
    for signal in [Signal::Interrupt, Signal::Terminate] {
        for every in ["86400000", "1"] {
            for second in [Language::Rust, Language::Node] {
                let pace = ["--every", every];
                let lesson = lesson(NAME)?;
                let mut command = lesson.parent(language, second, &pace)?;
                let mut half = Half::start(&mut command)?;
                half.wait_for("message from parent: hi")?;
                half.signal(signal)?;
                let exit = half.wait_at_most(TWO_SECONDS)?;
                ensure!(exit == Exit::Code(0), "{exit:?}");
                half.wait_for("child disconnected")?;
            }
        }
    }
    Ok(())
}

fn stubborn(language: Language) -> Result<()> {
    let script = "process.send('ready'); setInterval(() => {}, 1000)";
    let mut half = parent(language, &["node", "-e", script])?;
    half.wait_for("message from child: ready")?;
    half.signal(Signal::Terminate)?;
    let exit = half.wait_at_most(TWO_SECONDS)?;
    ensure!(exit == Exit::Code(0), "{exit:?}");
    half.wait_for("child was killed by SIGKILL")?;

    // One that does not read either, so that the answers fill the channel
    // and send() waits. Node's does not wait.
    if language == Language::Node {
        return Ok(());
    }
    let script = "trap '' TERM
        while :; do echo '\"hello\"' >&$NODE_CHANNEL_FD; done";
    let long = "x".repeat(10_000);
    let mut command = lesson(NAME)?.half(language, "parent")?;
    command.args(["--message", &long, "--", "sh", "-c", script]);
    let mut half = Half::start(&mut command)?;
    half.wait_for_lines(30, "message from child: hello")?;
    half.signal(Signal::Terminate)?;
    let exit = half.wait_at_most(TWO_SECONDS)?;
    ensure!(exit == Exit::Code(0), "{exit:?}");
    half.wait_for("child was killed by SIGKILL")?;
    Ok(())
}

fn closed_stdout(language: Language) -> Result<()> {
    for child in [Language::Rust, Language::Node] {
        let pace = ["--every", "10"];
        let mut command = lesson(NAME)?.parent(language, child, &pace)?;
        let (mut half, stdout) = Half::start_with_stdout(&mut command)?;
        drop(stdout);
        let exit = half.wait()?;
        ensure!(exit == Exit::Code(0), "{exit:?}: {:?}", half.stderr());
        ensure!(half.stderr().is_empty(), "{:?}", half.stderr());
    }
    Ok(())
}

fn full_disk(language: Language) -> Result<()> {
    let mut command = lesson(NAME)?.half(language, "parent")?;
    let output = command
        .args(["--count", "1"])
        .stdout(std::fs::OpenOptions::new().write(true).open("/dev/full")?)
        .output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(1), "{stderr}");
    ensure!(stderr.contains("Error: write to stdout: "), "{stderr}");
    Ok(())
}

fn not_json() -> Result<()> {
    // A bad line that begins in one piece and ends in another must not spoil
    // what comes then.
    let script = r#"wire.write('"a"\n\noh n')
        setTimeout(() => wire.write('o!\n\uFEFF1\n{"b":2}\n'), 50)"#;
    let mut half =
        raw_parent(Language::Rust, script, &["--count=2", "--every=1"])?;
    exits(&mut half, Exit::Code(0))?;
    let shown = ["message from parent: a", "message from parent: {\"b\":2}"];
    expect_lines(&half, &[shown[0], shown[1], "exit 0"])?;
    let stderr = half.stderr();
    ensure!(stderr.len() == 3, "{stderr:?}");
    let whole = "message from parent: not JSON \
        (expected value at line 1 column 1): 'oh no!'";
    ensure!(stderr.iter().any(|line| line == whole), "{stderr:?}");

    let script = r#"wire.write('oh no!\n"fine"\n', () => wire.end())"#;
    let mut half = raw_child(Language::Rust, script)?;
    exits(&mut half, Exit::Code(0))?;
    half.wait_for("message from child: fine")?;
    half.wait_for_error("message from child: not JSON")?;
    Ok(())
}

fn too_long() -> Result<()> {
    let script = "const piece = Buffer.alloc(2 ** 20, 'x')
        const more = () => { while (wire.write(piece)); }
        wire.on('drain', more)
        more()";
    let mut half = raw_child(Language::Rust, script)?;
    half.wait_for_error("message from child: a message is longer than")?;
    half.wait_for("child disconnected")?;
    exits(&mut half, Exit::Code(0))
}

fn argv() -> Result<()> {
    let script = "const args = process.argv.slice(2)
        const child = require('child_process').fork('./x.js',
          ['--message', 'a b', '--count', '1'],
          { execPath: process.argv[1], execArgv: args })
        child.on('message', said => { console.log(said); child.send('hi') })
        child.on('exit', code => console.log('exit', code))";
    let child = lesson(NAME)?.half(Language::Rust, "child")?;
    for flags in [&[][..], &["--stack-trace-limit=5", "-r", "./x.js"]] {
        let mut node = Command::new("node");
        node.args(["-e", script, "--"])
            .arg(child.get_program())
            .args(flags);
        let mut half = Half::start(&mut node)?;
        exits(&mut half, Exit::Code(0))?;
        half.wait_for("a b")?;
        half.wait_for("exit 0")?;
    }

    // A mistake in the program's own arguments is none of Node's.
    let script = "require('child_process').spawn(process.argv[1],
          ['--message', 'a', '--every', '0', '--count', '1'],
          { stdio: [0, 1, 2, 'ipc'] })
        .on('exit', code => console.log('exit', code))";
    let mut node = Command::new("node");
    node.args(["-e", script, "--"]).arg(child.get_program());
    let mut half = Half::start(&mut node)?;
    exits(&mut half, Exit::Code(0))?;
    half.wait_for("exit 2")?;
    half.wait_for_error("invalid value '0'")?;
    Ok(())
}

fn bad_channels() -> Result<()> {
    for (number, mode, expected) in [
        (
            "999",
            "",
            "NODE_CHANNEL_FD is 999, but no such descriptor is open",
        ),
        (
            "0",
            "",
            "NODE_CHANNEL_FD is 0, but that is no connected Unix stream",
        ),
        ("three", "", "NODE_CHANNEL_FD cannot be 'three'"),
        ("-1", "", "NODE_CHANNEL_FD cannot be '-1'"),
        ("99999999999", "", "NODE_CHANNEL_FD cannot be '99999999999'"),
        ("", "", "not started with a channel"),
        (
            "3",
            "xml",
            "NODE_CHANNEL_SERIALIZATION_MODE cannot be 'xml'",
        ),
    ] {
        let mut command = lesson(NAME)?.half(Language::Rust, "child")?;
        command
            .env("NODE_CHANNEL_FD", number)
            .env("NODE_CHANNEL_SERIALIZATION_MODE", mode);
        let mut child = Half::start(&mut command)?;
        exits(&mut child, Exit::Code(1))?;
        child.wait_for_error(expected)?;
        ensure!(child.stderr().len() == 1, "{:?}", child.stderr());
    }

    // A socket, but one that listens; what stdin is, is left as it is.
    #[cfg(unix)]
    {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("socket");
        let listener = std::os::unix::net::UnixListener::bind(path)?;
        let child = lesson(NAME)?.half(Language::Rust, "child")?;
        let child = std::process::Command::new(child.get_program())
            .env("NODE_CHANNEL_FD", "0")
            .stdin(std::os::fd::OwnedFd::from(listener))
            .output()?;
        let stderr = String::from_utf8_lossy(&child.stderr);
        ensure!(child.status.code() == Some(1), "{stderr}");
        ensure!(stderr.contains("no connected Unix stream"), "{stderr}");
    }
    Ok(())
}

/// A Node child loses what the kernel did not take: all over 219 KB.
fn says_all() -> Result<()> {
    for mode in ["json", "advanced"] {
        let child = lesson(NAME)?.half(Language::Rust, "child")?;
        // It is answered in advance, and read so slowly that much of it waits
        // in the child when that has said all.
        let script = format!(
            "const [program, ...args] = process.argv.slice(1)
            const child = require('child_process').spawn(program, args, {{
              serialization: '{mode}', stdio: ['ignore', 1, 2, 'ipc'] }})
            const got = []
            const clock = new Int32Array(new SharedArrayBuffer(4))
            for (let i = 0; i < 12; i++) child.send('answer')
            child.on('message', text => {{
              got.push(text.length)
              Atomics.wait(clock, 0, 0, 20)
            }})
            child.on('disconnect', () => console.log('disconnect', ...got))
            child.on('exit', code => console.log('exit', code))"
        );
        let mut node = Command::new("node");
        node.args(["-e", &script])
            .arg(child.get_program())
            .args(["--count=12", "--every=1", "--message"])
            .arg("x".repeat(100_000));
        let mut half = Half::start(&mut node)?;
        exits(&mut half, Exit::Code(0))?;
        half.wait_for(&format!("disconnect{}", " 100000".repeat(12)))?;
        half.wait_for("exit 0")?;
    }
    Ok(())
}

/// The parent answers each message; when nobody takes the answers, it stops
/// reading too.
fn never_reads() -> Result<()> {
    let script = r#"wire.pause()
        const piece = '"hello"\n'.repeat(2 ** 13)
        let taken = 0, still = 0, last = -1
        const more = () => {
          while (wire.write(piece, () => { taken += 1 }));
        }
        wire.on('drain', more)
        more()
        setInterval(() => {
          still = taken === last ? still + 1 : 0
          last = taken
          if (still === 10) console.log('stuck')
        }, 50)"#;
    let mut command = lesson(NAME)?.half(Language::Rust, "parent")?;
    let script = format!(
        "const wire = new (require('net').Socket)({{ fd: 3 }})\n{script}"
    );
    command.env("QUIET", "1");
    command.args(["--", "env", "-u", "NODE_CHANNEL_FD"]);
    let half = Half::start(command.args(["node", "-e", &script]))?;
    half.wait_for("stuck")?;
    let memory = half.peak_memory().context("/proc/PID/status")?;
    ensure!(memory < 16 << 20, "{} MiB", memory >> 20);
    Ok(())
}
