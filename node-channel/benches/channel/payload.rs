//! What goes to and fro.

use std::fmt;

use node_channel::{Error, Serialization, v8};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

/// One of the three. On a parent's stdin it is `{"text": ..}` or
/// `{"record": ..}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// Their names, for the table's head, what they are, and how many of them
    /// are on their way.
    pub fn all() -> Vec<(&'static str, Self, u64)> {
        let hello = Self::Text("hello".to_owned());
        vec![
            ("\"hello\"", hello.clone(), 1),
            ("1 KiB object", Self::Record(record()), 1),
            ("1 MiB string", Self::Text("x".repeat(1 << 20)), 1),
            ("1,024 \"hello\"", hello, 1024),
        ]
    }
}

/// One of the three as it is on the channel: the string or the object itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Bare(pub Payload);

impl Bare {
    /// The bytes of one message, without line end or length.
    pub fn bytes(&self, mode: Serialization) -> anyhow::Result<Vec<u8>> {
        Ok(match mode {
            Serialization::Json => serde_json::to_vec(self)?,
            Serialization::Advanced => v8::to_vec(self).map_err(Error::from)?,
        })
    }
}

impl Serialize for Bare {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Payload::Text(text) => text.serialize(to),
            Payload::Record(record) => record.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Bare {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Payload;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a record")
            }

            fn visit_str<E>(self, text: &str) -> Result<Payload, E> {
                Ok(Payload::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                map: A,
            ) -> Result<Payload, A::Error> {
                let record =
                    Record::deserialize(MapAccessDeserializer::new(map));
                record.map(Payload::Record)
            }
        }
        from.deserialize_any(Either).map(Self)
    }
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
