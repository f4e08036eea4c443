//! Writes types of yours through serde, straight to bytes.

use std::collections::HashSet;

use serde::ser::{
    self, Serialize, SerializeMap, SerializeSeq, SerializeStruct,
    SerializeStructVariant, SerializeTuple, SerializeTupleStruct,
    SerializeTupleVariant,
};

use super::write::Writer;
use super::{BigInt, Invalid, Value, View};
use crate::scalars::refuse_all_but_scalars;

impl ser::Error for Invalid {
    fn custom<T: std::fmt::Display>(why: T) -> Self {
        Self::new(why)
    }
}

/// Numbers up to here, and down to its negative, are exact in JavaScript.
const EXACT: u128 = 1 << 53;

/// Writes `value` with the header. As JSON would be: structs and maps become
/// objects, sequences arrays, `None` and `()` become `null`. Beyond JSON,
/// bytes become a Buffer, and whole numbers beyond 2^53 a BigInt. A sequence
/// is written in one go: V8 would make all its numbers `N` if one is, and
/// reads the same in both.
///
/// # Errors
/// When it is too deep, or a map's key is not a string, number or bool, or is
/// there twice, as `flatten` can have it: a Node process dies of that.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Invalid> {
    write(value, Vec::new())
}

/// As [`to_vec`], with a buffer to be used, which is empty.
pub(crate) fn write<T: Serialize + ?Sized>(
    value: &T,
    buffer: Vec<u8>,
) -> Result<Vec<u8>, Invalid> {
    let mut writer = Writer::within(buffer);
    value.serialize(&mut writer)?;
    Ok(writer.bytes)
}

/// Makes a value of `value`, to be put into another one: see [`to_vec`].
///
/// # Errors
/// As [`to_vec`].
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, Invalid> {
    Value::read(&to_vec(value)?)
}

type Done = Result<(), Invalid>;

impl Writer {
    fn whole(&mut self, negative: bool, magnitude: u128) -> Done {
        if magnitude <= EXACT {
            let number = magnitude as f64;
            self.number(if negative { -number } else { number });
            return Ok(());
        }
        self.tag(b'Z');
        self.bigint(&BigInt {
            negative,
            ..BigInt::from(magnitude)
        })
    }

    fn key(&mut self, key: &str) -> Done {
        // V8 writes a key that is the number of an element as a number.
        match key.parse::<u32>() {
            Ok(number) if number < u32::MAX && number.to_string() == key => {
                self.number(number.into());
                Ok(())
            }
            _ => self.string(key),
        }
    }

    /// Begins an object that has one key, the name of an enum's variant.
    fn variant(&mut self, variant: &'static str) -> Done {
        self.enter()?;
        self.tag(b'o');
        self.key(variant)
    }

    fn end_variant(&mut self) {
        self.leave();
        self.bytes.extend_from_slice(b"{\x01");
    }

    fn list(&mut self, length: Option<usize>) -> Result<List<'_>, Invalid> {
        self.enter()?;
        self.tag(b'A');
        let at = self.bytes.len();
        match length {
            Some(length) => self.varint(length as u64),
            // Room for any length: a number may have leading zeros.
            None => self.bytes.extend_from_slice(&[0x80, 0x80, 0x80, 0x80, 0]),
        }
        Ok(List {
            writer: self,
            at,
            promised: length,
            count: 0,
            variant: false,
        })
    }

    fn fields(&mut self) -> Result<Fields<'_>, Invalid> {
        self.enter()?;
        self.tag(b'o');
        Ok(Fields {
            writer: self,
            count: 0,
            keys: HashSet::new(),
            variant: false,
        })
    }
}

impl<'a> ser::Serializer for &'a mut Writer {
    type Ok = ();
    type Error = Invalid;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = Fields<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Fields<'a>;

    fn serialize_bool(self, value: bool) -> Done {
        self.tag(if value { b'T' } else { b'F' });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Done {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Done {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Done {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Done {
        self.whole(value < 0, value.unsigned_abs().into())
    }

    fn serialize_i128(self, value: i128) -> Done {
        self.whole(value < 0, value.unsigned_abs())
    }

    fn serialize_u8(self, value: u8) -> Done {
        self.whole(false, value.into())
    }

    fn serialize_u16(self, value: u16) -> Done {
        self.whole(false, value.into())
    }

    fn serialize_u32(self, value: u32) -> Done {
        self.whole(false, value.into())
    }

    fn serialize_u64(self, value: u64) -> Done {
        self.whole(false, value.into())
    }

    fn serialize_u128(self, value: u128) -> Done {
        self.whole(false, value)
    }

    fn serialize_f32(self, value: f32) -> Done {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Done {
        self.number(value);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Done {
        self.string(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Done {
        self.string(value)
    }

    fn serialize_bytes(self, value: &[u8]) -> Done {
        self.view(View::Buffer, value)
    }

    fn serialize_none(self) -> Done {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        self.tag(b'0');
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Done {
        self.string(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Done {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Done {
        self.variant(variant)?;
        value.serialize(&mut *self)?;
        self.end_variant();
        Ok(())
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<List<'a>, Invalid> {
        self.list(length)
    }

    fn serialize_tuple(self, length: usize) -> Result<List<'a>, Invalid> {
        self.list(Some(length))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        length: usize,
    ) -> Result<List<'a>, Invalid> {
        self.list(Some(length))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<List<'a>, Invalid> {
        self.variant(variant)?;
        Ok(List {
            variant: true,
            ..self.list(Some(length))?
        })
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Fields<'a>, Invalid> {
        self.fields()
    }

    fn serialize_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Fields<'a>, Invalid> {
        self.fields()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Fields<'a>, Invalid> {
        self.variant(variant)?;
        Ok(Fields {
            variant: true,
            ..self.fields()?
        })
    }
}

/// An array that is being written.
#[derive(Debug)]
pub(super) struct List<'a> {
    writer: &'a mut Writer,
    /// Where its length stands.
    at: usize,
    promised: Option<usize>,
    count: usize,
    variant: bool,
}

impl List<'_> {
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        self.count += 1;
        value.serialize(&mut *self.writer)
    }

    fn finish(self) -> Done {
        let count = u32::try_from(self.count)
            .map_err(|_| Invalid::new("an array is too long"))?;
        match self.promised {
            Some(promised) if promised != self.count => {
                return Err(Invalid::new("another number of elements"));
            }
            Some(_) => {}
            None => {
                let room = &mut self.writer.bytes[self.at..self.at + 5];
                for (place, byte) in room.iter_mut().enumerate() {
                    let digit = (count >> (7 * place)) as u8 & 0x7F;
                    *byte = digit | if place < 4 { 0x80 } else { 0 };
                }
            }
        }
        self.writer.bytes.extend_from_slice(b"$\0");
        self.writer.varint(count.into());
        self.writer.leave();
        if self.variant {
            self.writer.end_variant();
        }
        Ok(())
    }
}

/// serde has a trait for each kind of list, and all are arrays here.
macro_rules! list {
    ($($trait:ident $method:ident),*) => {
        $(impl $trait for List<'_> {
            type Ok = ();
            type Error = Invalid;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
                self.element(value)
            }

            fn end(self) -> Done {
                self.finish()
            }
        })*
    };
}

list! {
    SerializeSeq serialize_element, SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field, SerializeTupleVariant serialize_field
}

/// An object that is being written.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    writer: &'a mut Writer,
    count: u64,
    /// A map's keys, or a struct's with `flatten` in it: of those, serde does
    /// not promise that there is each only once.
    keys: HashSet<String>,
    variant: bool,
}

impl Fields<'_> {
    fn field<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Done {
        self.writer.key(key)?;
        self.count += 1;
        value.serialize(&mut *self.writer)
    }

    fn finish(self) -> Done {
        self.writer.tag(b'{');
        self.writer.varint(self.count);
        self.writer.leave();
        if self.variant {
            self.writer.end_variant();
        }
        Ok(())
    }
}

impl SerializeMap for Fields<'_> {
    type Ok = ();
    type Error = Invalid;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Done {
        self.count += 1;
        let key = key.serialize(Key)?;
        self.writer.key(&key)?;
        // A Node process dies of it.
        match self.keys.insert(key) {
            true => Ok(()),
            false => Err(Invalid::new("an object has one key twice")),
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        value.serialize(&mut *self.writer)
    }

    fn end(self) -> Done {
        self.finish()
    }
}

macro_rules! fields {
    ($($trait:ident),*) => {
        $(impl $trait for Fields<'_> {
            type Ok = ();
            type Error = Invalid;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Done {
                self.field(key, value)
            }

            fn end(self) -> Done {
                self.finish()
            }
        })*
    };
}

fields! { SerializeStruct, SerializeStructVariant }

/// Makes the text of a map's key, as `serde_json` does.
struct Key;

macro_rules! shown {
    ($($name:ident: $type:ty),*) => {
        $(fn $name(self, value: $type) -> Result<String, Invalid> {
            Ok(value.to_string())
        })*
    };
}

impl ser::Serializer for Key {
    refuse_all_but_scalars! {
        String, Invalid, Invalid::new("a key must be a string")
    }

    shown! {
        serialize_bool: bool, serialize_char: char, serialize_str: &str,
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_i128: i128,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32,
        serialize_u64: u64, serialize_u128: u128
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<String, Invalid> {
        Ok(variant.to_owned())
    }
}
