//! Bytes that nobody would send who wishes us well, and values that somebody
//! might: the fuzz targets on the corpus that is kept, and properties.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use anyhow::{Context, Result, anyhow, ensure};
use harness::root;
use node_channel::v8::{self, BigInt, ErrorKind, Value, View};
use node_channel::{Channel, Error, Options, Serialization};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::library::{next, node};
use harness::testing::{NODE, Test, test};

/// The same functions as the fuzzer runs.
#[path = "../fuzz/src/lib.rs"]
mod entries;

pub fn tests() -> Vec<Test> {
    vec![
        test("hostile_lines", || mutated("lines", entries::lines)),
        test("hostile_lengths", || mutated("lengths", entries::lengths)),
        test("hostile_json", || mutated("json", entries::json)),
        test("hostile_v8_values", || mutated("v8", entries::v8)),
        test("hostile_envelopes", || {
            mutated("envelopes", entries::envelopes)
        }),
        test("hostile_json_is_the_same_read_once", || {
            read_once("json", Serialization::Json)
        }),
        test("hostile_v8_values_are_the_same_read_once", || {
            read_once("v8", Serialization::Advanced)
        }),
        test("a_long_text_is_not_made_again_and_again", repeated_text),
        test("any_value_is_the_same_when_read_again", any_value),
        test("any_value_goes_to_node_and_back", through_node).needs(NODE),
        test("any_json_goes_to_node_and_back", json_through_node).needs(NODE),
    ]
}

/// An array of one boxed string, a hundred times: what is a few bytes more to
/// send would be a hundred times its length to hold.
fn repeated_text() -> Result<()> {
    let read = |length: usize| {
        let mut bytes = b"\xff\x0fA\x64s\"".to_vec();
        // Seven bits each, and a mark on all but the last.
        let digits = [length | 0x80, length >> 7 | 0x80, length >> 14];
        bytes.extend(digits.map(|digit| digit as u8));
        bytes.resize(bytes.len() + length, b'x');
        bytes.extend([b'^', 1].repeat(99));
        bytes.extend(b"$\x00\x64");
        v8::from_slice::<Vec<String>>(&bytes)
    };
    ensure!(read(20_000)?.len() == 100);
    let error = read(1_000_000).err().map(|error| error.to_string());
    ensure!(error.as_deref() == Some("the same objects too often"));
    Ok(())
}

/// Runs `entry` on each file of the corpus: whole, cut at every byte, and
/// with bytes changed, the same ones each time.
fn mutated(name: &str, mut entry: impl FnMut(&[u8])) -> Result<()> {
    let corpus = root().join("node-channel/fuzz/corpus").join(name);
    let mut files = 0;
    let mut random = 1_u64;
    for file in fs::read_dir(corpus)? {
        let bytes = fs::read(file?.path())?;
        files += 1;
        entry(&bytes);
        for end in 0..bytes.len().min(300) {
            entry(&bytes[..end]);
        }
        for _ in 0..500 {
            let mut changed = bytes.clone();
            for _ in 0..3 {
                // Numbers that look random: Knuth's MMIX.
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let at = (random >> 33) as usize % changed.len().max(1);
                if let Some(byte) = changed.get_mut(at) {
                    *byte = (random >> 24) as u8;
                }
            }
            entry(&changed);
        }
    }
    ensure!(files > 3, "no corpus for {name}");
    Ok(())
}

/// `recv_as` is `recv` and then `parse`, whatever comes.
fn read_once(name: &str, mode: Serialization) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build()?;
    let _entered = runtime.enter();
    let (mut parsed, mut read) = (Told::new(mode)?, Told::new(mode)?);
    let mut failed = Ok(());
    mutated(name, |bytes| {
        let same = runtime.block_on(async {
            let parsed = parsed.parsed(bytes).await?;
            let read = read.read(bytes).await?;
            ensure!(parsed == read, "{bytes:?}: {parsed:?}, {read:?}");
            Ok(())
        });
        if failed.is_ok() {
            failed = same;
        }
    })?;
    failed
}

/// A channel, and the other end of its socket.
struct Told {
    channel: Channel,
    peer: UnixStream,
}

/// A value, or the bytes of what is none.
type Got = std::result::Result<serde_json::Value, Vec<u8>>;

/// What comes behind each message, as those of Node's own are not seen.
const BEHIND: &str = "behind";

impl Told {
    fn new(serialization: Serialization) -> Result<Self> {
        let (ours, peer) = UnixStream::pair()?;
        peer.set_nonblocking(true)?;
        let options = Options::default().serialization(serialization);
        let channel = Channel::new(ours.into(), options)?;
        Ok(Self { channel, peer })
    }

    fn tell(&mut self, message: &[u8]) -> Result<()> {
        // There is nobody else to read the answers to what is Node's own.
        while self.peer.read(&mut [0; 4096]).is_ok() {}
        for message in [message, &json_or_v8(&self.channel, BEHIND)?] {
            let framed = match self.channel.sender().serialization() {
                Serialization::Json => [message, b"\n"].concat(),
                Serialization::Advanced => {
                    let length = (message.len() as u32).to_be_bytes();
                    [&length, message].concat()
                }
            };
            self.peer.write_all(&framed)?;
        }
        Ok(())
    }

    async fn parsed(&mut self, message: &[u8]) -> Result<Vec<Got>> {
        self.tell(message)?;
        let mut all = Vec::new();
        loop {
            let got = match self.channel.recv().await.context("the end")? {
                Ok(message) => message
                    .parse::<serde_json::Value>()
                    .map_err(|_| message.into_bytes()),
                Err(error) => Err(malformed(error)?),
            };
            if got.as_ref().is_ok_and(|value| value == BEHIND) {
                return Ok(all);
            }
            all.push(got);
        }
    }

    async fn read(&mut self, message: &[u8]) -> Result<Vec<Got>> {
        self.tell(message)?;
        let mut all = Vec::new();
        loop {
            let got = match self.channel.recv_as().await.context("the end")? {
                Ok(value) => Ok(value),
                Err(error) => Err(malformed(error)?),
            };
            if got.as_ref().is_ok_and(|value| value == BEHIND) {
                return Ok(all);
            }
            all.push(got);
        }
    }
}

fn malformed(error: Error) -> Result<Vec<u8>> {
    match error {
        Error::Malformed { bytes, .. } => Ok(bytes),
        error => Err(error.into()),
    }
}

fn json_or_v8(channel: &Channel, text: &str) -> Result<Vec<u8>> {
    Ok(match channel.sender().serialization() {
        Serialization::Json => serde_json::to_vec(text)?,
        Serialization::Advanced => v8::to_vec(text)?,
    })
}

/// Any value that has one form only: keys of objects in the order in which
/// V8 has them, and none twice. With `all`, also what Node 20 cannot read or
/// writes in another form.
fn value(all: bool) -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i32>().prop_map(f64::from),
        any::<f64>().prop_filter("NaN is not NaN", |n| !n.is_nan()),
        Just(-0.0),
    ];
    let bigint = any::<(bool, [u64; 3])>().prop_map(|(negative, digits)| {
        let mut digits = digits.to_vec();
        while digits.last() == Some(&0) {
            digits.pop();
        }
        Value::BigInt(BigInt {
            negative: negative && !digits.is_empty(),
            digits,
        })
    });
    let text =
        prop_oneof![any::<String>(), "[a-zà-ÿ]{0,200}", "[中文a]{0,100}",];
    let text = text.boxed();
    let half = any::<u16>().prop_map(|unit| {
        Value::Utf16(vec![0xD800 | (unit & 0x3FF), u16::from(b'a')])
    });
    let mut views = vec![
        View::Int8Array,
        View::Uint8Array,
        View::Uint8ClampedArray,
        View::Int16Array,
        View::Uint16Array,
        View::Int32Array,
        View::Uint32Array,
        View::Float32Array,
        View::Float64Array,
        View::DataView,
        View::Buffer,
        View::BigInt64Array,
        View::BigUint64Array,
    ];
    if all {
        views.push(View::Float16Array);
    }
    let leaf = prop_oneof![
        Just(Value::Undefined),
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        number.clone().prop_map(Value::Number),
        bigint,
        text.clone().prop_map(Value::String),
        half,
        (0..10_000_000_000_000_i64).prop_map(|ms| Value::Date(ms as f64)),
        number.prop_map(|n| Value::Boxed(Value::Number(n).into())),
        text.clone()
            .prop_map(|text| Value::Boxed(Value::String(text).into())),
        any::<bool>().prop_map(|b| Value::Boxed(Value::Bool(b).into())),
        any::<Vec<u8>>().prop_map(Value::ArrayBuffer),
        (any::<Vec<u8>>(), 0..9_u32).prop_map(|(bytes, more)| {
            let longest = bytes.len() as u32 + more;
            Value::ResizableBuffer { bytes, longest }
        }),
        (prop::sample::select(views), any::<Vec<u64>>()).prop_map(
            |(view, list)| {
                let bytes = list.into_iter().flat_map(u64::to_le_bytes);
                Value::View(view, bytes.collect())
            }
        ),
        any::<u32>().prop_map(Value::Reference),
        ("[a-z]{1,9}", 0..8_u32).prop_map(|(source, flags)| Value::RegExp {
            source: Box::new(source.as_str().into()),
            flags,
        }),
    ];
    let kind = prop::sample::select(vec![
        None,
        Some(ErrorKind::EvalError),
        Some(ErrorKind::RangeError),
        Some(ErrorKind::ReferenceError),
        Some(ErrorKind::SyntaxError),
        Some(ErrorKind::TypeError),
        Some(ErrorKind::UriError),
    ]);
    let value = leaf.prop_recursive(5, 60, 6, move |inner| {
        let key = "[a-z中é_]{1,8}";
        let entries = prop::collection::btree_map(key, inner.clone(), 0..6);
        let map = entries.clone();
        let text = text.clone().prop_map(Value::String);
        let error = (kind.clone(), text.clone(), text, inner.clone());
        let error = error.prop_map(|(kind, message, stack, cause)| {
            Value::Error(Box::new(v8::Error {
                kind,
                message: Some(message),
                stack: Some(stack),
                cause: Some(cause),
            }))
        });
        let list = prop::collection::vec(inner.clone(), 0..6);
        let own = prop_oneof![
            list.prop_map(Value::from),
            inner.clone().prop_map(|inner| {
                Value::Host(Value::from([("own", inner)]).into())
            }),
        ];
        prop_oneof![
            // Never, or as often as the others.
            u32::from(all) => own,
            1 => error,
            1 =>
            entries.prop_map(|entries| {
                let entries = entries.into_iter();
                Value::Object(entries.map(|(k, v)| (k.into(), v)).collect())
            }),
            1 => map.prop_map(|entries| {
                let entries = entries.into_iter();
                Value::Map(entries.map(|(k, v)| (k.into(), v)).collect())
            }),
            // As V8 writes an array that it has read: as one with gaps.
            1 => prop::collection::vec(inner.clone(), 0..6).prop_map(|list| {
                Value::SparseArray {
                    length: list.len() as u32,
                    properties: list
                        .into_iter()
                        .enumerate()
                        .map(|(at, value)| (Value::Number(at as f64), value))
                        .collect(),
                }
            }),
            1 => prop::collection::btree_set(any::<i16>(), 0..6).prop_map(|set| {
                let set = set.into_iter();
                Value::Set(set.map(|n| i32::from(n).into()).collect())
            }),
        ]
    });
    // Within an object, as a BigInt alone cannot be sent in Node.
    value.prop_map(|value| {
        let mut value = Value::from([("v", value)]);
        let mut begun = 0;
        refer(&mut value, &mut begun, false);
        value
    })
}

/// Has each reference name an object that has begun before: `begun` have.
/// Not in an Error's cause, nor in an object of Node's own: V8 cannot read a
/// cycle through it.
fn refer(value: &mut Value, begun: &mut u32, in_error: bool) {
    match value {
        Value::Reference(_) if in_error => *value = Value::Null,
        Value::Reference(number) => *number %= *begun,
        Value::Undefined
        | Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::BigInt(_)
        | Value::String(_)
        | Value::Utf16(_) => {}
        _ => *begun += 1,
    }
    match value {
        Value::Object(entries)
        | Value::Map(entries)
        | Value::SparseArray {
            properties: entries,
            ..
        } => {
            for (_, value) in entries {
                refer(value, begun, in_error);
            }
        }
        Value::Array { elements, .. } => {
            for value in elements {
                refer(value, begun, in_error);
            }
        }
        Value::Error(error) => {
            if let Some(cause) = &mut error.cause {
                refer(cause, begun, true);
            }
        }
        Value::Host(inner) => refer(inner, begun, true),
        _ => {}
    }
}

fn any_value() -> Result<()> {
    let mut runner = TestRunner::new(config(500));
    runner
        .run(&value(true), |value| {
            let bytes = value.write().map_err(fail)?;
            let again = Value::read(&bytes).map_err(fail)?;
            prop_assert_eq!(again, value);
            Ok(())
        })
        .map_err(|error| anyhow!("{error}"))
}

fn fail(error: impl ToString) -> TestCaseError {
    TestCaseError::fail(error.to_string())
}

fn config(cases: u32) -> Config {
    Config {
        cases,
        // A failure is printed; no file is to appear in the checkout.
        failure_persistence: None,
        ..Config::default()
    }
}

/// Sends what `strategy` makes to a Node that sends it back.
fn echo<T: std::fmt::Debug>(
    serialization: Serialization,
    strategy: impl Strategy<Value = T>,
    encode: impl Fn(&T) -> Result<Vec<u8>>,
    same: impl Fn(&T, &node_channel::Message) -> Result<()>,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build()?;
    let _entered = runtime.enter();
    let script = "process.on('message', m => process.send(m))";
    let mut child = node(script).serialization(serialization).spawn()?;
    let channel = &mut child.channel;
    let sender = channel.sender();
    // Locked, as the closure that runs the cases may be called only.
    let channel = tokio::sync::Mutex::new(channel);
    TestRunner::new(config(200))
        .run(&strategy, |value| {
            let bytes = encode(&value).map_err(fail)?;
            let back = runtime.block_on(async {
                sender.send_raw(bytes).await?;
                let mut channel = channel.lock().await;
                let limit = std::time::Duration::from_secs(30);
                tokio::time::timeout(limit, next(&mut channel)).await?
            });
            same(&value, &back.map_err(fail)?).map_err(fail)
        })
        .map_err(|error| anyhow!("{error}"))
}

fn through_node() -> Result<()> {
    echo(
        Serialization::Advanced,
        value(false),
        |value| Ok(value.write()?),
        |value, back| {
            let back = back.value()?;
            ensure!(back == *value, "{value:?}\n{back:?}");
            Ok(())
        },
    )
}

fn json_through_node() -> Result<()> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i32>().prop_map(Into::into),
        // Short ones: serde_json rounds the last of many digits.
        any::<i32>().prop_map(|n| (f64::from(n) + 0.5).into()),
        any::<String>().prop_map(Into::into),
    ];
    let value = leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|map| map.into_iter().collect()),
        ]
    });
    // Within an array: an object could look like one of Node's own.
    let value = value.prop_map(|value| serde_json::Value::from(vec![value]));
    echo(
        Serialization::Json,
        value,
        |value| Ok(serde_json::to_vec(value)?),
        |value, back| {
            let parsed: serde_json::Value = back.parse()?;
            ensure!(parsed == *value, "{value}\n{parsed}");
            // The other serialization holds it, too.
            let bytes = v8::to_vec(value)?;
            ensure!(v8::from_slice::<serde_json::Value>(&bytes)? == *value);
            Ok(())
        },
    )
}
