//! What redis-pubsub promises, and what Redis does not: each way to lose a
//! message is made to happen, with a real server.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use harness::redis::Redis;
use harness::{Exit, Half, Language, Signal};

use harness::testing::broker::{growing, nobody, pause_in};
use harness::testing::ends::{SIGNALS, TWO_SECONDS};
use harness::testing::relay::Relay;
use harness::testing::server::{
    copied_without_packages, ends_unread, lesson, start_unread,
};
use harness::testing::{NODE, Need, Test, both, test};

type Promise = fn(Language) -> Result<()>;

pub fn tests() -> Vec<Test> {
    let promises: &[(&str, Promise)] = &[
        ("published_before_anybody_listened_is_lost", before),
        ("published_during_a_restart_is_lost_and_it_is_said", restart),
        (
            "passed_on_to_a_consumer_that_is_then_killed_is_lost",
            killed,
        ),
        (
            "over_the_limit_a_slow_consumer_loses_what_was_passed_on",
            slow,
        ),
        ("the_pause_before_the_next_try_grows", growing_pause),
        ("each_consumer_gets_each_message", two_consumers),
        ("a_pattern_gets_the_channels_that_match", pattern),
        ("text_from_a_peer_cannot_drive_the_terminal", hostile_text),
        ("a_message_of_16_mib_arrives_whole", large),
        ("redis_over_tcp_works_too", tcp),
        ("what_a_client_would_ignore_in_a_url_is_refused", odd_urls),
        ("a_refusal_ends_a_consumer_with_the_reason", refused),
        ("the_pause_grows_until_a_message_has_arrived", cut_off),
        (
            "without_a_server_there_it_says_so_without_the_password",
            without_redis,
        ),
        ("ctrl_c_ends_a_consumer_and_a_producer", ctrl_c),
        (
            "a_producer_whose_server_dies_says_what_is_not_known",
            no_answer,
        ),
        ("ctrl_c_without_an_answer_says_what_is_not_known", frozen),
        ("a_closed_stdout_ends_both_halves_quietly", unread),
        ("help_and_mistakes", help),
    ];
    let mut tests: Vec<Test> = promises
        .iter()
        .flat_map(|(name, run)| {
            let [rust, node] = both(name, *run);
            [rust, node.needs(Need::Packages("redis-pubsub"))]
        })
        .collect();
    tests.push(
        test("without_its_packages_it_says_what_to_type", no_packages)
            .needs(NODE),
    );
    tests.push(
        test("ioredis_understands_both_halves", ioredis)
            .needs(NODE)
            .needs(Need::Packages("redis-pubsub")),
    );
    tests
        .into_iter()
        .map(|test| {
            test.of("redis-pubsub").needs(Need::Redis).needs(Need::Unix)
        })
        .collect()
}

/// One half that talks to the server at `url`.
fn half(
    language: Language,
    name: &str,
    url: &str,
    arguments: &[&str],
) -> Result<Half> {
    let mut command = lesson("redis-pubsub")?.half(language, name)?;
    Half::start(command.args(["--redis", url]).args(arguments))
}

/// A consumer that listens.
fn listening(
    language: Language,
    redis: &Redis,
    arguments: &[&str],
) -> Result<Half> {
    let consumer = half(language, "consumer", &redis.url(), arguments)?;
    consumer.wait_for("listening on ")?;
    Ok(consumer)
}

/// Publishes one message; returns what the producer says about it.
fn publish(language: Language, redis: &Redis, message: &str) -> Result<String> {
    let arguments = ["--count", "1", "--message", message];
    let mut producer = half(language, "producer", &redis.url(), &arguments)?;
    let exit = producer.wait()?;
    ensure!(exit == Exit::Code(0), "{exit:?}: {:?}", producer.stderr());
    let said = producer.wait_for(&format!("Sent to channel: {message} "))?;
    Ok(said.trim_matches(['(', ')']).to_owned())
}

const LOST: &str = "no subscriber: lost";
const PASSED_ON: &str = "queued for 1 subscriber";

fn before(language: Language) -> Result<()> {
    let redis = Redis::start(&[])?;
    let said = publish(language, &redis, "too early")?;
    ensure!(said == LOST, "{said}");
    let mut consumer = listening(language, &redis, &["--count", "1"])?;
    let said = publish(language, &redis, "in time")?;
    ensure!(said == PASSED_ON, "{said}");
    ensure!(consumer.wait()? == Exit::Code(0), "{:?}", consumer.stderr());
    let lines = consumer.stdout();
    let expected = ["listening on channel", "Received from channel: in time"];
    ensure!(lines == expected, "{lines:?}");
    Ok(())
}

fn restart(language: Language) -> Result<()> {
    let mut redis = Redis::start(&[])?;
    let mut consumer = listening(language, &redis, &["--count", "1"])?;
    // Frozen, so that it cannot be quicker than the message.
    consumer.signal(Signal::Freeze)?;
    redis.kill()?;
    redis.start_again()?;
    let said = publish(language, &redis, "meanwhile")?;
    ensure!(said == LOST, "{said}");
    consumer.signal(Signal::Thaw)?;
    consumer.wait_for("listening on channel again")?;
    let said = publish(language, &redis, "afterwards")?;
    ensure!(said == PASSED_ON, "{said}");
    ensure!(consumer.wait()? == Exit::Code(0), "{:?}", consumer.stderr());
    let lines = consumer.stdout();
    let expected = [
        "listening on channel",
        "disconnected",
        "listening on channel again; what was published meanwhile is lost",
        "Received from channel: afterwards",
    ];
    ensure!(lines == expected, "{lines:?}");
    Ok(())
}

fn killed(language: Language) -> Result<()> {
    let redis = Redis::start(&[])?;
    let mut consumer = listening(language, &redis, &[])?;
    consumer.signal(Signal::Freeze)?;
    let said = publish(language, &redis, "promised")?;
    ensure!(said == PASSED_ON, "{said}");
    ensure!(consumer.stop(Signal::Kill)? == Exit::Signal(9));
    let lines = consumer.stdout();
    ensure!(lines == ["listening on channel"], "{lines:?}");
    // The next one does not get it either: Redis has kept nothing.
    let mut next = listening(language, &redis, &["--count", "1"])?;
    publish(language, &redis, "next")?;
    next.wait()?;
    ensure!(next.stdout()[1] == "Received from channel: next");
    Ok(())
}

fn slow(language: Language) -> Result<()> {
    let limit = ["--client-output-buffer-limit", "pubsub 1mb 0 0"];
    let redis = Redis::start(&limit)?;
    let consumer = listening(language, &redis, &[])?;
    consumer.signal(Signal::Freeze)?;
    let large = "x".repeat(100_000);
    let much = ["--count", "60", "--every", "1", "--message", &large];
    let mut producer = half(language, "producer", &redis.url(), &much)?;
    ensure!(producer.wait()? == Exit::Code(0), "{:?}", producer.stderr());
    let count = |lines: Vec<String>, end: &str| {
        lines.iter().filter(|line| line.ends_with(end)).count()
    };
    let promised = count(producer.stdout(), &format!("({PASSED_ON})"));
    let lost = count(producer.stdout(), &format!("({LOST})"));
    ensure!(promised + lost == 60 && lost > 0, "{promised} and {lost}");

    consumer.signal(Signal::Thaw)?;
    consumer.wait_for("disconnected")?;
    consumer.wait_for("listening on channel again")?;
    let received = count(consumer.stdout(), "(100000 bytes)");
    ensure!(received < promised, "{received} of {promised} arrived");
    publish(language, &redis, "afterwards")?;
    consumer.wait_for("Received from channel: afterwards")?;
    Ok(())
}

fn growing_pause(language: Language) -> Result<()> {
    let mut redis = Redis::start(&[])?;
    let consumer = listening(language, &redis, &[])?;
    redis.kill()?;
    let socket = redis.socket().display().to_string();
    let line = consumer.wait_for_error("connect to ")?;
    ensure!(line.contains(&socket), "{line}");
    growing(&consumer, 5)?;
    redis.start_again()?;
    consumer.wait_for("listening on channel again")?;
    publish(language, &redis, "afterwards")?;
    consumer.wait_for("Received from channel: afterwards")?;
    Ok(())
}

fn cut_off(language: Language) -> Result<()> {
    let redis = Redis::start(&[])?;
    let consumer = listening(language, &redis, &[])?;
    // Each time, it connects and subscribes without any trouble.
    let kill = ["CLIENT", "KILL", "TYPE", "pubsub"];
    for time in 1..=4 {
        redis.command(&kill)?;
        consumer.wait_for_lines(time, "listening on channel again")?;
    }
    growing(&consumer, 4)?;
    // A message: from now on it begins anew.
    publish(language, &redis, "at last")?;
    consumer.wait_for("Received from channel: at last")?;
    redis.command(&kill)?;
    consumer.wait_for_lines(5, "listening on channel again")?;
    let last = consumer.stderr().pop().unwrap_or_default();
    ensure!(pause_in(&last).is_some_and(|pause| pause <= 100), "{last}");
    Ok(())
}

fn refused(language: Language) -> Result<()> {
    let redis = Redis::start(&[])?;
    let user = ["ACL", "SETUSER", "default", "-subscribe"];
    let mut consumer = listening(language, &redis, &[])?;
    redis.command(&user)?;
    redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"])?;
    let exit = consumer.wait()?;
    ensure!(exit == Exit::Code(1), "{exit:?}: {:?}", consumer.stderr());
    let last = consumer.stderr().pop().unwrap_or_default();
    let why = "no permissions to run the 'subscribe' command";
    ensure!(last.starts_with("Error: ") && last.contains(why), "{last}");
    // And one that is refused from the beginning.
    let mut consumer = half(language, "consumer", &redis.url(), &[])?;
    consumer.fails(&[])
}

fn tcp(language: Language) -> Result<()> {
    let redis = Redis::start_on_tcp(&["--requirepass", "top-secret"])?;
    let address = redis.url().replace("redis://", "");
    let url = format!("redis://:top-secret@{address}");
    let mut consumer = half(language, "consumer", &url, &["--count", "1"])?;
    consumer.wait_for("listening on ")?;
    let mut producer = half(language, "producer", &url, &["--count", "1"])?;
    ensure!(producer.wait()? == Exit::Code(0), "{:?}", producer.stderr());
    ensure!(consumer.wait()? == Exit::Code(0), "{:?}", consumer.stderr());
    let wrong = format!("redis://:wrong@{address}");
    for name in ["consumer", "producer"] {
        let mut half = half(language, name, &wrong, &[])?;
        half.fails(&[])?;
        let error = half.stderr().concat();
        ensure!(!error.contains("wrong@"), "{error}");
        ensure!(!error.contains("redis-server"), "it runs: {error}");
    }
    Ok(())
}

fn odd_urls(language: Language) -> Result<()> {
    let redis = Redis::start(&[])?;
    let socket = redis.url();
    for url in [
        "redis:localhost".to_owned(),
        "redis://".to_owned(),
        "redis:///0".to_owned(),
        "redis://:6379".to_owned(),
        "redis://top-secret@localhost".to_owned(),
        "redis://user:123#top-secret@localhost".to_owned(),
        "redis://localhost/zero".to_owned(),
        "redis://localhost:0".to_owned(),
        "localhost:6379".to_owned(),
        socket.replace("unix:///", "unix://"),
        format!("{socket}#x"),
        format!("{socket}?db=1"),
    ] {
        for name in ["consumer", "producer"] {
            let mut half = half(language, name, &url, &["--count", "1"])?;
            half.fails(&[]).with_context(|| url.clone())?;
            let error = half.stderr().concat();
            ensure!(!error.contains("secret"), "{error}");
            ensure!(!error.contains("connect to "), "{url}: {error}");
        }
    }
    // IPv6 is taken as given: nobody listens there.
    let mut half = half(language, "producer", "redis://[::1]:1", &[])?;
    half.fails(&["::1"])
}

fn no_packages() -> Result<()> {
    copied_without_packages("redis-pubsub", &["consumer", "producer"])
}

fn two_consumers(language: Language) -> Result<()> {
    let redis = Redis::start(&[])?;
    let consumers = [
        listening(language, &redis, &["--count", "1"])?,
        listening(language, &redis, &["--count", "1"])?,
    ];
    let said = publish(language, &redis, "all")?;
    ensure!(said == "queued for 2 subscribers", "{said}");
    for mut consumer in consumers {
        ensure!(consumer.wait()? == Exit::Code(0));
        consumer.wait_for("Received from channel: all")?;
    }
    Ok(())
}

fn pattern(language: Language) -> Result<()> {
    let redis = Redis::start(&[])?;
    let arguments = ["--pattern", "news.*", "--count", "2"];
    let mut consumer = listening(language, &redis, &arguments)?;
    ensure!(publish(language, &redis, "no news")? == LOST);
    for channel in ["news.sport", "newspaper", "news.weather"] {
        redis.command(&["PUBLISH", channel, "hello"])?;
    }
    ensure!(consumer.wait()? == Exit::Code(0), "{:?}", consumer.stderr());
    let lines = consumer.stdout();
    let expected = [
        "listening on news.*",
        "Received from news.sport: hello",
        "Received from news.weather: hello",
    ];
    ensure!(lines == expected, "{lines:?}");
    Ok(())
}

fn hostile_text(language: Language) -> Result<()> {
    let redis = Redis::start(&[])?;
    let arguments = ["--pattern", "*", "--count", "4"];
    let mut consumer = listening(language, &redis, &arguments)?;
    let long = "中".repeat(1000);
    for text in [b"\x1b[2J\n".as_slice(), b"a\xFFb", "中😀".as_bytes()] {
        redis.command(&[b"PUBLISH".as_slice(), b"\x1b[31m", text])?;
    }
    redis.command(&[b"PUBLISH".as_slice(), b"long", long.as_bytes()])?;
    ensure!(consumer.wait()? == Exit::Code(0), "{:?}", consumer.stderr());
    let cut = format!("Received from long: {}… (3000 bytes)", "中".repeat(160));
    let expected = [
        "listening on *",
        "Received from \\u{1b}[31m: \\u{1b}[2J\\n",
        "Received from \\u{1b}[31m: a\u{FFFD}b",
        "Received from \\u{1b}[31m: 中😀",
        &cut,
    ];
    ensure!(consumer.stdout() == expected, "{:?}", consumer.stdout());
    Ok(())
}

fn large(language: Language) -> Result<()> {
    let redis = Redis::start(&[])?;
    let mut consumer = listening(language, &redis, &["--count", "1"])?;
    let text = vec![b'x'; 16 * 1024 * 1024];
    redis.command(&[b"PUBLISH".as_slice(), b"channel", &text])?;
    let text = consumer.wait_for("Received from channel: xxx")?;
    ensure!(text.ends_with("x… (16777216 bytes)"), "{text}");
    ensure!(consumer.wait()? == Exit::Code(0), "{:?}", consumer.stderr());
    Ok(())
}

fn without_redis(language: Language) -> Result<()> {
    for name in ["consumer", "producer"] {
        nobody("redis", |url| {
            let mut command = lesson("redis-pubsub")?.half(language, name)?;
            command.args(["--redis", url]);
            Ok(command)
        })?;
    }
    Ok(())
}

fn ctrl_c(language: Language) -> Result<()> {
    let mut redis = Redis::start(&[])?;
    let mut listens = listening(language, &redis, &[])?;
    ensure!(listens.stop(Signal::Interrupt)? == Exit::Code(0));
    ensure!(listens.stderr().is_empty(), "{:?}", listens.stderr());
    let mut waits = listening(language, &redis, &[])?;
    redis.kill()?;
    growing(&waits, 4)?;
    ensure!(waits.stop(Signal::Terminate)? == Exit::Code(0));
    // A producer that has nothing in hand, as most of the time.
    redis.start_again()?;
    for signal in SIGNALS {
        let seldom = ["--every", "3600000"];
        let mut producer = half(language, "producer", &redis.url(), &seldom)?;
        producer.wait_for("Sent to channel: ")?;
        ensure!(producer.stop(signal)? == Exit::Code(0), "{signal:?}");
        ensure!(producer.stderr().is_empty(), "{:?}", producer.stderr());
    }
    Ok(())
}

fn no_answer(language: Language) -> Result<()> {
    let mut redis = Redis::start(&[])?;
    let mut producer =
        half(language, "producer", &redis.url(), &["--every", "20"])?;
    producer.wait_for("Sent to channel: ")?;
    redis.kill()?;
    producer.fails(&["Error: publish: "])
}

fn frozen(language: Language) -> Result<()> {
    let redis = Redis::start(&[])?;
    let relay = Relay::to(&redis.url())?;
    let every = ["--every", "20"];
    let mut producer = half(language, "producer", &relay.url("redis"), &every)?;
    producer.wait_for("Sent to channel: ")?;
    relay.fall_silent()?;
    producer.signal(Signal::Interrupt)?;
    let exit = producer.wait_at_most(TWO_SECONDS)?;
    ensure!(exit == Exit::Code(1), "{exit:?}: {:?}", producer.stderr());
    let said = "Error: publish: no answer; it may have arrived or not";
    ensure!(producer.stderr() == [said], "{:?}", producer.stderr());
    Ok(())
}

fn unread(language: Language) -> Result<()> {
    let redis = Redis::start(&[])?;
    // It gives the consumer something to say, again and again.
    let often: &[&str] = &["--every", "5"];
    let _publishes = half(Language::Rust, "producer", &redis.url(), often)?;
    for (name, arguments) in [("producer", often), ("consumer", &[])] {
        let mut command = lesson("redis-pubsub")?.half(language, name)?;
        command.args(["--redis", &redis.url()]).args(arguments);
        let (mut half, _) = start_unread(&mut command)?;
        ends_unread(&mut half, || ()).context(name)?;
    }
    Ok(())
}

fn help(language: Language) -> Result<()> {
    for name in ["consumer", "producer"] {
        let mut program = half(language, name, "redis://here", &["--help"])?;
        ensure!(program.wait()? == Exit::Code(0));
        let text = program.stdout().join("\n");
        for option in ["--count", "--redis", "[CHANNEL]"] {
            ensure!(text.contains(option), "{option} not in {text}");
        }
        let mut program =
            half(language, name, "redis://here", &["--no-such-thing"])?;
        ensure!(program.wait()? == Exit::Code(2));
        let mut program = half(language, name, "http://here", &[])?;
        program.fails(&[])?;
    }
    Ok(())
}

fn ioredis() -> Result<()> {
    let redis = Redis::start(&[])?;
    let script = lesson("redis-pubsub")?.folder().join("node/ioredis.js");
    let url = redis.url();
    let start = |half: &str| {
        let mut node = Command::new("node");
        Half::start(node.arg(&script).args([half, &url]))
    };
    for language in [Language::Rust, Language::Node] {
        let mut consumer = listening(language, &redis, &["--count", "1"])?;
        let mut producer = start("producer")?;
        ensure!(producer.wait()? == Exit::Code(0), "{:?}", producer.stderr());
        producer.wait_for("Sent to channel: Hello from ioredis (1)")?;
        ensure!(consumer.wait()? == Exit::Code(0), "{:?}", consumer.stderr());
        consumer.wait_for("Received from channel: Hello from ioredis")?;

        let mut consumer = start("consumer")?;
        consumer.wait_for("listening on channel")?;
        publish(language, &redis, "Hello from producer")?;
        ensure!(consumer.wait()? == Exit::Code(0), "{:?}", consumer.stderr());
        consumer.wait_for("Received from channel: Hello from producer")?;
    }
    drop(redis);
    for half in ["producer", "consumer"] {
        let mut alone = start(half)?;
        alone.fails(&["Error: connect "])?;
    }
    Ok(())
}
