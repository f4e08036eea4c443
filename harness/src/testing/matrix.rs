//! The matrix: every pairing of Rust and Node, held against the transcripts
//! in the lesson's README. So they cannot rot.

use std::io::Write;

use crate::readme::{Transcript, transcripts};
use crate::{
    Arguments, Exit, Half, LIMIT, Language, Lesson, Shape, Signal, rabbit,
};
use anyhow::{Context, Result, ensure};

use crate::testing::{NODE, Need, Test, test};

/// What `--every` is set to where the README leaves it at three seconds:
/// still so long that no echo of a busy machine meets the next message.
const EVERY: [&str; 2] = ["--every", "1000"];

/// What the READMEs show in place of the lesson's own broker's socket.
const OWN_SERVER: &str = "/tmp/LESSON-1000/redis.sock";

/// What the READMEs name where a test uses a RabbitMQ of its own.
const RABBITMQ: &str = "amqp://localhost";

/// The rows of one lesson; none where it does not run on this system.
pub fn tests(lesson: &str) -> Result<Vec<Test>> {
    let Some(lesson) = Lesson::named(lesson) else {
        return Ok(Vec::new());
    };
    let mut tests = Vec::new();
    for (number, scenario) in scenarios(lesson)?.into_iter().enumerate() {
        for &[first, second] in lesson.pairings() {
            let name = format!(
                "matrix::{}::{}::{first:?}-{second:?}",
                lesson.name,
                number + 1
            );
            let replayed = scenario.clone();
            let mut test = test(name.to_lowercase(), move || {
                replay(lesson, &replayed, first, second)
            });
            if over_rabbitmq(&scenario) {
                test = test.needs(Need::RabbitMq);
            } else if let Some(server) = lesson.server() {
                test = test.needs(Need::Program(server, "--version"));
            }
            if [first, second].contains(&Language::Node) {
                test = test.needs(NODE);
                if lesson.has_packages() {
                    test = test.needs(Need::Packages(lesson.name));
                }
            }
            tests.push(test);
        }
    }
    Ok(tests)
}

/// Two transcripts that belong together: of the half that is started first,
/// and of the one that talks to it.
type Scenario = [Transcript; 2];

fn scenarios(lesson: &Lesson) -> Result<Vec<Scenario>> {
    let blocks = transcripts(&lesson.folder().join("README.md"))?;
    let [first, second] = lesson.halves();
    let is = |block: &Transcript, half| {
        block
            .half(lesson.name)
            .is_some_and(|(name, _)| name == half)
    };
    let scenarios: Vec<Scenario> = blocks
        .windows(2)
        .filter(|pair| {
            is(&pair[0], first)
                && (is(&pair[1], second) || pair[1].command.is_none())
        })
        .map(|pair| [pair[0].clone(), pair[1].clone()])
        .collect();
    ensure!(
        !scenarios.is_empty(),
        "{}: its README shows no pair of transcripts",
        lesson.name
    );
    Ok(scenarios)
}

fn over_rabbitmq(scenario: &Scenario) -> bool {
    let command = scenario[0].command.as_ref();
    command.is_some_and(|command| command.contains(RABBITMQ))
}

fn replay(
    lesson: &Lesson,
    scenario: &Scenario,
    first: Language,
    second: Language,
) -> Result<()> {
    match lesson.shape {
        Shape::Family { child_lines, .. } => {
            replay_family(lesson, scenario, first, second, child_lines)
        }
        Shape::Solo(_) => replay_solo(lesson, scenario, first),
        _ => replay_server(lesson, scenario, first, second),
    }
}

fn replay_server(
    lesson: &Lesson,
    scenario: &Scenario,
    first: Language,
    second: Language,
) -> Result<()> {
    let [server, client] = scenario;
    let (_, mut first_arguments) =
        server.half(lesson.name).context("server")?;
    let (_, mut second_arguments) =
        client.half(lesson.name).context("client")?;
    let mut own = None;
    if over_rabbitmq(scenario) {
        // All pairings share one RabbitMQ, so each has its own queue there.
        own = Some((rabbit::shared()?, format!("{first:?}-{second:?}")));
    }
    if let Some((url, queue)) = &own {
        for arguments in [&mut first_arguments, &mut second_arguments] {
            for argument in arguments.iter_mut() {
                *argument = if *argument == RABBITMQ { url } else { argument };
            }
            arguments.insert(0, queue);
        }
    }
    // Those in the checkout may have expired.
    let certs = tempfile::tempdir()?;
    let certs = certs.path().join("certs").display().to_string();
    for arguments in [&mut first_arguments, &mut second_arguments] {
        if arguments.contains(&"--tls") {
            arguments.extend(["--certs", &certs]);
        }
    }
    let arguments = Arguments {
        first: &first_arguments,
        second: &paced(&second_arguments),
    };
    let mut pair =
        lesson.start([first, second], arguments, LIMIT, |_, _, _| {})?;
    let running = &mut pair.first;
    let talking = pair.second.as_mut().context("no client")?;
    let address = pair.address.context("no address")?;
    if let Some(input) = client.input() {
        talking.take_stdin()?.write_all(input.as_bytes())?;
    }
    ensure!(talking.wait()? == Exit::Code(0), "{:?}", talking.stderr());

    // The server has said everything when it has said as much as the README.
    let documented = server
        .lines
        .iter()
        .find_map(|line| line.strip_prefix("listening on "))
        .context("the README's server never listens")?;
    running.wait_until("as many lines as in the README", |lines| {
        (lines.len() >= server.lines.len()).then_some(())
    })?;
    ensure!(server.interrupted, "the README does not stop the server");
    if cfg!(unix) {
        ensure!(running.stop(Signal::Interrupt)? == Exit::Code(0));
    }

    let normal = |half: &Half| -> Vec<String> {
        let lines = half.stdout();
        let lines = lines.iter();
        lines
            .map(|line| match line.split_once(" at ") {
                // Where a lesson's own broker is differs from run to run.
                Some((started, _)) if started.starts_with("started ") => {
                    let path = OWN_SERVER.replace("LESSON", lesson.name);
                    format!("{started} at {path}")
                }
                _ => line.replace(&address, documented),
            })
            .collect()
    };
    compare("server", &server.lines, &normal(running))?;
    compare("client", &client.lines, &normal(talking))?;
    ensure!(running.stderr().is_empty(), "{:?}", running.stderr());
    ensure!(talking.stderr().is_empty(), "{:?}", talking.stderr());
    Ok(())
}

/// What a parent puts before each line that its child prints to a pipe.
const PASSED_ON: &str = "Received from child: ";

fn replay_family(
    lesson: &Lesson,
    [parent, child]: &Scenario,
    first: Language,
    second: Language,
    child_lines: Option<&str>,
) -> Result<()> {
    let (_, arguments) = parent.half(lesson.name).context("parent")?;
    let arguments = Arguments {
        first: &paced(&arguments),
        second: &[],
    };
    let pair = lesson.start([first, second], arguments, LIMIT, |_, _, _| {})?;
    let mut running = pair.first;
    ensure!(running.wait()? == Exit::Code(0), "{:?}", running.stderr());
    ensure!(running.stderr().is_empty(), "{:?}", running.stderr());

    let (inner, outer): (Vec<_>, Vec<_>) =
        running.stdout().into_iter().partition(|line| {
            child_lines.is_some_and(|start| line.starts_with(start))
        });
    compare("parent", &parent.lines, &outer)?;
    match child_lines {
        Some(_) => compare("child", &child.lines, &inner),
        // The child prints to a pipe, and the parent what comes from there.
        None => {
            let passed_on: Vec<String> = outer
                .iter()
                .filter_map(|line| line.strip_prefix(PASSED_ON))
                .map(str::to_owned)
                .collect();
            compare("child", &child.lines, &passed_on)
        }
    }
}

fn replay_solo(
    lesson: &Lesson,
    scenario: &Scenario,
    language: Language,
) -> Result<()> {
    for transcript in scenario {
        let half = transcript.half(lesson.name);
        let (half, arguments) = half.context("no command")?;
        let mut command = lesson.half(language, half)?;
        let mut running = Half::start(command.args(arguments))?;
        ensure!(running.wait()? == Exit::Code(0), "{:?}", running.stderr());
        compare(half, &transcript.lines, &running.stdout())?;
    }
    Ok(())
}

/// The README's arguments, at a quicker pace where it is paced at all.
fn paced<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = arguments.to_vec();
    let given = |name| arguments.contains(&name);
    if given("--count") && !given("--every") {
        arguments.extend(EVERY);
    }
    arguments
}

fn compare(half: &str, expected: &[String], actual: &[String]) -> Result<()> {
    let [expected, actual] =
        [expected, actual].map(|lines| without_ports(&without_times(lines)));
    ensure!(
        expected == actual,
        "the {half} differs from the README\n\
         --- README\n{}\n--- {half}\n{}",
        expected.join("\n"),
        actual.join("\n")
    );
    Ok(())
}

/// Times are measured, and so differ: `0.27 ms` becomes `# ms`.
fn without_times(lines: &[String]) -> Vec<String> {
    let without = |line: &String| {
        let mut words: Vec<&str> = line.split(' ').collect();
        for at in 1..words.len() {
            let is_time = words[at].starts_with("ms")
                && words[at - 1].contains('.')
                && words[at - 1].parse::<f64>().is_ok();
            if is_time {
                words[at - 1] = "#";
            }
        }
        words.join(" ")
    };
    lines.iter().map(without).collect()
}

/// The port that the system gave a client is another one each time. It has
/// five digits: `127.0.0.1:50514` becomes `127.0.0.1:#`.
fn without_ports(lines: &[String]) -> Vec<String> {
    let without = |line: &String| {
        let mut parts = line.split("127.0.0.1:");
        let mut text = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let after = part.trim_start_matches(|c: char| c.is_ascii_digit());
            text.push_str("127.0.0.1:");
            match part.len() - after.len() {
                5 => text.push_str(&format!("#{after}")),
                _ => text.push_str(part),
            }
        }
        text
    };
    lines.iter().map(without).collect()
}
