//! Walks through a value in V8's format without recursion, and trusts
//! nothing: each byte is looked at once, and what is read needs no memory but
//! a few bytes for each level.

use super::{ErrorKind, Invalid, View};

/// The versions that are read.
const VERSIONS: std::ops::RangeInclusive<u8> = 13..=15;

/// How many levels there may be. V8 itself makes fewer: it recurses.
const LEVELS: usize = 100_000;

/// One step.
#[derive(Clone, Copy, Debug)]
pub(super) enum Token<'a> {
    /// A value that contains no other.
    Leaf(Leaf<'a>),
    /// A value that contains what comes up to [`Token::End`].
    Begin(Kind),
    /// It has ended.
    End,
    /// A part of an Error.
    Part(Part<'a>),
}

/// A value that contains others.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A key, its value, and so on.
    Object,
    /// So many elements, then as in an object.
    Array(u32),
    /// Its length; then as in an object.
    SparseArray(u32),
    /// As in an object, with keys of any kind.
    Map,
    /// Elements.
    Set,
    /// Parts.
    Error,
    /// One value.
    Host,
}

/// A value that contains no other.
#[derive(Clone, Copy, Debug)]
pub(super) enum Leaf<'a> {
    Undefined,
    Null,
    Hole,
    Bool(bool),
    Number(f64),
    BigInt(Digits<'a>),
    Text(Text<'a>),
    Reference(u32),
    Date(f64),
    BoxedBool(bool),
    BoxedNumber(f64),
    BoxedBigInt(Digits<'a>),
    BoxedText(Text<'a>),
    RegExp { source: Text<'a>, flags: u32 },
    ArrayBuffer(&'a [u8]),
    ResizableBuffer(&'a [u8], u32),
    View(View, &'a [u8]),
}

/// The characters of a string.
#[derive(Clone, Copy, Debug)]
pub(super) enum Text<'a> {
    /// One byte each.
    Latin(&'a [u8]),
    /// Two bytes each: UTF-16, the lower byte first.
    Wide(&'a [u8]),
    /// What others than Node write.
    Utf8(&'a [u8]),
}

impl PartialEq<str> for Text<'_> {
    fn eq(&self, other: &str) -> bool {
        match self {
            Self::Utf8(bytes) => *bytes == other.as_bytes(),
            Self::Latin(bytes) => {
                let characters = bytes.iter().copied().map(char::from);
                characters.eq(other.chars())
            }
            Self::Wide(bytes) => {
                let units = bytes.as_chunks().0.iter();
                units
                    .map(|u| u16::from_le_bytes(*u))
                    .eq(other.encode_utf16())
            }
        }
    }
}

/// A BigInt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digits<'a> {
    pub(super) negative: bool,
    /// The lowest byte first.
    pub(super) bytes: &'a [u8],
}

/// A part of an Error.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part<'a> {
    Kind(ErrorKind),
    Message(Text<'a>),
    Stack(Text<'a>),
    /// The next token begins it.
    Cause,
}

/// Where the walk is.
#[derive(Clone, Copy, Debug)]
enum Level {
    /// Before a key, or at the end.
    Entries(Entries),
    /// Between a key and its value.
    Value(Entries),
    /// So many elements of an array are left.
    Elements { left: u32, length: u32 },
    /// So many elements of a Set were there.
    Set(u32),
    /// Before a part of an Error, or at its end.
    Error,
    /// Before an Error's cause.
    Cause,
    /// Its value was there.
    Host(bool),
}

/// Keys and values up to a tag, and then how many there were.
#[derive(Clone, Copy, Debug)]
struct Entries {
    end: u8,
    count: u32,
    /// An array repeats its length at the end.
    length: Option<u32>,
}

/// A walk.
#[derive(Debug)]
pub(super) struct Tokens<'a> {
    bytes: &'a [u8],
    at: usize,
    levels: Vec<Level>,
    /// How many objects have begun.
    objects: u32,
    /// Where the last of them has.
    object_at: usize,
}

type Result<T> = std::result::Result<T, Invalid>;

impl<'a> Tokens<'a> {
    /// Begins behind the header.
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self> {
        let mut tokens = Self {
            bytes,
            at: 0,
            levels: Vec::new(),
            objects: 0,
            object_at: 0,
        };
        if tokens.byte()? != 0xFF {
            return tokens.invalid("no header");
        }
        let version = tokens.byte()?;
        if !VERSIONS.contains(&version) {
            return tokens.invalid(format_args!("version {version}"));
        }
        Ok(tokens)
    }

    /// Begins at the object with this number.
    pub(super) fn at_object(bytes: &'a [u8], at: usize, number: u32) -> Self {
        Self {
            bytes,
            at,
            levels: Vec::new(),
            objects: number,
            object_at: at,
        }
    }

    /// Where each object begins, up to the first mistake.
    pub(super) fn starts(bytes: &'a [u8]) -> Vec<usize> {
        let mut starts = Vec::new();
        let Ok(mut tokens) = Self::new(bytes) else {
            return starts;
        };
        while tokens.next().is_ok() {
            // There is no more than one in a token.
            if tokens.objects as usize > starts.len() {
                starts.push(tokens.object_at);
            }
            if tokens.levels.is_empty() {
                break;
            }
        }
        starts
    }

    /// How many levels are open: 0 after the last token.
    #[inline]
    pub(super) fn depth(&self) -> usize {
        self.levels.len()
    }

    /// How many objects have begun.
    pub(super) fn objects(&self) -> u32 {
        self.objects
    }

    /// Behind the last token.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// The next step. Not to be called after the last one.
    pub(super) fn next(&mut self) -> Result<Token<'a>> {
        let Some(level) = self.levels.last().copied() else {
            return self.value();
        };
        match level {
            Level::Entries(entries) => self.key(entries),
            Level::Value(entries) => {
                self.be(Level::Entries(entries));
                self.value()
            }
            Level::Elements { left: 0, length } => {
                self.be(Level::Entries(Entries {
                    end: b'$',
                    count: 0,
                    length: Some(length),
                }));
                self.next()
            }
            Level::Elements { left, length } => {
                let left = left - 1;
                self.be(Level::Elements { left, length });
                match self.tag()? {
                    b'-' => Ok(Token::Leaf(Leaf::Hole)),
                    tag => self.tagged(tag),
                }
            }
            Level::Set(count) => match self.tag()? {
                b',' if self.varint()? == count => Ok(self.end()),
                b',' => self.invalid("another number of elements"),
                tag => {
                    self.be(Level::Set(count + 1));
                    self.tagged(tag)
                }
            },
            Level::Error => self.part(),
            Level::Cause => {
                self.be(Level::Error);
                self.value()
            }
            Level::Host(true) => Ok(self.end()),
            Level::Host(false) => {
                self.be(Level::Host(true));
                self.value()
            }
        }
    }

    /// The level is now this one.
    #[inline]
    fn be(&mut self, level: Level) {
        if let Some(last) = self.levels.last_mut() {
            *last = level;
        }
    }

    fn begin(&mut self, kind: Kind, level: Level) -> Result<Token<'a>> {
        if self.levels.len() >= LEVELS {
            return self.invalid("too deep");
        }
        self.levels.push(level);
        Ok(Token::Begin(kind))
    }

    fn end(&mut self) -> Token<'a> {
        self.levels.pop();
        Token::End
    }

    /// A key, or the end of all of them.
    fn key(&mut self, mut entries: Entries) -> Result<Token<'a>> {
        let is_map = entries.end == b':';
        let tag = self.tag()?;
        if tag != entries.end {
            entries.count += 1;
            self.be(Level::Value(entries));
            let key = self.tagged(tag)?;
            return match key {
                Token::Leaf(Leaf::Text(_) | Leaf::Number(_)) => Ok(key),
                _ if is_map => Ok(key),
                _ => self.invalid("a key that is none"),
            };
        }
        // Of a Map, keys and values are counted.
        let times = if is_map { 2 } else { 1 };
        if u64::from(self.varint()?) != u64::from(entries.count) * times {
            return self.invalid("another number of properties");
        }
        match entries.length {
            Some(length) if self.varint()? != length => {
                self.invalid("another length")
            }
            _ => Ok(self.end()),
        }
    }

    #[inline]
    fn value(&mut self) -> Result<Token<'a>> {
        let tag = self.tag()?;
        self.tagged(tag)
    }

    #[inline(always)]
    fn tagged(&mut self, mut tag: u8) -> Result<Token<'a>> {
        while tag == b'?' {
            // How many objects there were: V8 does not look at it.
            self.varint()?;
            tag = self.tag()?;
        }
        Ok(Token::Leaf(match tag {
            b'_' => Leaf::Undefined,
            b'0' => Leaf::Null,
            b'T' => Leaf::Bool(true),
            b'F' => Leaf::Bool(false),
            b'I' => {
                let zigzag = self.varint()?;
                let sign = (zigzag & 1).wrapping_neg();
                Leaf::Number(((zigzag >> 1) ^ sign).cast_signed().into())
            }
            b'U' => Leaf::Number(self.varint()?.into()),
            b'N' => Leaf::Number(self.double()?),
            b'Z' => Leaf::BigInt(self.bigint()?),
            b'"' | b'c' | b'S' => Leaf::Text(self.characters(tag)?),
            b'^' => {
                let number = self.varint()?;
                if number >= self.objects {
                    return self.invalid("no such object");
                }
                Leaf::Reference(number)
            }
            _ => return self.object(tag),
        }))
    }

    /// What has a number that a reference can name.
    fn object(&mut self, tag: u8) -> Result<Token<'a>> {
        self.objects += 1;
        self.object_at = self.at - 1;
        let entries = |end, length| {
            Level::Entries(Entries {
                end,
                count: 0,
                length,
            })
        };
        Ok(Token::Leaf(match tag {
            b'o' => return self.begin(Kind::Object, entries(b'{', None)),
            b'A' => {
                let length = self.varint()?;
                // Each element takes a byte: a length that cannot be is not
                // believed.
                if length as usize > self.bytes.len() - self.at {
                    return self.invalid("the end");
                }
                let left = length;
                let level = Level::Elements { left, length };
                return self.begin(Kind::Array(length), level);
            }
            b'a' => {
                let length = self.varint()?;
                let level = entries(b'@', Some(length));
                return self.begin(Kind::SparseArray(length), level);
            }
            b';' => return self.begin(Kind::Map, entries(b':', None)),
            b'\'' => return self.begin(Kind::Set, Level::Set(0)),
            b'r' => return self.begin(Kind::Error, Level::Error),
            b'D' => Leaf::Date(self.double()?),
            b'y' => Leaf::BoxedBool(true),
            b'x' => Leaf::BoxedBool(false),
            b'n' => Leaf::BoxedNumber(self.double()?),
            b'z' => Leaf::BoxedBigInt(self.bigint()?),
            b's' => Leaf::BoxedText(self.text()?),
            b'R' => Leaf::RegExp {
                source: self.text()?,
                flags: self.varint()?,
            },
            b'B' => {
                let length = self.varint()?;
                Leaf::ArrayBuffer(self.take(length)?)
            }
            b'~' => {
                let length = self.varint()?;
                let longest = self.varint()?;
                if length > longest {
                    return self.invalid("longer than the longest");
                }
                Leaf::ResizableBuffer(self.take(length)?, longest)
            }
            b'\\' => return self.host(),
            _ => {
                self.at -= 1;
                return self.invalid(format_args!("tag {tag:#04x}"));
            }
        }))
    }

    /// What Node writes and V8 alone does not know.
    fn host(&mut self) -> Result<Token<'a>> {
        match self.varint()? {
            0 => {
                let Some(view) = View::numbered(self.varint()?) else {
                    return self.invalid("no such typed array");
                };
                let length = self.varint()?;
                let bytes = self.take(length)?;
                if !bytes.len().is_multiple_of(view.width()) {
                    return self.invalid("half an element");
                }
                Ok(Token::Leaf(Leaf::View(view, bytes)))
            }
            1 => self.begin(Kind::Host, Level::Host(false)),
            _ => self.invalid("no such host object"),
        }
    }

    /// The next part of an Error.
    fn part(&mut self) -> Result<Token<'a>> {
        Ok(Token::Part(match self.varint()? {
            0x45 => Part::Kind(ErrorKind::EvalError),
            0x52 => Part::Kind(ErrorKind::RangeError),
            0x46 => Part::Kind(ErrorKind::ReferenceError),
            0x53 => Part::Kind(ErrorKind::SyntaxError),
            0x54 => Part::Kind(ErrorKind::TypeError),
            0x55 => Part::Kind(ErrorKind::UriError),
            0x6D => Part::Message(self.text()?),
            0x63 => {
                self.be(Level::Cause);
                Part::Cause
            }
            0x73 => Part::Stack(self.text()?),
            0x2E => return Ok(self.end()),
            _ => return self.invalid("an Error's part that is none"),
        }))
    }

    /// A value that must be a string.
    fn text(&mut self) -> Result<Text<'a>> {
        match self.tag()? {
            tag @ (b'"' | b'c' | b'S') => self.characters(tag),
            _ => self.invalid("not a string"),
        }
    }

    #[inline(always)]
    fn characters(&mut self, tag: u8) -> Result<Text<'a>> {
        let length = self.varint()?;
        let bytes = self.take(length)?;
        match tag {
            b'"' => Ok(Text::Latin(bytes)),
            b'S' => Ok(Text::Utf8(bytes)),
            _ if bytes.len().is_multiple_of(2) => Ok(Text::Wide(bytes)),
            _ => self.invalid("half a character"),
        }
    }

    fn bigint(&mut self) -> Result<Digits<'a>> {
        let field = self.varint()?;
        Ok(Digits {
            negative: field & 1 == 1,
            bytes: self.take(field >> 1)?,
        })
    }

    #[cold]
    pub(super) fn invalid<T>(&self, why: impl std::fmt::Display) -> Result<T> {
        Err(Invalid::at(Some(self.at), why))
    }

    #[inline]
    fn byte(&mut self) -> Result<u8> {
        let Some(byte) = self.bytes.get(self.at) else {
            return self.invalid("the end");
        };
        self.at += 1;
        Ok(*byte)
    }

    /// The next tag. Padding comes before one.
    #[inline]
    fn tag(&mut self) -> Result<u8> {
        loop {
            match self.byte()? {
                0 => {}
                tag => return Ok(tag),
            }
        }
    }

    #[inline(always)]
    fn varint(&mut self) -> Result<u32> {
        match self.byte()? {
            byte @ ..0x80 => Ok(byte.into()),
            byte => self.long_varint(byte),
        }
    }

    fn long_varint(&mut self, first: u8) -> Result<u32> {
        let mut number = u32::from(first & 0x7F);
        for shift in (7..35).step_by(7) {
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

    #[inline(always)]
    fn take(&mut self, length: u32) -> Result<&'a [u8]> {
        let Some((taken, _)) =
            self.bytes[self.at..].split_at_checked(length as usize)
        else {
            return self.invalid("the end");
        };
        self.at += taken.len();
        Ok(taken)
    }

    fn double(&mut self) -> Result<f64> {
        match self.take(8)?.first_chunk() {
            Some(eight) => Ok(f64::from_le_bytes(*eight)),
            None => self.invalid("the end"),
        }
    }
}
