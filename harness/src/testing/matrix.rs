//! The matrix: every pairing of Rust and Node, held against the transcripts
//! in the lesson's README. So they cannot rot.

use std::io::Write;

use crate::readme::{Scenario, Transcript, transcripts};
use crate::{
    Arguments, Exit, Half, LIMIT, Language, Lesson, Meet, Moved, Signal, root,
};
use anyhow::{Context, Result, ensure};

use crate::kafka::Kafka;
use crate::redis::Redis;
use crate::testing::{NODE, Need, Test, test};

/// What `--every` is set to where the README leaves it at three seconds:
/// still so long that no echo of a busy machine meets the next message.
const EVERY: [&str; 2] = ["--every", "1000"];

/// Where the first versions expect a Redis.
const REDIS: &str = "127.0.0.1:6379";

/// And a Kafka.
const KAFKA: &str = "127.0.0.1:9092";

/// The rows of one lesson; none where it does not run on this system.
pub fn tests(lesson: &str) -> Result<Vec<Test>> {
    let Some(lesson) = Lesson::named(lesson) else {
        return Ok(Vec::new());
    };
    let mut tests = rows(lesson, "")?;
    if let Some(lesson) = lesson.also() {
        let first = lesson.halves()[0];
        tests.extend(rows(lesson, &format!("{first}-"))?);
    }
    Ok(tests)
}

fn rows(lesson: &'static Lesson, over: &str) -> Result<Vec<Test>> {
    let blocks = transcripts(&lesson.folder().join("README.md"))?;
    let mut tests = Vec::new();
    let scenarios = lesson.scenarios(&blocks, "");
    ensure!(
        !scenarios.is_empty(),
        "{}: its README shows no pair of transcripts",
        lesson.name
    );
    for (number, scenario) in scenarios.into_iter().enumerate() {
        for &[first, second] in lesson.pairings() {
            let name = format!("{over}{}::{first:?}-{second:?}", number + 1);
            let replayed = scenario.clone();
            let test = row(lesson, &name, [first, second], move || {
                replay(lesson, &replayed, first, second)
            });
            tests.push(with_server(test, lesson));
        }
    }
    for [first, second] in lesson.scenarios(&blocks, "first-") {
        for &languages in lesson.pairings() {
            let [one, other] = languages;
            let name = format!("first::{one:?}-{other:?}");
            let replayed = [first.clone(), second.clone()];
            let test = row(lesson, &name, languages, move || {
                replay_first(lesson, &replayed, languages)
            });
            // Its path is written in, and is none on Windows.
            let test = match lesson.meet() {
                Meet::Pipe => test.needs(Need::Unix),
                _ => test,
            };
            tests.push(with_server(test, lesson));
        }
    }
    let others = match over {
        "" => alone(lesson, &blocks),
        _ => Vec::new(), // they belong to the lesson's first pair
    };
    for (block, program) in others {
        for language in [Language::Rust, Language::Node] {
            let name = format!("first::{program}::{language:?}");
            let (block, program) = (block.clone(), program.clone());
            tests.push(row(lesson, &name, [language; 2], move || {
                let mut command = lesson.first(language, &program)?;
                let mut half = Half::start(&mut command)?;
                finish(&mut half, &block)?;
                compare(&program, &block.lines, &shown(&half, &block))
            }));
        }
    }
    Ok(tests)
}

fn row(
    lesson: &Lesson,
    name: &str,
    languages: [Language; 2],
    run: impl FnOnce() -> Result<()> + Send + 'static,
) -> Test {
    let name = format!("matrix::{}::{name}", lesson.name).to_lowercase();
    let mut test = test(name, run);
    if languages.contains(&Language::Node) {
        test = test.needs(NODE);
        if lesson.packages().is_some() {
            test = test.needs(Need::Packages(lesson.name));
        }
    }
    test
}

fn with_server(test: Test, lesson: &Lesson) -> Test {
    match lesson.meet() {
        Meet::Redis => test.needs(Need::Redis),
        Meet::RabbitMq => test.needs(Need::RabbitMq),
        Meet::Kafka => test.needs(Need::Kafka),
        _ => test,
    }
}

/// First versions that are one program: they do not meet another one.
fn alone<'a>(
    lesson: &Lesson,
    blocks: &'a [Transcript],
) -> Vec<(&'a Transcript, String)> {
    let pairs = lesson.scenarios(blocks, "first-");
    let in_pair =
        |block: &Transcript| pairs.iter().any(|pair| pair.contains(block));
    let mut alone: Vec<(&Transcript, String)> = Vec::new();
    for block in blocks.iter().filter(|block| !in_pair(block)) {
        let half = block.half(lesson.name);
        let name = half.as_ref().and_then(|it| it.0.strip_prefix("first-"));
        // Shown in both languages, it is replayed once in each.
        if let Some(name) = name
            && alone.iter().all(|(_, other)| other != name)
        {
            alone.push((block, name.to_owned()));
        }
    }
    alone
}

/// The first versions, at another address than the one written in.
fn replay_first(
    lesson: &Lesson,
    [first, second]: &Scenario,
    languages: [Language; 2],
) -> Result<()> {
    if lesson.meet() == Meet::Parent {
        return replay_first_family(lesson, [first, second], languages);
    }
    let listening = first
        .lines
        .iter()
        .find_map(|line| line.strip_prefix("listening on "))
        .context("the README's first server never listens")?;
    let folder = tempfile::tempdir()?;
    let moved = Moved::from(match lesson.meet() {
        Meet::Redis => REDIS,
        Meet::Kafka => KAFKA,
        _ => listening.trim_start_matches("http://"),
    })?;
    let _redis = match lesson.meet() {
        Meet::Redis => Some(Redis::start_at(moved.port()?, &[])?),
        _ => None,
    };
    let _kafka = match lesson.meet() {
        Meet::Kafka => Some(Kafka::start_at(moved.port()?)?),
        _ => None,
    };
    lesson.make_certs(folder.path())?;
    let [first_name, second_name] = lesson.halves();
    let mut command =
        lesson.first_at(&moved, languages[0], first_name, folder.path())?;
    let mut running = Half::start(&mut command)?;
    running.wait_for("listening on ")?;
    let mut command =
        lesson.first_at(&moved, languages[1], second_name, folder.path())?;
    let mut talking = Half::start(&mut command)?;
    if let Some(input) = second.input() {
        talking.take_stdin()?.write_all(input.as_bytes())?;
    }
    finish(&mut talking, second)?;
    finish(&mut running, first)?;
    let normal = |half: &Half, block: &Transcript| -> Vec<String> {
        let lines = shown(half, block).into_iter();
        lines
            .map(|line| line.replace(&moved.to, &moved.from))
            .collect()
    };
    compare("client", &second.lines, &normal(&talking, second))?;
    compare("server", &first.lines, &normal(&running, first))
}

/// A first parent starts Node's child, or the program that it is given.
fn replay_first_family(
    lesson: &Lesson,
    [parent, child]: [&Transcript; 2],
    languages: [Language; 2],
) -> Result<()> {
    let [first_name, second_name] = lesson.halves();
    let mut command = lesson.first(languages[0], first_name)?;
    if languages[1] == Language::Rust {
        let child = lesson.first(Language::Rust, second_name)?;
        command.arg(child.get_program());
    }
    let mut running = Half::start(command.current_dir(root()))?;
    if lesson.child_lines().is_none() {
        finish(&mut running, parent)?;
        return compare("parent", &parent.lines, &shown(&running, parent));
    }
    // Where the child has our stdout, its lines are among the parent's.
    let both = Transcript {
        lines: [&parent.lines[..], &child.lines].concat(),
        ..parent.clone()
    };
    finish(&mut running, &both)?;
    let (inner, outer) = apart(lesson, shown(&running, &both));
    compare("parent", &parent.lines, &outer)?;
    compare("child", &child.lines, &inner)
}

/// The child's lines, and the parent's.
fn apart(lesson: &Lesson, lines: Vec<String>) -> (Vec<String>, Vec<String>) {
    lines
        .into_iter()
        .partition(|line| lesson.speaker(0, line) == 1)
}

/// Waits until a first version has said what the README shows, and ends it
/// where the README does. Not by Ctrl-C, which it does not handle: what a shell
/// runs in the background has been told to ignore that.
fn finish(half: &mut Half, block: &Transcript) -> Result<()> {
    if !block.interrupted {
        let exit = half.wait()?;
        ensure!(exit == Exit::Code(0), "{exit:?}: {:?}", half.stderr());
        return Ok(());
    }
    half.wait_until("as many lines as in the README", |lines| {
        (lines.len() >= block.lines.len()).then_some(())
    })?;
    half.stop(Signal::Kill)?;
    Ok(())
}

/// What it printed: of one that goes on until Ctrl-C, as many lines as in the
/// README.
fn shown(half: &Half, block: &Transcript) -> Vec<String> {
    let mut lines = half.stdout();
    if block.interrupted {
        lines.truncate(block.lines.len());
    }
    lines
}

fn replay(
    lesson: &Lesson,
    scenario: &Scenario,
    first: Language,
    second: Language,
) -> Result<()> {
    match lesson.meet() {
        Meet::Parent => replay_family(lesson, scenario, first, second),
        Meet::Nobody => replay_solo(lesson, scenario, first),
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
    let queue = format!("{first:?}-{second:?}");
    if lesson.meet() == Meet::RabbitMq {
        // All pairings share one RabbitMQ, so each has its own queue there.
        first_arguments.push(&queue);
        second_arguments.push(&queue);
    }
    if !lesson.server_sets_pace() {
        second_arguments = paced(&second_arguments);
    }
    let arguments = Arguments {
        first: &first_arguments,
        second: &second_arguments,
    };
    let mut pair =
        lesson.start([first, second], arguments, LIMIT, |_, it| {
            Half::start(it)
        })?;
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
            .map(|line| line.replace(&address, documented))
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
) -> Result<()> {
    let (_, arguments) = parent.half(lesson.name).context("parent")?;
    let arguments = Arguments {
        first: &paced(&arguments),
        second: &[],
    };
    let pair = lesson
        .start([first, second], arguments, LIMIT, |_, it| Half::start(it))?;
    let mut running = pair.first;
    ensure!(running.wait()? == Exit::Code(0), "{:?}", running.stderr());
    ensure!(running.stderr().is_empty(), "{:?}", running.stderr());

    let (inner, outer) = apart(lesson, running.stdout());
    compare("parent", &parent.lines, &outer)?;
    match lesson.child_lines() {
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
        let mut command = lesson.half(language, &half)?;
        let mut running = Half::start(command.args(arguments))?;
        ensure!(running.wait()? == Exit::Code(0), "{:?}", running.stderr());
        compare(&half, &transcript.lines, &running.stdout())?;
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
