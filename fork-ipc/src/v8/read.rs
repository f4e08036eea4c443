//! Reads values as V8 does, and trusts nothing.

use super::{BigInt, DEPTH, Error, ErrorKind, Invalid, Value, View};

/// The versions that are read.
const VERSIONS: std::ops::RangeInclusive<u8> = 13..=15;

/// A place within bytes that came from somewhere.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    /// How many objects have begun.
    objects: u32,
}

type Result<T = Value> = std::result::Result<T, Invalid>;

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self> {
        let mut reader = Self {
            bytes,
            at: 0,
            depth: 0,
            objects: 0,
        };
        if reader.byte()? != 0xFF {
            return reader.invalid("no header");
        }
        let version = reader.byte()?;
        if !VERSIONS.contains(&version) {
            return reader.invalid(format_args!("version {version}"));
        }
        Ok(reader)
    }

    fn invalid<T>(&self, why: impl std::fmt::Display) -> Result<T> {
        Err(Invalid {
            at: Some(self.at),
            ..Invalid::new(why)
        })
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn byte(&mut self) -> Result<u8> {
        let Some(byte) = self.peek() else {
            return self.invalid("the end");
        };
        self.at += 1;
        Ok(byte)
    }

    /// The next tag. Padding comes before one.
    fn tag(&mut self) -> Result<u8> {
        loop {
            let tag = self.byte()?;
            if tag != 0 {
                return Ok(tag);
            }
        }
    }

    /// The next tag, which stays there.
    fn peek_tag(&mut self) -> Result<u8> {
        while self.peek() == Some(0) {
            self.at += 1;
        }
        match self.peek() {
            Some(tag) => Ok(tag),
            None => self.invalid("the end"),
        }
    }

    fn varint(&mut self) -> Result<u32> {
        let mut number = 0_u32;
        for shift in (0..35).step_by(7) {
            let byte = self.byte()?;
            let digit = u32::from(byte & 0x7F);
            // What does not fit is lost, as in V8.
            number |= digit.checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        self.invalid("a number without an end")
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let left = &self.bytes[self.at..];
        let Some(taken) = left.get(..length) else {
            return self.invalid("the end");
        };
        self.at += length;
        Ok(taken)
    }

    fn long(&mut self) -> Result<[u8; 8]> {
        let mut long = [0; 8];
        long.copy_from_slice(self.take(8)?);
        Ok(long)
    }

    fn double(&mut self) -> Result<f64> {
        Ok(f64::from_le_bytes(self.long()?))
    }

    /// One value.
    pub(super) fn value(&mut self) -> Result {
        let tag = self.tag()?;
        self.tagged(tag)
    }

    fn tagged(&mut self, tag: u8) -> Result {
        self.depth += 1;
        if self.depth > DEPTH {
            return self.invalid("too deep");
        }
        let value = match tag {
            b'_' => Value::Undefined,
            b'0' => Value::Null,
            b'T' => Value::Bool(true),
            b'F' => Value::Bool(false),
            b'I' => {
                let zigzag = self.varint()?;
                let sign = (zigzag & 1).wrapping_neg();
                Value::Number(((zigzag >> 1) ^ sign).cast_signed().into())
            }
            b'U' => Value::Number(self.varint()?.into()),
            b'N' => Value::Number(self.double()?),
            b'Z' => Value::BigInt(self.bigint()?),
            b'"' | b'c' | b'S' => self.string(tag)?,
            b'?' => {
                // How many objects there were: V8 does not look at it.
                self.varint()?;
                self.value()?
            }
            b'^' => {
                let number = self.varint()?;
                if number >= self.objects {
                    return self.invalid("no such object");
                }
                Value::Reference(number)
            }
            _ => self.object(tag)?,
        };
        self.depth -= 1;
        Ok(value)
    }

    fn object(&mut self, tag: u8) -> Result {
        self.objects += 1;
        Ok(match tag {
            b'o' => Value::Object(self.properties(b'{')?),
            b'A' => self.array()?,
            b'a' => {
                let length = self.varint()?;
                let properties = self.properties(b'@')?;
                self.varint()?;
                Value::SparseArray { length, properties }
            }
            b';' => self.map()?,
            b'\'' => self.set()?,
            b'D' => Value::Date(self.double()?),
            b'y' => Value::Boxed(Value::Bool(true).into()),
            b'x' => Value::Boxed(Value::Bool(false).into()),
            b'n' => Value::Boxed(Value::Number(self.double()?).into()),
            b'z' => Value::Boxed(Value::BigInt(self.bigint()?).into()),
            b's' => Value::Boxed(self.text()?.into()),
            b'R' => {
                let source = self.text()?.into();
                let flags = self.varint()?;
                Value::RegExp { source, flags }
            }
            b'r' => Value::Error(self.error()?.into()),
            b'B' => {
                let length = self.varint()? as usize;
                Value::ArrayBuffer(self.take(length)?.to_vec())
            }
            b'\\' => self.host()?,
            _ => {
                self.at -= 1;
                return self.invalid(format_args!("tag {tag:#04x}"));
            }
        })
    }

    fn bigint(&mut self) -> Result<BigInt> {
        let field = self.varint()?;
        let bytes = self.take((field >> 1) as usize)?;
        let digits = bytes.chunks(8).map(|chunk| {
            let mut digit = [0; 8];
            digit[..chunk.len()].copy_from_slice(chunk);
            u64::from_le_bytes(digit)
        });
        Ok(BigInt {
            negative: field & 1 == 1,
            digits: digits.collect(),
        })
    }

    fn string(&mut self, tag: u8) -> Result {
        let length = self.varint()? as usize;
        let bytes = self.take(length)?;
        Ok(match tag {
            b'"' if bytes.is_ascii() => {
                Value::String(String::from_utf8_lossy(bytes).into_owned())
            }
            b'"' => {
                Value::String(bytes.iter().copied().map(char::from).collect())
            }
            b'S' => Value::String(String::from_utf8_lossy(bytes).into_owned()),
            _ => {
                if length % 2 == 1 {
                    return self.invalid("half a character");
                }
                let units = bytes.chunks_exact(2);
                let units: Vec<u16> = units
                    .map(|unit| u16::from_le_bytes([unit[0], unit[1]]))
                    .collect();
                match String::from_utf16(&units) {
                    Ok(text) => Value::String(text),
                    Err(_) => Value::Utf16(units),
                }
            }
        })
    }

    /// A value that must be a string.
    fn text(&mut self) -> Result {
        match self.tag()? {
            tag @ (b'"' | b'c' | b'S') => self.string(tag),
            _ => self.invalid("not a string"),
        }
    }

    /// Keys and values up to the tag `end`, and how many that claims.
    fn properties(&mut self, end: u8) -> Result<Vec<(Value, Value)>> {
        let mut entries = Vec::new();
        loop {
            let tag = self.tag()?;
            if tag == end {
                break;
            }
            let key = self.tagged(tag)?;
            if !matches!(
                key,
                Value::String(_) | Value::Utf16(_) | Value::Number(_)
            ) {
                return self.invalid("a key that is none");
            }
            entries.push((key, self.value()?));
        }
        if self.varint()? as usize != entries.len() {
            return self.invalid("another number of properties");
        }
        Ok(entries)
    }

    fn array(&mut self) -> Result {
        let length = self.varint()? as usize;
        // Each element takes a byte: a length that cannot be is not believed.
        if length > self.bytes.len() - self.at {
            return self.invalid("the end");
        }
        let mut elements = Vec::new();
        for _ in 0..length {
            match self.peek_tag()? {
                b'-' => {
                    self.at += 1;
                    elements.push(Value::Hole);
                }
                _ => elements.push(self.value()?),
            }
        }
        let properties = self.properties(b'$')?;
        if self.varint()? as usize != length {
            return self.invalid("another length");
        }
        Ok(Value::Array {
            elements,
            properties,
        })
    }

    fn map(&mut self) -> Result {
        let mut entries = Vec::new();
        while self.peek_tag()? != b':' {
            entries.push((self.value()?, self.value()?));
        }
        self.at += 1;
        match self.varint()? as usize == entries.len() * 2 {
            true => Ok(Value::Map(entries)),
            false => self.invalid("another number of entries"),
        }
    }

    fn set(&mut self) -> Result {
        let mut elements = Vec::new();
        while self.peek_tag()? != b',' {
            elements.push(self.value()?);
        }
        self.at += 1;
        match self.varint()? as usize == elements.len() {
            true => Ok(Value::Set(elements)),
            false => self.invalid("another number of elements"),
        }
    }

    fn error(&mut self) -> Result<Error> {
        let mut error = Error::default();
        loop {
            match self.varint()? {
                0x45 => error.kind = Some(ErrorKind::EvalError),
                0x52 => error.kind = Some(ErrorKind::RangeError),
                0x46 => error.kind = Some(ErrorKind::ReferenceError),
                0x53 => error.kind = Some(ErrorKind::SyntaxError),
                0x54 => error.kind = Some(ErrorKind::TypeError),
                0x55 => error.kind = Some(ErrorKind::UriError),
                0x6D => error.message = Some(self.text()?),
                0x63 => error.cause = Some(self.value()?),
                0x73 => error.stack = Some(self.text()?),
                0x2E => return Ok(error),
                _ => return self.invalid("an Error's part that is none"),
            }
        }
    }

    /// What Node writes and V8 alone does not know.
    fn host(&mut self) -> Result {
        match self.varint()? {
            0 => {
                let number = self.varint()?;
                let Some(view) = View::numbered(number) else {
                    return self.invalid("no such typed array");
                };
                let length = self.varint()? as usize;
                let bytes = self.take(length)?;
                if !length.is_multiple_of(view.width()) {
                    return self.invalid("half an element");
                }
                Ok(Value::View(view, bytes.to_vec()))
            }
            1 => Ok(Value::Host(self.value()?.into())),
            _ => self.invalid("no such host object"),
        }
    }
}
