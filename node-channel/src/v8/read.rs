//! Makes values of tokens.

use std::borrow::Cow;

use super::tokens::{Digits, Kind, Leaf, Part, Text, Token, Tokens};
use super::{BigInt, DEPTH, Error, Invalid, Value};

/// A walk through bytes that came from somewhere.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    tokens: Tokens<'a>,
    depth: usize,
}

type Result<T = Value> = std::result::Result<T, Invalid>;

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self> {
        Ok(Self {
            tokens: Tokens::new(bytes)?,
            depth: 0,
        })
    }

    /// One value.
    pub(super) fn value(&mut self) -> Result {
        let token = self.tokens.next()?;
        self.made_of(token)
    }

    /// The value that begins with `token`.
    fn made_of(&mut self, token: Token<'a>) -> Result {
        self.depth += 1;
        if self.depth > DEPTH {
            return self.tokens.invalid("too deep");
        }
        let value = match token {
            Token::Leaf(leaf) => leaf.into(),
            Token::Begin(kind) => self.container(kind)?,
            Token::End | Token::Part(_) => {
                return self.tokens.invalid("no value");
            }
        };
        self.depth -= 1;
        Ok(value)
    }

    fn container(&mut self, kind: Kind) -> Result {
        Ok(match kind {
            Kind::Object => Value::Object(self.entries()?),
            Kind::Array(length) => {
                let mut elements = Vec::new();
                for _ in 0..length {
                    elements.push(self.value()?);
                }
                let properties = self.entries()?;
                Value::Array {
                    elements,
                    properties,
                }
            }
            Kind::SparseArray(length) => Value::SparseArray {
                length,
                properties: self.entries()?,
            },
            Kind::Map => Value::Map(self.entries()?),
            Kind::Set => Value::Set(self.elements()?),
            Kind::Error => Value::Error(self.error()?.into()),
            Kind::Host => {
                let inner = self.value()?;
                self.tokens.next()?; // its end
                Value::Host(inner.into())
            }
        })
    }

    fn elements(&mut self) -> Result<Vec<Value>> {
        let mut elements = Vec::new();
        loop {
            match self.tokens.next()? {
                Token::End => return Ok(elements),
                first => elements.push(self.made_of(first)?),
            }
        }
    }

    fn entries(&mut self) -> Result<Vec<(Value, Value)>> {
        let mut entries = Vec::new();
        loop {
            match self.tokens.next()? {
                Token::End => return Ok(entries),
                key => entries.push((self.made_of(key)?, self.value()?)),
            }
        }
    }

    fn error(&mut self) -> Result<Error> {
        let mut error = Error::default();
        while let Token::Part(part) = self.tokens.next()? {
            match part {
                Part::Kind(kind) => error.kind = Some(kind),
                Part::Message(text) => error.message = Some(text.into()),
                Part::Stack(text) => error.stack = Some(text.into()),
                Part::Cause => error.cause = Some(self.value()?),
            }
        }
        Ok(error)
    }
}

impl From<Leaf<'_>> for Value {
    fn from(leaf: Leaf<'_>) -> Self {
        let boxed = |inner: Self| Self::Boxed(inner.into());
        match leaf {
            Leaf::Undefined => Self::Undefined,
            Leaf::Null => Self::Null,
            Leaf::Hole => Self::Hole,
            Leaf::Bool(value) => Self::Bool(value),
            Leaf::Number(number) => Self::Number(number),
            Leaf::BigInt(digits) => Self::BigInt(digits.into()),
            Leaf::Text(text) => text.into(),
            Leaf::Reference(number) => Self::Reference(number),
            Leaf::Date(time) => Self::Date(time),
            Leaf::BoxedBool(value) => boxed(Self::Bool(value)),
            Leaf::BoxedNumber(number) => boxed(Self::Number(number)),
            Leaf::BoxedBigInt(digits) => boxed(Self::BigInt(digits.into())),
            Leaf::BoxedText(text) => boxed(text.into()),
            Leaf::RegExp { source, flags } => Self::RegExp {
                source: Box::new(source.into()),
                flags,
            },
            Leaf::ArrayBuffer(bytes) => Self::ArrayBuffer(bytes.to_vec()),
            Leaf::ResizableBuffer(bytes, longest) => Self::ResizableBuffer {
                bytes: bytes.to_vec(),
                longest,
            },
            Leaf::View(view, bytes) => Self::View(view, bytes.to_vec()),
        }
    }
}

impl From<Digits<'_>> for BigInt {
    fn from(digits: Digits<'_>) -> Self {
        let places = digits.bytes.chunks(8).map(|chunk| {
            let mut place = [0; 8];
            place[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(place)
        });
        Self {
            negative: digits.negative,
            digits: places.collect(),
        }
    }
}

impl From<Text<'_>> for Value {
    fn from(text: Text<'_>) -> Self {
        match text {
            Text::Latin(bytes) => Self::String(latin(bytes).into_owned()),
            Text::Utf8(bytes) => {
                Self::String(String::from_utf8_lossy(bytes).into_owned())
            }
            Text::Wide(bytes) => {
                let units = bytes.as_chunks().0.iter();
                let units: Vec<u16> =
                    units.map(|unit| u16::from_le_bytes(*unit)).collect();
                match String::from_utf16(&units) {
                    Ok(text) => Self::String(text),
                    Err(_) => Self::Utf16(units),
                }
            }
        }
    }
}

/// The text of Latin-1: mostly ASCII, which is the same in UTF-8.
pub(super) fn latin(bytes: &[u8]) -> Cow<'_, str> {
    if bytes.is_ascii() {
        // SAFETY: it is ASCII, and all ASCII is UTF-8. To have it looked at
        // once more would take longer than the copy of a long string.
        return Cow::Borrowed(unsafe { std::str::from_utf8_unchecked(bytes) });
    }
    bytes.iter().copied().map(char::from).collect()
}
