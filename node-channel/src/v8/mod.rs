//! V8's format for values: what `serialization: 'advanced'` sends. What
//! `v8.serialize()` makes is the same but for Buffers and typed arrays, where
//! Node leaves out the 0 behind `\`; it is not read here.
//!
//! Usable without a channel: [`Value::read`] and [`Value::write`] turn bytes
//! into a [`Value`] and back; [`to_vec`] and [`from_slice`] do it with types
//! of yours, through serde; [`to_value`] and [`from_value`] turn those into a
//! [`Value`] and back.
//!
//! The bytes are `FF 0F` (version 15) and then one value: a tag of one byte
//! and what belongs to it. Versions 13 and 14 are read as well. Lengths and
//! counts are in base 128, the lowest digit first (LEB128).
//!
//! | value | bytes |
//! |---|---|
//! | `undefined`, `null`, `true`, `false` | `_`, `0`, `T`, `F` |
//! | a whole number of 32 bits | `I` and the number, zigzag |
//! | any other number | `N` and 8 bytes, little-endian |
//! | a BigInt | `Z`, a bit for the sign, the length, its digits |
//! | a string of Latin-1 | `"`, its length, its bytes |
//! | any other string | `c`, its length in bytes, UTF-16 |
//! | an object | `o`, keys and values, `{`, how many |
//! | an array | `A`, length, elements, keys, values, `$`, how many, length |
//! | one with gaps | `a`, length, keys, values, `@`, how many, length |
//! | the same object again | `^` and its number |
//! | a Date | `D` and 8 bytes |
//! | a Map | `;`, keys and values, `:`, how many of both |
//! | a Set | `'`, elements, `,`, how many |
//! | a boxed `true`, `false` | `y`, `x` |
//! | a boxed number, BigInt, string | `n`, `z`, `s`, and as above |
//! | a RegExp | `R`, a string, its flags |
//! | an Error | `r`, its kind, `m` message, `s` stack, `c` cause, `.` |
//! | an ArrayBuffer | `B`, its length, its bytes |
//! | a resizable one | `~`, its length, its greatest length, its bytes |
//! | a Buffer or typed array | `\`, 0, its kind, its length, its bytes |
//! | another object of Node's own | `\`, 1, and a plain object |
//!
//! Which objects are Node's own differs: a Blob or a BlockList is a plain `o`
//! in Node 24 and 26. A Float16Array is there since Node 24, and an Error that
//! is its own cause since Node 22; older versions die of what they cannot read.
//!
//! In an array of numbers, all are `N` if one is. A byte 0 comes before `c`
//! where its UTF-16 would begin at an odd place. Objects, with boxed values and
//! buffers, are numbered in the order in which they begin.
//!
//! Read, but not written by Node:
//!
//! | bytes | what it is |
//! |---|---|
//! | `c` before `s` in an Error | by Node 20 only; 22 and later die of it |
//! | `U` and a number | a whole number without a sign |
//! | `S`, its length, UTF-8 | a string |
//! | `-` | a gap, within an `A`; written, should there be one |
//! | `?` and a number | how many objects there were; it is left aside |
//! | 0 | padding, before any tag |

mod de;
mod read;
mod ser;
mod tokens;
mod write;

use std::fmt;

pub use de::{from_slice, from_value};
pub(crate) use ser::write;
pub use ser::{to_value, to_vec};

use tokens::{Kind, Leaf, Token, Tokens};

/// How deep values may be nested: 128, as in `serde_json`. Deeper ones are
/// refused, as each level takes some of the stack.
pub const DEPTH: usize = 128;

/// A value of JavaScript, as it can be sent.
///
/// Objects are values here, not references. Where the same object appears a
/// second time, or within itself, there is [`Value::Reference`] with its
/// number.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `undefined`
    Undefined,
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number. Whole ones of 32 bits are written as such, except `-0`.
    Number(f64),
    /// A BigInt.
    BigInt(BigInt),
    /// A string.
    String(String),
    /// A string that no Rust string can hold: with half a surrogate pair.
    Utf16(Vec<u16>),
    /// An object, its keys in their order. A key is a [`Value::String`], a
    /// [`Value::Utf16`] or a [`Value::Number`].
    Object(Vec<(Value, Value)>),
    /// An array without gaps. If all are numbers, and one is not a whole
    /// number of 32 bits, all are written as doubles, as V8 does; unless the
    /// array has had something else in it before, which nobody can know.
    Array {
        /// Its elements.
        elements: Vec<Value>,
        /// What else was set on it: mostly nothing.
        properties: Vec<(Value, Value)>,
    },
    /// An array with gaps, or one that V8 takes for one, as `Array(3)`.
    SparseArray {
        /// Its length.
        length: u32,
        /// Its elements, with their numbers as keys, and what else was set.
        properties: Vec<(Value, Value)>,
    },
    /// A gap within the elements of an array. Only there.
    Hole,
    /// The object with this number once more. The first object to begin has
    /// the number 0.
    Reference(u32),
    /// A Date: milliseconds since 1970, or NaN.
    Date(f64),
    /// A Map.
    Map(Vec<(Value, Value)>),
    /// A Set.
    Set(Vec<Value>),
    /// A RegExp.
    RegExp {
        /// What stands between the slashes: a string.
        source: Box<Value>,
        /// V8's flags: 1 g, 2 i, 4 m, 8 y, 16 u, 32 s, and more.
        flags: u32,
    },
    /// An Error.
    Error(Box<Error>),
    /// A boxed boolean, number, BigInt or string: `new Number(1)`.
    Boxed(Box<Value>),
    /// An ArrayBuffer.
    ArrayBuffer(Vec<u8>),
    /// An ArrayBuffer with a `maxByteLength`.
    ResizableBuffer {
        /// What is in it.
        bytes: Vec<u8>,
        /// How many bytes it may have.
        longest: u32,
    },
    /// A Buffer, a typed array or a DataView, with the part of the buffer
    /// that it shows.
    View(View, Vec<u8>),
    /// An object of Node's own, like a URL, as a plain [`Value::Object`].
    Host(Box<Value>),
}

/// What a [`Value::View`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[non_exhaustive]
#[allow(missing_docs)] // the names of JavaScript
pub enum View {
    Int8Array = 0,
    Uint8Array = 1,
    Uint8ClampedArray = 2,
    Int16Array = 3,
    Uint16Array = 4,
    Int32Array = 5,
    Uint32Array = 6,
    Float32Array = 7,
    Float64Array = 8,
    DataView = 9,
    /// Node's own.
    Buffer = 10,
    BigInt64Array = 11,
    BigUint64Array = 12,
    /// Unknown to Node 20, which dies of it.
    Float16Array = 13,
}

impl View {
    const ALL: [Self; 14] = [
        Self::Int8Array,
        Self::Uint8Array,
        Self::Uint8ClampedArray,
        Self::Int16Array,
        Self::Uint16Array,
        Self::Int32Array,
        Self::Uint32Array,
        Self::Float32Array,
        Self::Float64Array,
        Self::DataView,
        Self::Buffer,
        Self::BigInt64Array,
        Self::BigUint64Array,
        Self::Float16Array,
    ];

    fn numbered(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// How many bytes one element has.
    pub fn width(self) -> usize {
        match self {
            Self::Int8Array
            | Self::Uint8Array
            | Self::Uint8ClampedArray
            | Self::DataView
            | Self::Buffer => 1,
            Self::Int16Array | Self::Uint16Array | Self::Float16Array => 2,
            Self::Int32Array | Self::Uint32Array | Self::Float32Array => 4,
            Self::Float64Array | Self::BigInt64Array | Self::BigUint64Array => {
                8
            }
        }
    }
}

/// A whole number of any size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BigInt {
    /// It is below zero.
    pub negative: bool,
    /// Its digits in base 2^64, the lowest first.
    pub digits: Vec<u64>,
}

impl From<i128> for BigInt {
    fn from(number: i128) -> Self {
        Self {
            negative: number < 0,
            ..Self::from(number.unsigned_abs())
        }
    }
}

impl From<u128> for BigInt {
    fn from(number: u128) -> Self {
        let mut digits = vec![number as u64, (number >> 64) as u64];
        while digits.last() == Some(&0) {
            digits.pop();
        }
        Self {
            negative: false,
            digits,
        }
    }
}

impl BigInt {
    /// The number without its sign, if it fits.
    pub fn magnitude(&self) -> Option<u128> {
        let (low, high) = match *self.digits {
            [] => (0, 0),
            [low] => (low, 0),
            [low, high] => (low, high),
            [low, high, ref rest @ ..] => {
                if rest.iter().any(|digit| *digit != 0) {
                    return None;
                }
                (low, high)
            }
        };
        Some(u128::from(high) << 64 | u128::from(low))
    }

    /// The number, if it fits.
    pub fn to_i128(&self) -> Option<i128> {
        let magnitude = self.magnitude()?;
        match self.negative {
            true => 0_i128.checked_sub_unsigned(magnitude),
            false => i128::try_from(magnitude).ok(),
        }
    }
}

/// A JavaScript Error.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Error {
    /// `TypeError` and the like; `None` for a plain `Error`.
    pub kind: Option<ErrorKind>,
    /// A string, or absent.
    pub message: Option<Value>,
    /// Any value, or absent.
    pub cause: Option<Value>,
    /// A string, or absent.
    pub stack: Option<Value>,
}

/// Which Error it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)] // the names of JavaScript
pub enum ErrorKind {
    EvalError = b'E',
    RangeError = b'R',
    ReferenceError = b'F',
    SyntaxError = b'S',
    TypeError = b'T',
    UriError = b'U',
}

/// Bytes are not a value, or a value cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid(Box<Reason>);

/// In a box: each step of a walk returns a `Result`, and what is small comes
/// back in a register.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reason {
    why: String,
    /// Where, for bytes.
    at: Option<usize>,
}

impl Invalid {
    fn new(why: impl fmt::Display) -> Self {
        Self::at(None, why)
    }

    #[cold]
    fn at(at: Option<usize>, why: impl fmt::Display) -> Self {
        let why = why.to_string();
        Self(Box::new(Reason { why, at }))
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.why)?;
        match self.0.at {
            Some(at) => write!(f, " at byte {at}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Invalid {}

impl Value {
    /// Reads a value: the bytes with their header `FF 0F`. What follows the
    /// value is left aside, as Node does.
    ///
    /// # Errors
    /// When the bytes are not a value of version 13 to 15, or too deep.
    pub fn read(bytes: &[u8]) -> Result<Self, Invalid> {
        read::Reader::new(bytes)?.value()
    }

    /// Writes the value as Node does, with the header. An Error has its stack
    /// before its cause, as Node 22 and later write it: they die of the other
    /// order, and Node 20, which writes that one, reads both.
    ///
    /// V8 can read it, and with it a Node process that would die if not; but
    /// for a RegExp that is none, and a [`View::Float16Array`] where Node is
    /// older than that.
    ///
    /// # Errors
    /// When it is too deep, a key is not a string or number or is there
    /// twice, or something stands where it cannot: as a [`Value::Hole`] that
    /// is not within an array, or a [`Value::Reference`] to what has not
    /// begun, or to an Error within that Error, where V8 has none yet.
    pub fn write(&self) -> Result<Vec<u8>, Invalid> {
        let mut writer = write::Writer::new();
        writer.value(self)?;
        Ok(writer.bytes)
    }

    /// The value under this key of an object or Map.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let (Self::Object(entries) | Self::Map(entries)) = self else {
            return None;
        };
        // The last one counts, should a key be there twice.
        let mut entries = entries.iter().rev();
        entries.find_map(|(found, value)| {
            matches!(found, Self::String(found) if found == key)
                .then_some(value)
        })
    }

    /// The value as it is within another one where so many objects have
    /// begun before it. `None` when there are too many.
    pub(crate) fn behind(&self, objects: u32) -> Option<Self> {
        let mut value = self.clone();
        let moved = value.renumber(&|number| number.checked_add(objects));
        moved.then_some(value)
    }

    /// Changes the number of every reference; false when there is none for
    /// one of them.
    fn renumber(&mut self, change: &impl Fn(u32) -> Option<u32>) -> bool {
        if let Self::Reference(number) = self {
            let changed = change(*number);
            *number = changed.unwrap_or_default();
            return changed.is_some();
        }
        let mut all = self.children_mut().into_iter();
        all.all(|value| value.renumber(change))
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The values within this one, in the order in which they are written.
    fn children_mut(&mut self) -> Vec<&mut Self> {
        fn flat(
            entries: &mut [(Value, Value)],
        ) -> impl Iterator<Item = &mut Value> {
            entries.iter_mut().flat_map(|(key, value)| [key, value])
        }
        match self {
            Self::Object(entries)
            | Self::Map(entries)
            | Self::SparseArray {
                properties: entries,
                ..
            } => flat(entries).collect(),
            Self::Array {
                elements,
                properties,
            } => elements.iter_mut().chain(flat(properties)).collect(),
            Self::Set(elements) => elements.iter_mut().collect(),
            Self::Error(error) => error.cause.iter_mut().collect(),
            Self::Host(inner) => vec![&mut **inner],
            _ => Vec::new(),
        }
    }
}

/// Checks that bytes are one value with a header, without making it: quick,
/// and also where it is too deep to be made.
///
/// # Errors
/// When they are not.
pub fn check(bytes: &[u8]) -> Result<(), Invalid> {
    find_text(bytes, "").map(drop)
}

/// Checks as [`check`] does, and finds the string under `key` of an object.
/// Of several the last one counts.
pub(crate) fn find_text(
    bytes: &[u8],
    key: &str,
) -> Result<Option<Value>, Invalid> {
    let mut tokens = Tokens::new(bytes)?;
    let is_object = matches!(tokens.next()?, Token::Begin(Kind::Object));
    let mut found = None;
    while tokens.depth() > 0 {
        let first = tokens.next()?;
        if !is_object || tokens.depth() == 0 {
            continue;
        }
        let value = tokens.next()?;
        if matches!(first, Token::Leaf(Leaf::Text(text)) if text == *key) {
            found = match value {
                Token::Leaf(Leaf::Text(text)) => Some(text),
                _ => None,
            };
        }
        while tokens.depth() > 1 {
            tokens.next()?;
        }
    }
    Ok(found.map(Value::from))
}

/// The value under `key` of an object, as bytes with a header of their own.
/// Of several the last one counts. Copied and not made: it may be too deep
/// for that.
///
/// # Errors
/// As [`check`], and when it names an object that is not within it.
pub(crate) fn cut_out(
    bytes: &[u8],
    key: &str,
) -> Result<Option<Vec<u8>>, Invalid> {
    let mut tokens = Tokens::new(bytes)?;
    if !matches!(tokens.next()?, Token::Begin(Kind::Object)) {
        return Ok(None);
    }
    let mut found = None;
    loop {
        let first = tokens.next()?;
        if matches!(first, Token::End) {
            return Ok(found);
        }
        let wanted =
            matches!(first, Token::Leaf(Leaf::Text(text)) if text == *key);
        let before = tokens.objects();
        let mut copy = write::Writer::new();
        copy.bytes.truncate(1);
        copy.bytes.extend(bytes.get(1)); // the version
        loop {
            let from = tokens.position();
            match tokens.next()? {
                _ if !wanted => {}
                // Objects are numbered anew.
                Token::Leaf(Leaf::Reference(number)) => {
                    let Some(number) = number.checked_sub(before) else {
                        return tokens.invalid("an object from outside");
                    };
                    copy.tag(b'^');
                    copy.varint(number.into());
                }
                _ => {
                    let token = &bytes[from..tokens.position()];
                    copy.bytes.extend_from_slice(token);
                }
            }
            if tokens.depth() == 1 {
                break;
            }
        }
        if wanted {
            found = Some(copy.bytes);
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Number(value.into())
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl From<Vec<Value>> for Value {
    fn from(elements: Vec<Value>) -> Self {
        Self::Array {
            elements,
            properties: Vec::new(),
        }
    }
}

impl<const N: usize> From<[(&str, Value); N]> for Value {
    fn from(entries: [(&str, Value); N]) -> Self {
        Self::Object(entries.map(|(key, value)| (key.into(), value)).into())
    }
}
