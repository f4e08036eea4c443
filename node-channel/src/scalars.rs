//! What serializers that take strings, and perhaps whole numbers, have in
//! common.

/// The part of a [`serde::Serializer`] that refuses everything else, with
/// this error, and opens what has one value in it.
macro_rules! refuse_all_but_scalars {
    ($ok:ty, $error:ty, $why:expr) => {
        type Ok = $ok;
        type Error = $error;
        type SerializeSeq = serde::ser::Impossible<$ok, $error>;
        type SerializeTuple = Self::SerializeSeq;
        type SerializeTupleStruct = Self::SerializeSeq;
        type SerializeTupleVariant = Self::SerializeSeq;
        type SerializeMap = Self::SerializeSeq;
        type SerializeStruct = Self::SerializeSeq;
        type SerializeStructVariant = Self::SerializeSeq;

        fn serialize_some<T: serde::Serialize + ?Sized>(
            self,
            value: &T,
        ) -> Result<$ok, $error> {
            value.serialize(self)
        }

        fn serialize_newtype_struct<T: serde::Serialize + ?Sized>(
            self,
            // serde_json's raw JSON looks like a struct: never like this.
            _: &'static str,
            value: &T,
        ) -> Result<$ok, $error> {
            value.serialize(self)
        }

        fn serialize_newtype_variant<T: serde::Serialize + ?Sized>(
            self,
            _: &'static str,
            _: u32,
            _: &'static str,
            _: &T,
        ) -> Result<$ok, $error> {
            Err($why)
        }

        crate::scalars::refuse! { $ok, $error, $why,
            serialize_f32(f32), serialize_f64(f64), serialize_bytes(&[u8]),
            serialize_none(), serialize_unit(),
            serialize_unit_struct(&'static str)
        }

        crate::scalars::refuse! { Self::SerializeSeq, $error, $why,
            serialize_seq(Option<usize>), serialize_tuple(usize),
            serialize_tuple_struct(&'static str, usize),
            serialize_tuple_variant(&'static str, u32, &'static str, usize),
            serialize_map(Option<usize>),
            serialize_struct(&'static str, usize),
            serialize_struct_variant(&'static str, u32, &'static str, usize)
        }
    };
}

/// Methods that refuse what they are given.
macro_rules! refuse {
    ($ok:ty, $error:ty, $why:expr, $($name:ident($($type:ty),*)),*) => {
        $(fn $name(self, $(_: $type),*) -> Result<$ok, $error> {
            Err($why)
        })*
    };
}

pub(crate) use {refuse, refuse_all_but_scalars};
