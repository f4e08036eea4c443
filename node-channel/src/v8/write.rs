//! Writes values as V8 does, and none that V8 would not read: a Node process
//! dies of those.

use std::borrow::Cow;

use super::{BigInt, DEPTH, Error, Invalid, Value, View};

/// The version that is written.
pub(super) const VERSION: u8 = 15;

/// The bytes so far.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) bytes: Vec<u8>,
    depth: usize,
    /// How many objects of a [`Value`] have begun.
    begun: u32,
    /// Those of them that V8 has only when they are whole, and until then
    /// cannot name.
    unmade: Vec<u32>,
}

type Result<T = ()> = std::result::Result<T, Invalid>;

impl Writer {
    pub(super) fn new() -> Self {
        Self::within(Vec::new())
    }

    /// Writes to this buffer, which is empty.
    pub(super) fn within(mut bytes: Vec<u8>) -> Self {
        // Room for most messages, so that it need not grow.
        bytes.reserve(1024);
        bytes.extend([0xFF, VERSION]);
        Self {
            bytes,
            depth: 0,
            begun: 0,
            unmade: Vec::new(),
        }
    }

    pub(super) fn tag(&mut self, tag: u8) {
        self.bytes.push(tag);
    }

    pub(super) fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    fn length(&mut self, length: usize) -> Result {
        let length = u32::try_from(length)
            .map_err(|_| Invalid::new("longer than 4 GiB"))?;
        self.varint(length.into());
        Ok(())
    }

    /// One level deeper.
    pub(super) fn enter(&mut self) -> Result {
        self.depth += 1;
        match self.depth > DEPTH {
            true => Err(Invalid::new("too deep")),
            false => Ok(()),
        }
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    pub(super) fn value(&mut self, value: &Value) -> Result {
        self.enter()?;
        let number = self.begun;
        if is_object(value) {
            self.begun += 1;
        }
        match value {
            Value::Undefined => self.tag(b'_'),
            Value::Null => self.tag(b'0'),
            Value::Bool(true) => self.tag(b'T'),
            Value::Bool(false) => self.tag(b'F'),
            Value::Hole => {
                return Err(Invalid::new("a gap is not within an array"));
            }
            Value::Number(number) => self.number(*number),
            Value::BigInt(number) => {
                self.tag(b'Z');
                self.bigint(number)?;
            }
            Value::String(text) => self.string(text)?,
            Value::Utf16(units) => self.utf16(units)?,
            Value::Reference(number) => {
                if *number >= self.begun || self.unmade.contains(number) {
                    return Err(Invalid::new("no such object yet"));
                }
                self.tag(b'^');
                self.varint((*number).into());
            }
            Value::Date(time) => {
                self.tag(b'D');
                self.double(*time);
            }
            Value::Boxed(inner) => self.boxed(inner)?,
            Value::RegExp { source, flags } => {
                self.tag(b'R');
                self.text(source)?;
                self.varint((*flags).into());
            }
            Value::ArrayBuffer(bytes) => {
                self.tag(b'B');
                self.length(bytes.len())?;
                self.bytes.extend_from_slice(bytes);
            }
            Value::ResizableBuffer { bytes, longest } => {
                if bytes.len() > *longest as usize {
                    return Err(Invalid::new("longer than the longest"));
                }
                self.tag(b'~');
                self.length(bytes.len())?;
                self.varint((*longest).into());
                self.bytes.extend_from_slice(bytes);
            }
            Value::View(view, bytes) => self.view(*view, bytes)?,
            Value::Host(inner) => {
                if !matches!(**inner, Value::Object(_)) {
                    return Err(Invalid::new("it is sent as a plain object"));
                }
                self.bytes.extend_from_slice(b"\\\x01");
                self.unmade.push(number);
                self.value(inner)?;
                self.unmade.pop();
            }
            Value::Object(_)
            | Value::Array { .. }
            | Value::SparseArray { .. }
            | Value::Map(_)
            | Value::Set(_) => self.container(value)?,
            // Its cause may name it: Node 22 and later read that.
            Value::Error(error) => self.error(error)?,
        }
        self.leave();
        Ok(())
    }

    fn container(&mut self, value: &Value) -> Result {
        match value {
            Value::Object(entries) => {
                self.tag(b'o');
                differ(entries)?;
                self.entries(entries)?;
                self.tag(b'{');
                self.length(entries.len())
            }
            Value::Array {
                elements,
                properties,
            } => {
                self.tag(b'A');
                self.length(elements.len())?;
                if is_doubles(elements) {
                    for element in elements {
                        if let Value::Number(number) = element {
                            self.tag(b'N');
                            self.double(*number);
                        }
                    }
                } else {
                    for element in elements {
                        match element {
                            Value::Hole => self.tag(b'-'),
                            element => self.value(element)?,
                        }
                    }
                }
                fit(properties, elements)?;
                self.entries(properties)?;
                self.tag(b'$');
                self.length(properties.len())?;
                self.length(elements.len())
            }
            Value::SparseArray { length, properties } => {
                self.tag(b'a');
                self.varint((*length).into());
                fit(properties, &[])?;
                self.entries(properties)?;
                self.tag(b'@');
                self.length(properties.len())?;
                self.varint((*length).into());
                Ok(())
            }
            Value::Map(entries) => {
                self.tag(b';');
                self.entries(entries)?;
                self.tag(b':');
                self.length(entries.len().saturating_mul(2))
            }
            Value::Set(elements) => {
                self.tag(b'\'');
                elements.iter().try_for_each(|value| self.value(value))?;
                self.tag(b',');
                self.length(elements.len())
            }
            _ => Ok(()),
        }
    }

    fn entries(&mut self, entries: &[(Value, Value)]) -> Result {
        for (key, value) in entries {
            self.value(key)?;
            self.value(value)?;
        }
        Ok(())
    }

    pub(super) fn number(&mut self, number: f64) {
        if let Some(whole) = int32(number) {
            self.tag(b'I');
            self.varint(
                (whole.cast_unsigned() << 1 ^ (whole >> 31).cast_unsigned())
                    .into(),
            );
        } else {
            self.tag(b'N');
            self.double(number);
        }
    }

    fn double(&mut self, number: f64) {
        self.bytes.extend_from_slice(&number.to_le_bytes());
    }

    pub(super) fn bigint(&mut self, number: &BigInt) -> Result {
        let used = number.digits.iter().rposition(|digit| *digit != 0);
        let digits = &number.digits[..used.map_or(0, |last| last + 1)];
        // Zero has no sign.
        let negative = number.negative && !digits.is_empty();
        let length = u32::try_from(digits.len() * 8)
            .ok()
            .filter(|length| *length < 1 << 30)
            .ok_or_else(|| Invalid::new("a BigInt is too long"))?;
        self.varint((length << 1 | u32::from(negative)).into());
        for digit in digits {
            self.bytes.extend_from_slice(&digit.to_le_bytes());
        }
        Ok(())
    }

    pub(super) fn string(&mut self, text: &str) -> Result {
        if text.is_ascii() {
            self.tag(b'"');
            self.length(text.len())?;
            self.bytes.extend_from_slice(text.as_bytes());
        } else if text.chars().all(|character| character <= '\u{FF}') {
            self.tag(b'"');
            self.length(text.chars().count())?;
            let latin = text.chars().map(|character| character as u8);
            self.bytes.extend(latin);
        } else {
            self.two_bytes(text.encode_utf16().count(), text.encode_utf16())?;
        }
        Ok(())
    }

    fn utf16(&mut self, units: &[u16]) -> Result {
        if let Ok(text) = String::from_utf16(units) {
            return self.string(&text);
        }
        self.two_bytes(units.len(), units.iter().copied())
    }

    fn two_bytes(
        &mut self,
        length: usize,
        units: impl Iterator<Item = u16>,
    ) -> Result {
        let length = u32::try_from(length.saturating_mul(2))
            .map_err(|_| Invalid::new("longer than 4 GiB"))?;
        // V8 wants the units at an even place.
        let digits = (32 - (length | 1).leading_zeros()).div_ceil(7) as usize;
        if (self.bytes.len() + 1 + digits) % 2 == 1 {
            self.tag(0);
        }
        self.tag(b'c');
        self.varint(length.into());
        self.bytes.extend(units.flat_map(u16::to_le_bytes));
        Ok(())
    }

    /// A value that must be a string.
    fn text(&mut self, value: &Value) -> Result {
        match value {
            Value::String(text) => self.string(text),
            Value::Utf16(units) => self.utf16(units),
            _ => Err(Invalid::new("not a string")),
        }
    }

    fn boxed(&mut self, inner: &Value) -> Result {
        match inner {
            Value::Bool(true) => self.tag(b'y'),
            Value::Bool(false) => self.tag(b'x'),
            Value::Number(number) => {
                self.tag(b'n');
                self.double(*number);
            }
            Value::BigInt(number) => {
                self.tag(b'z');
                self.bigint(number)?;
            }
            Value::String(_) | Value::Utf16(_) => {
                self.tag(b's');
                self.text(inner)?;
            }
            _ => return Err(Invalid::new("this cannot be boxed")),
        }
        Ok(())
    }

    pub(super) fn view(&mut self, view: View, bytes: &[u8]) -> Result {
        if !bytes.len().is_multiple_of(view.width()) {
            return Err(Invalid::new("half an element"));
        }
        self.tag(b'\\');
        self.varint(0);
        self.varint(view as u64);
        self.length(bytes.len())?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn error(&mut self, error: &Error) -> Result {
        self.tag(b'r');
        if let Some(kind) = error.kind {
            self.tag(kind as u8);
        }
        if let Some(message) = &error.message {
            self.tag(b'm');
            self.text(message)?;
        }
        // The stack before the cause: Node 20 writes them the other way round,
        // and reads both orders; Node 22 and later read only this one.
        if let Some(stack) = &error.stack {
            self.tag(b's');
            self.text(stack)?;
        }
        if let Some(cause) = &error.cause {
            self.tag(b'c');
            self.value(cause)?;
        }
        self.tag(b'.');
        Ok(())
    }
}

/// It has a number that a reference can name.
fn is_object(value: &Value) -> bool {
    !matches!(
        value,
        Value::Undefined
            | Value::Null
            | Value::Bool(_)
            | Value::Hole
            | Value::Number(_)
            | Value::BigInt(_)
            | Value::String(_)
            | Value::Utf16(_)
            | Value::Reference(_)
    )
}

/// What else is set on an array: nothing that it has already.
fn fit(properties: &[(Value, Value)], elements: &[Value]) -> Result {
    differ(properties)?;
    for (key, _) in properties {
        let Name::Text(name) = Name::of(key)? else {
            continue;
        };
        let number = name.parse().ok().filter(|number: &usize| {
            // As JavaScript writes it: without a plus or leading zeros.
            number.to_string() == *name
        });
        let element = number.and_then(|number| elements.get(number));
        if name == "length" || element.is_some_and(|it| *it != Value::Hole) {
            return Err(Invalid::new("an array has one key twice"));
        }
    }
    Ok(())
}

/// Each key is there once.
fn differ(entries: &[(Value, Value)]) -> Result {
    let names = entries.iter().map(|(key, _)| Name::of(key));
    let mut names = names.collect::<Result<Vec<_>>>()?;
    names.sort_unstable();
    match names.windows(2).any(|pair| pair[0] == pair[1]) {
        true => Err(Invalid::new("an object has one key twice")),
        false => Ok(()),
    }
}

/// A key as JavaScript has it: a number is its text there.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Name<'a> {
    Text(Cow<'a, str>),
    Units(&'a [u16]),
}

impl<'a> Name<'a> {
    fn of(key: &'a Value) -> Result<Self> {
        Ok(match key {
            Value::String(text) => Self::Text(text.into()),
            Value::Utf16(units) => match String::from_utf16(units) {
                Ok(text) => Self::Text(text.into()),
                Err(_) => Self::Units(units),
            },
            Value::Number(number) => Self::Text(text_of(*number).into()),
            _ => {
                let why = "a key must be a string or a number";
                return Err(Invalid::new(why));
            }
        })
    }
}

/// `String(number)` in JavaScript.
fn text_of(number: f64) -> String {
    let size = number.abs();
    if number == 0.0 {
        "0".to_owned() // and so is -0
    } else if number.is_infinite() {
        let sign = if number < 0.0 { "-" } else { "" };
        format!("{sign}Infinity")
    } else if number.is_nan() || (1e-6..1e21).contains(&size) {
        number.to_string()
    } else if size < 1.0 {
        format!("{number:e}")
    } else {
        format!("{number:e}").replace('e', "e+")
    }
}

/// A whole number of 32 bits.
fn int32(number: f64) -> Option<i32> {
    let whole = number as i32;
    // By their bits: -0 is not 0 here.
    (f64::from(whole).to_bits() == number.to_bits()).then_some(whole)
}

/// V8 keeps an array as doubles if all are numbers, and one of them is not a
/// whole one of 32 bits.
fn is_doubles(elements: &[Value]) -> bool {
    let mut doubles = false;
    for element in elements {
        let Value::Number(number) = element else {
            return false;
        };
        doubles |= int32(*number).is_none();
    }
    doubles
}
