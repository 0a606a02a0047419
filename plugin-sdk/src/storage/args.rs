//! The arguments of a statement, from a type that serde can write.
//!
//! Each member of a struct is the parameter of its name. A member that is `None` is not given, so
//! that the conditions that use it are left out; `Some(None)` gives NULL.

use std::fmt;

use serde::Serialize;
use serde::ser::{self, Impossible, SerializeSeq, SerializeStruct, SerializeTuple, Serializer};

use super::{Error, Value};

/// An argument that is one JSON value, such as an object or a list of other things than texts.
///
/// ```
/// use loggia_plugin_sdk::storage::Json;
/// use serde::Serialize;
///
/// #[derive(Serialize)]
/// struct WithMetadata<'a> {
///     metadata: Json<&'a serde_json::Value>,
/// }
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename = "loggia::Json")]
pub struct Json<T>(pub T);

/// The name by which [`Json`] is known here.
const JSON: &str = "loggia::Json";

/// The name by which a [`Timestamp`](crate::Timestamp) is known here: microseconds as an `i64`.
pub(crate) const TIMESTAMP: &str = "loggia::Timestamp";

/// The arguments that the members of a struct are; `()` is none.
pub(super) fn to_args<A: Serialize + ?Sized>(args: &A) -> Result<Args, Error> {
    let fault = |fault: Fault| Error::Other(format!("the arguments of a statement: {fault}"));
    match args.serialize(ArgSerializer).map_err(fault)? {
        Arg::Members(args) => Ok(args),
        Arg::Null => Ok(Vec::new()),
        Arg::Absent | Arg::Value(_) => Err(fault(Fault("they are a struct or ()".to_owned()))),
    }
}

/// Parameters by name.
pub(super) type Args = Vec<(String, Value)>;

/// What serde writes.
enum Arg {
    /// `None`.
    Absent,
    /// `()`, or `Some(None)`.
    Null,
    Value(Value),
    /// A struct.
    Members(Args),
}

/// Why arguments cannot be written.
#[derive(Debug)]
struct Fault(String);

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

impl ser::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

fn wants_json<T>() -> Result<T, Fault> {
    Err(Fault("an object, and a list of other things than texts, is given as Json".to_owned()))
}

/// The members of a struct.
struct Members(Args);

impl SerializeStruct for Members {
    type Ok = Arg;
    type Error = Fault;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Fault> {
        match value.serialize(ArgSerializer)? {
            Arg::Absent => {}
            Arg::Null => self.0.push((name.to_owned(), Value::Null)),
            Arg::Value(value) => self.0.push((name.to_owned(), value)),
            Arg::Members(_) => return wants_json(),
        }
        Ok(())
    }

    fn end(self) -> Result<Arg, Fault> {
        Ok(Arg::Members(self.0))
    }
}

/// The elements of a list.
struct Texts(Vec<String>);

impl SerializeSeq for Texts {
    type Ok = Arg;
    type Error = Fault;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        let Arg::Value(Value::Text(text)) = value.serialize(ArgSerializer)? else {
            return wants_json();
        };
        self.0.push(text);
        Ok(())
    }

    fn end(self) -> Result<Arg, Fault> {
        Ok(Arg::Value(Value::Texts(self.0)))
    }
}

impl SerializeTuple for Texts {
    type Ok = Arg;
    type Error = Fault;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Fault> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Result<Arg, Fault> {
        SerializeSeq::end(self)
    }
}

struct ArgSerializer;

/// Methods that take one number or truth value.
macro_rules! scalars {
    ($($method:ident: $type:ty => $variant:ident;)*) => {
        $(fn $method(self, value: $type) -> Result<Arg, Fault> {
            Ok(Arg::Value(Value::$variant(value.into())))
        })*
    };
}

impl Serializer for ArgSerializer {
    type Ok = Arg;
    type Error = Fault;
    type SerializeSeq = Texts;
    type SerializeTuple = Texts;
    type SerializeTupleStruct = Impossible<Arg, Fault>;
    type SerializeTupleVariant = Impossible<Arg, Fault>;
    type SerializeMap = Impossible<Arg, Fault>;
    type SerializeStruct = Members;
    type SerializeStructVariant = Impossible<Arg, Fault>;

    /// So that a [`Timestamp`](crate::Timestamp) comes with its microseconds.
    fn is_human_readable(&self) -> bool {
        false
    }

    scalars! {
        serialize_bool: bool => Boolean;
        serialize_i8: i8 => Integer;
        serialize_i16: i16 => Integer;
        serialize_i32: i32 => Integer;
        serialize_i64: i64 => Integer;
        serialize_u8: u8 => Integer;
        serialize_u16: u16 => Integer;
        serialize_u32: u32 => Integer;
        serialize_f32: f32 => Number;
        serialize_f64: f64 => Number;
        serialize_char: char => Text;
        serialize_str: &str => Text;
    }

    fn serialize_u64(self, value: u64) -> Result<Arg, Fault> {
        let value = i64::try_from(value)
            .map_err(|_| Fault(format!("{value} is larger than an integer can be")))?;
        self.serialize_i64(value)
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<Arg, Fault> {
        Err(Fault("bytes are given as text, such as base64url".to_owned()))
    }

    fn serialize_none(self) -> Result<Arg, Fault> {
        Ok(Arg::Absent)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Arg, Fault> {
        match value.serialize(self)? {
            Arg::Absent => Ok(Arg::Null),
            arg => Ok(arg),
        }
    }

    fn serialize_unit(self) -> Result<Arg, Fault> {
        Ok(Arg::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Arg, Fault> {
        Ok(Arg::Null)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Arg, Fault> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Arg, Fault> {
        if name == JSON {
            let text = serde_json::to_string(value).map_err(|fault| Fault(fault.to_string()))?;
            return Ok(Arg::Value(Value::Json(text)));
        }
        match value.serialize(self)? {
            Arg::Value(Value::Integer(micros)) if name == TIMESTAMP => {
                Ok(Arg::Value(Value::Timestamp(micros)))
            }
            arg => Ok(arg),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<Arg, Fault> {
        wants_json()
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Texts, Fault> {
        Ok(Texts(Vec::with_capacity(length.unwrap_or_default())))
    }

    fn serialize_tuple(self, length: usize) -> Result<Texts, Fault> {
        self.serialize_seq(Some(length))
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, Fault> {
        wants_json()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Fault> {
        wants_json()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Fault> {
        wants_json()
    }

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Members, Fault> {
        Ok(Members(Vec::with_capacity(length)))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Fault> {
        wants_json()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Timestamp;

    fn text(value: &str) -> Value {
        Value::Text(value.to_owned())
    }

    #[test]
    fn each_member_is_the_parameter_of_its_name() {
        #[derive(Serialize)]
        #[serde(rename_all = "lowercase")]
        enum State {
            Open,
        }

        #[derive(Serialize)]
        struct All<'a> {
            id: &'a str,
            state: State,
            count: u32,
            ratio: f64,
            done: bool,
            at: Timestamp,
            tags: &'a [&'a str],
            extra: Json<serde_json::Value>,
        }

        let all = All {
            id: "a",
            state: State::Open,
            count: 7,
            ratio: 0.5,
            done: true,
            at: Timestamp::from_micros(1_234_567),
            tags: &["x", "y"],
            extra: Json(json!({"a": [1]})),
        };
        let expected = [
            ("id", text("a")),
            ("state", text("open")),
            ("count", Value::Integer(7)),
            ("ratio", Value::Number(0.5)),
            ("done", Value::Boolean(true)),
            ("at", Value::Timestamp(1_234_567)),
            ("tags", Value::Texts(vec!["x".to_owned(), "y".to_owned()])),
            ("extra", Value::Json(r#"{"a":[1]}"#.to_owned())),
        ];
        assert_eq!(to_args(&all), Ok(expected.map(|(n, value)| (n.to_owned(), value)).to_vec()));
    }

    #[test]
    fn none_is_not_given_and_some_none_is_null() {
        #[derive(Serialize)]
        struct Optional {
            absent: Option<i64>,
            null: Option<Option<i64>>,
            given: Option<Option<&'static str>>,
        }

        let optional = Optional { absent: None, null: Some(None), given: Some(Some("a")) };
        let expected = vec![("null".to_owned(), Value::Null), ("given".to_owned(), text("a"))];
        assert_eq!(to_args(&optional), Ok(expected));
        assert_eq!(to_args(&()), Ok(Vec::new()));
    }

    #[test]
    fn what_is_no_argument_is_refused() {
        #[derive(Serialize)]
        struct One<T> {
            value: T,
        }

        assert!(to_args("a").is_err());
        assert!(to_args(&One { value: json!({"a": 1}) }).is_err());
        assert!(to_args(&One { value: vec![1] }).is_err());
        assert!(to_args(&One { value: One { value: 1 } }).is_err());
        assert!(to_args(&One { value: u64::MAX }).is_err());
    }
}
