//! The functions of statements that `SQLite` lacks, as `statement/functions.rs` defines them.

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};

use super::super::clock::machine_now;
use super::super::field::format_timestamp;
use super::super::statement::functions::{ceil, floor, json_contains, json_equal, round};
use super::super::words::rank;
use super::{arithmetic, json_functions};
use crate::json;

/// They depend on nothing but their arguments, so indexes and the planner may use them.
const FLAGS: FunctionFlags = FunctionFlags::SQLITE_UTF8
    .union(FunctionFlags::SQLITE_DETERMINISTIC)
    .union(FunctionFlags::SQLITE_INNOCUOUS);

/// Teach a connection all of them. Each but those that change JSON gives NULL when an argument is NULL.
pub(in super::super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    arithmetic::register(connection, FLAGS)?;
    json_functions::register(connection, FLAGS)?;
    register_number(connection, "loggia_round", round)?;
    register_number(connection, "loggia_floor", floor)?;
    register_number(connection, "loggia_ceil", ceil)?;
    connection.create_scalar_function("loggia_json_contains", 2, FLAGS, |context| {
        let (text, part) = (context.get::<Option<String>>(0)?, context.get::<Option<String>>(1)?);
        Ok(text.zip(part).and_then(|(text, part)| json_contains(&text, &part)))
    })?;
    connection.create_scalar_function("loggia_json_equal", 2, FLAGS, |context| {
        let (one, other) = (context.get::<Option<String>>(0)?, context.get::<Option<String>>(1)?);
        Ok(one.zip(other).and_then(|(one, other)| json_equal(&one, &other)))
    })?;
    connection.create_scalar_function("loggia_json_extract", 2, FLAGS, |context| {
        let (text, pointer) = (context.get_raw(0), context.get_raw(1));
        let given = text.as_str_or_null()?.zip(pointer.as_str_or_null()?);
        Ok(given.and_then(|(text, pointer)| json::find(text, pointer)).map(str::to_owned))
    })?;
    connection.create_scalar_function("loggia_rank", 2, FLAGS, |context| {
        let (content, query) = (context.get_raw(0), context.get_raw(1));
        match (content.as_str_or_null()?, query.as_str_or_null()?) {
            (Some(content), Some(query)) => Ok(Some(rank(content, query))),
            _ => Ok(None),
        }
    })?;
    // Not deterministic: it is asked anew each time.
    let flags = FunctionFlags::SQLITE_UTF8.union(FunctionFlags::SQLITE_INNOCUOUS);
    connection.create_scalar_function("loggia_now", 0, flags, |_| Ok(machine_now()))?;
    connection.create_scalar_function("loggia_timestamp", 1, FLAGS, |context| {
        Ok(context.get::<Option<i64>>(0)?.map(format_timestamp))
    })
}

fn register_number(
    connection: &Connection,
    name: &str,
    function: fn(f64) -> f64,
) -> rusqlite::Result<()> {
    connection.create_scalar_function(name, 1, FLAGS, move |context: &Context<'_>| {
        Ok(context.get::<Option<f64>>(0)?.map(function))
    })
}

/// What stands before the code in the message of a fault.
pub(super) const FAULT: &str = "loggia: ";

/// Why a function fails, by a code of `Error::found_by_database`.
pub(super) fn fault(code: &str) -> rusqlite::Error {
    rusqlite::Error::UserFunctionError(format!("{FAULT}{code}").into())
}
