//! What event-log promises, against a real broker: tansu, which speaks Kafka's
//! protocol and keeps everything in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use harness::kafka::Kafka;
use harness::{Exit, Half, Language, Moved, Signal};

use harness::testing::ends::{SIGNALS, TWO_SECONDS};
use harness::testing::relay::Relay;
use harness::testing::server::{
    copied_without_packages, ends_unread, eventually, lesson, start_unread,
};
use harness::testing::{NODE, Need, Test, both, test};

type Promise = fn(Language) -> Result<()>;

pub fn tests() -> Vec<Test> {
    let promises: &[(&str, Promise)] = &[
        ("the_events_of_a_key_stay_in_order", order),
        ("a_group_shares_partitions_and_moves_them", shared),
        ("a_group_can_have_members_in_both_languages", mixed),
        ("a_crashed_members_events_are_taken_over", crash),
        ("what_was_committed_is_not_done_again", committed),
        ("another_group_reads_from_the_beginning", again),
        ("work_may_take_longer_than_the_session", long_work),
        ("both_halves_go_on_when_the_broker_was_away", away),
        ("hostile_bytes_and_none_are_shown_harmless", hostile),
        ("without_a_broker_there_it_says_what_to_start", nobody),
        ("ctrl_c_ends_both_halves", ctrl_c),
        ("ctrl_c_without_an_answer_says_what_is_not_known", silent),
        ("a_closed_stdout_ends_both_halves_quietly", unread),
        ("help_and_mistakes", help),
    ];
    let mut tests: Vec<Test> = promises
        .iter()
        .flat_map(|(name, run)| {
            // Some have the other language as well.
            both(name, *run)
                .map(|test| test.needs(NODE).needs(Need::Packages("event-log")))
        })
        .collect();
    tests.push(
        test("a_key_has_one_partition_in_both_languages", same_hash)
            .needs(NODE)
            .needs(Need::Packages("event-log")),
    );
    tests.push(
        test("without_its_packages_it_says_what_to_type", no_packages)
            .needs(NODE),
    );
    let of = |test: Test| test.of("event-log").needs(Need::Kafka);
    tests.into_iter().map(of).collect()
}

/// One half that is told where the broker is.
fn half(
    language: Language,
    name: &str,
    broker: &str,
    arguments: &[&str],
) -> Result<Half> {
    let mut command = lesson("event-log")?.half(language, name)?;
    Half::start(command.args(["--bootstrap", broker]).args(arguments))
}

fn consumer(
    language: Language,
    broker: &Kafka,
    arguments: &[&str],
) -> Result<Half> {
    half(language, "consumer", &broker.address(), arguments)
}

/// Has a producer append so many events, and returns what it says of each:
/// `cart-1: event 1 (partition 0, offset 0)`.
fn append(
    language: Language,
    broker: &Kafka,
    count: usize,
    arguments: &[&str],
) -> Result<Vec<String>> {
    let count = count.to_string();
    let arguments = [&["--every", "1", "--count", &count], arguments].concat();
    let address = broker.address();
    let mut producer = half(language, "producer", &address, &arguments)?;
    producer.succeeds()?;
    Ok(said(&producer, "stored: "))
}

/// What follows `start`, of each line that begins with it.
fn said(half: &Half, start: &str) -> Vec<String> {
    let lines = half.stdout().into_iter();
    lines
        .filter_map(|line| line.strip_prefix(start).map(str::to_owned))
        .collect()
}

/// Where it says that an event is.
fn partition(event: &str) -> Option<&str> {
    let (_, place) = event.split_once("(partition ")?;
    Some(place.split_once(',')?.0)
}

const LISTENING: &str = "listening on partitions ";

/// Waits until a consumer has these partitions, and no others.
fn wait_for_partitions(half: &Half, wanted: &str) -> Result<()> {
    half.wait_until(wanted, |lines| {
        let ours = lines.iter().rev();
        let mut ours = ours.filter_map(|line| line.strip_prefix(LISTENING));
        (ours.next()? == wanted).then_some(())
    })
}

/// Waits until each of the three partitions is one member's, and each member
/// has one.
fn wait_until_shared(members: &[&Half]) -> Result<()> {
    eventually(|| {
        let last = |half: &&Half| said(half, LISTENING).pop();
        let lists: Vec<_> = members.iter().filter_map(last).collect();
        let all = lists.concat();
        let once = |partition| all.matches(partition).count() == 1;
        let each = lists.len() == members.len()
            && lists.iter().all(|list| list != "[]");
        each && ["0", "1", "2"].into_iter().all(once)
    })
}

/// Waits until each of these events is done by one of these.
fn wait_until_done(consumers: &[&Half], events: &[String]) -> Result<()> {
    eventually(|| {
        let done = consumers.iter().flat_map(|half| said(half, "done: "));
        let done: BTreeSet<String> = done.collect();
        events.iter().all(|event| done.contains(event))
    })
    .with_context(|| {
        let printed: Vec<_> = consumers.iter().map(|it| it.stdout()).collect();
        format!("of {events:?} not all is done: {printed:?}")
    })
}

fn order(language: Language) -> Result<()> {
    const KEYS: [&str; 7] = ["a", "b", "c", "d", "e", "f", "g"];
    let broker = Kafka::start()?;
    let keys = ["--keys", &KEYS.join(",")];
    let stored = append(language, &broker, 70, &keys)?;
    let members = [
        consumer(language, &broker, &[])?,
        consumer(language, &broker, &[])?,
    ];
    wait_until_done(&members.each_ref(), &stored)?;
    let mut used = BTreeSet::new();
    for key in KEYS {
        let of_key = |event: &String| event.starts_with(&format!("{key}: "));
        let sent: Vec<_> = stored.iter().filter(|it| of_key(it)).collect();
        ensure!(sent.len() == 10, "{key}: {sent:?}");
        let places = sent.iter().filter_map(|event| partition(event));
        let places: BTreeSet<_> = places.collect();
        ensure!(places.len() == 1, "{key} is in {places:?}");
        used.extend(places);
        for member in &members {
            // One that joins makes some come again: only the first time counts.
            let mut seen: Vec<usize> = Vec::new();
            for event in said(member, "done: ").iter().filter(|it| of_key(it)) {
                let number = sent.iter().position(|sent| *sent == event);
                let number = number.context("an event that nobody sent")?;
                if !seen.contains(&number) {
                    seen.push(number);
                }
            }
            ensure!(seen.is_sorted(), "{key}: {seen:?}");
        }
    }
    ensure!(used.len() > 1, "all keys are in one partition: {used:?}");
    Ok(())
}

fn same_hash() -> Result<()> {
    let broker = Kafka::start()?;
    let keys: Vec<_> = (0..40).map(|number| format!("key-{number}")).collect();
    let keys = ["--keys", &keys.join(","), "--partitions", "7"];
    let places = |language| -> Result<BTreeMap<String, String>> {
        let stored = append(language, &broker, 40, &keys)?;
        let place = |event: &String| {
            let (key, _) = event.split_once(": ")?;
            Some((key.to_owned(), partition(event)?.to_owned()))
        };
        Ok(stored.iter().filter_map(place).collect())
    };
    let (rust, node) = (places(Language::Rust)?, places(Language::Node)?);
    ensure!(rust.len() == 40 && rust == node, "{rust:?}\n{node:?}");
    Ok(())
}

fn shared(language: Language) -> Result<()> {
    shared_by(language, language)
}

fn mixed(language: Language) -> Result<()> {
    match language {
        Language::Rust => shared_by(Language::Rust, Language::Node),
        Language::Node => shared_by(Language::Node, Language::Rust),
    }
}

fn shared_by(one: Language, other: Language) -> Result<()> {
    let broker = Kafka::start()?;
    let first = consumer(one, &broker, &[])?;
    wait_for_partitions(&first, "[0, 1, 2]")?;
    let mut second = consumer(other, &broker, &[])?;
    wait_until_shared(&[&first, &second])?;
    let stored = append(one, &broker, 30, &[])?;
    wait_until_done(&[&first, &second], &stored)?;
    // It leaves the group, so that the first one need not wait for a timeout.
    second.ends_on(Signal::Interrupt)?;
    wait_for_partitions(&first, "[0, 1, 2]")?;
    let stored = append(other, &broker, 3, &["--message", "later"])?;
    wait_until_done(&[&first], &stored)
}

fn crash(language: Language) -> Result<()> {
    let broker = Kafka::start()?;
    let keys = ["--keys", "cart-1"];
    let stored = append(language, &broker, 3, &keys)?;
    let endless = ["--work", "3600000"];
    let mut first = consumer(language, &broker, &endless)?;
    let taken = first.wait_for("taken: ")?;
    ensure!(taken == stored[0], "{taken}");
    first.stop(Signal::Kill)?;
    // Its work on the event was lost, but the event was not.
    let second = consumer(language, &broker, &[])?;
    wait_until_done(&[&second], &stored)
}

fn committed(language: Language) -> Result<()> {
    let broker = Kafka::start()?;
    let keys = ["--keys", "cart-1"];
    let stored = append(language, &broker, 5, &keys)?;
    let mut first = consumer(language, &broker, &[])?;
    wait_until_done(&[&first], &stored)?;
    first.ends_on(Signal::Interrupt)?;
    let later = append(language, &broker, 1, &keys)?;
    let second = consumer(language, &broker, &[])?;
    let taken = second.wait_for("taken: ")?;
    ensure!(taken == later[0], "{taken}");
    Ok(())
}

fn again(language: Language) -> Result<()> {
    let broker = Kafka::start()?;
    let stored = append(language, &broker, 12, &[])?;
    let first = consumer(language, &broker, &["--group", "one"])?;
    wait_until_done(&[&first], &stored)?;
    let second = consumer(language, &broker, &["--group", "two"])?;
    wait_until_done(&[&second], &stored)
}

fn long_work(language: Language) -> Result<()> {
    let broker = Kafka::start()?;
    let slow = consumer(language, &broker, &["--work", "9000"])?;
    slow.wait_for(LISTENING)?;
    // Tansu looks who is dead when it hears of another member.
    let quick = consumer(language, &broker, &[])?;
    let members = [&slow, &quick];
    wait_until_shared(&members)?;
    let before = members.map(|half| said(half, LISTENING));
    // One for each partition.
    let mut stored = append(language, &broker, 3, &[])?;
    wait_until_done(&members, &stored)?;
    // The slow one did not count as dead: that would have made a rebalance.
    ensure!(members.map(|half| said(half, LISTENING)) == before);
    let mut taken = members.map(|half| said(half, "taken: ")).concat();
    taken.sort();
    stored.sort();
    ensure!(taken == stored, "{taken:?}");
    Ok(())
}

fn away(language: Language) -> Result<()> {
    let (broker, relay) = behind_a_relay()?;
    let producer =
        half(language, "producer", &broker.address(), &["--every", "20"])?;
    let consumer = consumer(language, &broker, &[])?;
    consumer.wait_for("done: ")?;
    relay.cut();
    for half in [&producer, &consumer] {
        half.wait_for_error("")?; // it says so, and goes on trying
    }
    let before = said(&producer, "stored: ").len();
    relay.mend();
    producer.wait_for_lines(before + 5, "stored: ")?;
    wait_until_done(&[&consumer], &said(&producer, "stored: "))
}

/// A broker, and what its clients connect to.
fn behind_a_relay() -> Result<(Kafka, Relay)> {
    let port = Moved::from("127.0.0.1:9092")?.port()?;
    let relay = Relay::to(&format!("tcp://127.0.0.1:{port}"))?;
    let broker = Kafka::start_behind(port, &relay.url("tcp"))?;
    Ok((broker, relay))
}

/// Bytes that no half would send: by kafkajs, from a script.
const HOSTILE: &str = "
    const { Kafka, Partitioners } = require('kafkajs')
    const kafka = new Kafka({ brokers: [process.argv[1]], logLevel: 0 })
    const producer = kafka.producer()
    const topic = 'events'
    const messages = [
        { key: '\\x1b[31m', value: 'a\\nstored: forged' },
        { key: Buffer.of(0xff), value: Buffer.of(0x61, 0xff, 0x62) },
        { key: null, value: null },
        { key: '', value: '' },
        { key: 'long', value: '中'.repeat(1000) },
        { key: '中', value: '😀' },
    ].map(message => ({ ...message, partition: 0 }))
    producer.connect()
        .then(() => producer.send({ topic, messages }))
        .then(() => process.exit())
";

fn hostile(language: Language) -> Result<()> {
    let broker = Kafka::start()?;
    let reader = consumer(language, &broker, &[])?;
    reader.wait_for(LISTENING)?;
    let mut node = Command::new("node");
    node.current_dir(lesson("event-log")?.folder());
    let mut script =
        Half::start(node.args(["-e", HOSTILE, &broker.address()]))?;
    ensure!(script.wait()? == Exit::Code(0), "{:?}", script.stderr());
    reader.wait_for_lines(6, "done: ")?;
    let cut = format!("long: {}… (3000 bytes)", "中".repeat(160));
    let expected = [
        "\\u{1b}[31m: a\\nstored: forged",
        "\u{FFFD}: a\u{FFFD}b",
        "(none): (none)",
        ": ",
        &cut,
        "中: 😀",
    ];
    let shown = said(&reader, "done: ");
    for (offset, (shown, expected)) in shown.iter().zip(expected).enumerate() {
        let expected = format!("{expected} (partition 0, offset {offset})");
        ensure!(*shown == expected, "{shown:?} is not {expected:?}");
    }
    Ok(())
}

fn nobody(language: Language) -> Result<()> {
    let address = "127.0.0.1:1"; // nobody listens there
    for name in ["consumer", "producer"] {
        let mut half = half(language, name, address, &[])?;
        let start = format!("Error: connect to {address}: ");
        half.fails_at_once(&[&start, "; start a broker first: tansu"])?;
    }
    Ok(())
}

fn ctrl_c(language: Language) -> Result<()> {
    let broker = Kafka::start()?;
    let address = broker.address();
    let both = || -> Result<[Half; 2]> {
        let seldom = ["--every", "3600000"];
        let producer = half(language, "producer", &address, &seldom)?;
        let consumer = half(language, "consumer", &address, &[])?;
        producer.wait_for("stored: ")?;
        consumer.wait_for(LISTENING)?;
        Ok([producer, consumer])
    };
    for signal in SIGNALS {
        for mut half in both()? {
            half.ends_on(signal)?;
            ensure!(half.stderr().is_empty(), "{:?}", half.stderr());
        }
    }
    // Nor do they wait for the answer of a broker that hangs, or has ended.
    for signal in [Signal::Freeze, Signal::Kill] {
        broker.signal(Signal::Thaw)?;
        let halves = both()?;
        broker.signal(signal)?;
        for mut half in halves {
            half.ends_on(Signal::Interrupt)?;
        }
    }
    Ok(())
}

fn silent(language: Language) -> Result<()> {
    let (broker, relay) = behind_a_relay()?;
    let address = broker.address();
    let mut producer = half(language, "producer", &address, &["--every", "1"])?;
    producer.wait_for("stored: ")?;
    relay.fall_silent()?;
    producer.signal(Signal::Interrupt)?;
    producer.wait_at_most(TWO_SECONDS)?;
    producer.fails(&["Error: perhaps not stored: cart-", ": no answer"])
}

fn unread(language: Language) -> Result<()> {
    let broker = Kafka::start()?;
    let address = broker.address();
    // It gives the consumer something to say, again and again.
    let often: &[&str] = &["--every", "5"];
    let _appends = half(Language::Rust, "producer", &address, often)?;
    for (name, arguments) in [("producer", often), ("consumer", &[])] {
        let mut command = lesson("event-log")?.half(language, name)?;
        command.args(["--bootstrap", &address]).args(arguments);
        let (mut half, _) = start_unread(&mut command)?;
        ends_unread(&mut half, || ()).context(name)?;
    }
    Ok(())
}

fn help(language: Language) -> Result<()> {
    for name in ["consumer", "producer"] {
        let mut program = half(language, name, "here", &["--help"])?;
        ensure!(program.wait()? == Exit::Code(0));
        let text = program.stdout().join("\n");
        for option in ["--bootstrap", "--partitions", "[TOPIC]"] {
            ensure!(text.contains(option), "{option} not in {text}");
        }
        for mistake in ["--no-such-thing", "--partitions=0"] {
            let mut program = half(language, name, "here", &[mistake])?;
            ensure!(program.wait()? == Exit::Code(2), "{mistake}");
        }
    }
    Ok(())
}

fn no_packages() -> Result<()> {
    copied_without_packages("event-log", &["consumer", "producer"])
}
