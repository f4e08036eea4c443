//! What work-queue promises, over both brokers: no job is lost, whoever is
//! killed.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use harness::rabbit::{self, Rabbit};
use harness::redis::{DURABLE, Redis};
use harness::{Exit, Half, Language, Signal};

use harness::testing::broker::{growing, nobody, pause_in};
use harness::testing::ends::{SIGNALS, TWO_SECONDS};
use harness::testing::random::Random;
use harness::testing::relay::Relay;
use harness::testing::server::{
    copied_without_packages, ends_unread, lesson, start_unread, tool,
};
use harness::testing::{NODE, Need, Test, both, test};

type Promise = fn(Language, &At) -> Result<()>;
type RedisPromise = fn(Language) -> Result<()>;

pub fn tests() -> Vec<Test> {
    let of_both_brokers: &[(&str, Promise)] = &[
        ("jobs_wait_for_the_first_worker", first_worker),
        ("several_workers_share_the_work", share),
        ("a_busy_worker_keeps_no_more_than_its_prefetch", prefetch),
        ("a_dead_workers_job_is_taken_over", take_over),
        (
            "a_job_that_fails_over_and_over_is_a_dead_letter",
            dead_letter,
        ),
        ("what_a_killed_producer_called_stored_is_done", killed),
        ("a_job_that_kills_its_workers_is_a_dead_letter", deadly),
        ("both_halves_outlive_a_broken_connection", broken),
        ("ctrl_c_ends_the_wait_and_not_the_work", ctrl_c),
        ("ctrl_c_cuts_long_work_and_the_job_comes_again", cut),
        ("ctrl_c_without_an_answer_says_what_is_not_known", no_answer),
        ("a_closed_stdout_ends_both_halves_quietly", unread),
        (
            "without_a_broker_it_says_so_without_the_password",
            no_broker,
        ),
        ("the_pause_grows_until_a_job_is_done", cut_off),
        ("what_a_client_would_ignore_in_a_url_is_refused", odd_urls),
    ];
    // Over RabbitMQ also in Rust with the packages of Node: redis-cli has no
    // counterpart there.
    let of_any_bytes: &[(&str, Promise)] = &[
        ("a_dead_letter_has_the_bytes_of_the_job", dead_bytes),
        (
            "a_job_of_16_mib_is_done_whole_or_a_whole_dead_letter",
            large,
        ),
    ];
    let of_redis: &[(&str, RedisPromise)] = &[
        ("both_halves_outlive_a_killed_redis", killed_redis),
        (
            "the_stream_holds_what_is_not_done_and_nothing_else",
            trimmed,
        ),
        ("a_job_that_takes_too_long_is_done_twice", too_long),
        ("a_redis_that_forgets_is_warned_of", forgetful),
        ("a_failed_dead_letter_keeps_the_job", no_dead_letter),
        ("a_refusal_ends_both_halves_with_the_reason", refused),
        ("the_pause_grows_while_redis_refuses_to_store", not_stored),
        ("help_and_mistakes", help),
    ];
    let packages = Need::Packages("work-queue");
    let mut tests = Vec::new();
    let with_any_bytes = of_any_bytes.iter().map(|test| (test, true));
    let others = of_both_brokers.iter().map(|test| (test, false));
    for (&(name, run), any_bytes) in others.chain(with_any_bytes) {
        let over = |broker: &str| format!("{name}::{broker}");
        let [rust, node] =
            both(&over("redis"), move |language| run(language, &At::redis()?));
        tests
            .extend([rust, node.needs(packages)].map(|t| t.needs(Need::Redis)));
        let [rust, node] = both(&over("rabbitmq"), move |language| {
            run(language, &At::rabbit()?)
        });
        let rust = if any_bytes {
            rust.needs(NODE).needs(packages)
        } else {
            rust
        };
        let needs = |test: Test| test.needs(Need::RabbitMq);
        tests.extend([rust, node.needs(packages)].map(needs));
    }
    for &(name, run) in of_redis {
        let [rust, node] = both(name, run);
        tests
            .extend([rust, node.needs(packages)].map(|t| t.needs(Need::Redis)));
    }
    let of_rabbit: &[(&str, Promise)] = &[
        ("a_returned_dead_letter_keeps_the_job", returned),
        ("a_queue_of_another_kind_ends_a_worker", replaced),
        ("a_name_that_is_too_long_is_refused", names),
    ];
    for &(name, run) in of_rabbit {
        let [rust, node] =
            both(name, move |language| run(language, &At::rabbit()?));
        let needs = |test: Test| test.needs(Need::RabbitMq).needs(packages);
        tests.extend([rust.needs(NODE), node].map(needs));
    }
    tests.push(
        test("without_its_packages_it_says_what_to_type", no_packages)
            .needs(NODE),
    );
    let fault = "of_10000_jobs_none_is_lost_whoever_is_killed";
    tests.extend([
        test(format!("{fault}::redis"), || {
            let mut redis = Redis::start(&DURABLE)?;
            let url = redis.url();
            fault_test("redis", Language::Rust, url, 4, || {
                redis.kill()?;
                redis.start_again()
            })
        })
        .needs(Need::Redis)
        .needs(NODE)
        .needs(packages)
        .long(),
        test(format!("{fault}::rabbitmq"), || {
            let mut rabbit = Rabbit::start()?;
            let url = rabbit.url();
            fault_test("rabbitmq", Language::Node, url, 2, || {
                rabbit.kill()?;
                rabbit.start_again()
            })
        })
        .needs(Need::RabbitMq)
        .needs(NODE)
        .needs(packages)
        .long(),
    ]);
    tests
        .into_iter()
        .map(|test| test.of("work-queue").needs(Need::Unix))
        .collect()
}

/// A queue that no other test uses.
struct At {
    url: String,
    queue: String,
    /// Its own server, where it is not RabbitMQ.
    redis: Option<Redis>,
}

impl At {
    fn redis() -> Result<Self> {
        let redis = Redis::start(&DURABLE)?;
        Ok(Self {
            url: redis.url(),
            queue: "jobs".to_owned(),
            redis: Some(redis),
        })
    }

    fn rabbit() -> Result<Self> {
        static NUMBER: std::sync::atomic::AtomicU64 =
            std::sync::atomic::AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(Self {
            url: rabbit::shared()?,
            queue: format!("jobs-{number}"),
            redis: None,
        })
    }

    fn half(
        &self,
        language: Language,
        name: &str,
        queue: &str,
        arguments: &[&str],
    ) -> Result<Half> {
        let mut command = half_at(&self.url, language, name)?;
        let arguments = known(&self.url, arguments);
        Half::start(command.arg(queue).args(arguments))
    }

    /// Is it RabbitMQ?
    fn is_amqp(&self) -> bool {
        self.url.starts_with("amqp")
    }

    fn scheme(&self) -> &'static str {
        if self.is_amqp() { "amqp" } else { "redis" }
    }

    /// A worker that is ready.
    fn worker(&self, language: Language, arguments: &[&str]) -> Result<Half> {
        let worker = self.half(language, "worker", &self.queue, arguments)?;
        worker.wait_for("listening on ")?;
        Ok(worker)
    }

    /// Adds `count` jobs in one go.
    fn add(&self, language: Language, count: usize) -> Result<()> {
        let batch = count.to_string();
        let all = ["--count", "1", "--batch", &batch];
        let mut producer =
            self.half(language, "producer", &self.queue, &all)?;
        let exit = producer.wait()?;
        ensure!(exit == Exit::Code(0), "{exit:?}: {:?}", producer.stderr());
        let stored: Vec<String> =
            (1..=count).map(|n| format!("stored: job {n}")).collect();
        ensure!(producer.stdout() == stored, "{:?}", producer.stdout());
        Ok(())
    }
}

/// The half called `name` for the broker at `url`, without other arguments.
fn half_at(url: &str, language: Language, name: &str) -> Result<Command> {
    let lesson = lesson("work-queue")?;
    let mut command;
    if url.starts_with("amqp") {
        command = lesson.half(language, &format!("amqp-{name}"))?;
        command.args(["--amqp", url]);
    } else {
        command = lesson.half(language, name)?;
        command.args(["--redis", url]);
    }
    Ok(command)
}

/// Without `--idle` for RabbitMQ, which gives a job to another worker as soon
/// as the connection ends.
fn known<'a>(url: &str, arguments: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = arguments.to_vec();
    let idle = arguments.iter().position(|argument| *argument == "--idle");
    if let Some(at) = idle
        && url.starts_with("amqp")
    {
        arguments.drain(at..at + 2);
    }
    arguments
}

/// A producer that waits for an answer which never comes, and all that it
/// had said before.
fn unanswered(language: Language, at: &At) -> Result<(Half, Relay)> {
    let (relay, url) = relay_to(at)?;
    let mut command = half_at(&url, language, "producer")?;
    command.args([&at.queue, "--every", "10"]);
    let producer = Half::start(&mut command)?;
    producer.wait_for_lines(5, "stored: ")?;
    relay.fall_silent()?;
    Ok((producer, relay))
}

/// A way to the broker, and its URL.
fn relay_to(at: &At) -> Result<(Relay, String)> {
    let relay = Relay::to(&at.url)?;
    let url = relay.url(at.scheme());
    Ok((relay, url))
}

/// Soon given to others, where it is the time that decides.
const SOON: [&str; 2] = ["--idle", "200"];

/// Work without an end.
const LONG: [&str; 4] = ["--idle", "200", "--work", "3600000"];

fn lines_of(half: &Half, start: &str) -> Vec<String> {
    let lines = half.stdout().into_iter();
    lines.filter(|line| line.starts_with(start)).collect()
}

fn first_worker(language: Language, at: &At) -> Result<()> {
    at.add(language, 3)?;
    let mut worker = at.worker(language, &[])?;
    worker.wait_for_lines(3, "done: ")?;
    ensure!(worker.stop(Signal::Interrupt)? == Exit::Code(0));
    let expected = [1, 2, 3].map(|n| format!("done: job {n}"));
    ensure!(lines_of(&worker, "done: ") == expected);
    ensure!(worker.stderr().is_empty(), "{:?}", worker.stderr());
    // Nothing is left for the next one.
    at.add(language, 1)?;
    let next = at.worker(language, &[])?;
    next.wait_for("done: ")?;
    ensure!(lines_of(&next, "taken: ") == ["taken: job 1"]);
    Ok(())
}

fn share(language: Language, at: &At) -> Result<()> {
    let work = ["--work", "20"];
    let workers = [at.worker(language, &work)?, at.worker(language, &work)?];
    at.add(language, 40)?;
    let all = || -> Vec<String> {
        let done = workers.iter().map(|worker| lines_of(worker, "done: "));
        done.flatten().collect()
    };
    // Whoever is first done with half of it waits for the other.
    for worker in &workers {
        worker.wait_for("done: ")?;
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    while all().len() < 40 {
        ensure!(Instant::now() < deadline, "{:?}", all());
        thread::yield_now();
    }
    let each: BTreeSet<String> = all().into_iter().collect();
    ensure!(each.len() == 40, "{each:?}");
    Ok(())
}

fn prefetch(language: Language, at: &At) -> Result<()> {
    at.add(language, 3)?;
    let never = ["--idle", "3600000"]; // what it holds, it keeps
    let endless = [&never[..], &["--work", "3600000"]].concat();
    let busy = at.worker(language, &endless)?;
    busy.wait_for("taken: job 1")?;
    let other = at.worker(language, &never)?;
    other.wait_for("done: job 2")?;
    other.wait_for("done: job 3")?;
    Ok(())
}

fn take_over(language: Language, at: &At) -> Result<()> {
    at.add(language, 1)?;
    let mut dies = at.worker(language, &LONG)?;
    dies.wait_for("taken: job 1")?;
    ensure!(dies.stop(Signal::Kill)? == Exit::Signal(9));
    let heir = at.worker(language, &SOON)?;
    heir.wait_for("done: job 1")?;
    Ok(())
}

fn killed(language: Language, at: &At) -> Result<()> {
    // Killed when its last jobs have not reached the broker.
    let (mut producer, _relay) = unanswered(language, at)?;
    ensure!(producer.stop(Signal::Kill)? == Exit::Signal(9));
    all_done(&at.worker(language, &SOON)?, &producer)
}

fn dead_letter(language: Language, at: &At) -> Result<()> {
    at.add(language, 3)?;
    let fails = ["--idle", "200", "--fail", "job 2"];
    let worker = at.worker(language, &fails)?;
    worker.wait_for("dead letter: job 2 (try 3 of 3)")?;
    let failed = lines_of(&worker, "failed: ");
    let expected = [1, 2].map(|n| format!("failed: job 2 (try {n} of 3)"));
    ensure!(failed == expected, "{failed:?}");
    worker.wait_for("done: job 1")?;
    worker.wait_for("done: job 3")?;
    // Not killed: the line is printed before the job is there.
    let mut worker = worker;
    ensure!(worker.stop(Signal::Interrupt)? == Exit::Code(0));
    // Dead letters are a queue like any other.
    let dead = format!("{}.dead", at.queue);
    let reader = at.half(language, "worker", &dead, &[])?;
    reader.wait_for("done: job 2")?;
    ensure!(lines_of(&reader, "taken: ").len() == 1);
    Ok(())
}

/// For Node: puts stdin's bytes into a queue of RabbitMQ, or prints those of
/// its first job, in hexadecimal; deletes the queue, or makes another one of
/// the same name.
const AMQP: &str = r"
const [amqplib, url, queue, verb] = process.argv.slice(1)
async function main() {
  const connection = await require(amqplib).connect(url)
  const channel = await connection.createConfirmChannel()
  if (verb === 'put') {
    channel.sendToQueue(queue, require('fs').readFileSync(0))
    await channel.waitForConfirms()
  } else if (verb === 'delete' || verb === 'replace') {
    await channel.deleteQueue(queue)
    if (verb === 'replace') await channel.assertQueue(queue)
  } else {
    const { content } = await channel.get(queue, { noAck: true })
    console.log(content.toString('hex'))
  }
  await connection.close()
}
main()
";

impl At {
    fn amqp(&self, queue: &str, verb: &str, bytes: &[u8]) -> Result<String> {
        let amqplib = "node_modules/amqplib";
        let amqplib = lesson("work-queue")?.folder().join(amqplib);
        let amqplib = amqplib.to_str().context("its path is no text")?;
        let arguments = ["-e", AMQP, amqplib, &self.url, queue, verb];
        Ok(tool("node", &arguments, bytes)?.concat())
    }

    /// Adds a job that no producer adds: its argument would have to be text,
    /// and short.
    fn put(&self, bytes: &[u8]) -> Result<()> {
        if self.is_amqp() {
            self.amqp(&self.queue, "put", bytes)?;
        } else {
            let redis = self.redis.as_ref().context("Redis")?;
            let queue = self.queue.as_bytes();
            redis.command(&[b"XADD", queue, b"*", b"job", bytes])?;
        }
        Ok(())
    }
}

fn dead_bytes(language: Language, at: &At) -> Result<()> {
    let fails = ["--idle", "100", "--tries", "2", "--fail", "caf"];
    let mut worker = at.worker(language, &fails)?;
    // No UTF-8, a NUL, a line end: and one that is taken over on its way.
    at.put(b"caf\xe9 \x00\xff\r\n\xf0\x9f\x98")?;
    worker.wait_for("dead letter: caf\u{FFFD} ")?;
    ensure!(worker.stop(Signal::Interrupt)? == Exit::Code(0));
    let dead = format!("{}.dead", at.queue);
    if at.is_amqp() {
        let shown = at.amqp(&dead, "get", b"")?;
        ensure!(shown == "636166e92000ff0d0af09f98", "{shown}");
    } else {
        let redis = at.redis.as_ref().context("Redis")?;
        let shown = redis.command(&["XRANGE", &dead, "-", "+"])?;
        let bytes = r"caf\xe9 \x00\xff\r\n\xf0\x9f\x98";
        ensure!(shown.iter().any(|line| line == bytes), "{shown:?}");
    }
    Ok(())
}

fn large(language: Language, at: &At) -> Result<()> {
    let fails = ["--tries", "1", "--fail", "x"];
    let mut worker = at.worker(language, &fails)?;
    at.put(&vec![b'x'; 16 * 1024 * 1024])?;
    let shown = format!("{}… (16777216 bytes)", "x".repeat(160));
    worker.wait_for(&format!("dead letter: {shown}"))?;
    ensure!(worker.stop(Signal::Interrupt)? == Exit::Code(0));
    let dead = format!("{}.dead", at.queue);
    let reader = at.half(language, "worker", &dead, &[])?;
    reader.wait_for(&format!("done: {shown}"))?;
    Ok(())
}

fn deadly(language: Language, at: &At) -> Result<()> {
    at.add(language, 1)?;
    let mut twice = LONG.to_vec();
    twice.extend(["--tries", "2"]);
    for _ in 0..2 {
        let mut dies = at.worker(language, &twice)?;
        dies.wait_for("taken: job 1")?;
        ensure!(dies.stop(Signal::Kill)? == Exit::Signal(9));
    }
    let survives = at.worker(language, &twice)?;
    survives.wait_for("dead letter: job 1 (try 3 of 2)")?;
    Ok(())
}

fn broken(language: Language, at: &At) -> Result<()> {
    let (relay, url) = relay_to(at)?;
    let start = |name: &str, arguments: &[&str]| {
        let mut command = half_at(&url, language, name)?;
        let arguments = known(&url, arguments);
        Half::start(command.arg(&at.queue).args(arguments))
    };
    let worker = start("worker", &SOON)?;
    worker.wait_for("listening on ")?;
    let pace = ["--every", "20", "--count", "200"];
    let mut producer = start("producer", &pace)?;
    worker.wait_for("done: job 5")?;
    relay.cut();
    for half in [&worker, &producer] {
        half.wait_for_error("; next try in ")?;
    }
    relay.mend();
    worker.wait_for(&format!("listening on {} again", at.queue))?;
    ensure!(producer.wait()? == Exit::Code(0), "{:?}", producer.stderr());
    // Also the one that it had in hand.
    let jobs = (1..=200).map(|number| format!("stored: job {number}"));
    ensure!(producer.stdout().into_iter().eq(jobs), "others");
    all_done(&worker, &producer)
}

/// Waits until the worker has done all that the producer had called stored.
fn all_done(worker: &Half, producer: &Half) -> Result<()> {
    for stored in lines_of(producer, "stored: ") {
        let done = stored.replace("stored", "done");
        let there = |lines: &[String]| lines.contains(&done).then_some(());
        worker.wait_until(&done, there)?;
    }
    Ok(())
}

fn ctrl_c(language: Language, at: &At) -> Result<()> {
    at.add(language, 2)?;
    let mut worker = at.worker(language, &["--work", "200"])?;
    worker.wait_for("taken: job 1")?;
    ensure!(worker.stop(Signal::Interrupt)? == Exit::Code(0));
    let lines = worker.stdout();
    ensure!(lines[1..] == ["taken: job 1", "done: job 1"], "{lines:?}");
    // Its acknowledgement has arrived: nobody does it again. With Redis, a
    // job that was just being handed out stays pending for a while.
    let next = at.worker(language, &SOON)?;
    next.wait_for("done: job 2")?;
    ensure!(lines_of(&next, "taken: ") == ["taken: job 2"]);
    let mut waits = at.worker(language, &[])?;
    ensure!(waits.stop(Signal::Terminate)? == Exit::Code(0));
    ensure!(waits.stderr().is_empty(), "{:?}", waits.stderr());
    // A producer that has nothing in hand, as most of the time.
    for signal in SIGNALS {
        let mut producer = at.half(language, "producer", &at.queue, &SELDOM)?;
        producer.wait_for("stored: job 1")?;
        ensure!(producer.stop(signal)? == Exit::Code(0), "{signal:?}");
        ensure!(producer.stderr().is_empty(), "{:?}", producer.stderr());
    }
    Ok(())
}

/// Once, and then not while a test runs.
const SELDOM: [&str; 2] = ["--every", "3600000"];

fn cut(language: Language, at: &At) -> Result<()> {
    at.add(language, 1)?;
    let mut worker = at.worker(language, &LONG)?;
    worker.wait_for("taken: job 1")?;
    worker.ends_on(Signal::Interrupt)?;
    ensure!(lines_of(&worker, "done: ").is_empty());
    let next = at.worker(language, &SOON)?;
    next.wait_for("done: job 1")?;
    Ok(())
}

fn no_answer(language: Language, at: &At) -> Result<()> {
    let (mut producer, _relay) = unanswered(language, at)?;
    producer.signal(Signal::Interrupt)?;
    let exit = producer.wait_at_most(TWO_SECONDS)?;
    ensure!(exit == Exit::Code(1), "{exit:?}: {:?}", producer.stderr());
    let next = 1 + lines_of(&producer, "stored: ").len();
    let said = format!("Error: perhaps not stored: job {next}: no answer");
    ensure!(producer.stderr().contains(&said), "{:?}", producer.stderr());
    Ok(())
}

fn unread(language: Language, at: &At) -> Result<()> {
    // It gives the worker something to say, again and again.
    let often: &[&str] = &["--every", "5"];
    let _adds = at.half(Language::Rust, "producer", &at.queue, often)?;
    for (name, arguments) in [("producer", often), ("worker", &[])] {
        let mut command = half_at(&at.url, language, name)?;
        command.arg(&at.queue);
        let (mut half, _) = start_unread(command.args(arguments))?;
        ends_unread(&mut half, || ()).context(name)?;
    }
    Ok(())
}

fn no_broker(language: Language, at: &At) -> Result<()> {
    for name in ["worker", "producer"] {
        nobody(at.scheme(), |url| half_at(url, language, name))?;
    }
    Ok(())
}

fn killed_redis(language: Language) -> Result<()> {
    let mut redis = Redis::start(&DURABLE)?;
    let url = redis.url();
    let start = |name: &str, arguments: &[&str]| {
        Half::start(half_at(&url, language, name)?.args(arguments))
    };
    let worker = start("worker", &SOON)?;
    worker.wait_for("listening on jobs")?;
    let pace = ["--count", "40", "--every", "20"];
    let mut producer = start("producer", &pace)?;
    worker.wait_for("done: job 5")?;
    redis.kill()?;
    worker.wait_for_error("; next try in ")?;
    producer.wait_for_error("; next try in ")?;
    redis.start_again()?;
    worker.wait_for("listening on jobs again")?;
    ensure!(producer.wait()? == Exit::Code(0), "{:?}", producer.stderr());
    for number in 1..=40 {
        worker.wait_for(&format!("done: job {number}"))?;
    }
    // Ctrl-C while the broker is away: a producer says what it still has.
    let mut producer = start("producer", &["--every", "20"])?;
    producer.wait_for("stored: job 1")?;
    redis.kill()?;
    producer.wait_for_error("; next try in ")?;
    ensure!(producer.stop(Signal::Interrupt)? == Exit::Code(1));
    producer.wait_for_error("perhaps not stored: job ")?;
    Ok(())
}

fn trimmed(language: Language) -> Result<()> {
    let redis = Redis::start(&DURABLE)?;
    let at = At {
        url: redis.url(),
        queue: "jobs".to_owned(),
        redis: None,
    };
    at.add(language, 3)?;
    let holds = at.worker(language, &["--work", "3600000"])?;
    holds.wait_for("taken: job 1")?;
    let mut worker = at.worker(language, &["--fail", "job 100"])?;
    at.add(language, 100)?;
    // The last one: then all the others are done.
    worker.wait_for("failed: job 100")?;
    ensure!(worker.stop(Signal::Interrupt)? == Exit::Code(0));
    // What the first worker holds, and what has failed once.
    ensure!(redis.command(&["XLEN", "jobs"])? == ["2"], "not trimmed");
    let pending = redis.command(&["XPENDING", "jobs", "workers"])?;
    ensure!(pending[0] == "2", "{pending:?}");
    Ok(())
}

fn too_long(language: Language) -> Result<()> {
    let at = At::redis()?;
    at.add(language, 1)?;
    let slow = at.worker(language, &["--idle", "200", "--work", "1000"])?;
    slow.wait_for("taken: job 1")?;
    slow.signal(Signal::Freeze)?;
    let other = at.worker(language, &SOON)?;
    other.wait_for("done: job 1")?;
    slow.signal(Signal::Thaw)?;
    slow.wait_for("done: job 1")?;
    Ok(())
}

fn forgetful(language: Language) -> Result<()> {
    for (settings, warns) in [(&DURABLE[..2], true), (&DURABLE[..], false)] {
        let redis = Redis::start(settings)?;
        let at = At {
            url: redis.url(),
            queue: "jobs".to_owned(),
            redis: Some(redis),
        };
        let mut worker = at.worker(language, &[])?;
        ensure!(worker.stop(Signal::Interrupt)? == Exit::Code(0));
        let stderr = worker.stderr();
        let warned = stderr.iter().any(|line| line.contains("forgets"));
        ensure!(warned == warns, "{stderr:?}");
    }
    Ok(())
}

fn help(language: Language) -> Result<()> {
    let start = |name: &str, arguments: &[&str]| {
        let mut command = lesson("work-queue")?.half(language, name)?;
        Half::start(command.args(arguments))
    };
    for (name, options) in [
        ("worker", ["--redis", "--idle"]),
        ("producer", ["--redis", "--batch"]),
        ("amqp-worker", ["--amqp", "--prefetch"]),
        ("amqp-producer", ["--amqp", "--batch"]),
    ] {
        let mut program = start(name, &["--help"])?;
        ensure!(program.wait()? == Exit::Code(0));
        let text = program.stdout().join("\n");
        for option in options {
            ensure!(text.contains(option), "{option} not in {text}");
        }
        let mut program = start(name, &["--no-such-thing"])?;
        ensure!(program.wait()? == Exit::Code(2));
        start(name, &[options[0], "http://here"])?.fails(&["expected "])?;
    }
    for (name, zero) in [("amqp-worker", "--prefetch"), ("worker", "--idle")] {
        let mut program = start(name, &[zero, "0"])?;
        ensure!(program.wait()? == Exit::Code(2));
    }
    Ok(())
}

fn cut_off(language: Language, at: &At) -> Result<()> {
    let (relay, url) = relay_to(at)?;
    let mut command = half_at(&url, language, "worker")?;
    let worker = Half::start(command.arg(&at.queue))?;
    worker.wait_for("listening on ")?;
    // Each time, it connects without any trouble.
    let again = format!("listening on {} again", at.queue);
    for time in 1..=4 {
        relay.cut();
        relay.mend();
        worker.wait_for_lines(time, &again)?;
    }
    growing(&worker, 4)?;
    // A job: from now on it begins anew.
    at.add(language, 2)?;
    worker.wait_for("taken: job 2")?; // so that job 1 is acknowledged
    let before = worker.stderr().len();
    relay.cut();
    relay.mend();
    worker.wait_for_lines(5, &again)?;
    let next = worker.stderr().get(before).cloned().unwrap_or_default();
    ensure!(pause_in(&next).is_some_and(|pause| pause <= 100), "{next}");
    Ok(())
}

fn not_stored(language: Language) -> Result<()> {
    let at = At::redis()?;
    let redis = at.redis.as_ref().context("Redis")?;
    // It accepts every connection, and no change.
    let replicas = ["CONFIG", "SET", "min-replicas-to-write"];
    redis.command(&[&replicas[..], &["1"]].concat())?;
    let once = ["--count", "1"];
    let mut producer = at.half(language, "producer", "jobs", &once)?;
    growing(&producer, 4)?;
    ensure!(producer.stdout().is_empty(), "{:?}", producer.stdout());
    redis.command(&[&replicas[..], &["0"]].concat())?;
    ensure!(producer.wait()? == Exit::Code(0), "{:?}", producer.stderr());
    ensure!(producer.stdout() == ["stored: job 1"]);
    Ok(())
}

fn refused(language: Language) -> Result<()> {
    let at = At::redis()?;
    let redis = at.redis.as_ref().context("Redis")?;
    for (name, command) in [("producer", "xadd"), ("worker", "xreadgroup")] {
        let forbid = format!("-{command}");
        redis.command(&["ACL", "SETUSER", "default", &forbid])?;
        at.half(language, name, "jobs", &[])?.fails(&[command])?;
    }
    Ok(())
}

fn no_dead_letter(language: Language) -> Result<()> {
    let at = At::redis()?;
    let redis = at.redis.as_ref().context("Redis")?;
    redis.command(&["SET", "jobs.dead", "something else"])?;
    at.add(language, 1)?;
    let fails = ["--fail", "job", "--tries", "1"];
    let mut worker = at.worker(language, &fails)?;
    worker.fails(&["WRONGTYPE"])?;
    ensure!(redis.command(&["XLEN", "jobs"])? == ["1"], "it is lost");
    let pending = redis.command(&["XPENDING", "jobs", "workers"])?;
    ensure!(pending[0] == "1", "{pending:?}");
    Ok(())
}

fn returned(language: Language, at: &At) -> Result<()> {
    at.add(language, 1)?;
    let fails = ["--fail", "job", "--tries", "1", "--work", "1000"];
    let mut worker = at.worker(language, &fails)?;
    worker.wait_for("taken: job 1")?;
    worker.signal(Signal::Freeze)?;
    let dead = format!("{}.dead", at.queue);
    at.amqp(&dead, "delete", b"")?;
    worker.signal(Signal::Thaw)?;
    // Returned, as there is no such queue; made again on the next connection.
    worker.wait_for_lines(2, "dead letter: job 1")?;
    worker.wait_for_error("; next try in ")?;
    ensure!(worker.stop(Signal::Interrupt)? == Exit::Code(0));
    let reader = at.half(language, "worker", &dead, &[])?;
    reader.wait_for("done: job 1")?;
    Ok(())
}

fn replaced(language: Language, at: &At) -> Result<()> {
    let mut worker = at.worker(language, &[])?;
    at.amqp(&at.queue, "replace", b"")?;
    let exit = worker.wait()?;
    ensure!(exit == Exit::Code(1), "{exit:?}: {:?}", worker.stdout());
    let last = worker.stderr().pop().unwrap_or_default();
    ensure!(last.starts_with("Error: "), "{last}");
    ensure!(last.contains("PRECONDITION_FAILED"), "{last}");
    Ok(())
}

fn names(language: Language, at: &At) -> Result<()> {
    // With ".dead" after it, it has 255 bytes.
    let longest = format!("{:x<250}", at.queue);
    let once = ["--count", "1"];
    let mut producer = at.half(language, "producer", &longest, &once)?;
    ensure!(producer.wait()? == Exit::Code(0), "{:?}", producer.stderr());
    for name in [format!("{longest}x"), String::new()] {
        for half in ["producer", "worker"] {
            at.half(language, half, &name, &[])?.fails(&["name"])?;
        }
    }
    // A virtual host is a name as well.
    let url = format!("{}/{}", at.url, "x".repeat(256));
    let mut half = Half::start(&mut half_at(&url, language, "producer")?)?;
    half.fails(&[])
}

fn odd_urls(language: Language, at: &At) -> Result<()> {
    let scheme = at.scheme();
    // Nobody is there; certainly not the broker that listens on 127.0.0.1.
    let port = at.url.rsplit(':').next().unwrap_or_default();
    let port = if at.is_amqp() { port } else { "1" };
    let there = format!("{scheme}://guest:guest@[::1]:{port}");
    let mut wrong = vec![there];
    for rest in [
        ":localhost",
        "://",
        ":///0",
        "://:6379",
        "://top-secret@localhost",
        "://user:@localhost",
        "://user:123#top-secret@localhost",
        "://localhost:0",
        "://localhost/?heartbeat=top-secret",
    ] {
        wrong.push(format!("{scheme}{rest}"));
    }
    for url in wrong {
        for name in ["worker", "producer"] {
            let mut half = Half::start(&mut half_at(&url, language, name)?)?;
            half.fails(&[]).with_context(|| url.clone())?;
            let error = half.stderr().concat();
            ensure!(!error.contains("secret"), "{error}");
            let tried = error.contains("connect to ");
            ensure!(tried == url.contains("[::1]"), "{url}: {error}");
        }
    }
    Ok(())
}

fn no_packages() -> Result<()> {
    let halves = ["worker", "producer", "amqp-worker", "amqp-producer"];
    copied_without_packages("work-queue", &halves)
}

const JOBS: usize = 10_000;

/// Several workers, some of which are killed meanwhile.
struct Workers {
    running: Vec<(Language, Half)>,
    /// What those that were killed had printed.
    lines: Vec<String>,
}

impl Workers {
    /// What all of them have printed that begins so.
    fn printed(&self, start: &str) -> Vec<String> {
        let running = self.running.iter().flat_map(|(_, half)| half.stdout());
        let all = running.chain(self.lines.iter().cloned());
        all.filter(|line| line.starts_with(start)).collect()
    }

    /// How often each job was done.
    fn done(&self) -> BTreeMap<String, u32> {
        let mut times = BTreeMap::new();
        for line in self.printed("done: ") {
            *times.entry(line).or_default() += 1;
        }
        times
    }

    /// Waits until so many different jobs are done.
    fn wait_for(&self, count: usize, until: Instant) -> Result<()> {
        loop {
            let done = self.done().len();
            if done >= count {
                return Ok(());
            }
            ensure!(
                Instant::now() < until,
                "only {done} of {count} jobs were done in time; {:?}; {}",
                self.printed("dead letter: "),
                last_words(self.running.iter().map(|(_, half)| half))
            );
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// What each one said last, for when it hangs.
fn last_words<'a>(halves: impl Iterator<Item = &'a Half>) -> String {
    let last = |lines: Vec<String>| lines.last().cloned().unwrap_or_default();
    halves
        .map(|half| {
            let (stdout, stderr) = (last(half.stdout()), last(half.stderr()));
            format!("{}: {stdout:?}, {stderr:?}; ", half.id())
        })
        .collect()
}

/// Numbered jobs, and SIGKILL for workers and broker alike, at random times:
/// after a random number of jobs, so that it falls into the work on a slow
/// machine too. The producer is of `language`.
fn fault_test(
    name: &str,
    language: Language,
    url: String,
    broker_kills: usize,
    mut restart: impl FnMut() -> Result<()>,
) -> Result<()> {
    let mut random = Random(10_000);
    let worker = |language: Language| {
        let mut command = half_at(&url, language, "worker")?;
        command.args(["--tries", "50"]);
        command.args(match url.starts_with("amqp") {
            true => ["--prefetch", "10"],
            false => ["--idle", "1000"],
        });
        Half::start(&mut command)
    };
    let languages = [Language::Rust, Language::Node, Language::Rust];
    let running = languages
        .into_iter()
        .map(|language| Ok((language, worker(language)?)))
        .collect::<Result<_>>()?;
    let lines = Vec::new();
    let mut workers = Workers { running, lines };
    let mut command = half_at(&url, language, "producer")?;
    command.args(["--batch", "50", "--count", "200", "--every", "5"]);
    let mut producer = Half::start(&mut command)?;
    // From now on: before, all these had to be built.
    let begun = Instant::now();
    let until = begun + Duration::from_secs(300); // cores may be very busy

    // When to kill: after this many jobs, and whom.
    let kills = 16;
    let mut below = |most: usize| random.below(most as u64) as usize;
    let mut plan: Vec<(usize, bool)> = (0..kills + broker_kills)
        .map(|i| (below(JOBS - 500), i < broker_kills))
        .collect();
    plan.sort_unstable();
    for (after, is_broker) in plan {
        workers
            .wait_for(after, until)
            .with_context(|| last_words([&producer].into_iter()))?;
        if is_broker {
            restart()?;
        } else {
            let index = below(workers.running.len());
            let (language, victim) = &mut workers.running[index];
            victim.stop(Signal::Kill)?;
            workers.lines.extend(victim.stdout());
            *victim = worker(*language)?;
        }
    }
    workers
        .wait_for(JOBS, until)
        .with_context(|| last_words([&producer].into_iter()))?;
    ensure!(producer.wait()? == Exit::Code(0), "{:?}", producer.stderr());

    let done = workers.done();
    let added = (1..=JOBS).map(|number| format!("done: job {number}"));
    if !added.collect::<BTreeSet<_>>().iter().eq(done.keys()) {
        bail!("not the jobs that were added");
    }
    // With fewer deaths than --tries, nobody may give a job up.
    let dead = workers.printed("dead letter: ");
    ensure!(dead.is_empty(), "{dead:?}");
    let twice = done.values().filter(|times| **times > 1).count();
    let most = done.values().max().unwrap_or(&0);
    eprintln!(
        "{name}: {JOBS} jobs, {kills} workers and {broker_kills} brokers \
         killed in {:.0} s: none lost, {twice} done more than once (at most \
         {most} times)",
        begun.elapsed().as_secs_f64(),
    );
    Ok(())
}
