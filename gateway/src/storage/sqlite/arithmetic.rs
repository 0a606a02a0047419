//! Arithmetic as `PostgreSQL` does it: an overflow is an error. `SQLite` would go on with a
//! double that is near the result, or with infinity.

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{Value, ValueRef};

use super::functions::fault;

/// An operation on whole numbers and on doubles; `None` where there is no result in range.
struct Operation {
    name: &'static str,
    integers: fn(i64, i64) -> Option<i64>,
    numbers: fn(f64, f64) -> Option<f64>,
}

/// A divisor of 0 never arrives: it is NULL by then.
const OPERATIONS: [Operation; 5] = [
    Operation {
        name: "loggia_add",
        integers: i64::checked_add,
        numbers: |left, right| finite(left + right),
    },
    Operation {
        name: "loggia_subtract",
        integers: i64::checked_sub,
        numbers: |left, right| finite(left - right),
    },
    Operation {
        name: "loggia_multiply",
        integers: i64::checked_mul,
        numbers: |left, right| {
            finite(left * right).filter(|result| *result != 0.0 || left == 0.0 || right == 0.0)
        },
    },
    Operation {
        name: "loggia_divide",
        integers: i64::checked_div,
        numbers: |left, right| finite(left / right).filter(|result| *result != 0.0 || left == 0.0),
    },
    Operation {
        name: "loggia_remainder",
        integers: |left, right| Some(left.wrapping_rem(right)),
        numbers: |_, _| None,
    },
];

/// Teach a connection all of them. Each gives NULL when an argument is NULL.
pub(super) fn register(connection: &Connection, flags: FunctionFlags) -> rusqlite::Result<()> {
    for operation in OPERATIONS {
        connection.create_scalar_function(operation.name, 2, flags, move |context| {
            run(&operation, context)
        })?;
    }
    Ok(())
}

fn run(operation: &Operation, context: &Context<'_>) -> rusqlite::Result<Value> {
    let result = match (context.get_raw(0), context.get_raw(1)) {
        (ValueRef::Null, _) | (_, ValueRef::Null) => return Ok(Value::Null),
        (ValueRef::Integer(left), ValueRef::Integer(right)) => {
            (operation.integers)(left, right).map(Value::Integer)
        }
        (left, right) => (operation.numbers)(number(left), number(right)).map(Value::Real),
    };
    result.ok_or_else(|| fault("number-range"))
}

#[expect(clippy::cast_precision_loss, reason = "the compiler widens whole numbers before")]
fn number(value: ValueRef<'_>) -> f64 {
    match value {
        ValueRef::Real(number) => number,
        ValueRef::Integer(number) => number as f64,
        // Not a value that the compiler lets come here.
        _ => f64::NAN,
    }
}

fn finite(result: f64) -> Option<f64> {
    Some(result).filter(|result| result.is_finite())
}
