//! What is done with bytes from a peer that wishes us ill. Each function is a
//! fuzz target; the ordinary tests run them too, on the corpus that is kept.

use std::error::Error;
use std::os::unix::net::UnixStream;

use ::node_channel::frames::{self, Decoder, Frame};
use ::node_channel::v8::{self, Value};
use ::node_channel::{Channel, Incoming, Message, Options, Serialization};
use tokio::runtime::Runtime;

/// Small, so that it is reached.
const LIMIT: usize = 1000;

/// The frames in `bytes` that arrive in pieces of these lengths.
fn frames(
    serialization: Serialization,
    bytes: &[u8],
    lengths: &mut dyn Iterator<Item = usize>,
) -> (Vec<Vec<u8>>, bool) {
    let mut decoder = Decoder::new(serialization, LIMIT);
    let mut found = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let length = lengths.next().unwrap_or(1).clamp(1, rest.len());
        let (piece, after) = rest.split_at(length);
        decoder.push(piece);
        rest = after;
        loop {
            match decoder.next_frame() {
                Ok(Some(frame)) => found.push(frame.into_bytes()),
                Ok(None) => break,
                Err(_) => return (found, true),
            }
        }
    }
    (found, false)
}

/// Whatever the pieces, the frames are the same.
fn any_pieces(serialization: Serialization, bytes: &[u8]) {
    let whole = frames(serialization, bytes, &mut std::iter::once(usize::MAX));
    let single = frames(serialization, bytes, &mut std::iter::repeat(1));
    assert_eq!(whole, single);
    let some = bytes.iter().map(|byte| usize::from(*byte));
    assert_eq!(whole, frames(serialization, bytes, &mut some.cycle()));
    assert!(whole.0.iter().all(|frame| frame.len() <= LIMIT));
}

/// Lines.
pub fn lines(bytes: &[u8]) {
    any_pieces(Serialization::Json, bytes);
}

/// Lengths and as many bytes.
pub fn lengths(bytes: &[u8]) {
    any_pieces(Serialization::Advanced, bytes);
}

/// One message of JSON.
pub fn json(bytes: &[u8]) {
    let read = Message::from_bytes(Serialization::Json, bytes.to_vec());
    let parsed = serde_json::from_slice::<serde_json::Value>(bytes);
    match read {
        Ok(message) => {
            let _ = message.to_string();
            let _ = message.parse::<serde_json::Value>();
        }
        // What serde takes is a message.
        Err(error) => assert!(parsed.is_err(), "{error}"),
    }
}

/// One value of V8's.
pub fn v8(bytes: &[u8]) {
    let checked = v8::check(bytes);
    let read = Value::read(bytes);
    match &read {
        Ok(_) => assert_eq!(checked, Ok(())),
        // Too deep to be a value here, it may be a message all the same.
        Err(error) if error.to_string().contains("deep") => {}
        Err(error) => assert!(checked.is_err(), "{error}"),
    }
    let message = Message::from_bytes(Serialization::Advanced, bytes.to_vec());
    assert_eq!(message.is_ok(), checked.is_ok());
    if let Ok(message) = message {
        let _ = message.to_string();
    }
    let json = v8::from_slice::<serde_json::Value>(bytes);
    let Ok(value) = read else {
        assert!(json.is_err(), "{json:?}");
        return;
    };
    // What can be read can be written, and is the same when read again.
    let Ok(written) = value.write() else {
        return;
    };
    let again = Value::read(&written).and_then(|value| value.write());
    assert_eq!(again.as_ref(), Ok(&written));
    // Bytes that Node would not write may say the same in other words.
    let same = v8::from_value::<serde_json::Value>(&value);
    assert_eq!(same.ok(), json.ok());
}

thread_local! {
    static RUNTIME: std::io::Result<Runtime> =
        tokio::runtime::Builder::new_current_thread().enable_all().build();
}

/// One message that comes with a descriptor, as a socket's envelope does.
pub fn envelopes(bytes: &[u8]) {
    let opened = RUNTIME.with(|runtime| {
        let runtime = runtime.as_ref().map_err(|error| error.to_string())?;
        let opened = runtime.block_on(opened(bytes));
        opened.map_err(|error| error.to_string())
    });
    assert_eq!(opened, Ok(()));
}

/// It is answered once if at all, and what comes behind it arrives.
async fn opened(bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let options = Options::default().serialization(match bytes.first() {
        Some(0xFF) => Serialization::Advanced,
        _ => Serialization::Json,
    });
    let (ours, theirs) = UnixStream::pair()?;
    let mut channel = Channel::new(ours.into(), options)?;
    let (mut answers, writer) =
        frames::open(theirs.into(), options.serialization, options.limit)?;

    let (descriptor, _) = UnixStream::pair()?;
    let mut frame = Frame::from(bytes.to_vec());
    frame.descriptors.push(descriptor.into());
    // Not what could not come as one message.
    if writer.send(frame).await.is_err() {
        return Ok(());
    }
    let behind = match options.serialization {
        Serialization::Json => serde_json::to_vec("behind")?,
        Serialization::Advanced => v8::to_vec("behind")?,
    };
    writer.send(Frame::from(behind.clone())).await?;
    loop {
        let incoming = channel.recv_any().await.ok_or("the end")?;
        if let Ok(Incoming::Message(message)) = incoming
            && message.bytes() == behind
        {
            break;
        }
    }
    drop(channel);
    let mut count = 0;
    while let Some(answer) = answers.next().await? {
        Message::from_bytes(options.serialization, answer.into_bytes())?;
        count += 1;
    }
    match count {
        0 | 1 => Ok(()),
        _ => Err(format!("{count} answers").into()),
    }
}
