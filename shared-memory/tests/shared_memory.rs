//! What shared-memory promises. The ring's own tests are in `ring.rs`.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use harness::half::cpu_time;
use harness::readme::transcripts;
use harness::{Exit, Half, LIMIT, Language, Signal, root};
use rustix::process::{Pid, kill_process, kill_process_group};

use harness::testing::echo;
use harness::testing::ends::{SIGNALS, TWO_SECONDS};
use harness::testing::server::{eventually, has_ended, lesson};
use harness::testing::{NODE, Need, Test, both, test};

const NAME: &str = "shared-memory";

/// So long that nobody sends a second message during a test.
const IDLE: [&str; 2] = ["--every", "3600000"];

/// As many as the program `time` does not reach during any test.
const MANY: [&str; 2] = ["--count", "500000000"];

pub fn tests() -> Vec<Test> {
    let pair = |promise, run: fn(Language) -> Result<()>| {
        both(promise, run).map(|test| test.of(NAME))
    };
    let rust = |promise: &str, run: fn() -> Result<()>| {
        test(promise, run).of(NAME).needs(Need::Proc)
    };
    let mut tests = vec![
        rust("sigterm_to_the_child_ends_both_well", child_is_told_to_end),
        rust("signals_end_a_parent_at_full_speed", signal_while_timing),
        rust("ctrl_c_in_a_terminal_ends_both_well", terminal),
        rust("a_killed_child_is_noticed", killed_child),
        rust("a_killed_parent_leaves_no_orphan", killed_parent),
        rust("an_idle_pair_uses_no_processor_time", idle),
        rust("a_sleeper_in_the_other_process_is_woken", woken)
            .needs(Need::Program("taskset", "--version")),
        rust("nobody_can_truncate_the_memory", truncation),
        rust("a_wrong_counter_is_an_error_on_either_side", wrong_counter),
        rust("the_child_takes_only_sealed_memory", unsealed),
        rust("any_program_can_be_the_child", other_program),
        rust("a_program_that_is_no_child_is_an_error", no_child),
        rust("a_child_that_does_not_listen_is_no_orphan", deaf_child),
        test("fork_shows_what_the_readme_says", fork)
            .of(NAME)
            .needs(NODE),
    ];
    let twins = [
        pair("ctrl_c_and_sigterm_end_the_parent", signals)
            .map(|test| test.needs(Need::Unix)),
        pair("an_ignored_sigchld_is_no_trouble", ignored_sigchld)
            .map(|test| test.needs(Need::Proc)),
        pair("a_long_message_comes_back", long_message),
        pair("what_drives_a_terminal_is_escaped", hostile_text),
        pair("an_empty_message_comes_back", empty_message),
        pair("no_message_is_no_trouble", no_message),
        pair("time_prints_one_line", time),
        pair("a_closed_stdout_ends_both_quietly", closed_stdout),
        pair("a_child_without_a_parent_says_what_to_start", alone),
        pair("the_first_version_shows_what_the_readme_says", first),
        pair("threads_show_what_the_readme_says", threads),
        pair("no_addition_of_a_thread_is_lost", additions),
        pair("quiet_prints_nothing", quiet),
        pair("help_and_mistakes", |language| echo::help(NAME, language)),
    ];
    tests.extend(twins.into_iter().flatten());
    tests
}

/// A parent and its own child.
fn family(language: Language, arguments: &[&str]) -> Result<Half> {
    let lesson = lesson(NAME)?;
    Half::start(&mut lesson.parent(language, language, arguments)?)
}

/// A Rust parent, and its child's id; both are past the number.
fn started(arguments: &[&str]) -> Result<(Half, u32)> {
    with_child(family(Language::Rust, arguments)?)
}

/// A parent that sends as fast as it can, and its child's id.
fn busy() -> Result<(Half, u32)> {
    let mut time = lesson(NAME)?.half(Language::Rust, "time")?;
    with_child(Half::start(time.args(MANY))?)
}

fn with_child(parent: Half) -> Result<(Half, u32)> {
    let id = parent.id();
    let list = format!("/proc/{id}/task/{id}/children");
    let deadline = Instant::now() + LIMIT;
    loop {
        let children = fs::read_to_string(&list)?;
        let child = children.split_whitespace().next().map(str::parse);
        let has = |child: u32, file, text| {
            fs::read_to_string(format!("/proc/{child}/{file}"))
                .is_ok_and(|all| all.contains(text))
        };
        // At first it is a copy of the parent, with its memory and its way
        // of hearing of signals. Then it has its role, and the memory once
        // it hears of signals itself.
        if let Some(child) = child.transpose()?
            && has(child, "cmdline", "\0child\0")
            && has(child, "maps", "memfd:shared-memory")
        {
            return Ok((parent, child));
        }
        ensure!(Instant::now() < deadline, "no child with the memory");
        thread::yield_now();
    }
}

fn pid(id: u32) -> Result<Pid> {
    Pid::from_raw(id.cast_signed()).context("0 is no process")
}

fn signals(language: Language) -> Result<()> {
    for signal in SIGNALS {
        let mut idle = family(language, &IDLE)?;
        idle.wait_for("Received from child: hello")?;
        idle.ends_on(signal)?;
        idle.wait_for("Child exited with code 0")?;
        ensure!(idle.stderr().is_empty(), "{:?}", idle.stderr());

        let mut busy = family(language, &["--every", "1"])?;
        busy.wait_for_lines(20, "Received from child: hello")?;
        busy.ends_on(signal)?;
    }
    Ok(())
}

/// It prints nothing before its end, so a Node parent cannot show that its
/// handlers are there. A Rust one has them before it starts the child.
fn signal_while_timing() -> Result<()> {
    for signal in SIGNALS {
        let (mut timing, _) = busy()?;
        timing.ends_on(signal)?;
    }
    Ok(())
}

fn child_is_told_to_end() -> Result<()> {
    let (mut parent, child) = started(&IDLE)?;
    parent.wait_for("Received from child: hello")?;
    kill_process(pid(child)?, rustix::process::Signal::TERM)?;
    // All that was sent has come back, so this is a good end.
    let exit = parent.wait_at_most(TWO_SECONDS)?;
    ensure!(exit == Exit::Code(0), "{exit:?}: {:?}", parent.stderr());
    parent.wait_for("Child exited with code 0")?;
    ensure!(parent.stderr().is_empty(), "{:?}", parent.stderr());
    Ok(())
}

/// A terminal sends the signal to both.
fn terminal() -> Result<()> {
    for arguments in [&IDLE[..], &["--every", "1"]] {
        let (mut parent, _) = started(arguments)?;
        parent.wait_for("Received from child: hello")?;
        kill_process_group(pid(parent.id())?, rustix::process::Signal::INT)?;
        let exit = parent.wait_at_most(TWO_SECONDS)?;
        ensure!(exit == Exit::Code(0), "{exit:?}: {:?}", parent.stderr());
        ensure!(parent.stderr().is_empty(), "{:?}", parent.stderr());
        parent.wait_for("Child exited with code 0")?;
    }
    // The child may have closed its rings before the parent has its turn. A
    // second thread could hear of the signal, and the first see that before
    // it does.
    for _ in 0..5 {
        let (mut parent, child) = busy()?;
        let threads = format!("/proc/{}/task", parent.id());
        ensure!(fs::read_dir(threads)?.count() == 1, "a second thread");
        parent.signal(Signal::Freeze)?;
        kill_process_group(pid(parent.id())?, rustix::process::Signal::INT)?;
        eventually(|| has_ended(child))?;
        parent.signal(Signal::Thaw)?;
        parent.succeeds()?;
    }
    Ok(())
}

fn killed_child() -> Result<()> {
    for started in [started(&IDLE)?, started(&["--every", "1"])?, busy()?] {
        let (mut parent, child) = started;
        kill_process(pid(child)?, rustix::process::Signal::KILL)?;
        let exit = parent.wait_at_most(TWO_SECONDS)?;
        ensure!(exit == Exit::Code(1), "{exit:?}");
        parent.wait_for_error("the other process is dead")?;
        if !parent.stdout().is_empty() {
            parent.wait_for("Child ended by signal: 9")?; // `time` is silent
        }
        let zombie = fs::exists(format!("/proc/{child}"))?;
        ensure!(!zombie, "a zombie is left");
    }
    Ok(())
}

fn killed_parent() -> Result<()> {
    for started in [started(&IDLE)?, started(&["--every", "1"])?, busy()?] {
        let (mut parent, child) = started;
        parent.signal(Signal::Kill)?;
        // Waits for the end of all output, the child's too.
        parent.wait_at_most(TWO_SECONDS)?;
        let deadline = Instant::now() + TWO_SECONDS;
        while !has_ended(child) {
            ensure!(Instant::now() < deadline, "the child lives on");
            thread::yield_now();
        }
    }
    Ok(())
}

fn idle() -> Result<()> {
    let (parent, child) = started(&IDLE)?;
    parent.wait_for("Received from child: hello")?;
    let both = || -> Result<Duration> {
        let mother = parent.cpu_time().context("parent's time")?;
        Ok(mother + cpu_time(child).context("child's time")?)
    };
    let before = both()?;
    thread::sleep(Duration::from_secs(1)); // to measure, not to wait
    let used = both()? - before;
    ensure!(used < Duration::from_millis(50), "{used:?} in a second");
    Ok(())
}

/// On one core each answer needs a sleeper to wake up. A futex that is private
/// to one process wakes nobody: then each takes a tenth of a second.
fn woken() -> Result<()> {
    let lesson = lesson(NAME)?;
    let time = lesson.half(Language::Rust, "time")?;
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(time.get_program());
    command.args(["--count", "300"]);
    let begin = Instant::now();
    let mut parent = Half::start(&mut command)?;
    ensure!(parent.wait()? == Exit::Code(0), "{:?}", parent.stderr());
    let took = begin.elapsed();
    ensure!(took < Duration::from_secs(25), "300 answers took {took:?}");
    Ok(())
}

/// The memory of a running parent, as a file: writing to it changes what
/// both processes see, without any mapping here.
fn memory_of(parent: &Half) -> Result<File> {
    for entry in fs::read_dir(format!("/proc/{}/fd", parent.id()))? {
        let path = entry?.path();
        let target = fs::read_link(&path)?;
        if target.to_string_lossy().contains("memfd:shared-memory") {
            return Ok(File::options().read(true).write(true).open(path)?);
        }
    }
    bail!("the parent has no memfd")
}

fn truncation() -> Result<()> {
    let (mut parent, _) = started(&["--every", "1", "--count", "200"])?;
    let memory = memory_of(&parent)?;
    let length = memory.metadata()?.len();
    for other in [0, 1, length - 1, length + 1] {
        ensure!(memory.set_len(other).is_err(), "it has {other} bytes now");
    }
    ensure!(parent.wait()? == Exit::Code(0), "{:?}", parent.stderr());
    Ok(())
}

/// Where things are: every line of the header has 128 bytes, and a ring has
/// six of them and 32 Ki words.
const TO_CHILD: u64 = 2 * 128;
const RING: u64 = 6 * 128 + 32 * 1024 * 8;
const TO_PARENT: u64 = TO_CHILD + RING;

fn wrong_counter() -> Result<()> {
    for ring in [TO_PARENT, TO_CHILD] {
        let (mut parent, child) = started(&["--every", "1"])?;
        let memory = memory_of(&parent)?;
        parent.wait_for_lines(3, "Received from child: hello")?;
        // The count of what was sent, again and again, as the sender
        // corrects it with each message.
        let deadline = Instant::now() + TWO_SECONDS;
        while !has_ended(child) && Instant::now() < deadline {
            memory.write_all_at(&u32::MAX.to_le_bytes(), ring)?;
        }
        let exit = parent.wait_at_most(TWO_SECONDS)?;
        ensure!(exit == Exit::Code(1), "{exit:?}: {:?}", parent.stderr());
        let said = parent.wait_for_error("wrote an impossible value")?;
        let of_child = said.starts_with("Error: child: ");
        ensure!(of_child == (ring == TO_CHILD), "{said}");
    }
    Ok(())
}

fn unsealed() -> Result<()> {
    for (number, why) in [
        ("0", "its length is not sealed"), // a pipe
        ("987", "No such file"),
        ("-1", "not a number"),
        ("here", "not a number"),
    ] {
        let mut command = lesson(NAME)?.half(Language::Rust, "child")?;
        command.env("SHARED_MEMORY_FD", number);
        let mut child = Half::start(&mut command)?;
        child.fails(&[why, "open the parent's memory"])?;
    }
    Ok(())
}

fn other_program() -> Result<()> {
    let lesson = lesson(NAME)?;
    let child = lesson.half(Language::Rust, "child")?;
    let child = child.get_program().to_string_lossy().into_owned();
    let arguments = ["--count", "1", "--", &child];
    let mut parent = family(Language::Rust, &arguments)?;
    ensure!(parent.wait()? == Exit::Code(0), "{:?}", parent.stderr());
    parent.wait_for("child: Received from parent: hello")?;
    parent.wait_for("Received from child: hello")?;
    // Also where the child is not a direct one: it hears of the parent's
    // end by its stdin, and not by its parent's id.
    let script = format!("{child}; exit $?");
    let arguments = ["--count", "1", "--", "sh", "-c", &script];
    let mut parent = family(Language::Rust, &arguments)?;
    ensure!(parent.wait()? == Exit::Code(0), "{:?}", parent.stderr());
    parent.wait_for("Received from child: hello")?;
    Ok(())
}

fn no_child() -> Result<()> {
    let mut parent = family(Language::Rust, &["--", "sh", "-c", "exit 3"])?;
    ensure!(parent.wait()? == Exit::Code(1));
    parent.wait_for("Child exited with code 3")?;
    let why = "talk to the child: the other process is dead";
    parent.wait_for_error(why)?;
    let mut parent = family(Language::Rust, &["--", "/no/such/program"])?;
    ensure!(parent.wait()? == Exit::Code(1));
    parent.wait_for_error("start the child: No such file")?;
    Ok(())
}

/// One that knows nothing of the memory, nor of the end of its stdin: the
/// parent kills it a second after it was told to stop itself.
fn deaf_child() -> Result<()> {
    for signal in SIGNALS {
        let mut parent = family(Language::Rust, &["--", "sleep", "1000"])?;
        parent.wait_for("value before: 0")?;
        let id = parent.id();
        let list = format!("/proc/{id}/task/{id}/children");
        let children = fs::read_to_string(list)?;
        let child: u32 = children.trim().parse().context("no child")?;
        parent.ends_on(signal)?;
        ensure!(has_ended(child), "the child lives on");
        parent.wait_for("Child ended by signal: 9")?;
    }
    Ok(())
}

/// As it is below a parent that wants to hear of no child: what is ignored
/// stays so when another program is started.
fn ignored_sigchld(language: Language) -> Result<()> {
    let arguments = ["--count", "2", "--every", "1"];
    let parent = lesson(NAME)?.parent(language, language, &arguments)?;
    let mut env = Command::new("env");
    env.arg("--ignore-signal=CHLD").arg(parent.get_program());
    let mut parent = Half::start(env.args(parent.get_args()))?;
    ensure!(parent.wait()? == Exit::Code(0), "{:?}", parent.stderr());
    parent.wait_for("Child exited with code 0")?;
    Ok(())
}

/// Runs a family to its good end; the lines of the parent and of the child.
fn lines(
    language: Language,
    arguments: &[&str],
) -> Result<(Vec<String>, Vec<String>)> {
    let mut parent = family(language, arguments)?;
    parent.succeeds()?;
    let is_child = |line: &String| line.starts_with("child: ");
    let (child, parent) = parent.stdout().into_iter().partition(is_child);
    Ok((parent, child))
}

fn long_message(language: Language) -> Result<()> {
    // A command line argument has at most 128 KiB. Ten go round the ring.
    let text = "中".repeat(43_000);
    let arguments = ["--count", "10", "--every", "1", "--message", &text];
    let (parent, child) = lines(language, &arguments)?;
    let shown = format!("{}… (129000 bytes)", "中".repeat(160));
    let received = format!("Received from child: {shown}");
    ensure!(parent.iter().filter(|line| **line == received).count() == 10);
    let received = format!("child: Received from parent: {shown}");
    ensure!(child.iter().filter(|line| **line == received).count() == 10);
    Ok(())
}

fn hostile_text(language: Language) -> Result<()> {
    let text = "\x1b[2J\r\n你好\u{202e}";
    let arguments = ["--count", "1", "--message", text];
    let (parent, child) = lines(language, &arguments)?;
    let shown = "\\u{1b}[2J\\r\\n你好\\u{202e}";
    for line in [
        format!("send: {shown}"),
        format!("Received from child: {shown}"),
    ] {
        ensure!(parent.contains(&line), "{parent:?}");
    }
    let line = format!("child: Received from parent: {shown}");
    ensure!(child.contains(&line), "{child:?}");
    Ok(())
}

fn empty_message(language: Language) -> Result<()> {
    let arguments = ["--count", "3", "--every", "1", "--message", ""];
    let (parent, _) = lines(language, &arguments)?;
    let empty = parent
        .iter()
        .filter(|line| *line == "Received from child: ");
    ensure!(empty.count() == 3, "{parent:?}");
    Ok(())
}

fn no_message(language: Language) -> Result<()> {
    let (parent, _) = lines(language, &["--count", "0"])?;
    let rest = ["value after: 42", "Child exited with code 0"];
    ensure!(parent[1..] == rest, "{parent:?}");
    Ok(())
}

fn time(language: Language) -> Result<()> {
    let mut command = lesson(NAME)?.half(language, "time")?;
    command.args(["--count", "1000", "--message", "hi"]);
    let mut program = Half::start(&mut command)?;
    ensure!(program.wait()? == Exit::Code(0), "{:?}", program.stderr());
    let lines = program.stdout();
    ensure!(lines.len() == 1, "{lines:?}");
    let mut words = lines[0].split([' ', ',']).filter(|w| !w.is_empty());
    let expected = "1000 round trips: min _ µs median _ µs p99 _ µs p99.9 _ µs";
    for expected in expected.split(' ') {
        let word = words.next().context("too short")?;
        let is_time = || word.parse::<f64>().is_ok_and(|time| time > 0.0);
        ensure!(expected == word || expected == "_" && is_time(), "{word}");
    }
    Ok(())
}

/// After one line, a Rust child is the next to print; after seven, a parent.
fn closed_stdout(language: Language) -> Result<()> {
    for lines in [1, 7] {
        let lesson = lesson(NAME)?;
        let mut command =
            lesson.parent(language, language, &["--every", "10"])?;
        let (mut parent, stdout) = Half::start_with_stdout(&mut command)?;
        let mut stdout = BufReader::new(stdout);
        for _ in 0..lines {
            stdout.read_line(&mut String::new())?;
        }
        drop(stdout); // as `parent | head -1` does
        parent.succeeds()?;
    }
    Ok(())
}

fn alone(language: Language) -> Result<()> {
    let mut child = Half::start(&mut lesson(NAME)?.half(language, "child")?)?;
    child.fails_at_once(&["start the parent: "])
}

/// The README's block with this command; what it prints.
fn documented(command: &str) -> Result<Vec<String>> {
    transcripts(&lesson(NAME)?.folder().join("README.md"))?
        .into_iter()
        .find(|block| block.command.as_deref() == Some(command))
        .map(|block| block.lines)
        .with_context(|| format!("the README does not show: {command}"))
}

fn first(language: Language) -> Result<()> {
    let command = match language {
        Language::Rust => "cargo run -p shared-memory --bin first-threads",
        Language::Node => "node shared-memory/first/threads.js",
    };
    let mut program = match language {
        Language::Rust => lesson(NAME)?.half(language, "first-threads")?,
        Language::Node => Command::new("node"),
    };
    if language == Language::Node {
        program.arg(lesson(NAME)?.folder().join("first/threads.js"));
    }
    let mut program = Half::start(&mut program)?;
    ensure!(program.wait()? == Exit::Code(0), "{:?}", program.stderr());
    let expected = documented(command)?;
    ensure!(program.stdout() == expected, "{:?}", program.stdout());
    Ok(())
}

fn threads(language: Language) -> Result<()> {
    let expected = documented("cargo run -p shared-memory --bin threads")?;
    let mut program =
        Half::start(&mut lesson(NAME)?.half(language, "threads")?)?;
    ensure!(program.wait()? == Exit::Code(0), "{:?}", program.stderr());
    ensure!(program.stdout() == expected, "{:?}", program.stdout());
    Ok(())
}

fn additions(language: Language) -> Result<()> {
    let mut command = lesson(NAME)?.half(language, "threads")?;
    let mut program = Half::start(command.args(["--each", "1000003"]))?;
    ensure!(program.wait()? == Exit::Code(0), "{:?}", program.stderr());
    program.wait_for("value after: 4000012")?;
    Ok(())
}

fn fork() -> Result<()> {
    let command = "node shared-memory/node/fork.js";
    let expected = documented(command)?;
    let mut words = command.split(' ');
    let mut node = Command::new(words.next().unwrap_or_default());
    let mut node = Half::start(node.args(words).current_dir(root()))?;
    ensure!(node.wait()? == Exit::Code(0), "{:?}", node.stderr());
    ensure!(node.stdout() == expected, "{:#?}", node.stdout());
    Ok(())
}

fn quiet(language: Language) -> Result<()> {
    for (half, arguments) in [
        ("parent", &["--count", "2", "--every", "1"][..]),
        ("threads", &[]),
    ] {
        let mut command = lesson(NAME)?.half(language, half)?;
        command.args(arguments).env("QUIET", "1");
        let mut program = Half::start(&mut command)?;
        ensure!(program.wait()? == Exit::Code(0), "{:?}", program.stderr());
        ensure!(program.stdout().is_empty(), "{:?}", program.stdout());
    }
    Ok(())
}
