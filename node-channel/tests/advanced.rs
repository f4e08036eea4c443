//! V8's format, held against what Node writes just now.

use std::collections::BTreeMap;
use std::io::Write;

use anyhow::{Context, Result, bail, ensure};
use node_channel::v8::{self, BigInt, Value, View};
use node_channel::{Channel, Error, Options, Serialization};
use serde::de::IgnoredAny;

use super::library::{ended, next, node, run};
use harness::testing::{NODE, Test, test};

pub fn tests() -> Vec<Test> {
    [
        test("every_kind_of_value_is_written_as_node_writes_it", || {
            run(table())
        }),
        test("node_reads_what_is_written", || run(echoed())),
        test("an_error_with_its_cause_is_read_by_every_node", || {
            run(errors())
        }),
        test("what_v8_cannot_read_is_not_written", || run(unreadable())),
        test(
            "older_versions_and_unusual_bytes_are_read_as_node_reads_them",
            || run(by_hand()),
        ),
        test("a_message_cut_short_is_one_error", || run(cut_short())),
        test(
            "what_is_too_deep_for_a_value_is_a_message_all_the_same",
            || run(too_deep()),
        ),
        test("any_message_of_node_s_comes_with_its_socket", || {
            run(with_a_socket())
        }),
        test("serde_types_go_to_node_and_back", || run(serde_types())),
        test(
            "an_array_with_gaps_is_read_as_node_reads_it",
            || run(gaps()),
        ),
        test("a_cycle_is_no_serde_value", || run(cycles())),
        test("what_any_type_would_lose_is_an_error", || run(lossy())),
        test("an_error_may_be_its_own_cause", || run(own_cause())),
        test(
            "node_s_own_messages_are_kept_apart_in_advanced_mode",
            || run(internal()),
        ),
    ]
    .map(|test| test.needs(NODE))
    .into()
}

/// Every row of the table in `v8`, and what is at the edges.
const VALUES: &str = r#"
    const v8 = require('v8')
    const cycle = { a: [] }; cycle.a.push(cycle)
    const shared = { x: 1 }
    const sparse = [1, , 3]; sparse[10] = 'é'
    const more = [1, 2]; more.name = 'x'; more[-1] = 0
    const buffer = new ArrayBuffer(8); new Uint8Array(buffer).set([1, 2, 3])
    const resizable = new ArrayBuffer(2, { maxByteLength: 300 })
    // Node 20 has the cause before the stack: other bytes than we write, see
    // the test `an_error_with_its_cause_is_read_by_every_node`.
    const isNode20 = process.version.startsWith('v20.')
    const error = new TypeError('m', isNode20 ? {} : { cause: { why: 1 } })
    error.stack = 'at 中'
    const plain = new Error('é'); plain.stack = 'S'
    const bare = new RangeError(); bare.stack = ''
    const values = [
      null, true, false, undefined, 0, 1, -1, 42, -64, 63, 64, 2 ** 31 - 1,
      -(2 ** 31), 2 ** 31, -(2 ** 31) - 1, 2 ** 53, -(2 ** 63), 1.5, -0, NaN, Infinity,
      5e-324, 0n, 10n, -1n, 2n ** 64n, -(2n ** 64n), 2n ** 200n - 1n,
      '', 'a', 'h\u00e9', '\xff'.repeat(200), '中', 'a中', '😀'.repeat(100),
      '\ud800', 'x\udfff', '\0', 'x'.repeat(128), '中'.repeat(64),
      {}, { a: 1, b: { c: 'é' } }, { 7: 1, 0: 2, z: 3, 4294967295: 4, '-1': 5 },
      { '中': '文', '\ud800': 1 }, JSON.parse('{"__proto__":1}'),
      [], [1, 'a', null, undefined, [2]], sparse, more, new Array(3),
      [, 1], [1.5, 2.5], [1.5, 2], [0, -0], [1, NaN, 3], [1, 1.5, 'a'],
      [2 ** 31, 1], [[1.5, 2], 2], cycle, [shared, shared, { shared }],
      new Date(0), new Date(NaN), new Date(1.5e12),
      new Map(), new Map([[1, 'a'], [{ k: 1 }, new Map()], ['中', 2]]),
      new Set(), new Set([1, 'a', { x: 1 }, '中']),
      /a/, /中/giu, /x/dgimsuy, new Boolean(true), new Boolean(false),
      new Number(1.5), new String('é'), new String('中'), Object(5n),
      error, plain, bare, new v8.Serializer(),
      Object.assign(new v8.Serializer(), { a: { 7: '中' } }),
      [, 1.5, 2], { 2147483648: 1, 4294967294: 2, 2147483647: 3 },
      buffer, new ArrayBuffer(0), resizable, { resizable }, Buffer.from('hi'), Buffer.alloc(0),
      new Int8Array([1, -1]), new Uint8Array([1, 2]),
      new Uint8ClampedArray([1]), new Int16Array([1, -2]),
      new Uint16Array([1]), new Int32Array([-1]), new Uint32Array([1]),
      new Float32Array([1.5]), new Float64Array([1.5, -0]),
      new DataView(buffer, 1, 3), new BigInt64Array([-1n]),
      new BigUint64Array([1n]), new Uint8Array(buffer, 1, 2),
      { '中': 1, m: new Map([['a', '中']]), b: Buffer.from([0]), s: '中' },
    ]
    for (const kind of [EvalError, ReferenceError, SyntaxError, URIError]) {
      const e = new kind('k'); e.stack = 's'; values.push(e)
    }
    if (globalThis.Float16Array) values.push(new Float16Array([1.5]))
"#;

async fn table() -> Result<()> {
    let script = format!(
        "{VALUES}
        for (const value of [...values.map(v => [v]), ...values.slice(4)])
          if (value !== undefined && typeof value !== 'bigint')
            process.send(value)
        process.send('end', () => process.disconnect())"
    );
    let mut fork = node(&script).serialization(Serialization::Advanced);
    let mut child = fork.spawn()?;
    let (mut count, mut hosts) = (0, 0);
    loop {
        let message = next(&mut child.channel).await?;
        let value = message.value().with_context(|| {
            format!("message {count}: {:02x?}", message.bytes())
        })?;
        if value == Value::from("end") {
            break;
        }
        hosts += usize::from(matches!(value, Value::Host(_)));
        // It is shown without a panic, whatever it is.
        let _ = message.to_string();
        let written = value.write()?;
        ensure!(
            written == message.bytes(),
            "message {count}: {value:?}\n{written:02x?}\n{:02x?}",
            message.bytes()
        );
        // What Node writes as version 15 has nothing that 13 had not.
        for version in [13, 14] {
            let mut older = written.clone();
            older[1] = version;
            // Written again, as NaN is not equal to itself.
            let again = Value::read(&older)?.write()?;
            ensure!(again == written, "{version}: {value:?}");
        }
        for version in [0, 12, 16, 255] {
            let mut other = written.clone();
            other[1] = version;
            ensure!(Value::read(&other).is_err(), "{version}");
        }
        for end in 0..written.len() {
            let cut = Value::read(&written[..end]);
            ensure!(cut.is_err(), "{end} bytes of {value:?}: {cut:?}");
        }
        count += 1;
    }
    ensure!(count > 150 && hosts > 0, "{count} {hosts}");
    ended(child).await
}

/// A Node process dies of what V8 cannot read: it is refused here, and what
/// comes near to it is not.
async fn unreadable() -> Result<()> {
    fn object<const N: usize>(keys: [Value; N]) -> Value {
        Value::Object(keys.map(|key| (key, Value::Null)).into())
    }
    fn array<const N: usize>(elements: [Value; N], key: Value) -> Value {
        Value::Array {
            elements: elements.to_vec(),
            properties: vec![(key, Value::Null)],
        }
    }
    fn gaps(keys: &[Value]) -> Value {
        let properties = keys.iter().map(|key| (key.clone(), Value::Null));
        Value::SparseArray {
            length: 3,
            properties: properties.collect(),
        }
    }
    fn error(cause: Value) -> Value {
        Value::Error(Box::new(v8::Error {
            cause: Some(cause),
            ..v8::Error::default()
        }))
    }
    let text = |text: &str| Value::from(text);
    let number = Value::Number;
    let host = |value| Value::Host(Box::new(value));
    let refer = Value::Reference;
    let (hole, null) = (Value::Hole, Value::Null);

    for value in [
        hole.clone(),
        Value::from([("a", hole.clone())]),
        Value::Set(vec![hole.clone()]),
        Value::Map(vec![(null.clone(), hole.clone())]),
        error(hole.clone()),
        Value::Boxed(Box::new(hole.clone())),
        refer(0),
        Value::from([("a", refer(1))]),
        Value::from(vec![refer(1), object([])]),
        host(number(1.0)),
        host(refer(0)),
        host(Value::from([("a", refer(0))])),
        object([null.clone()]),
        object([text("a"), text("b"), text("a")]),
        object([text("é"), Value::Utf16(vec![0xE9])]),
        object([Value::Utf16(vec![0xD800]), Value::Utf16(vec![0xD800])]),
        object([number(1.0), text("1")]),
        object([number(0.0), number(-0.0)]),
        object([number(1.5), text("1.5")]),
        object([number(1e21), text("1e+21")]),
        object([number(-1e-7), text("-1e-7")]),
        object([number(123456789e12), text("123456789000000000000")]),
        object([number(0.000001), text("0.000001")]),
        object([number(f64::NAN), text("NaN")]),
        object([number(f64::NEG_INFINITY), text("-Infinity")]),
        array([], text("length")),
        array([null.clone()], number(0.0)),
        array([null.clone()], text("0")),
        gaps(&[text("length")]),
        gaps(&[number(2.0), text("2")]),
    ] {
        let written = value.write();
        ensure!(written.is_err(), "{value:?}: {written:02x?}");
    }
    // Nor through serde, for which the second `a` is no mistake.
    #[derive(serde::Serialize)]
    struct Flat {
        a: u8,
        #[serde(flatten)]
        rest: BTreeMap<&'static str, u8>,
    }
    let flat = |key| {
        v8::to_vec(&Flat {
            a: 1,
            rest: [(key, 2)].into(),
        })
    };
    ensure!(flat("a").is_err() && flat("b").is_ok());

    let script = "process.on('message', m => process.send([m]))";
    let mut fork = node(script).serialization(Serialization::Advanced);
    let mut child = fork.spawn()?;
    for value in [
        Value::from(vec![hole.clone(), null.clone(), hole.clone()]),
        Value::from(vec![object([]), refer(1)]),
        Value::from([("a", error(refer(0)))]),
        Value::from([("a", host(Value::from([("b", refer(0))])))]),
        Value::from([("a", host(Value::from([("b", refer(2))])))]),
        object([text("a"), text("A"), number(1.0), text("01"), text("+1")]),
        object([number(1.5), number(1e21), number(-1e-7), text("1e21")]),
        object([number(f64::NAN), number(f64::INFINITY), text("length")]),
        Value::Map(vec![(text("a"), null.clone()); 2]),
        array([hole.clone()], number(0.0)),
        array([null.clone()], number(1.0)),
        array([null.clone()], text("00")),
        gaps(&[number(0.0), number(9.0), text("Length")]),
    ] {
        child.channel.sender().send_value(&value).await?;
        let back = next(&mut child.channel).await;
        back.with_context(|| format!("{value:?}"))?;
    }
    child.channel.disconnect().await?;
    ended(child).await
}

/// The values that a Rust program makes itself arrive as what they are.
async fn echoed() -> Result<()> {
    let script = "const { inspect } = require('util')
        process.on('message', m => {
          process.send(inspect(m, { depth: 9, breakLength: Infinity }))
          process.send([m])
        })";
    let mut fork = node(script).serialization(Serialization::Advanced);
    let mut child = fork.spawn()?;
    let number = Value::Number;
    for (value, shown) in [
        (Value::Null, "null"),
        (Value::Undefined, "undefined"),
        (number(-0.0), "-0"),
        (
            BigInt::from(-(1_i128 << 100)).into_value(),
            "-1267650600228229401496703205376n",
        ),
        (Value::from("中é"), "'中é'"),
        (Value::Utf16(vec![0xD800]), r"'\ud800'"),
        (
            Value::from([("a", 1.into()), ("b", Value::Undefined)]),
            "{ a: 1, b: undefined }",
        ),
        (Value::from(vec![1.into(), "x".into()]), "[ 1, 'x' ]"),
        (
            Value::Map(vec![("k".into(), 1.into())]),
            "Map(1) { 'k' => 1 }",
        ),
        (Value::Set(vec!["中".into()]), "Set(1) { '中' }"),
        (Value::Date(0.0), "1970-01-01T00:00:00.000Z"),
        (Value::View(View::Buffer, b"hi".to_vec()), "<Buffer 68 69>"),
        (
            Value::View(View::Uint16Array, vec![1, 0, 2, 0]),
            "Uint16Array(2) [ 1, 2 ]",
        ),
        (
            Value::RegExp {
                source: Box::new("a+".into()),
                flags: 1,
            },
            "/a+/g",
        ),
        (Value::Boxed(Box::new(number(1.0))), "[Number: 1]"),
        (
            Value::from([("self", Value::Reference(0))]),
            "<ref *1> { self: [Circular *1] }",
        ),
    ] {
        child.channel.sender().send_raw(value.write()?).await?;
        let text = next(&mut child.channel).await?;
        ensure!(text.parse::<String>()? == shown, "{text}");
        let back = next(&mut child.channel).await?;
        if let Value::Array { .. } = value {
            // What V8 has read counts as an array with gaps.
            let [json]: [serde_json::Value; 1] = back.parse()?;
            ensure!(json == serde_json::json!([1, "x"]), "{json}");
            continue;
        }
        let expected = match value {
            // One object more is before it.
            Value::Object(_) if shown.contains("Circular") => {
                Value::from([("self", Value::Reference(1))])
            }
            value => value,
        };
        let expected = Value::from(vec![expected]).write()?;
        ensure!(back.bytes() == expected, "{shown}: {back:?}");
    }
    child.channel.disconnect().await?;
    ended(child).await
}

/// Node 20 writes an Error's cause before its stack, later ones write it after
/// it, and Node 22 and later die of the other order. So Node's own Error is
/// read here, written again, and compared by Node.
async fn errors() -> Result<()> {
    let script = "const inner = new RangeError('inner')
        const outer = new TypeError('outer', { cause: inner })
        process.send(outer)
        process.on('message', m => {
          const same = m instanceof TypeError && m.message === 'outer' &&
            m.stack === outer.stack && m.cause instanceof RangeError &&
            m.cause.stack === inner.stack
          process.send(same)
        })";
    let mut fork = node(script).serialization(Serialization::Advanced);
    let mut child = fork.spawn()?;
    let outer = next(&mut child.channel).await?;
    child.channel.sender().send_value(&outer.value()?).await?;
    ensure!(next(&mut child.channel).await?.parse::<bool>()?);
    // As it came: that is what the Node that wrote it can read.
    child.channel.sender().send_raw(outer).await?;
    ensure!(next(&mut child.channel).await?.parse::<bool>()?);
    child.channel.disconnect().await?;
    ended(child).await
}

/// Bytes that version 15 never writes: Node and we read the same in them.
async fn by_hand() -> Result<()> {
    let script = "const { inspect } = require('util')
        process.on('message', m => process.send(inspect(m)))";
    let mut fork = node(script).serialization(Serialization::Advanced);
    let mut child = fork.spawn()?;
    for (bytes, shown, value) in [
        (&b"\xFF\x0D_"[..], "undefined", Value::Undefined),
        (b"\xFF\x0E_", "undefined", Value::Undefined),
        (b"\xFF\x0F_", "undefined", Value::Undefined),
        (b"\xFF\x0FZ\x10\x0a\0\0\0\0\0\0\0", "10n", {
            BigInt::from(10_i128).into_value()
        }),
        // An unsigned number, and text in UTF-8, as others write them.
        (b"\xFF\x0DU\x80\x01", "128", 128.into()),
        (b"\xFF\x0DS\x03\xE4\xB8\xAD", "'中'", "中".into()),
        (b"\xFF\x0E\"\x02h\xE9", "'hé'", "hé".into()),
        // Text that is not at an even place, and text that padding put there.
        (b"\xFF\x0Fc\x02\x2D\x4E", "'中'", "中".into()),
        (b"\xFF\x0F\0c\x02\x2D\x4E", "'中'", "中".into()),
        (b"\xFF\x0E\0\0\0I\x02", "1", 1.into()),
        (b"\xFF\x0F?\x05?\0T", "true", Value::Bool(true)),
        (b"\xFF\x0FA\x02-I\x02$\0\x02", "[ <1 empty item>, 1 ]", {
            Value::from(vec![Value::Hole, 1.into()])
        }),
        (b"\xFF\x0F\\\x01o{\0", "{}", {
            Value::Host(Value::Object(Vec::new()).into())
        }),
        // What follows the value is left aside.
        (b"\xFF\x0FTgarbage", "true", Value::Bool(true)),
        (b"\xFF\x0D\\\0\x0A\x02hi", "<Buffer 68 69>", {
            Value::View(View::Buffer, b"hi".to_vec())
        }),
    ] {
        ensure!(Value::read(bytes)? == value, "{bytes:02x?}");
        child.channel.sender().send_raw(bytes.to_vec()).await?;
        let seen = next(&mut child.channel).await?;
        ensure!(seen.to_string() == shown, "{bytes:02x?}: {seen}");
    }
    child.channel.disconnect().await?;
    ended(child).await
}

/// Every beginning of a message, framed as if it were whole, and a good one
/// after each.
async fn cut_short() -> Result<()> {
    let (ours, mut peer) = std::os::unix::net::UnixStream::pair()?;
    let options = Options::default().serialization(Serialization::Advanced);
    let mut channel = Channel::new(ours.into(), options)?;
    let whole = Value::from([
        ("a", Value::from(vec!["é".into(), "中".into(), 1.5.into()])),
        ("b", Value::View(View::Buffer, b"hi".to_vec())),
        ("c", Value::Map(vec![(1.into(), Value::Date(0.0))])),
    ]);
    let whole_bytes = whole.write()?;
    let frame = |bytes: &[u8]| {
        let length = (bytes.len() as u32).to_be_bytes();
        [&length[..], bytes].concat()
    };
    for end in 0..whole_bytes.len() {
        peer.write_all(&frame(&whole_bytes[..end]))?;
        peer.write_all(&frame(&whole_bytes))?;
        let cut = channel.recv().await.context("end")?;
        let Err(Error::Malformed { bytes, .. }) = cut else {
            bail!("{end} bytes: {cut:?}");
        };
        ensure!(bytes == whole_bytes[..end]);
        ensure!(next(&mut channel).await?.value()? == whole);
    }
    // One byte at a time it is a message all the same; what is left of one
    // at the end is none.
    for byte in frame(&whole_bytes) {
        peer.write_all(&[byte])?;
        tokio::task::yield_now().await;
    }
    ensure!(next(&mut channel).await?.value()? == whole);
    peer.write_all(&frame(&whole_bytes)[..9])?;
    drop(peer);
    ensure!(channel.recv().await.is_none());
    Ok(())
}

/// A value as bytes, to be compared: `isDeepStrictEqual` overflows the stack of
/// Node 24 at a depth of 1000. Read once before, as V8 writes an array that it
/// has read otherwise than a literal one.
const BYTES: &str = "
    const v8 = require('v8')
    const bytes = value => v8.serialize(v8.deserialize(v8.serialize(value)))
";

/// Node sends it, takes it back, and finds what it has sent.
async fn too_deep() -> Result<()> {
    let script = "let deep = 1
        for (let i = 0; i < 1000; i++) deep = i % 2 ? [deep] : { deep }
        process.send({ deep, cmd: 'own' })
        process.send('next')
        process.on('message', m => {
          process.send(bytes(m.deep).equals(bytes(deep)))
          process.disconnect()
        })";
    let mut fork = node(&format!("{BYTES}{script}"))
        .serialization(Serialization::Advanced);
    let mut child = fork.spawn()?;
    let deep = next(&mut child.channel).await?;
    ensure!(deep.value().is_err() && deep.parse::<IgnoredAny>().is_ok());
    ensure!(next(&mut child.channel).await?.to_string() == "next");
    child.channel.sender().send_raw(deep).await?;
    ensure!(next(&mut child.channel).await?.parse::<bool>()?);
    ended(child).await
}

/// In its envelope a message has other numbers for its objects than alone.
async fn with_a_socket() -> Result<()> {
    let script = "
        let deep = 1
        for (let i = 0; i < 1000; i++) deep = i % 2 ? [deep] : { deep }
        const cycle = { a: [], '中': '文', e: new Error('x') }
        cycle.a.push(cycle, cycle.a, cycle.e)
        const many = Array.from({ length: 200 }, (_, i) => ({ i }))
        const sent = [deep, cycle, [...many, ...many], '中', new Map([[cycle, deep]])]
        const server = require('net').createServer().listen(0, '127.0.0.1',
          () => sent.forEach(m => process.send(m, server)))
        process.on('message', m => {
          process.send(bytes(m).equals(bytes(sent.shift())))
          if (!sent.length) process.disconnect(server.close())
        })";
    let mut fork = node(&format!("{BYTES}{script}"))
        .serialization(Serialization::Advanced);
    let mut child = fork.spawn()?;
    let mut messages = Vec::new();
    for count in 0..5 {
        let mut message = next(&mut child.channel).await?;
        ensure!(message.handle.take().is_some(), "{count}");
        messages.push(message);
    }
    let Value::Object(cycle) = messages[1].value()? else {
        bail!("{:?}", messages[1]);
    };
    let again = [0, 1, 2].map(Value::Reference);
    let list = &cycle[0].1;
    ensure!(
        matches!(list, Value::Array { elements, .. }
            if elements[..2] == again[..2]),
        "{list:?}"
    );
    ensure!(cycle[2].1 == again[2], "{cycle:?}");
    for (count, message) in messages.into_iter().enumerate() {
        child.channel.sender().send_raw(message).await?;
        let same = next(&mut child.channel).await?;
        ensure!(same.parse::<bool>()?, "{count}");
    }
    ended(child).await
}

/// What V8 itself has read counts as an array with gaps.
async fn gaps() -> Result<()> {
    let script = "process.on('message', m => {
          const [first] = m
          process.send(m)
          process.send([, 1, , first])
          const named = [1]; named.name = 'x'
          process.send(named)
          process.send(Object.assign([], { 1000000: 1 }))
          process.send(m, () => process.disconnect())
        })";
    let mut fork = node(script).serialization(Serialization::Advanced);
    let mut child = fork.spawn()?;
    child.channel.send(&["a", "b"]).await?;
    let back = next(&mut child.channel).await?;
    ensure!(
        matches!(back.value()?, Value::SparseArray { .. }),
        "{back:?}"
    );
    ensure!(back.parse::<[String; 2]>()? == ["a", "b"]);
    ensure!(back.parse::<(String,)>()? == ("a".to_owned(),));
    type Holes = Vec<Option<serde_json::Value>>;
    let holes = next(&mut child.channel).await?.parse::<Holes>()?;
    let expected = [None, Some(1.into()), None, Some("a".into())];
    ensure!(holes == expected, "{holes:?}");
    for _ in 0..2 {
        let other = next(&mut child.channel).await?;
        ensure!(other.parse::<Holes>().is_err(), "{other:?}");
    }
    ensure!(next(&mut child.channel).await?.to_string() == r#"["a","b"]"#);
    ended(child).await
}

trait IntoValue {
    fn into_value(self) -> Value;
}

impl IntoValue for BigInt {
    fn into_value(self) -> Value {
        Value::BigInt(self)
    }
}

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
enum Job {
    Stop,
    Resize(u32, u32),
    Open { path: String, flags: Option<u8> },
    Named(String),
}

#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Everything {
    name: String,
    jobs: Vec<Job>,
    map: BTreeMap<u64, f64>,
    big: u64,
    small: i8,
    nothing: Option<()>,
    pair: (char, bool),
    unknown: serde_json::Value,
}

async fn serde_types() -> Result<()> {
    let everything = Everything {
        name: "名 é".to_owned(),
        jobs: vec![
            Job::Stop,
            Job::Resize(3, 4_000_000_000),
            Job::Open {
                path: String::new(),
                flags: None,
            },
            Job::Named("中".to_owned()),
        ],
        map: [(1, 0.5), (1 << 40, -0.0)].into(),
        big: 9_007_199_254_740_991,
        small: -128,
        nothing: None,
        pair: ('😀', true),
        unknown: serde_json::json!({"a": [1, 2.5, null], "b": {"c": "d"}}),
    };
    for serialization in [Serialization::Json, Serialization::Advanced] {
        let script = "process.on('message', m => process.send(m))";
        let mut child = node(script).serialization(serialization).spawn()?;
        child.channel.send(&everything).await?;
        let back = next(&mut child.channel).await?;
        let back = back.parse::<Everything>()?;
        ensure!(back == everything, "{back:?}");
        child.channel.disconnect().await?;
        ended(child).await?;
    }
    // Within a value that serde has no word for.
    let script = "process.on('message', m => {
          process.send(m.get('all').jobs[2].Open.flags === null && m)
          process.disconnect()
        })";
    let mut fork = node(script).serialization(Serialization::Advanced);
    let mut child = fork.spawn()?;
    let all = v8::to_value(&everything)?;
    let map = Value::Map(vec![("all".into(), all)]);
    child.channel.sender().send_value(&map).await?;
    let back = next(&mut child.channel).await?.value()?;
    let back = back.get("all").context("not a Map")?;
    ensure!(
        v8::from_value::<Everything>(back)? == everything,
        "{back:?}"
    );
    ended(child).await?;
    // Beyond what JSON has.
    let bytes = v8::to_vec(&u64::MAX)?;
    ensure!(Value::read(&bytes)? == Value::BigInt(u128::from(u64::MAX).into()));
    ensure!(v8::from_slice::<u64>(&bytes)? == u64::MAX);
    Ok(())
}

async fn cycles() -> Result<()> {
    let script = "const a = {}; a.a = a
        const s = { x: 1 }
        process.send(a)
        process.send([s, s])
        process.channel.unref()";
    let mut fork = node(script).serialization(Serialization::Advanced);
    let mut child = fork.spawn()?;
    let cycle = next(&mut child.channel).await?;
    ensure!(cycle.value()? == Value::from([("a", Value::Reference(0))]));
    ensure!(cycle.parse::<serde_json::Value>().is_err());
    let shared = next(&mut child.channel).await?;
    let json = shared.parse::<serde_json::Value>()?;
    ensure!(json == serde_json::json!([{"x": 1}, {"x": 1}]), "{json}");
    ended(child).await
}

/// A Date, a Map and a Set have no place in a type that takes any value. One
/// that says what it wants gets it.
async fn lossy() -> Result<()> {
    use serde_json::Value as Any;

    #[derive(serde::Deserialize)]
    struct Flat {
        #[serde(flatten)]
        rest: BTreeMap<String, Any>,
    }
    type Times = BTreeMap<String, f64>;

    let script = "
        for (let i = 0; i < 2; i++) {
          process.send(new Map([['a', new Date(1)]]))
          process.send([new Date(2)])
          process.send({ a: new Set([3]) })
        }
        process.send(new Map([['a', 1]]))
        process.send({ a: [1, null, 'b'] }, () => process.disconnect())";
    let mut fork = node(script).serialization(Serialization::Advanced);
    let mut child = fork.spawn()?;
    let channel = &mut child.channel;
    for what in ["a Map", "a Date", "a Set"] {
        let any = channel.recv_as::<Any>().await.context("the end")?;
        let Err(Error::Malformed { why, bytes }) = any else {
            bail!("{what}: {any:?}");
        };
        ensure!(why.starts_with(what), "{why}");
        // Nothing is lost.
        Value::read(&bytes)?;
        ensure!(v8::from_slice::<Flat>(&bytes).is_err(), "{what}");
    }
    let times = channel.recv_as::<Times>().await.context("the end")??;
    ensure!(times == [("a".to_owned(), 1.0)].into());
    let dates = channel.recv_as::<Vec<f64>>().await.context("the end")??;
    ensure!(dates == [2.0]);
    type Sets = BTreeMap<String, Vec<u8>>;
    let sets = channel.recv_as::<Sets>().await.context("the end")??;
    ensure!(sets == [("a".to_owned(), vec![3])].into());
    type Map = BTreeMap<String, Any>;
    let map = channel.recv_as::<Map>().await.context("the end")??;
    ensure!(map == [("a".to_owned(), 1.into())].into());
    let flat = channel.recv_as::<Flat>().await.context("the end")??;
    ensure!(flat.rest["a"] == serde_json::json!([1, null, "b"]));
    ended(child).await
}

/// Node 20 cannot have one: it overflows its stack.
async fn own_cause() -> Result<()> {
    let own = Value::Error(Box::new(v8::Error {
        message: Some("m".into()),
        stack: Some("s".into()),
        cause: Some(Value::Reference(0)),
        ..v8::Error::default()
    }));
    let written = own.write()?;
    ensure!(written == b"\xFF\x0Frm\"\x01ms\"\x01sc^\0.", "{written:x?}");
    ensure!(Value::read(&written)? == own);

    let script = "
        const major = parseInt(process.versions.node)
        process.send(major)
        if (major >= 22) {
          const e = new Error('m')
          e.stack = 's'
          e.cause = e
          process.send(e)
          process.on('message', m => process.send(m.cause === m))
        } else {
          process.channel.unref()
        }";
    let mut fork = node(script).serialization(Serialization::Advanced);
    let mut child = fork.spawn()?;
    if next(&mut child.channel).await?.parse::<u32>()? >= 22 {
        let message = next(&mut child.channel).await?;
        ensure!(message.bytes() == written, "{message}");
        child.channel.sender().send_value(&message.value()?).await?;
        ensure!(next(&mut child.channel).await?.parse::<bool>()?);
    }
    child.channel.disconnect().await?;
    ended(child).await
}

async fn internal() -> Result<()> {
    let script = "process.send({ cmd: 'NODE_SECRET', x: '中' })
        process.send({ cmd: 'NODE_\\ud800' })
        process.send({ cmd: 'NODE_' })
        process.send({ x: 'NODE_SECRET' })
        process.send(new Map([['cmd', 'NODE_SECRET']]))
        process.send('NODE_SECRET', () => process.disconnect())";
    let mut fork = node(script).serialization(Serialization::Advanced);
    let mut child = fork.spawn()?;
    for expected in [
        r#"{"cmd":"NODE_"}"#,
        r#"{"x":"NODE_SECRET"}"#,
        // JSON has no Map.
        r#"Map([(String("cmd"), String("NODE_SECRET"))])"#,
        "NODE_SECRET",
    ] {
        let message = next(&mut child.channel).await?;
        ensure!(message.to_string() == expected, "{message}");
    }
    ended(child).await
}
