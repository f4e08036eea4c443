//! Makes types of yours of V8's bytes, through serde, without a value in
//! between.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};

use serde::de::value::{SeqDeserializer, StrDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess,
    IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::read::latin;
use super::tokens::{Digits, Kind, Leaf, Text, Token, Tokens};
use super::{BigInt, DEPTH, Invalid, Value, View};

impl de::Error for Invalid {
    fn custom<T: std::fmt::Display>(why: T) -> Self {
        Self::new(why)
    }
}

type Result<T> = std::result::Result<T, Invalid>;

/// How many values repeated objects may become. A few bytes can name the
/// same object very often.
const REPEATED: usize = 1_000_000;

/// Reads a value of your type from bytes with their header, where nothing is
/// lost by it: objects and Maps become structs or maps, arrays and Sets
/// sequences, Buffers and the like bytes, a Date its milliseconds, a BigInt a
/// whole number, `null` and `undefined` become `None`. An object that appears
/// twice becomes two.
///
/// A type that takes whatever there is, such as `serde_json::Value` or one with
/// `#[serde(flatten)]`, could not tell a Date from a number, nor a Map or Set
/// from an object or array: these are an error there.
///
/// # Errors
/// When the bytes are not a value, or not of that type; when it is a RegExp
/// or an Error, or contains itself.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let context = Context {
        bytes,
        starts: OnceCell::new(),
        repeated: Cell::new(0),
    };
    let mut walk = Walk {
        tokens: Tokens::new(bytes)?,
        context: &context,
        depth: 0,
        again: false,
    };
    let value = T::deserialize(walk.node()?)?;
    walk.skip_to(0)?;
    Ok(value)
}

/// As [`from_slice`], of a value.
///
/// # Errors
/// As [`from_slice`], and when the value cannot be written.
pub fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T> {
    from_slice(&value.write()?)
}

/// What all walks through the same bytes share.
struct Context<'a> {
    bytes: &'a [u8],
    /// Where each object begins; only looked for where one is named again.
    starts: OnceCell<Vec<usize>>,
    /// How much was read again.
    repeated: Cell<usize>,
}

/// A walk through the bytes, or again through one object in them.
struct Walk<'a> {
    tokens: Tokens<'a>,
    context: &'a Context<'a>,
    /// How many levels this walk is in already.
    depth: usize,
    again: bool,
}

impl<'a> Walk<'a> {
    #[inline(always)]
    fn next(&mut self) -> Result<Token<'a>> {
        let before = self.tokens.position();
        let token = self.tokens.next()?;
        if self.again {
            self.count(self.tokens.position() - before)?;
        }
        Ok(token)
    }

    /// Counts a value of `length` bytes that is read again: a long one, be it
    /// text, digits or numbers, as several.
    fn count(&self, length: usize) -> Result<()> {
        let count = self.context.repeated.get() + 1 + length / 8;
        self.context.repeated.set(count);
        match count > REPEATED {
            true => Err(Invalid::new("the same objects too often")),
            false => Ok(()),
        }
    }

    /// The next value.
    #[inline(always)]
    fn node(&mut self) -> Result<Node<'_, 'a>> {
        let token = self.next()?;
        Ok(Node { walk: self, token })
    }

    /// Leaves what is deeper than that, read or not.
    fn skip_to(&mut self, level: usize) -> Result<()> {
        while self.tokens.depth() > level {
            self.next()?;
        }
        Ok(())
    }

    /// A walk through the object with this number, which has begun before.
    fn object(&self, number: u32) -> Result<Self> {
        let bytes = self.context.bytes;
        let starts = self.context.starts.get_or_init(|| Tokens::starts(bytes));
        let Some(start) = starts.get(number as usize) else {
            return self.tokens.invalid("no such object");
        };
        Ok(Self {
            tokens: Tokens::at_object(bytes, *start, number),
            context: self.context,
            depth: self.depth + self.tokens.depth(),
            again: true,
        })
    }
}

/// A value that has begun.
struct Node<'w, 'a> {
    walk: &'w mut Walk<'a>,
    token: Token<'a>,
}

impl<'a> Node<'_, 'a> {
    /// Not deeper than the stack allows. References could make it deeper than
    /// it was, or endless.
    fn check_depth(&self) -> Result<()> {
        let around = match self.token {
            Token::Leaf(_) => 1,
            _ => 0,
        };
        match self.walk.depth + self.walk.tokens.depth() + around > DEPTH {
            true => Err(Invalid::new("too deep, or a cycle")),
            false => Ok(()),
        }
    }

    /// What an object that has begun before is read as, once more. Apart, as
    /// it is rare, and needs room for a walk of its own.
    #[cold]
    fn again<T>(
        self,
        number: u32,
        read: impl FnOnce(Node<'_, 'a>) -> Result<T>,
    ) -> Result<T> {
        let mut walk = self.walk.object(number)?;
        read(walk.node()?)
    }

    /// What the value in an object of Node's own is read as.
    #[cold]
    fn within<T>(
        self,
        read: impl FnOnce(Node<'_, 'a>) -> Result<T>,
    ) -> Result<T> {
        self.check_depth()?;
        let inside = self.walk.tokens.depth();
        let value = read(self.walk.node()?)?;
        self.walk.skip_to(inside - 1)?;
        Ok(value)
    }

    fn container<'de, V: Visitor<'de>>(
        self,
        kind: Kind,
        visitor: V,
    ) -> Result<V::Value> {
        let walk = self.walk;
        let inside = walk.tokens.depth();
        let value = match kind {
            Kind::Object | Kind::Map => {
                visitor.visit_map(Entries { walk, inside })?
            }
            Kind::Array(left) => {
                let elements = Elements {
                    walk,
                    inside,
                    left: Some(left),
                };
                return elements.array(visitor);
            }
            Kind::Set => visitor.visit_seq(Elements {
                walk,
                inside,
                left: None,
            })?,
            Kind::SparseArray(length) => {
                let gaps = Gaps {
                    walk,
                    inside,
                    at: 0,
                    length,
                    next: None,
                    there: 0,
                };
                return gaps.array(visitor);
            }
            Kind::Error => return Err(Invalid::new("an Error")),
            // Handled before.
            Kind::Host => return Err(Invalid::new("no value")),
        };
        walk.skip_to(inside - 1)?;
        Ok(value)
    }
}

/// What a Node resolves to: with references followed and boxes opened.
macro_rules! resolved {
    ($self:ident.$method:ident($($argument:expr),*)) => {
        match $self.token {
            Token::Leaf(Leaf::Reference(number)) => {
                let read = |node: Node<'_, '_>| node.$method($($argument),*);
                return $self.again(number, read);
            }
            Token::Begin(Kind::Host) => {
                let read = |node: Node<'_, '_>| node.$method($($argument),*);
                return $self.within(read);
            }
            _ => {}
        }
    };
}

/// Methods of a deserializer that say what is asked for.
macro_rules! forward_to_typed {
    ($($method:ident($($argument:ty),*))*) => {
        $(fn $method<V: Visitor<'de>>(
            self,
            $(_: $argument,)*
            visitor: V,
        ) -> Result<V::Value> {
            self.typed(visitor)
        })*
    };
}

impl Node<'_, '_> {
    /// What a type asks for that says what it wants.
    fn typed<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        resolved!(self.typed(visitor));
        self.check_depth()?;
        let leaf = match self.token {
            Token::Leaf(leaf) => leaf,
            Token::Begin(kind) => return self.container(kind, visitor),
            Token::End | Token::Part(_) => {
                return Err(Invalid::new("no value"));
            }
        };
        match leaf {
            Leaf::Undefined | Leaf::Null | Leaf::Hole => visitor.visit_unit(),
            Leaf::Bool(value) | Leaf::BoxedBool(value) => {
                visitor.visit_bool(value)
            }
            Leaf::Number(value) | Leaf::BoxedNumber(value) => {
                number(value, visitor)
            }
            Leaf::Date(time) => visitor.visit_f64(time),
            Leaf::BigInt(digits) | Leaf::BoxedBigInt(digits) => {
                whole(digits, visitor)
            }
            Leaf::Text(text) | Leaf::BoxedText(text) => match text.text()? {
                Cow::Borrowed(text) => visitor.visit_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            },
            Leaf::ArrayBuffer(bytes) | Leaf::ResizableBuffer(bytes, _) => {
                visitor.visit_bytes(bytes)
            }
            Leaf::View(view, bytes) if is_bytes(view) => {
                visitor.visit_bytes(bytes)
            }
            Leaf::View(view, bytes) => {
                visitor.visit_seq(SeqDeserializer::new(numbers(view, bytes)))
            }
            Leaf::RegExp { .. } => Err(Invalid::new("a RegExp")),
            Leaf::Reference(_) => Err(Invalid::new("no value")),
        }
    }
}

impl<'de> Deserializer<'de> for Node<'_, '_> {
    type Error = Invalid;

    /// For a type that takes whatever there is, such as `serde_json::Value`.
    /// It could not tell a Date from a number, nor a Map from an object.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        resolved!(self.deserialize_any(visitor));
        let what = match self.token {
            Token::Leaf(Leaf::Date(_)) => "a Date",
            Token::Begin(Kind::Map) => "a Map",
            Token::Begin(Kind::Set) => "a Set",
            _ => return self.typed(visitor),
        };
        Err(Invalid::new(format_args!(
            "{what} would be lost in a type that takes any value: use one \
             that has a place for it, or v8::Value"
        )))
    }

    fn deserialize_option<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> Result<V::Value> {
        match self.token {
            Token::Leaf(Leaf::Undefined | Leaf::Null | Leaf::Hole) => {
                visitor.visit_none()
            }
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        resolved!(self.deserialize_seq(visitor));
        // Bytes are a sequence too, if that is what is asked for.
        let bytes = match self.token {
            Token::Leaf(
                Leaf::ArrayBuffer(bytes) | Leaf::ResizableBuffer(bytes, _),
            ) => bytes,
            Token::Leaf(Leaf::View(view, bytes)) if is_bytes(view) => bytes,
            _ => return self.typed(visitor),
        };
        visitor.visit_seq(SeqDeserializer::new(bytes.iter().copied()))
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        resolved!(self.deserialize_enum(name, variants, visitor));
        self.check_depth()?;
        let walk = self.walk;
        let inside = walk.tokens.depth();
        let (text, content) = match self.token {
            Token::Leaf(Leaf::Text(text) | Leaf::BoxedText(text)) => {
                (text, false)
            }
            // An object with one key.
            Token::Begin(Kind::Object) => match walk.next()? {
                Token::Leaf(Leaf::Text(text)) => (text, true),
                _ => return Err(Invalid::new("not a variant")),
            },
            _ => return Err(Invalid::new("not a variant")),
        };
        let name = text.text()?;
        let value = visitor.visit_enum(Variant {
            walk: &mut *walk,
            name,
            content,
        })?;
        if content {
            walk.skip_to(inside)?;
            if !matches!(walk.next()?, Token::End) {
                return Err(Invalid::new("not a variant"));
            }
        }
        Ok(value)
    }

    /// What is ignored may be anything.
    fn deserialize_ignored_any<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> Result<V::Value> {
        if let Token::Begin(_) = self.token {
            self.walk.skip_to(self.walk.tokens.depth() - 1)?;
        }
        visitor.visit_unit()
    }

    forward_to_typed! {
        deserialize_bool()
        deserialize_i8() deserialize_i16() deserialize_i32()
        deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32()
        deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64()
        deserialize_char() deserialize_str() deserialize_string()
        deserialize_bytes() deserialize_byte_buf()
        deserialize_unit() deserialize_unit_struct(&'static str)
        deserialize_tuple_struct(&'static str, usize)
        deserialize_map()
        deserialize_struct(&'static str, &'static [&'static str])
        deserialize_identifier()
    }
}

/// One byte for each element.
fn is_bytes(view: View) -> bool {
    matches!(
        view,
        View::Buffer
            | View::Uint8Array
            | View::Uint8ClampedArray
            | View::DataView
    )
}

fn whole<'de, V: Visitor<'de>>(
    digits: Digits<'_>,
    visitor: V,
) -> Result<V::Value> {
    let number = BigInt::from(digits);
    if let Some(number) = number.to_i128() {
        return whole_number(number, visitor);
    }
    match number.magnitude() {
        Some(magnitude) if !number.negative => visitor.visit_u128(magnitude),
        _ => Err(Invalid::new("a BigInt of more than 128 bits")),
    }
}

fn whole_number<'de, V: Visitor<'de>>(
    number: i128,
    visitor: V,
) -> Result<V::Value> {
    match (u64::try_from(number), i64::try_from(number)) {
        (Ok(number), _) => visitor.visit_u64(number),
        (_, Ok(number)) => visitor.visit_i64(number),
        _ => visitor.visit_i128(number),
    }
}

fn number<'de, V: Visitor<'de>>(number: f64, visitor: V) -> Result<V::Value> {
    let whole = number as i64;
    // Not `abs`: -(2^63) has none.
    if (whole as f64).to_bits() != number.to_bits()
        || whole.unsigned_abs() > 1 << 53
    {
        return visitor.visit_f64(number);
    }
    match u64::try_from(whole) {
        Ok(whole) => visitor.visit_u64(whole),
        Err(_) => visitor.visit_i64(whole),
    }
}

impl<'a> Text<'a> {
    /// As Rust's text, if it can be.
    fn text(self) -> Result<Cow<'a, str>> {
        match self {
            Self::Latin(bytes) => Ok(latin(bytes)),
            Self::Utf8(bytes) => Ok(String::from_utf8_lossy(bytes)),
            Self::Wide(_) => match self.into() {
                Value::String(text) => Ok(Cow::Owned(text)),
                _ => Err(Invalid::new("half a surrogate pair")),
            },
        }
    }
}

/// Keys and values.
struct Entries<'w, 'a> {
    walk: &'w mut Walk<'a>,
    /// The level of the keys.
    inside: usize,
}

impl<'de> MapAccess<'de> for Entries<'_, '_> {
    type Error = Invalid;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>> {
        if self.walk.tokens.depth() < self.inside {
            return Ok(None);
        }
        let key = self.walk.node()?;
        if let Token::End = key.token {
            return Ok(None);
        }
        let key = seed.deserialize(Key(key))?;
        self.walk.skip_to(self.inside)?;
        Ok(Some(key))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value> {
        let value = seed.deserialize(self.walk.node()?)?;
        self.walk.skip_to(self.inside)?;
        Ok(value)
    }
}

/// The elements of an array without gaps, or of a Set.
struct Elements<'w, 'a> {
    walk: &'w mut Walk<'a>,
    inside: usize,
    /// How many there are; a Set says so only at its end.
    left: Option<u32>,
}

impl Elements<'_, '_> {
    /// All of an array.
    fn array<'de, V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        let value = visitor.visit_seq(&mut self)?;
        while let Some(de::IgnoredAny) = self.next_element()? {}
        match self.walk.next()? {
            Token::End => Ok(value),
            _ => Err(Invalid::new("an array with properties")),
        }
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, '_> {
    type Error = Invalid;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>> {
        match &mut self.left {
            Some(0) => return Ok(None),
            Some(left) => *left -= 1,
            None if self.walk.tokens.depth() < self.inside => return Ok(None),
            None => {}
        }
        let element = self.walk.node()?;
        if let Token::End = element.token {
            return Ok(None);
        }
        let element = seed.deserialize(element)?;
        self.walk.skip_to(self.inside)?;
        Ok(Some(element))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left? as usize)
    }
}

/// The elements of an array with gaps: a number, and what has that number.
struct Gaps<'w, 'a> {
    walk: &'w mut Walk<'a>,
    inside: usize,
    at: u32,
    length: u32,
    /// The number of the next one that is there; its value comes next.
    next: Option<u32>,
    /// How many were there.
    there: u32,
}

impl Gaps<'_, '_> {
    /// All of an array.
    fn array<'de, V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value> {
        let value = visitor.visit_seq(&mut self)?;
        while let Some(de::IgnoredAny) = self.next_element()? {}
        if self.walk.tokens.depth() >= self.inside
            && !matches!(self.walk.next()?, Token::End)
        {
            return Err(Invalid::new("an array with properties"));
        }
        Ok(value)
    }

    /// Looks for the next element that is there.
    fn look(&mut self) -> Result<()> {
        if self.next.is_some() || self.walk.tokens.depth() < self.inside {
            return Ok(());
        }
        // V8 writes them in their order.
        let number = match self.walk.next()? {
            Token::End => return Ok(()),
            Token::Leaf(Leaf::Number(number)) => number,
            _ => return Err(Invalid::new("an array with properties")),
        };
        let at = number as u32;
        match f64::from(at) == number && (self.at..self.length).contains(&at) {
            true => self.next = Some(at),
            false => return Err(Invalid::new("an array with properties")),
        }
        Ok(())
    }
}

impl<'de> SeqAccess<'de> for Gaps<'_, '_> {
    type Error = Invalid;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>> {
        if self.at == self.length {
            return Ok(None);
        }
        self.look()?;
        let element = if self.next == Some(self.at) {
            self.next = None;
            self.there += 1;
            self.walk.node()?
        } else {
            // A few bytes must not become billions of elements.
            if self.at / 9 > self.there + 8 {
                return Err(Invalid::new("an array that is mostly gaps"));
            }
            let token = Token::Leaf(Leaf::Hole);
            let walk = &mut *self.walk;
            Node { walk, token }
        };
        self.at += 1;
        let element = seed.deserialize(element)?;
        self.walk.skip_to(self.inside)?;
        Ok(Some(element))
    }
}

/// The elements of a typed array of more than a byte each.
fn numbers(view: View, bytes: &[u8]) -> Box<dyn Iterator<Item = Element> + '_> {
    macro_rules! each {
        ($type:ty, $make:expr) => {
            Box::new(
                bytes
                    .as_chunks()
                    .0
                    .iter()
                    .map(|chunk| $make(<$type>::from_le_bytes(*chunk))),
            )
        };
    }
    macro_rules! float {
        ($type:ty) => {
            each!($type, |n| Element::Number(f64::from(n)))
        };
    }
    match view {
        View::Int8Array => float!(i8),
        View::Int16Array => float!(i16),
        View::Uint16Array => float!(u16),
        View::Int32Array => float!(i32),
        View::Uint32Array => float!(u32),
        View::Float16Array => each!(u16, |n| Element::Number(half(n))),
        View::Float32Array => float!(f32),
        View::Float64Array => float!(f64),
        View::BigInt64Array => each!(i64, |n| Element::Whole(i128::from(n))),
        View::BigUint64Array => each!(u64, |n| Element::Whole(i128::from(n))),
        _ => float!(u8),
    }
}

/// A float of 16 bits.
fn half(bits: u16) -> f64 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let exponent = i32::from(bits >> 10 & 0x1F);
    let fraction = f64::from(bits & 0x3FF);
    sign * match exponent {
        0 => fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2_f64.powi(exponent - 25),
    }
}

/// An element of a typed array.
#[derive(Clone, Copy)]
enum Element {
    Number(f64),
    Whole(i128),
}

impl<'de> IntoDeserializer<'de, Invalid> for Element {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Element {
    type Error = Invalid;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self {
            Self::Number(value) => number(value, visitor),
            Self::Whole(value) => whole_number(value, visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string
        bytes byte_buf unit unit_struct seq tuple tuple_struct map struct
        enum identifier ignored_any
    }
}

/// A key of an object: a number is its text, unless a number is asked for.
struct Key<'w, 'a>(Node<'w, 'a>);

/// A key that a map in Rust has as a number: in JavaScript it is text.
macro_rules! parsed {
    ($($method:ident $visit:ident $type:ty,)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            let Token::Leaf(Leaf::Text(text)) = self.0.token else {
                return self.0.typed(visitor);
            };
            match text.text()?.parse::<$type>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => self.0.typed(visitor),
            }
        })*
    };
}

impl Key<'_, '_> {
    fn typed<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0.token {
            Token::Leaf(Leaf::Number(number)) if number.fract() == 0.0 => {
                visitor.visit_string(format!("{number:.0}"))
            }
            _ => self.0.typed(visitor),
        }
    }
}

impl<'de> Deserializer<'de> for Key<'_, '_> {
    type Error = Invalid;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0.token {
            Token::Leaf(Leaf::Number(number)) if number.fract() == 0.0 => {
                visitor.visit_string(format!("{number:.0}"))
            }
            _ => self.0.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    parsed! {
        deserialize_bool visit_bool bool,
        deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
        deserialize_i128 visit_i128 i128,
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
        deserialize_u128 visit_u128 u128,
    }

    forward_to_typed! {
        deserialize_f32() deserialize_f64()
        deserialize_char() deserialize_str() deserialize_string()
        deserialize_bytes() deserialize_byte_buf()
        deserialize_option()
        deserialize_unit() deserialize_unit_struct(&'static str)
        deserialize_seq() deserialize_tuple(usize)
        deserialize_tuple_struct(&'static str, usize)
        deserialize_map()
        deserialize_struct(&'static str, &'static [&'static str])
        deserialize_identifier() deserialize_ignored_any()
    }
}

/// An enum's variant.
struct Variant<'w, 'a> {
    walk: &'w mut Walk<'a>,
    name: Cow<'a, str>,
    content: bool,
}

impl<'de, 'w, 'a> EnumAccess<'de> for Variant<'w, 'a> {
    type Error = Invalid;
    type Variant = Content<'w, 'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Content<'w, 'a>)> {
        let name: StrDeserializer<'_, Invalid> =
            (&*self.name).into_deserializer();
        let variant = seed.deserialize(name)?;
        Ok((variant, Content(self.content.then_some(self.walk))))
    }
}

/// What a variant holds comes next in the walk.
struct Content<'w, 'a>(Option<&'w mut Walk<'a>>);

impl<'w, 'a> Content<'w, 'a> {
    fn node(self) -> Result<Node<'w, 'a>> {
        match self.0 {
            Some(walk) => walk.node(),
            None => Err(Invalid::new("a variant without content")),
        }
    }
}

impl<'de> VariantAccess<'de> for Content<'_, '_> {
    type Error = Invalid;

    fn unit_variant(self) -> Result<()> {
        match self.0 {
            None => Ok(()),
            Some(_) => Err(Invalid::new("a variant with content")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value> {
        seed.deserialize(self.node()?)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.node()?.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.node()?.typed(visitor)
    }
}
