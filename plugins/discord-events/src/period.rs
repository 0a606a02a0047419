//! From when to when: the parameters `since`, which belongs to it, and `until`, which does not.

use loggia_plugin_sdk::manifest::{Operation, Param};
use loggia_plugin_sdk::{Failure, InvalidTimestamp, Problem, Request, Timestamp};

/// A week in milliseconds.
pub(crate) const WEEK_MS: i64 = 7 * DAY_MS;
pub(crate) const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Period {
    pub(crate) since: Timestamp,
    pub(crate) until: Timestamp,
}

impl Period {
    /// What the query says; all of time where it says nothing.
    pub(crate) fn of(request: &Request) -> Result<Self, Failure> {
        Self::or_since(request, Timestamp::from_micros(i64::MIN))
    }

    /// The same with the last seven days where the query says nothing.
    pub(crate) fn or_last_week(request: &Request) -> Result<Self, Failure> {
        Self::or_since(request, request.received_at().plus_millis(-WEEK_MS))
    }

    fn or_since(request: &Request, since: Timestamp) -> Result<Self, Failure> {
        Ok(Self {
            since: time(request, "since")?.unwrap_or(since),
            until: time(request, "until")?.unwrap_or(Timestamp::from_micros(i64::MAX)),
        })
    }
}

/// Declare both.
pub(crate) fn params(operation: Operation) -> Operation {
    let time = |text: &str| Param::string().describe(text);
    operation
        .param("since", time("createdAt is not before this time."))
        .param("until", time("createdAt is before this time."))
}

pub(crate) fn time(request: &Request, name: &str) -> Result<Option<Timestamp>, Problem> {
    let time = request.query(name).map(str::parse).transpose();
    time.map_err(|fault: InvalidTimestamp| {
        invalid_parameter(name, &format!("the parameter {name}: {fault}"))
    })
}

pub(crate) fn invalid_parameter(name: &str, detail: &str) -> Problem {
    Problem::new(400, "invalid-parameter", detail).with("parameter", name)
}
