//! Changing bodies and JSON arrays inside `SQLite`, with the same result as on `PostgreSQL`.
//!
//! A value comes with the name of its type, since `SQLite` cannot tell text from JSON, nor a
//! whole number from a boolean or a timestamp.

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use serde_json::{Number, Value};

use super::super::field::format_timestamp;
use super::functions::fault;
use crate::json::edit::{self, EditFault};

/// Teach a connection these functions.
pub(super) fn register(connection: &Connection, flags: FunctionFlags) -> rusqlite::Result<()> {
    connection.create_scalar_function("loggia_set_members", -1, flags, set_members)?;
    connection.create_scalar_function("loggia_json_append", 3, flags, append)
}

/// A body, and for each member to be set the type of its value, the value, and a JSON array of
/// pointers: the first is set, and where the value is null, the others are cleared.
fn set_members(context: &Context<'_>) -> rusqlite::Result<String> {
    let mut body: Value = parse(text(context, 0)?)?;
    for place in (1..context.len()).step_by(3) {
        let value = json(text(context, place)?, context.get_raw(place + 1))?;
        let pointers: Vec<String> = parse(text(context, place + 2)?)?;
        let (first, others) = pointers.split_first().ok_or_else(|| fault("not-json"))?;
        if value.is_null() {
            others.iter().for_each(|pointer| edit::clear(&mut body, pointer));
        }
        edit::set(&mut body, first, value).map_err(of_edit)?;
    }
    serde_json::to_string(&body).map_err(|_| fault("not-json"))
}

/// An array or NULL, the type of an element, and the element.
fn append(context: &Context<'_>) -> rusqlite::Result<String> {
    let array = match context.get_raw(0) {
        ValueRef::Null => None,
        _ => Some(text(context, 0)?),
    };
    let element = json(text(context, 1)?, context.get_raw(2))?;
    let array = edit::append(array, element).map_err(of_edit)?;
    serde_json::to_string(&array).map_err(|_| fault("not-json"))
}

/// A value as JSON, by the name of its type in a manifest.
fn json(type_name: &str, value: ValueRef<'_>) -> rusqlite::Result<Value> {
    let value = match (type_name, value) {
        (_, ValueRef::Null) => Some(Value::Null),
        ("text", ValueRef::Text(text)) => {
            std::str::from_utf8(text).ok().map(|text| Value::String(text.to_owned()))
        }
        ("integer", ValueRef::Integer(number)) => Some(number.into()),
        ("number", ValueRef::Real(number)) => Number::from_f64(number).map(Value::Number),
        ("boolean", ValueRef::Integer(number)) => Some(Value::Bool(number != 0)),
        ("timestamp", ValueRef::Integer(number)) => Some(format_timestamp(number).into()),
        ("text[]" | "json", ValueRef::Text(text)) => serde_json::from_slice(text).ok(),
        _ => None,
    };
    value.ok_or_else(|| fault("number-range"))
}

fn text<'c>(context: &'c Context<'_>, place: usize) -> rusqlite::Result<&'c str> {
    context
        .get_raw(place)
        .as_str()
        .map_err(|error| rusqlite::Error::UserFunctionError(error.into()))
}

fn parse<T: serde::de::DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(|_| fault("not-json"))
}

fn of_edit(edit: EditFault) -> rusqlite::Error {
    fault(match edit {
        EditFault::NotAnObject => "not-an-object",
        EditFault::NotAnArray => "not-an-array",
        EditFault::NotJson => "not-json",
    })
}
