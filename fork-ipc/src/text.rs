//! A string as JSON, quickly: long ones are what takes time on a channel.

use serde::ser::{Impossible, Serialize, Serializer};

/// The JSON of `value`, if it is a string in which nothing must be escaped.
pub(crate) fn plain<T: Serialize + ?Sized>(value: &T) -> Option<Vec<u8>> {
    value.serialize(Plain).ok()
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

/// Takes strings and refuses all else.
struct Plain;

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

type Taken = Result<Vec<u8>, Other>;
type Never = Impossible<Vec<u8>, Other>;

macro_rules! refused {
    ($($name:ident($($type:ty),*)),*) => {
        $(fn $name(self, $(_: $type),*) -> Taken {
            Err(Other)
        })*
    };
}

macro_rules! never {
    ($($name:ident($($type:ty),*)),*) => {
        $(fn $name(self, $(_: $type),*) -> Result<Never, Other> {
            Err(Other)
        })*
    };
}

impl Serializer for Plain {
    type Ok = Vec<u8>;
    type Error = Other;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Never;

    fn serialize_str(self, text: &str) -> Taken {
        if !is_plain(text) {
            return Err(Other);
        }
        let mut json = Vec::with_capacity(text.len() + 2);
        json.push(b'"');
        json.extend_from_slice(text.as_bytes());
        json.push(b'"');
        Ok(json)
    }

    refused! {
        serialize_bool(bool), serialize_char(char), serialize_bytes(&[u8]),
        serialize_i8(i8), serialize_i16(i16), serialize_i32(i32),
        serialize_i64(i64), serialize_u8(u8), serialize_u16(u16),
        serialize_u32(u32), serialize_u64(u64), serialize_f32(f32),
        serialize_f64(f64), serialize_none(), serialize_unit(),
        serialize_unit_struct(&'static str),
        serialize_unit_variant(&'static str, u32, &'static str)
    }

    never! {
        serialize_seq(Option<usize>), serialize_tuple(usize),
        serialize_tuple_struct(&'static str, usize),
        serialize_tuple_variant(&'static str, u32, &'static str, usize),
        serialize_map(Option<usize>), serialize_struct(&'static str, usize),
        serialize_struct_variant(&'static str, u32, &'static str, usize)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Taken {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        // serde_json's raw JSON looks like a struct: never like this.
        _: &'static str,
        value: &T,
    ) -> Taken {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Taken {
        Err(Other)
    }
}

#[cfg(test)]
mod tests {
    use super::plain;

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
