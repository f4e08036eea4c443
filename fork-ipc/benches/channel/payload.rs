//! What goes to and fro.

use fork_ipc::{Error, Serialization, v8};
use serde::{Deserialize, Serialize};

/// One of the three. On a parent's stdin it is `{"text": ..}` or
/// `{"record": ..}`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Payload {
    /// A string.
    Text(String),
    /// An object, as a service would send it.
    Record(Record),
}

/// An order in a shop: 1 KiB as JSON.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    id: u32,
    customer: String,
    express: bool,
    total: f64,
    tags: Vec<String>,
    lines: Vec<Line>,
    note: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Line {
    article: String,
    count: u32,
    price: f64,
}

impl Payload {
    /// Their names, for the table's head, and what they are.
    pub fn all() -> Vec<(&'static str, Self)> {
        vec![
            ("\"hello\"", Self::Text("hello".to_owned())),
            ("1 KiB object", Self::Record(record())),
            ("1 MiB string", Self::Text("x".repeat(1 << 20))),
        ]
    }

    /// The bytes of one message, without line end or length.
    pub fn bytes(&self, mode: Serialization) -> anyhow::Result<Vec<u8>> {
        match self {
            Self::Text(text) => bytes(text, mode),
            Self::Record(record) => bytes(record, mode),
        }
    }
}

/// The bytes of one message, as `send` makes them.
pub fn bytes<T: Serialize>(
    value: &T,
    mode: Serialization,
) -> anyhow::Result<Vec<u8>> {
    Ok(match mode {
        Serialization::Json => serde_json::to_vec(value)?,
        Serialization::Advanced => v8::to_vec(value).map_err(Error::from)?,
    })
}

fn record() -> Record {
    let line = |number: u32| Line {
        article: format!("article {number}, blue, large"),
        count: number % 3 + 1,
        price: f64::from(number) + 0.95,
    };
    let mut record = Record {
        id: 4_711,
        customer: "Ada Lovelace".to_owned(),
        express: true,
        total: 1_234.5,
        tags: ["new", "gift", "abroad"].map(str::to_owned).into(),
        lines: (1..=10).map(line).collect(),
        note: String::new(),
    };
    let length = serde_json::to_string(&record).map_or(0, |json| json.len());
    record.note = "n".repeat(1024_usize.saturating_sub(length));
    record
}
