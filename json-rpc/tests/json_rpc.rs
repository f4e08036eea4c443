//! What json-rpc promises.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::{Exit, Half, Language, Signal, cargo, root};

use harness::testing::echo;
use harness::testing::server::{eventually, has_ended, lesson};
use harness::testing::{Need, Test, both, project, test};

const LESSON: &str = "json-rpc";
const PEERS: Need = Need::Packages("json-rpc/tests/peers");

const RMCP: &str = r#"
serde_json = "1"
tokio = { version = "1", features = ["full"] }

[dependencies.rmcp]
version = "3.11"
default-features = false
features = ["client", "transport-child-process"]
"#;

const CANCELLED: &str = r#"Received from child: {"error":{"code":-32800,"#;

/// Two seconds, and what a busy machine adds.
const SOON: Duration = Duration::from_secs(20);

pub fn tests() -> Vec<Test> {
    let both = |promise, run: fn(Language) -> Result<()>| both(promise, run);
    let on_unix = |tests: [Test; 2]| tests.map(|test| test.needs(Need::Unix));
    let mut tests: Vec<Test> = [
        // The child.
        both("answers_come_in_any_order_each_with_its_id", any_order),
        both("each_error_has_its_code", errors),
        both("a_notification_is_never_answered", notifications),
        both("a_request_is_cancelled_by_either_name", cancelled),
        both("what_still_runs_at_the_end_is_cancelled", end),
        both("headers_do_as_lines_do", headers),
        both("headers_may_arrive_in_any_pieces", pieces),
        both("what_has_no_next_message_ends_the_child", no_next),
        both("a_message_without_end_ends_the_child", endless),
        on_unix(both("a_killed_parent_leaves_no_child", orphan))
            .map(|test| test.needs(Need::Proc)),
        // The parent.
        on_unix(both("a_log_on_stdout_is_said_and_skipped", stray_line)),
        on_unix(both("among_headers_a_log_on_stdout_ends_it", stray_header)),
        on_unix(both("a_child_that_ends_fails_the_parent", dead_child)),
        both("a_program_that_is_none_is_said", no_program),
        on_unix(both("ctrl_c_ends_both", ctrl_c))
            .map(|test| test.needs(Need::Proc)),
        on_unix(both("a_child_that_ignores_all_is_killed", stubborn))
            .map(|test| test.needs(Need::Proc)),
        both("help_names_every_flag", |language| {
            echo::help(LESSON, language)
        }),
        // Peers that we did not write.
        both("vscode_jsonrpc_calls_the_child", |language| {
            script("vscode.js", language)
        })
        .map(|test| test.needs(PEERS)),
        both("the_sdk_of_mcp_calls_the_child", |language| {
            script("mcp.js", language)
        })
        .map(|test| test.needs(PEERS)),
    ]
    .into_iter()
    .flatten()
    .collect();
    for languages in lesson(LESSON).map_or(&[][..], |it| it.pairings()) {
        let [parent, child] = *languages;
        let name =
            format!("parents_headers_do_as_lines_do::{parent:?}-{child:?}");
        let run = move || headers_of_parent([parent, child]);
        let test = test(name.to_lowercase(), run);
        tests.push(if languages.contains(&Language::Node) {
            test.needs(harness::testing::NODE)
        } else {
            test
        });
    }
    let stray = test("console_log_goes_to_stderr_in_nodes_child", stray_log);
    tests.push(stray.needs(harness::testing::NODE));
    let rmcp = test("rmcp_calls_the_child", rmcp).long();
    tests.push(rmcp.needs(Need::Crates("rmcp-peer", RMCP)));
    tests.into_iter().map(|test| test.of(LESSON)).collect()
}

fn child(language: Language, arguments: &[&str]) -> Result<Half> {
    let mut command = lesson(LESSON)?.half(language, "child")?;
    Half::start(command.args(arguments))
}

/// What the child prints when these lines are all of its input.
fn answers(language: Language, lines: &[&str]) -> Result<Vec<String>> {
    let mut child = child(language, &[])?;
    let mut stdin = child.take_stdin()?;
    for line in lines {
        writeln!(stdin, "{line}")?;
    }
    drop(stdin);
    child.succeeds()?;
    Ok(child.stdout())
}

fn request(id: &str, method: &str, params: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#
    )
}

fn any_order(language: Language) -> Result<()> {
    let mut child = child(language, &[])?;
    let mut stdin = child.take_stdin()?;
    let slow = request(r#""a""#, "wait", r#"{"ms":1000}"#);
    let quick = request("2", "add", r#"{"a":-7,"b":3}"#);
    stdin.write_all(format!("{slow}\n{quick}\n").as_bytes())?;
    child.wait_for_lines(2, "{")?;
    drop(stdin);
    child.succeeds()?;
    let expected = [
        r#"{"id":2,"jsonrpc":"2.0","result":-4}"#,
        r#"{"id":"a","jsonrpc":"2.0","result":"done"}"#,
    ];
    ensure!(child.stdout() == expected, "{:?}", child.stdout());
    Ok(())
}

fn errors(language: Language) -> Result<()> {
    for (line, id, code) in [
        ("nonsense", "null", -32700),
        ("", "null", -32700),
        (r#"{"jsonrpc":"2.0","#, "null", -32700),
        ("[]", "null", -32600),
        ("7", "null", -32600),
        ("null", "null", -32600),
        (r#"{"jsonrpc":"2.0","id":1}"#, "1", -32600),
        (
            r#"{"jsonrpc":"2.0","id":"中","method":7}"#,
            "\"中\"",
            -32600,
        ),
        (&request("3", "divide", "{}"), "3", -32601),
        (&request("4", "add", r#"{"a":1}"#), "4", -32602),
        (&request("4", "add", r#"{"a":1,"b":0.5}"#), "4", -32602),
        (&request("5", "add", "null"), "5", -32602),
        (r#"{"jsonrpc":"2.0","id":6,"method":"add"}"#, "6", -32602),
        (&request("7", "wait", r#"{"ms":"1"}"#), "7", -32602),
        (&request("8", "tools/call", r#"{"name":"x"}"#), "8", -32602),
    ] {
        let answers = answers(language, &[line])?;
        let [answer] = &answers[..] else {
            anyhow::bail!("{line}: {answers:?}");
        };
        let start = format!(r#"{{"error":{{"code":{code},"message":""#);
        let end = format!(r#""}},"id":{id},"jsonrpc":"2.0"}}"#);
        let is_it = answer.starts_with(&start) && answer.ends_with(&end);
        ensure!(is_it, "{line}: {answer}");
    }
    Ok(())
}

fn notifications(language: Language) -> Result<()> {
    let lines = [
        r#"{"jsonrpc":"2.0","method":"add","params":{"a":1,"b":1}}"#,
        r#"{"jsonrpc":"2.0","method":"no such method"}"#,
        r#"{"jsonrpc":"2.0","method":"$/cancelRequest"}"#,
        r#"{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":9}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
    ];
    let answers = answers(language, &lines)?;
    ensure!(answers.is_empty(), "{answers:?}");
    Ok(())
}

fn cancelled(language: Language) -> Result<()> {
    let mut child = child(language, &[])?;
    let mut stdin = child.take_stdin()?;
    for (id, cancel) in [
        ("1", r#""method":"$/cancelRequest","params":{"id":1}"#),
        (
            r#""1""#,
            r#""method":"notifications/cancelled","params":{"requestId":"1"}"#,
        ),
    ] {
        let wait = request(id, "wait", r#"{"ms":60000}"#);
        writeln!(stdin, "{wait}\n{{\"jsonrpc\":\"2.0\",{cancel}}}")?;
        let error = r#"{"code":-32800,"message":"request cancelled"}"#;
        let answer = format!(r#"{{"error":{error},"id":{id},"#);
        child.wait_for(&answer)?;
    }
    drop(stdin);
    child.succeeds()
}

fn end(language: Language) -> Result<()> {
    let answers = answers(
        language,
        &[
            &request("1", "wait", r#"{"ms":60000}"#),
            &request("2", "add", r#"{"a":1,"b":1}"#),
        ],
    )?;
    let has = |text: &str| answers.iter().any(|answer| answer.contains(text));
    ensure!(answers.len() == 2, "{answers:?}");
    ensure!(has(r#""id":2,"jsonrpc":"2.0","result":2"#), "{answers:?}");
    ensure!(has(r#"{"code":-32800,"#), "{answers:?}");
    Ok(())
}

fn pieces(language: Language) -> Result<()> {
    let mut child = child(language, &["--framing", "headers"])?;
    let mut stdin = child.take_stdin()?;
    let text = request(r#""中""#, "add", r#"{"a":1,"b":1}"#);
    let length = text.len();
    let one = format!("Content-Length: {length}\r\n\r\n{text}");
    for byte in one.as_bytes() {
        stdin.write_all(&[*byte])?;
    }
    let kind = "Content-Type: application/vscode-jsonrpc; charset=utf-8";
    let two = format!("{kind}\r\ncontent-length:{length}\r\n\r\n{text}");
    stdin.write_all([two.clone(), two].concat().as_bytes())?;
    drop(stdin);
    child.succeeds()?;
    let answer = r#"{"id":"中","jsonrpc":"2.0","result":2}"#;
    let answer = format!("Content-Length: {}\r\n\r\n{answer}", answer.len());
    let expected = answer.repeat(3).replace("\r\n", "\n");
    let stdout = child.stdout().join("\n");
    ensure!(stdout == expected, "{stdout}");
    Ok(())
}

fn no_next(language: Language) -> Result<()> {
    for (input, why) in [
        ("hello\r\n", "\"hello\" is no header"),
        ("Content-Type: x\r\n\r\n{}", "there is no Content-Length"),
        ("Content-Length: x\r\n\r\n{}", "there is no Content-Length"),
        ("Content-Length: -1\r\n\r\n{}", "there is no Content-Length"),
        ("Content-Length: 16777217\r\n\r\n{}", "longer than 16 MiB"),
    ] {
        let mut child = child(language, &["--framing", "headers"])?;
        child.take_stdin()?.write_all(input.as_bytes())?;
        child.fails_at_once(&[why])?;
    }
    Ok(())
}

fn endless(language: Language) -> Result<()> {
    let mut child = child(language, &[])?;
    let mut stdin = child.take_stdin()?;
    let piece = vec![b'x'; 1024 * 1024];
    // It ends while we write, so that one of these fails.
    let written = (0..64).try_for_each(|_| stdin.write_all(&piece));
    ensure!(written.is_err(), "it read 64 MiB");
    child.fails_at_once(&["longer than 16 MiB"])
}

/// In front of our own child (`$0` and what follows), the shell makes the first
/// request one that takes a minute, so that the parent waits for its answer.
/// `$1` is printed on stderr: the process that is to end.
const SLOW_CHILD: &str = r#"while IFS= read -r line; do
        case $line in *:500*) line="${line%:500*}:60000${line#*:500}";; esac
        printf '%s\n' "$line"
    done |
    exec sh -c 'echo "$$" >&2; exec "$0" "$@"' "$0" "$@""#;

fn orphan(language: Language) -> Result<()> {
    let mut parent = with_shell(language, SLOW_CHILD)?;
    let id = parent.wait_for_error("")?;
    parent.wait_for("Received from child: ")?;
    parent.stop(Signal::Kill)?;
    eventually(|| has_ended(&id))
}

/// A parent whose child is what the shell makes of `script`; `$0` and what
/// follows are our own child.
fn with_shell(language: Language, script: &str) -> Result<Half> {
    with_shell_framed(language, "lines", script)
}

fn with_shell_framed(
    language: Language,
    framing: &str,
    script: &str,
) -> Result<Half> {
    let lesson = lesson(LESSON)?;
    let mut command = lesson.half(language, "parent")?;
    command.args(["--framing", framing, "--", "sh", "-c", script]);
    let child = lesson.half(language, "child")?;
    command.arg(child.get_program()).args(child.get_args());
    Half::start(command.args(["--framing", framing]))
}

fn stray_line(language: Language) -> Result<()> {
    let mut parent = with_shell(language, "echo hello; exec \"$0\" \"$@\"")?;
    ensure!(parent.wait()? == Exit::Code(0), "{:?}", parent.stderr());
    let stdout = parent.stdout();
    let stray = "Received from child: hello".to_owned();
    ensure!(stdout.contains(&stray), "{stdout:?}");
    ensure!(stdout.contains(&"add: 5".to_owned()), "{stdout:?}");
    let stderr = parent.stderr();
    let said = "this is no JSON: does the child log to its stdout?";
    ensure!(stderr == [said], "{stderr:?}");
    Ok(())
}

fn stray_header(language: Language) -> Result<()> {
    let script = "echo hello; exec \"$0\" \"$@\"";
    let mut parent = with_shell_framed(language, "headers", script)?;
    parent.fails(&["\"hello\" is no header: is it a log?"])
}

fn dead_child(language: Language) -> Result<()> {
    for script in ["exit 3", "read line; exit 3", "read line; kill -9 $$"] {
        let mut parent = with_shell(language, script)?;
        // It notices when it reads, when it writes, or by the exit status.
        parent.fails(&["Error: "])?;
        let stderr = parent.stderr();
        let parts = [
            "the child has closed its stdout",
            "write to the child",
            "the child has failed: ",
        ];
        let is_said = parts.iter().any(|part| stderr[0].contains(part));
        ensure!(is_said, "{script}: {stderr:?}");
    }
    Ok(())
}

fn no_program(language: Language) -> Result<()> {
    let mut command = lesson(LESSON)?.half(language, "parent")?;
    let mut parent = Half::start(command.args(["--", "no-such-program"]))?;
    parent.fails_at_once(&["start no-such-program"])
}

fn ctrl_c(language: Language) -> Result<()> {
    for signal in [Signal::Interrupt, Signal::Terminate] {
        let mut parent = with_shell(language, SLOW_CHILD)?;
        let id = parent.wait_for_error("")?;
        parent.wait_for("Received from child: ")?;
        parent.signal(signal)?;
        // The child has a second to answer the request that is cancelled.
        parent.wait_for(CANCELLED)?;
        let exit = parent.wait_at_most(SOON)?;
        ensure!(exit == Exit::Code(0), "{exit:?}: {:?}", parent.stderr());
        ensure!(parent.stderr() == [id.as_str()], "{:?}", parent.stderr());
        eventually(|| has_ended(&id))?;
    }
    Ok(())
}

fn stubborn(language: Language) -> Result<()> {
    let script = "echo \"$$\" >&2; exec sleep 1000";
    let mut parent = with_shell(language, script)?;
    parent.wait_for("Sent to child: ")?;
    let id = parent.wait_for_error("")?;
    parent.signal(Signal::Interrupt)?;
    let exit = parent.wait_at_most(SOON)?;
    ensure!(exit == Exit::Code(0), "{exit:?}: {:?}", parent.stderr());
    eventually(|| has_ended(&id))
}

/// The same with headers: only the bytes between the messages differ.
fn headers(language: Language) -> Result<()> {
    let requests = [
        request("1", "add", r#"{"a":1,"b":1}"#),
        request(r#""中""#, "divide", "{}"),
        request("3", "wait", r#"{"ms":60000}"#),
    ];
    let mut child = child(language, &["--framing", "headers"])?;
    let mut stdin = child.take_stdin()?;
    for text in &requests {
        write!(stdin, "Content-Length: {}\r\n\r\n{text}", text.len())?;
    }
    drop(stdin);
    child.succeeds()?;
    let stdout = child.stdout().join("\n");
    let lines = answers(language, &requests.each_ref().map(String::as_str))?;
    let mut expected = Vec::new();
    for text in &lines {
        expected.push(format!("Content-Length: {}\n\n{text}", text.len()));
    }
    ensure!(stdout == expected.concat(), "{stdout}\n{lines:?}");
    Ok(())
}

/// The same output with headers, with our own child and with another.
fn headers_of_parent([parent, child]: [Language; 2]) -> Result<()> {
    let lesson = lesson(LESSON)?;
    let run = |framing: &str| -> Result<Vec<String>> {
        let mut command = lesson.half(parent, "parent")?;
        command.args(["--framing", framing]);
        if parent != child {
            let child = lesson.half(child, "child")?;
            command.arg("--").arg(child.get_program());
            command.args(child.get_args()).args(["--framing", framing]);
        }
        let mut half = Half::start(&mut command)?;
        half.succeeds()?;
        Ok(half.stdout())
    };
    let (lines, headers) = (run("lines")?, run("headers")?);
    ensure!(lines == headers, "{lines:#?}\n{headers:#?}");
    ensure!(lines.len() > 10, "{lines:?}");
    Ok(())
}

fn stray_log() -> Result<()> {
    let child = lesson(LESSON)?.half(Language::Node, "child")?;
    let stray =
        "data:text/javascript,process.on('exit', () => console.log('stray'))";
    let mut node = Command::new(child.get_program());
    node.args(["--import", stray]).args(child.get_args());
    let mut child = Half::start(&mut node)?;
    let request = request("1", "add", r#"{"a":1,"b":1}"#);
    writeln!(child.take_stdin()?, "{request}")?;
    ensure!(child.wait()? == Exit::Code(0), "{:?}", child.stderr());
    ensure!(child.stderr() == ["stray"], "{:?}", child.stderr());
    ensure!(child.stdout().len() == 1, "{:?}", child.stdout());
    Ok(())
}

/// A peer in `tests/peers`, which starts the child by itself.
fn script(name: &str, language: Language) -> Result<()> {
    let child = lesson(LESSON)?.half(language, "child")?;
    let mut node = Command::new("node");
    node.arg(root().join(LESSON).join("tests/peers").join(name));
    let mut node =
        Half::start(node.arg(child.get_program()).args(child.get_args()))?;
    ensure!(
        node.wait()? == Exit::Code(0),
        "{}",
        node.stderr().join("\n")
    );
    Ok(())
}

fn rmcp() -> Result<()> {
    let project = project("rmcp-peer");
    let source = project.join("src/bin");
    fs::create_dir_all(&source)?;
    let peer = root().join(LESSON).join("tests/peers/rmcp.rs");
    fs::copy(peer, source.join("client.rs"))?;
    let built = cargo()
        .args(["build", "--quiet"])
        .current_dir(&project)
        .env("CARGO_TARGET_DIR", project.join("target"))
        .stdin(Stdio::null())
        .output()
        .context("run cargo")?;
    let stderr = String::from_utf8_lossy(&built.stderr);
    ensure!(built.status.success(), "{stderr}");
    let program = project.join("target/debug/client");
    let program = program.with_extension(std::env::consts::EXE_EXTENSION);
    let child = lesson(LESSON)?.half(Language::Rust, "child")?;
    let mut client =
        Half::start(Command::new(program).arg(child.get_program()))?;
    client.succeeds()?;
    ensure!(client.stdout() == ["tool add", "add \"5\""]);
    Ok(())
}
