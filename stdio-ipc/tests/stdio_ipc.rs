//! What stdio-ipc promises.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::{Exit, Half, Language, Signal, root};

use harness::testing::echo;
use harness::testing::ends::SIGNALS;
use harness::testing::server::{ends_unread, eventually, lesson};
use harness::testing::{NODE, Need, Test, both, test};

const MIB: usize = 1024 * 1024;

/// How much one half may need more than idle, whatever goes through it.
const BOUND: u64 = 16 * MIB as u64;

pub fn tests() -> Vec<Test> {
    let both = |promise, run: fn(Language) -> Result<()>| {
        both(promise, run).map(|t| t.of("stdio-ipc").needs(Need::Unix))
    };
    let mut tests: Vec<Test> = [
        both("64_mib_go_through_cat_and_back", through_cat),
        both("a_line_without_an_end_comes_in_pieces", long_line),
        both("10_mib_on_stderr_do_not_stop_the_child", stderr_flood),
        both("lines_split_over_reads_are_whole", split_lines),
        both("bytes_that_are_not_utf8_are_shown", not_utf8),
        both("a_peer_cannot_drive_the_terminal", hostile),
        both("a_last_line_needs_no_line_end", no_final_newline),
        both("a_child_that_never_reads_is_no_hang", never_reads),
        both("a_pipe_that_is_full_is_waited_for", full_pipe),
        both("a_child_whose_answers_nobody_reads_stops_reading", unread),
        both("a_child_may_close_its_stdin_early", closes_stdin),
        both("a_child_may_close_its_outputs_early", closes_outputs),
        both("a_child_that_cannot_start_gets_a_clear_error", no_program),
        both("a_failed_child_is_told_and_status_1", exit_code),
        both("a_killed_child_is_told_by_its_signal", killed_child),
        both("a_killed_parent_leaves_no_child", killed_parent),
        both("ctrl_c_to_the_group_ends_both", ctrl_c_group),
        both("ctrl_c_to_the_parent_ends_both", ctrl_c_parent),
        both("sigterm_ends_a_child_that_does_not_care", stubborn),
        both("sigterm_ends_the_child_alone", sigterm_child),
        both("no_zombie_is_left", no_zombie).map(|t| t.needs(Need::Proc)),
        both("a_parent_that_waits_does_not_spin", no_spinning)
            .map(|t| t.needs(Need::Proc)),
        both("a_closed_stdout_ends_both_quietly", closed_stdout),
        both(
            "a_stdout_that_another_made_non_blocking_will_do",
            non_blocking,
        ),
        both("a_stdout_that_is_full_is_an_error", full_disk)
            .map(|t| t.needs(Need::Proc)),
        both("an_ignored_sigchld_is_no_trouble", ignored_sigchld)
            .map(|t| t.needs(Need::Program("bash", "--version"))),
        both("help_and_mistakes", |language| {
            echo::help("stdio-ipc", language)
        }),
    ]
    .into_iter()
    .flatten()
    .chain(pairs("fifo_as_in_the_readme", fifo))
    .chain(pairs("signals_as_in_the_readme", signals))
    .chain([
        test("the_readme_shows_fifo_and_signals_as_they_are", sources)
            .of("stdio-ipc"),
    ])
    .collect();
    tests.extend(
        [
            test("the_memory_of_both_stays_bounded", both_memory),
            test("a_long_line_does_not_fill_the_memory", line_memory),
        ]
        .map(|test| test.of("stdio-ipc").needs(Need::Proc)),
    );
    tests
}

fn parent(language: Language, arguments: &[&str]) -> Result<Command> {
    let mut command = lesson("stdio-ipc")?.half(language, "parent")?;
    command.args(arguments);
    Ok(command)
}

/// Runs a parent to its end: how it ended, and what it printed.
fn run(language: Language, arguments: &[&str]) -> Result<(Exit, Vec<String>)> {
    run_command(parent(language, arguments)?)
}

fn run_command(mut command: Command) -> Result<(Exit, Vec<String>)> {
    let mut half = Half::start(&mut command)?;
    let exit = half.wait()?;
    ensure!(half.stderr().is_empty(), "{:?}", half.stderr());
    Ok((exit, half.stdout()))
}

/// As [`run`], for a child of a few words in the shell's language.
fn run_sh(language: Language, script: &str) -> Result<(Exit, Vec<String>)> {
    run(language, &["--", "sh", "-c", script])
}

const ENDED_WELL: &str = "Child process exited with code 0";

fn well((exit, lines): (Exit, Vec<String>), expected: &[&str]) -> Result<()> {
    ensure!(lines == [expected, &[ENDED_WELL]].concat(), "{lines:?}");
    ensure!(exit == Exit::Code(0), "{exit:?}");
    Ok(())
}

/// 64 MiB and more, in messages of nearly 100 KB: with its line end, each has
/// 100,000 bytes.
const BULK: usize = 672;

/// A parent that sends as much to a program, or to our own child.
fn bulk_to(language: Language, program: &[&str]) -> Result<Command> {
    let mut command = lesson("stdio-ipc")?.half(language, "parent")?;
    command
        .args(["--message", &"x".repeat(99_999), "--every", "1"])
        .args(["--count", &BULK.to_string()]);
    if !program.is_empty() {
        command.arg("--").args(program);
    }
    Ok(command)
}

/// The lines that the parent printed, counted as they come: all of them,
/// those that begin so, and the last two.
fn count(
    mut command: Command,
    start: &str,
) -> Result<(usize, usize, [String; 2])> {
    let (mut half, stdout) = Half::start_with_stdout(&mut command)?;
    let (mut all, mut found) = (0, 0);
    let mut last = [String::new(), String::new()];
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        all += 1;
        found += usize::from(line.starts_with(start));
        last.swap(0, 1);
        last[1] = line;
    }
    let exit = half.wait()?;
    ensure!(exit == Exit::Code(0), "{exit:?}: {:?}", half.stderr());
    Ok((all, found, last))
}

fn through_cat(language: Language) -> Result<()> {
    let line =
        format!("Received from child: {}… (99999 bytes)", "x".repeat(160));
    let (all, whole, last) = count(bulk_to(language, &["cat"])?, &line)?;
    ensure!(whole == BULK, "{whole} lines");
    ensure!(all == whole + 1 && last[1] == ENDED_WELL, "{last:?}");
    Ok(())
}

/// 64 MiB in one line: no piece is longer than 1 MiB and one read, and nothing
/// is missing.
fn long_line(language: Language) -> Result<()> {
    let whole = |lines: &[String], what: &str| -> Result<()> {
        let mut total = 0;
        for line in lines {
            let start = format!("{what}: {}… (", "x".repeat(160));
            let rest = line.strip_prefix(&start);
            let length = rest.and_then(|rest| rest.strip_suffix(" bytes)"));
            let length: usize = length.context("not cut")?.parse()?;
            ensure!(length <= MIB + 64 * 1024, "{length}");
            total += length;
        }
        ensure!(total == 64 * MIB, "{total} bytes in {} pieces", lines.len());
        Ok(())
    };
    let script = "head -c 67108864 /dev/zero | tr '\\0' x";
    let (exit, mut lines) = run_sh(language, script)?;
    ensure!(exit == Exit::Code(0), "{exit:?}");
    ensure!(lines.pop().is_some_and(|last| last == ENDED_WELL));
    whole(&lines, "Received from child")?;

    // And the child's side.
    let mut child = lesson("stdio-ipc")?.half(language, "child")?;
    let mut child = Half::start(&mut child)?;
    let mut stdin = child.take_stdin()?;
    for _ in 0..64 {
        stdin.write_all(&vec![b'x'; MIB])?;
    }
    drop(stdin);
    ensure!(child.wait()? == Exit::Code(0));
    let mut lines = child.stdout();
    lines.retain(|line| line.starts_with("Received from parent: "));
    whole(&lines, "Received from parent")
}

/// In one line, which comes in pieces of 1 MiB.
fn stderr_flood(language: Language) -> Result<()> {
    let script = "head -c 10485760 /dev/zero | tr '\\0' x >&2; echo done";
    let (exit, lines) = run_sh(language, script)?;
    ensure!(exit == Exit::Code(0), "{exit:?}");
    ensure!(lines.contains(&"Received from child: done".to_owned()));
    let flood = format!("Child stderr: {}… (", "x".repeat(160));
    let pieces = lines.iter().filter(|line| line.starts_with(&flood)).count();
    ensure!(pieces >= 9 && pieces == lines.len() - 2, "{lines:?}");
    Ok(())
}

/// The child writes a part, and the next one when its parent must have read
/// the first: `read` waits for a message each time.
fn split_lines(language: Language) -> Result<()> {
    let script = r"printf 'a\344'; read x; printf '\270'; read x; printf '\255b
c'; read x; printf 'd\r'; read x; printf '\ne\n'";
    let pace = ["--count", "4", "--every", "100"];
    let command = [&pace[..], &["--", "sh", "-c", script]].concat();
    well(
        run(language, &command)?,
        &[
            "Received from child: a中b",
            "Received from child: cd",
            "Received from child: e",
        ],
    )
}

fn not_utf8(language: Language) -> Result<()> {
    let script = r"cat > /dev/null; printf 'a\377\344\270b\n\n'";
    let expected = [
        "Received from child: a\u{FFFD}\u{FFFD}b",
        "Received from child: ",
    ];
    well(run_sh(language, script)?, &expected)
}

fn hostile(language: Language) -> Result<()> {
    let script = r"cat > /dev/null; printf '\033[2J\tx\n'";
    let expected = "Received from child: \\u{1b}[2J\\tx";
    well(run_sh(language, script)?, &[expected])?;
    // And from the child's side.
    let mut child = lesson("stdio-ipc")?.half(language, "child")?;
    let mut child = Half::start(&mut child)?;
    child.take_stdin()?.write_all(b"\x1b[2J\n")?;
    ensure!(child.wait()? == Exit::Code(0));
    child.wait_for("Received from parent: \\u{1b}[2J").map(drop)
}

fn no_final_newline(language: Language) -> Result<()> {
    let script = "cat > /dev/null; printf 'no end'";
    well(run_sh(language, script)?, &["Received from child: no end"])?;
    let mut child = lesson("stdio-ipc")?.half(language, "child")?;
    let mut child = Half::start(&mut child)?;
    child.take_stdin()?.write_all(b"one\ntwo")?;
    ensure!(child.wait()? == Exit::Code(0));
    let lines = child.stdout();
    ensure!(
        lines
            == [
                "Received from parent: one",
                "Hello from child",
                "Received from parent: two",
                "Hello from child",
                "Parent closed stdin",
            ],
        "{lines:?}"
    );
    Ok(())
}

/// It ends after a while, with nearly all unread.
fn never_reads(language: Language) -> Result<()> {
    let script = "echo busy; sleep 0.2; exit 3";
    let (exit, lines) = run_command(bulk_to(language, &["sh", "-c", script])?)?;
    let ended = "Child process exited with code 3";
    ensure!(lines == ["Received from child: busy", ended], "{lines:?}");
    ensure!(exit == Exit::Code(1), "{exit:?}");
    Ok(())
}

/// Many times: Node warns of listeners that stay. Its pipe is a socket, which
/// holds two or three of these messages.
fn full_pipe(language: Language) -> Result<()> {
    let message = "x".repeat(99_999);
    let command = ["--message", &message, "--count", "100", "--every", "1"];
    let slow = r#"n=0
        while part=$(head -c 60000 | wc -c) && [ "$part" -gt 0 ]
        do n=$((n + part)); done
        echo $n"#;
    let slow = ["--", "sh", "-c", slow];
    let lines = run(language, &[&command[..], &slow].concat())?;
    well(lines, &["Received from child: 10000000"])
}

fn closes_stdin(language: Language) -> Result<()> {
    let closes = "exec <&-; sleep 0.1; echo read enough";
    let lines = run_command(bulk_to(language, &["sh", "-c", closes])?)?;
    well(lines, &["Received from child: read enough"])?;
    let (exit, lines) = run(language, &["--", "head", "-n", "1"])?;
    well((exit, lines), &["Received from child: Hello from parent"])
}

/// It still gets all that is sent.
fn closes_outputs(language: Language) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("out").display().to_string();
    let script = format!("exec >&- 2>&-; wc -c > {out}");
    well(
        run_command(bulk_to(language, &["sh", "-c", &script])?)?,
        &[],
    )?;
    ensure!(fs::read_to_string(&out)?.trim() == "67200000");
    Ok(())
}

fn refused(language: Language, arguments: &[&str], what: &str) -> Result<()> {
    let mut half = Half::start(&mut parent(language, arguments)?)?;
    half.fails_at_once(&[&format!("Error: {what}: ")])
}

fn no_program(language: Language) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("file").display().to_string();
    fs::write(&file, "not a program")?;
    for program in ["no-such-program", "/", &file] {
        let what = format!("start {program}");
        refused(language, &["--", program], &what)?;
    }
    Ok(())
}

fn exit_code(language: Language) -> Result<()> {
    let (exit, lines) = run_sh(language, "echo oops >&2; exit 3")?;
    let ended = "Child process exited with code 3";
    ensure!(lines == ["Child stderr: oops", ended], "{lines:?}");
    ensure!(exit == Exit::Code(1), "{exit:?}");
    Ok(())
}

fn killed_child(language: Language) -> Result<()> {
    for signal in ["KILL", "TERM", "SEGV"] {
        let (exit, lines) = run_sh(language, &format!("kill -{signal} $$"))?;
        let ended = format!("Child process was killed by SIG{signal}");
        ensure!(lines == [ended], "{lines:?}");
        ensure!(exit == Exit::Code(1), "{exit:?}");
    }
    Ok(())
}

/// A parent that goes on until it is stopped, with our child, which has
/// answered once.
fn talking(language: Language) -> Result<Half> {
    let pace = ["--count", "1000", "--every", "20"];
    let half = Half::start(&mut parent(language, &pace)?)?;
    half.wait_for_lines(2, "Received from child: Hello")?;
    Ok(half)
}

/// The child has the parent's stderr no more, so its end is seen in its
/// process group: `wait` has seen the end of the parent's outputs.
fn killed_parent(language: Language) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let end = folder.path().join("end");
    // The child of the child's side: it writes when it has read the end.
    let script =
        format!("echo ready; cat > /dev/null; echo over > {}", end.display());
    let pace = ["--count", "1000", "--every", "1000"];
    let command = [&pace[..], &["--", "sh", "-c", &script]].concat();
    let mut half = Half::start(&mut parent(language, &command)?)?;
    half.wait_for("Received from child: ready")?;
    half.stop(Signal::Kill)?;
    eventually(|| end.exists()).context("the child did not see the end")?;

    let mut half = talking(language)?;
    half.stop(Signal::Kill)?;
    let group = half.id();
    eventually(|| !has_group(group)).context("the child is still there")
}

#[cfg(unix)]
fn has_group(group: u32) -> bool {
    use rustix::process::{Pid, test_kill_process_group};
    Pid::from_raw(group as i32)
        .is_some_and(|group| test_kill_process_group(group).is_ok())
}

#[cfg(windows)]
fn has_group(_: u32) -> bool {
    false
}

/// It ends with status 0 within two seconds, and with the child's last word.
fn ends_well(half: &mut Half) -> Result<()> {
    let exit = half.wait_at_most(Duration::from_secs(4))?;
    let lines = half.stdout();
    let last = lines.get(lines.len().saturating_sub(2)..);
    ensure!(
        last == Some(
            &[
                "Received from child: Parent closed stdin".to_owned(),
                ENDED_WELL.to_owned()
            ][..]
        ),
        "{lines:?}"
    );
    ensure!(exit == Exit::Code(0), "{exit:?}");
    ensure!(half.stderr().is_empty(), "{:?}", half.stderr());
    Ok(())
}

fn ctrl_c_group(language: Language) -> Result<()> {
    let mut half = talking(language)?;
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process_group};
        let group = Pid::from_raw(half.id() as i32).context("no group")?;
        kill_process_group(group, Signal::INT)?;
    }
    ends_well(&mut half)
}

fn ctrl_c_parent(language: Language) -> Result<()> {
    for signal in SIGNALS {
        let mut half = talking(language)?;
        half.signal(signal)?;
        ends_well(&mut half)?;
    }
    Ok(())
}

fn stubborn(language: Language) -> Result<()> {
    let script = "trap '' INT TERM; echo ready; while :; do sleep 9; done";
    let mut half =
        Half::start(&mut parent(language, &["--", "sh", "-c", script])?)?;
    half.wait_for("Received from child: ready")?;
    half.signal(Signal::Terminate)?;
    let exit = half.wait_at_most(Duration::from_secs(14))?;
    ensure!(exit == Exit::Code(0), "{exit:?}");
    half.wait_for("Child process was killed by SIGKILL")
        .map(drop)
}

fn sigterm_child(language: Language) -> Result<()> {
    for signal in SIGNALS {
        let mut child = lesson("stdio-ipc")?.half(language, "child")?;
        let mut child = Half::start(&mut child)?;
        let mut stdin = child.take_stdin()?;
        stdin.write_all(b"hello\n")?;
        child.wait_for("Hello from child")?;
        child.signal(signal)?;
        let exit = child.wait_at_most(Duration::from_secs(4))?;
        ensure!(exit == Exit::Code(0), "{exit:?}");
    }
    Ok(())
}

/// Also while a grandchild keeps the outputs open, and so the parent waiting.
fn no_zombie(language: Language) -> Result<()> {
    // What the child leaves behind keeps the parent at work, until we say so.
    let folder = tempfile::tempdir()?;
    let enough = folder.path().join("enough");
    let script =
        r#"echo $$; while [ ! -e "$0" ]; do sleep 0.05; done & exit 0"#;
    let mut command = parent(language, &["--", "sh", "-c", script])?;
    let mut half = Half::start(command.arg(&enough))?;
    let id = half.wait_for("Received from child: ")?;
    let process = PathBuf::from(format!("/proc/{id}"));
    eventually(|| !process.exists()).context("a zombie is left")?;
    ensure!(half.peak_memory().is_some(), "the parent has ended before");
    fs::write(&enough, "")?;
    ensure!(half.wait()? == Exit::Code(0));
    half.wait_for(ENDED_WELL).map(drop)
}

/// Its child has closed two of the three pipes, which are at their end for
/// ever now, and takes its time.
fn no_spinning(language: Language) -> Result<()> {
    let script = "exec <&- 2>&-; echo ready; sleep 0.5; echo over; sleep 9";
    let pace = ["--count", "1000", "--every", "20"];
    let command = [&pace[..], &["--", "sh", "-c", script]].concat();
    let half = Half::start(&mut parent(language, &command)?)?;
    let time = |line| {
        half.wait_for(line)?;
        half.cpu_time().context("/proc/PID/stat")
    };
    let before = time("Received from child: ready")?;
    let used = time("Received from child: over")? - before;
    ensure!(used < Duration::from_millis(250), "it spins: {used:?}");
    Ok(())
}

fn closed_stdout(language: Language) -> Result<()> {
    let pace = ["--count", "1000", "--every", "20"];
    let flood: &[&str] = &["--", "yes"];
    for arguments in [&pace[..], flood] {
        let mut command = parent(language, arguments)?;
        let (mut half, stdout) = Half::start_with_stdout(&mut command)?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        ensure!(line.starts_with("Received from child: "), "{line}");
        let exit = half.wait()?;
        ensure!(exit == Exit::Code(0), "{exit:?}");
        ensure!(half.stderr().is_empty(), "{:?}", half.stderr());
        let group = half.id();
        eventually(|| !has_group(group)).context("the child is still there")?;
    }
    // And the child's side.
    let mut child = lesson("stdio-ipc")?.half(language, "child")?;
    let (mut child, mut stdout) = Half::start_with_stdout(&mut child)?;
    let mut stdin = child.take_stdin()?;
    stdin.write_all(b"hello\n")?;
    stdout.read_exact(&mut [0; 10])?;
    drop(stdout);
    ends_unread(&mut child, || drop(stdin.write_all(b"hello\n")))
}

/// As a Node process does with a pipe, and with it to all that share it.
fn non_blocking(language: Language) -> Result<()> {
    let mut command = bulk_to(language, &["cat"])?;
    let (reader, writer) = std::io::pipe()?;
    #[cfg(unix)]
    rustix::io::ioctl_fionbio(&writer, true)?;
    let mut parent = command.stdin(Stdio::null()).stdout(writer).spawn()?;
    drop(command); // and with it the other end of what is read
    let lines = BufReader::new(reader).lines().count();
    let status = parent.wait()?;
    ensure!(status.success() && lines == BULK + 1, "{status} {lines}");
    Ok(())
}

fn full_disk(language: Language) -> Result<()> {
    for half in ["parent", "child"] {
        let mut command = lesson("stdio-ipc")?.half(language, half)?;
        let output = command
            .stdin(Stdio::from(fs::File::open("/etc/hosts")?))
            .stdout(fs::OpenOptions::new().write(true).open("/dev/full")?)
            .output()?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(1), "{half}: {stderr}");
        let expected = "Error: write to stdout: ";
        ensure!(stderr.starts_with(expected), "{half}: {stderr}");
        ensure!(stderr.lines().count() == 1, "{half}: {stderr}");
    }
    Ok(())
}

/// An ignored signal stays ignored when another program is started. Not by
/// `sh`: Debian's does not let anybody ignore this one.
fn ignored_sigchld(language: Language) -> Result<()> {
    let parent = lesson("stdio-ipc")?.half(language, "parent")?;
    let mut command = Command::new("bash");
    command
        .args(["-c", r#"trap '' CHLD; exec "$@""#, "bash"])
        .arg(parent.get_program())
        .args(parent.get_args())
        .args(["--", "cat"]);
    let lines = run_command(command)?;
    well(lines, &["Received from child: Hello from parent"])
}

/// What the child has taken while nobody reads its answers is a few pipes full.
fn unread(language: Language) -> Result<()> {
    let mut child = lesson("stdio-ipc")?.half(language, "child")?;
    let (child, mut stdout) = Half::start_with_stdout(&mut child)?;
    let mut stdin = child.take_stdin()?;
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    let writer = thread::spawn(move || {
        let lines = "hello\n".repeat(1000);
        while stdin.write_all(lines.as_bytes()).is_ok() {
            count.fetch_add(lines.len(), Ordering::Relaxed);
        }
    });
    stdout.read_exact(&mut [0; 10])?; // it has started
    let last = AtomicUsize::new(usize::MAX);
    eventually(|| {
        thread::sleep(Duration::from_millis(500));
        let now = taken.load(Ordering::Relaxed);
        last.swap(now, Ordering::Relaxed) == now && now > 0
    })?;
    drop(child);
    drop(stdout);
    let _ = writer.join();
    let taken = taken.load(Ordering::Relaxed);
    ensure!(taken < 4 * MIB, "{taken} bytes");
    Ok(())
}

/// The four pairings of two programs that are no halves.
fn pairs(promise: &str, run: fn([Language; 2]) -> Result<()>) -> Vec<Test> {
    use Language::{Node, Rust};
    let mut tests = Vec::new();
    for pair in [[Rust, Rust], [Rust, Node], [Node, Rust], [Node, Node]] {
        let [first, second] = pair;
        let name = format!("{promise}::{first:?}-{second:?}").to_lowercase();
        let mut one = test(name, move || run(pair));
        if pair.contains(&Node) {
            one = one.needs(NODE);
        }
        tests.push(one.of("stdio-ipc").needs(Need::Unix));
    }
    tests
}

/// A program in a folder of its own: `fifo/reader.js`, and `fifo-reader`.
fn small(language: Language, folder: &str, name: &str) -> Result<Command> {
    let file = root().join("stdio-ipc").join(folder).join(name);
    match language {
        Language::Node => {
            let mut node = Command::new("node");
            node.arg(file.with_extension("js"));
            Ok(node)
        }
        Language::Rust => {
            let program = format!("{}-{name}", folder.trim_end_matches('s'));
            lesson("stdio-ipc")?.half(language, &program)
        }
    }
}

/// What the README, in both languages, shows for a program.
fn shown(program: &str) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for readme in ["README.md", "README.zh-CN.md"] {
        let path = root().join("stdio-ipc").join(readme);
        let blocks = harness::readme::transcripts(&path)?;
        let mut blocks = blocks.into_iter().filter(|block| {
            block
                .half("stdio-ipc")
                .is_some_and(|(name, _)| name == program)
        });
        all.push(blocks.next().context("not in the README")?.lines);
    }
    ensure!(all[0] == all[1], "{all:?}");
    Ok(all.swap_remove(0))
}

/// Each program is there as its file has it, less the comment at its top.
fn sources() -> Result<()> {
    for readme in ["README.md", "README.zh-CN.md"] {
        let readme = root().join("stdio-ipc").join(readme);
        let text = fs::read_to_string(&readme)?.replace("\r\n", "\n");
        for program in [
            "fifo/reader",
            "fifo/writer",
            "signals/receiver",
            "signals/sender",
        ] {
            for (end, fence) in [("rs", "rust,no_run"), ("js", "js")] {
                let file = format!("{program}.{end}");
                let path = root().join("stdio-ipc").join(&file);
                let source = fs::read_to_string(path)?.replace("\r\n", "\n");
                let (_, code) = source.split_once('\n').context("empty")?;
                let code = code.trim_start();
                let block = format!("```{fence}\n{code}```\n");
                ensure!(text.contains(&block), "{file}: {}", readme.display());
            }
        }
    }
    Ok(())
}

fn fifo([first, second]: [Language; 2]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("hello.fifo");
    let made = Command::new("mkfifo").arg(&path).status()?;
    ensure!(made.success(), "mkfifo: {made}");
    let mut reader = small(first, "fifo", "reader")?;
    let mut reader = Half::start(reader.arg(&path))?;
    let mut writer = small(second, "fifo", "writer")?;
    let mut writer = Half::start(writer.arg(&path))?;
    ensure!(reader.wait()? == Exit::Code(0), "{:?}", reader.stderr());
    ensure!(writer.wait()? == Exit::Code(0), "{:?}", writer.stderr());
    let (read, written) = (reader.stdout(), writer.stdout());
    ensure!(read == shown("fifo-reader")?, "{read:?}");
    ensure!(written == shown("fifo-writer")?, "{written:?}");
    Ok(())
}

fn signals([first, second]: [Language; 2]) -> Result<()> {
    let mut receiver = Half::start(&mut small(first, "signals", "receiver")?)?;
    let id = receiver.wait_for("listening for signals, process id ")?;
    ensure!(id == receiver.id().to_string(), "{id}");
    let mut sender = small(second, "signals", "sender")?;
    let mut sender = Half::start(sender.arg(&id))?;
    ensure!(sender.wait()? == Exit::Code(0), "{:?}", sender.stderr());
    receiver.wait_for("SIGHUP: ")?;
    let exit = receiver.stop(Signal::Interrupt)?;
    ensure!(exit == Exit::Code(0), "{exit:?}");
    let received: Vec<String> = receiver
        .stdout()
        .iter()
        .map(|line| line.replace(&id, "4242"))
        .collect();
    ensure!(received == shown("signal-receiver")?, "{received:?}");
    let sent = sender.stdout();
    ensure!(sent == shown("signal-sender")?, "{sent:?}");
    Ok(())
}

/// The peak of a program that the parent started, by its process id.
fn peak_of(id: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = line
        .and_then(|line| line.split_whitespace().next())
        .context("VmHWM")?
        .parse()?;
    Ok(kib * 1024)
}

/// The child of a process.
fn child_of(id: u32) -> Result<String> {
    let path = format!("/proc/{id}/task/{id}/children");
    let children = fs::read_to_string(path)?;
    let child = children.split_whitespace().next();
    Ok(child.context("no child")?.to_owned())
}

/// What parent and child need when they do next to nothing.
fn idle() -> Result<(u64, u64)> {
    let half = talking(Language::Rust)?;
    let child = peak_of(&child_of(half.id())?)?;
    Ok((half.peak_memory().context("/proc/PID/status")?, child))
}

/// 64 MiB to our own child and back: what both need, looked at as long as
/// they run.
fn peak() -> Result<(u64, u64)> {
    let mut command = bulk_to(Language::Rust, &[])?;
    let (mut half, stdout) = Half::start_with_stdout(&mut command)?;
    let (mut ours, mut childs, mut answers) = (0, 0, 0);
    let mut lines = BufReader::new(stdout);
    let mut line = Vec::new();
    let mut number = 0;
    while lines.read_until(b'\n', &mut line)? > 0 {
        if number % 10 == 0 || line.starts_with(b"Child process") {
            ours = half.peak_memory().unwrap_or(0).max(ours);
            let child = child_of(half.id()).and_then(|id| peak_of(&id));
            childs = child.unwrap_or(0).max(childs);
        }
        answers += usize::from(line.ends_with(b": Hello from child\n"));
        number += 1;
        line.clear();
    }
    ensure!(half.wait()? == Exit::Code(0));
    ensure!(answers == BULK, "{answers} answers");
    Ok((ours, childs))
}

fn both_memory() -> Result<()> {
    let (idle, idle_child) = idle()?;
    let (peak, peak_child) = peak()?;
    ensure!(peak > 0, "the parent was never looked at");
    ensure!(peak < idle + BOUND, "parent: {peak} bytes, idle: {idle}");
    ensure!(
        peak_child < idle_child + BOUND,
        "child: {peak_child} bytes, idle: {idle_child}"
    );
    Ok(())
}

/// A line of 64 MiB that ends while the program still has to run.
fn line_memory() -> Result<()> {
    let (idle, idle_child) = idle()?;
    let folder = tempfile::tempdir()?;
    let go_on = folder.path().join("go-on");
    let script = format!(
        "head -c 67108864 /dev/zero | tr '\\0' x; echo; echo over
        until [ -e {} ]; do sleep 0.1; done",
        go_on.display()
    );
    let command = ["--", "sh", "-c", &script];
    let mut half = Half::start(&mut parent(Language::Rust, &command)?)?;
    half.wait_for("Received from child: over")?;
    let peak = half.peak_memory().context("/proc/PID/status")?;
    ensure!(peak < idle + BOUND, "parent: {peak} bytes, idle: {idle}");
    fs::write(go_on, "")?;
    ensure!(half.wait()? == Exit::Code(0));

    let mut child = lesson("stdio-ipc")?.half(Language::Rust, "child")?;
    let mut child = Half::start(&mut child)?;
    let mut stdin = child.take_stdin()?;
    for _ in 0..64 {
        stdin.write_all(&vec![b'x'; MIB])?;
    }
    stdin.write_all(b"\nover\n")?;
    child.wait_for("Received from parent: over")?;
    let peak = child.peak_memory().context("/proc/PID/status")?;
    ensure!(peak < idle_child + BOUND, "child: {peak} bytes");
    drop(stdin);
    ensure!(child.wait()? == Exit::Code(0));
    Ok(())
}
