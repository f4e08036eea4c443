//! A string as JSON, quickly: long ones are what takes time on a channel.

use serde::de::{Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::scalars::{refuse, refuse_all_but_scalars};

/// Writes the JSON of `value` to the end of `json`, if it is a string in which
/// nothing must be escaped; if not, nothing, and returns false.
pub(crate) fn write_plain<T: Serialize + ?Sized>(
    value: &T,
    json: &mut Vec<u8>,
) -> bool {
    value.serialize(Plain(json)).is_ok()
}

/// Nothing in `text` must be escaped. Looks at many bytes at once, where
/// `serde_json` looks at each.
fn is_plain(text: &str) -> bool {
    text.as_bytes().chunks(256).all(|chunk| {
        chunk.iter().fold(true, |plain, byte| {
            plain & (*byte >= 0x20) & (*byte != b'"') & (*byte != b'\\')
        })
    })
}

/// `json` is a string in which nothing is escaped.
pub(crate) fn is_plain_string(json: &str) -> bool {
    within(json).is_some_and(is_plain)
}

/// What stands between the quotes.
pub(crate) fn within(json: &str) -> Option<&str> {
    json.strip_prefix('"')?.strip_suffix('"')
}

/// What `serde_json` makes of `json`, which is a plain string.
pub(crate) fn parse<'a, T: Deserialize<'a>>(
    json: &'a str,
) -> Result<T, serde_json::Error> {
    T::deserialize(Quoted(json))
}

/// A plain string with its quotes. Hands out what is between them, and leaves
/// it to `serde_json` to say what else a string can be.
struct Quoted<'a>(&'a str);

macro_rules! text {
    ($($name:ident)*) => {
        $(fn $name<V: Visitor<'de>>(
            self,
            visitor: V,
        ) -> Result<V::Value, serde_json::Error> {
            visitor.visit_borrowed_str(within(self.0).unwrap_or_default())
        })*
    };
}

macro_rules! left_to_serde_json {
    ($($name:ident($($argument:ident: $type:ty),*))*) => {
        $(fn $name<V: Visitor<'de>>(
            self,
            $($argument: $type,)*
            visitor: V,
        ) -> Result<V::Value, serde_json::Error> {
            serde_json::Deserializer::from_str(self.0)
                .$name($($argument,)* visitor)
        })*
    };
}

type Name = &'static str;
type Names = &'static [&'static str];

impl<'de> Deserializer<'de> for Quoted<'de> {
    type Error = serde_json::Error;

    text! { deserialize_any deserialize_str deserialize_string }

    left_to_serde_json! {
        deserialize_bool() deserialize_char() deserialize_bytes()
        deserialize_byte_buf() deserialize_option() deserialize_unit()
        deserialize_i8() deserialize_i16() deserialize_i32()
        deserialize_i64() deserialize_i128() deserialize_u8()
        deserialize_u16() deserialize_u32() deserialize_u64()
        deserialize_u128() deserialize_f32() deserialize_f64()
        deserialize_seq() deserialize_map() deserialize_identifier()
        deserialize_ignored_any() deserialize_tuple(length: usize)
        deserialize_unit_struct(name: Name)
        deserialize_newtype_struct(name: Name)
        deserialize_tuple_struct(name: Name, length: usize)
        deserialize_struct(name: Name, fields: Names)
        deserialize_enum(name: Name, variants: Names)
    }
}

/// Takes strings and refuses all else.
struct Plain<'a>(&'a mut Vec<u8>);

/// It is not such a string.
#[derive(Debug)]
struct Other;

impl std::fmt::Display for Other {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("not a plain string")
    }
}

impl std::error::Error for Other {}

impl serde::ser::Error for Other {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self
    }
}

impl Serializer for Plain<'_> {
    refuse_all_but_scalars! { (), Other, Other }

    fn serialize_str(self, text: &str) -> Result<(), Other> {
        if !is_plain(text) {
            return Err(Other);
        }
        let Self(json) = self;
        json.reserve(text.len() + 2);
        json.push(b'"');
        json.extend_from_slice(text.as_bytes());
        json.push(b'"');
        Ok(())
    }

    refuse! { (), Other, Other,
        serialize_bool(bool), serialize_char(char),
        serialize_i8(i8), serialize_i16(i16), serialize_i32(i32),
        serialize_i64(i64), serialize_u8(u8), serialize_u16(u16),
        serialize_u32(u32), serialize_u64(u64),
        serialize_unit_variant(&'static str, u32, &'static str)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::{is_plain_string, parse, write_plain};

    fn plain<T: serde::Serialize + ?Sized>(value: &T) -> Option<Vec<u8>> {
        let mut json = b"before".to_vec();
        let written = write_plain(value, &mut json);
        assert_eq!(written, json != b"before");
        written.then(|| json.split_off(6))
    }

    #[test]
    fn a_plain_string_is_what_serde_json_makes_of_it() {
        #[derive(Debug, PartialEq, serde::Deserialize)]
        struct Name(String);
        #[derive(Debug, PartialEq, serde::Deserialize)]
        enum Word {
            Stop,
        }
        fn same<T: serde::de::DeserializeOwned + std::fmt::Debug>(json: &str) {
            let quick = format!("{:?}", parse::<T>(json).ok());
            let usual = format!("{:?}", serde_json::from_str::<T>(json).ok());
            assert_eq!(quick, usual, "{json}");
        }
        for json in ["\"\"", "\"Stop\"", "\"中😀\u{7f}\"", "\"a\"", "\"1\""]
        {
            assert!(is_plain_string(json), "{json}");
            same::<String>(json);
            same::<Option<Box<str>>>(json);
            same::<serde_json::Value>(json);
            same::<Box<RawValue>>(json);
            same::<Name>(json);
            same::<Word>(json);
            same::<char>(json);
            same::<u32>(json);
            same::<Vec<u8>>(json);
            same::<()>(json);
        }
        for json in ["", "\"", "a", "1", "\"a", "\"\\\"", "\"a\"\"", " \"\""] {
            assert!(!is_plain_string(json), "{json}");
        }
    }

    #[test]
    fn it_is_what_serde_json_writes_or_nothing() {
        let long = format!("{}中😀\u{7f}\u{2028}", "x".repeat(1000));
        for text in ["", "a", &long] {
            let json = serde_json::to_vec(text).unwrap();
            assert_eq!(plain(text), Some(json));
        }
        let late = format!("{long}\n");
        for text in ["\"", "a\\", "\0", "\x1f", &late] {
            assert_eq!(plain(text), None, "{text:?}");
        }
        assert_eq!(plain(&Some("a")).as_deref(), Some(&b"\"a\""[..]));
        assert_eq!(plain(&["a"]), None);
        assert_eq!(plain(&'a'), None);
        let raw = serde_json::value::RawValue::from_string("\"a\\n\"".into());
        assert_eq!(plain(&raw.unwrap()), None);
    }
}
