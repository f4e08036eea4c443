//! Makes types of yours of values, through serde.

use std::cell::Cell;

use serde::de::value::{MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess,
    IntoDeserializer, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::{BigInt, DEPTH, Invalid, Value, View};

impl de::Error for Invalid {
    fn custom<T: std::fmt::Display>(why: T) -> Self {
        Self::new(why)
    }
}

/// How many values repeated objects may become. A few bytes can name the
/// same object very often.
const REPEATED: usize = 1_000_000;

/// Makes a value of your type, where nothing is lost by it: objects and Maps
/// become structs or maps, arrays and Sets sequences, Buffers and the like
/// bytes, a Date its milliseconds, a BigInt a whole number, `null` and
/// `undefined` become `None`. An object that appears twice becomes two.
///
/// # Errors
/// When the value is not of that type, is a RegExp or an Error, or contains
/// itself.
pub fn from_value<T: DeserializeOwned>(value: &Value) -> Result<T, Invalid> {
    let objects = value.objects();
    let context = Context {
        objects: &objects,
        repeated: &Cell::new(0),
        depth: 0,
    };
    T::deserialize(Node { value, context })
}

#[derive(Clone, Copy)]
struct Context<'a> {
    objects: &'a [&'a Value],
    repeated: &'a Cell<usize>,
    depth: usize,
}

/// A value, and what it needs to resolve references.
#[derive(Clone, Copy)]
struct Node<'a> {
    value: &'a Value,
    context: Context<'a>,
}

impl<'a> Node<'a> {
    /// The same, with references resolved and boxes opened.
    fn plain(mut self) -> Result<Self, Invalid> {
        loop {
            match self.value {
                Value::Reference(number) => {
                    let objects = self.context.objects;
                    let Some(object) = objects.get(*number as usize) else {
                        return Err(Invalid::new("no such object"));
                    };
                    self.value = object;
                    self.repeat()?;
                }
                Value::Boxed(inner) | Value::Host(inner) => {
                    self.value = inner;
                }
                _ => return Ok(self),
            }
        }
    }

    /// Counts a repetition, with all that it contains.
    fn repeat(&self) -> Result<(), Invalid> {
        let count = self.context.repeated.get() + 1 + self.value.weight();
        self.context.repeated.set(count);
        match count > REPEATED {
            true => Err(Invalid::new("the same objects too often")),
            false => Ok(()),
        }
    }

    fn inner(self, value: &'a Value) -> Self {
        let depth = self.context.depth + 1;
        Node {
            value,
            context: Context {
                depth,
                ..self.context
            },
        }
    }

    fn pairs<'de, V: Visitor<'de>>(
        self,
        entries: &'a [(Value, Value)],
        visitor: V,
    ) -> Result<V::Value, Invalid> {
        let entries = entries.iter();
        visitor.visit_map(MapDeserializer::new(
            entries
                .map(|(key, value)| (Key(self.inner(key)), self.inner(value))),
        ))
    }

    fn list<'de, V: Visitor<'de>>(
        self,
        elements: &'a [Value],
        visitor: V,
    ) -> Result<V::Value, Invalid> {
        let elements = elements.iter().map(|value| self.inner(value));
        visitor.visit_seq(SeqDeserializer::new(elements))
    }
}

impl Value {
    /// About how many values it contains directly.
    fn weight(&self) -> usize {
        match self {
            Self::Object(entries) | Self::Map(entries) => entries.len(),
            Self::Array { elements, .. } | Self::Set(elements) => {
                elements.len()
            }
            Self::ArrayBuffer(bytes) | Self::View(_, bytes) => bytes.len() / 8,
            _ => 0,
        }
    }
}

impl<'a, 'de> IntoDeserializer<'de, Invalid> for Node<'a> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

fn whole<'de, V: Visitor<'de>>(
    number: &BigInt,
    visitor: V,
) -> Result<V::Value, Invalid> {
    if let Some(number) = number.to_i128() {
        return match (u64::try_from(number), i64::try_from(number)) {
            (Ok(number), _) => visitor.visit_u64(number),
            (_, Ok(number)) => visitor.visit_i64(number),
            _ => visitor.visit_i128(number),
        };
    }
    match number.magnitude() {
        Some(magnitude) if !number.negative => visitor.visit_u128(magnitude),
        _ => Err(Invalid::new("a BigInt of more than 128 bits")),
    }
}

fn number<'de, V: Visitor<'de>>(
    number: f64,
    visitor: V,
) -> Result<V::Value, Invalid> {
    let whole = number as i64;
    if (whole as f64).to_bits() != number.to_bits() || whole.abs() > 1 << 53 {
        return visitor.visit_f64(number);
    }
    match u64::try_from(whole) {
        Ok(whole) => visitor.visit_u64(whole),
        Err(_) => visitor.visit_i64(whole),
    }
}

impl<'de> Deserializer<'de> for Node<'_> {
    type Error = Invalid;

    fn deserialize_any<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> Result<V::Value, Invalid> {
        // References could make it deeper than it was, or endless.
        if self.context.depth > DEPTH {
            return Err(Invalid::new("too deep, or a cycle"));
        }
        let node = self.plain()?;
        match node.value {
            Value::Undefined | Value::Null | Value::Hole => {
                visitor.visit_unit()
            }
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(value) => number(*value, visitor),
            Value::Date(time) => visitor.visit_f64(*time),
            Value::BigInt(value) => whole(value, visitor),
            Value::String(text) => visitor.visit_str(text),
            Value::Utf16(_) => Err(Invalid::new("half a surrogate pair")),
            Value::Object(entries) | Value::Map(entries) => {
                node.pairs(entries, visitor)
            }
            Value::Array {
                elements,
                properties,
            } if properties.is_empty() => node.list(elements, visitor),
            Value::Array { .. } => {
                Err(Invalid::new("an array with properties"))
            }
            Value::SparseArray { length, properties } => {
                let list = dense(*length, properties)?;
                let list = list.into_iter();
                let list = list.map(|value| node.inner(value));
                visitor.visit_seq(SeqDeserializer::new(list))
            }
            Value::Set(elements) => node.list(elements, visitor),
            Value::ArrayBuffer(bytes)
            | Value::View(
                View::Buffer
                | View::Uint8Array
                | View::Uint8ClampedArray
                | View::DataView,
                bytes,
            ) => visitor.visit_bytes(bytes),
            Value::View(view, bytes) => {
                let list = numbers(*view, bytes);
                let list = list.iter().map(|value| node.inner(value));
                visitor.visit_seq(SeqDeserializer::new(list))
            }
            Value::RegExp { .. } => Err(Invalid::new("a RegExp")),
            Value::Error(_) => Err(Invalid::new("an Error")),
            Value::Reference(_) | Value::Boxed(_) | Value::Host(_) => {
                Err(Invalid::new("no value"))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> Result<V::Value, Invalid> {
        match self.value {
            Value::Undefined | Value::Null | Value::Hole => {
                visitor.visit_none()
            }
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> Result<V::Value, Invalid> {
        // Bytes are a sequence too, if that is what is asked for.
        match self.plain()?.value {
            Value::ArrayBuffer(bytes) | Value::View(View::Buffer, bytes) => {
                let bytes = bytes.iter().copied();
                visitor.visit_seq(SeqDeserializer::new(bytes))
            }
            Value::View(
                View::Uint8Array | View::Uint8ClampedArray | View::DataView,
                bytes,
            ) => {
                let bytes = bytes.iter().copied();
                visitor.visit_seq(SeqDeserializer::new(bytes))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Invalid> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Invalid> {
        let node = self.plain()?;
        match node.value {
            Value::String(variant) => visitor.visit_enum(Variant {
                name: variant,
                content: None,
            }),
            Value::Object(entries) => match &**entries {
                [(Value::String(variant), content)] => {
                    visitor.visit_enum(Variant {
                        name: variant,
                        content: Some(node.inner(content)),
                    })
                }
                _ => Err(Invalid::new("not a variant")),
            },
            _ => Err(Invalid::new("not a variant")),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string
        bytes byte_buf unit unit_struct tuple tuple_struct map struct
        identifier ignored_any
    }
}

/// The elements of an array with gaps, if it has no other properties and is
/// not mostly gaps.
fn dense(
    length: u32,
    properties: &[(Value, Value)],
) -> Result<Vec<&Value>, Invalid> {
    if length as usize > 64 + properties.len() * 8 {
        return Err(Invalid::new("an array that is mostly gaps"));
    }
    let mut list = vec![&Value::Hole; length as usize];
    for (key, value) in properties {
        let place = match key {
            Value::Number(number) if *number >= 0.0 => {
                list.get_mut(*number as usize)
            }
            _ => None,
        };
        match place {
            Some(place) => *place = value,
            None => return Err(Invalid::new("an array with properties")),
        }
    }
    Ok(list)
}

/// The elements of a typed array.
fn numbers(view: View, bytes: &[u8]) -> Vec<Value> {
    macro_rules! each {
        ($type:ty, $make:expr) => {
            bytes
                .as_chunks()
                .0
                .iter()
                .map(|chunk| $make(<$type>::from_le_bytes(*chunk)))
                .collect()
        };
    }
    let float = Value::Number;
    match view {
        View::Int8Array => each!(i8, |n| float(f64::from(n))),
        View::Int16Array => each!(i16, |n| float(f64::from(n))),
        View::Uint16Array => each!(u16, |n| float(f64::from(n))),
        View::Int32Array => each!(i32, |n| float(f64::from(n))),
        View::Uint32Array => each!(u32, |n| float(f64::from(n))),
        View::Float16Array => each!(u16, |n| float(half(n))),
        View::Float32Array => each!(f32, |n| float(f64::from(n))),
        View::Float64Array => each!(f64, float),
        View::BigInt64Array => {
            each!(i64, |n| Value::BigInt(i128::from(n).into()))
        }
        View::BigUint64Array => {
            each!(u64, |n| Value::BigInt(u128::from(n).into()))
        }
        _ => bytes.iter().map(|n| float(f64::from(*n))).collect(),
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

/// A key of an object: a number is its text, unless a number is asked for.
#[derive(Clone, Copy)]
struct Key<'a>(Node<'a>);

impl<'de> IntoDeserializer<'de, Invalid> for Key<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Key<'_> {
    type Error = Invalid;

    fn deserialize_any<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> Result<V::Value, Invalid> {
        match self.0.value {
            Value::Number(number) if number.fract() == 0.0 => {
                visitor.visit_string(format!("{number:.0}"))
            }
            _ => self.0.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Invalid> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Invalid> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> Result<V::Value, Invalid> {
        match self.0.value {
            Value::String(text) => match text.parse() {
                Ok(number) => visitor.visit_u64(number),
                Err(_) => self.0.deserialize_any(visitor),
            },
            _ => self.0.deserialize_any(visitor),
        }
    }

    fn deserialize_i64<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> Result<V::Value, Invalid> {
        match self.0.value {
            Value::String(text) => match text.parse() {
                Ok(number) => visitor.visit_i64(number),
                Err(_) => self.0.deserialize_any(visitor),
            },
            _ => self.0.deserialize_any(visitor),
        }
    }

    fn deserialize_u32<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> Result<V::Value, Invalid> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_i32<V: Visitor<'de>>(
        self,
        visitor: V,
    ) -> Result<V::Value, Invalid> {
        self.deserialize_i64(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i128 u8 u16 u128 f32 f64 char str string bytes byte_buf
        option unit unit_struct seq tuple tuple_struct map struct identifier
        ignored_any
    }
}

/// An enum's variant.
struct Variant<'a> {
    name: &'a str,
    content: Option<Node<'a>>,
}

impl<'a, 'de> EnumAccess<'de> for Variant<'a> {
    type Error = Invalid;
    type Variant = Content<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Content<'a>), Invalid> {
        let name: StrDeserializer<'_, Invalid> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, Content(self.content)))
    }
}

/// What a variant holds.
struct Content<'a>(Option<Node<'a>>);

impl<'a> Content<'a> {
    fn node(self) -> Result<Node<'a>, Invalid> {
        self.0
            .ok_or_else(|| Invalid::new("a variant without content"))
    }
}

impl<'de> VariantAccess<'de> for Content<'_> {
    type Error = Invalid;

    fn unit_variant(self) -> Result<(), Invalid> {
        match self.0 {
            None => Ok(()),
            Some(_) => Err(Invalid::new("a variant with content")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, Invalid> {
        seed.deserialize(self.node()?)
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Invalid> {
        self.node()?.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Invalid> {
        self.node()?.deserialize_any(visitor)
    }
}
