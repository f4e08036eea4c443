//! What the harness itself promises: no test can trust it otherwise.

use std::env;
use std::panic;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::{Exit, Half, Language, Signal};

use harness::testing::server::{has_ended, lesson};
use harness::testing::{Need, Test, test};

pub fn tests() -> Vec<Test> {
    [
        test("keeps_stdout_and_stderr_apart", apart),
        test("keeps_the_lines_of_both_outputs_in_order", together),
        test("tells_a_status_from_a_signal", ends),
        test("says_what_was_printed_when_a_line_does_not_come", no_line),
        test("leaves_no_process_behind_when_a_test_panics", panics)
            .needs(Need::Proc),
        test("notices_a_process_that_outlives_its_parent", orphan),
        test("knows_the_peak_memory", memory).needs(Need::Proc),
        test("says_which_program_cannot_be_started", no_program),
        test("tells_node_nothing_of_the_package_that_runs", from_a_shell),
    ]
    .map(|test| test.of("harness").needs(Need::Unix))
    .into()
}

// Where it starts cargo, ring and all above it would be built again.
fn from_a_shell() -> Result<()> {
    let node = lesson("https-echo")?.half(Language::Node, "server")?;
    let kept: Vec<_> = env::vars_os()
        .map(|(name, _)| name)
        .filter(|name| name.to_string_lossy().starts_with("CARGO_PKG_"))
        .filter(|name| !node.get_envs().any(|set| set == (name, None)))
        .collect();
    ensure!(kept.is_empty(), "{kept:?}");
    Ok(())
}

fn shell(script: &str) -> Result<Half> {
    Half::start(Command::new("sh").args(["-c", script]))
}

fn apart() -> Result<()> {
    let mut half = shell("echo one; echo two >&2; printf three")?;
    ensure!(half.wait()? == Exit::Code(0));
    ensure!(half.stdout() == ["one", "three"], "{:?}", half.stdout());
    ensure!(half.stderr() == ["two"], "{:?}", half.stderr());
    Ok(())
}

fn together() -> Result<()> {
    let script = "for n in 1 2 3 4 5 6 7 8 9; do echo $n; echo $n >&2; done";
    let mut command = Command::new("sh");
    let mut half = Half::start_together(command.args(["-c", script]), |_| {})?;
    ensure!(half.wait()? == Exit::Code(0));
    let lines = half.stdout().concat();
    ensure!(lines == "112233445566778899", "{lines}");
    Ok(())
}

fn ends() -> Result<()> {
    ensure!(shell("exit 7")?.wait()? == Exit::Code(7));
    let mut half = shell("echo ready; exec sleep 600")?;
    half.wait_for("ready")?;
    ensure!(half.stop(Signal::Terminate)? == Exit::Signal(15));
    Ok(())
}

fn no_line() -> Result<()> {
    let half = shell("echo only this; echo and that >&2")?;
    let error = half.wait_for("something else").err().context("found it")?;
    let text = error.to_string();
    for part in ["something else", "only this", "and that"] {
        ensure!(text.contains(part), "{text}");
    }
    Ok(())
}

fn panics() -> Result<()> {
    let half = shell("echo $$; sleep 600 & echo $!; wait")?;
    half.wait_for_lines(2, "")?;
    let ids = half.stdout();
    ensure!(ids.iter().all(|id| !has_ended(id)));
    let unwound = panic::catch_unwind(panic::AssertUnwindSafe(move || {
        let _half = half;
        // Not panic!(), which would print a message.
        panic::resume_unwind(Box::new(()));
    }));
    ensure!(unwound.is_err());
    // SIGKILL was sent; the kernel takes a moment for the grandchild.
    let gone = || ids.iter().all(has_ended);
    for _ in 0..100_000 {
        if gone() {
            return Ok(());
        }
        std::thread::yield_now();
    }
    ensure!(gone(), "{ids:?} still run");
    Ok(())
}

fn orphan() -> Result<()> {
    let mut half = shell("sleep 600 & echo up; exit 0")?;
    half.wait_for("up")?;
    let error = half.wait_at_most(Duration::from_secs(1)).err();
    let text = format!("{:#}", error.context("did not notice")?);
    ensure!(text.contains("outlive"), "{text}");
    Ok(())
}

fn memory() -> Result<()> {
    let half =
        shell("x=$(head -c 20000000 /dev/zero | tr '\\0' x); echo ok; read y")?;
    half.wait_for("ok")?;
    let peak = half.peak_memory().context("no figure")?;
    ensure!(peak > 20_000_000 && peak < 500_000_000, "{peak}");
    Ok(())
}

fn no_program() -> Result<()> {
    let error = Half::start(&mut Command::new("no-such-program")).err();
    let text = format!("{:#}", error.context("it started")?);
    ensure!(text.contains("no-such-program"), "{text}");
    Ok(())
}
