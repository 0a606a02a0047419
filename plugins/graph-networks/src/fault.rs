//! The problems that clients are told.

use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Failure, Problem};

/// A body that is not what it must be. `place` is a JSON Pointer.
pub(crate) fn invalid(place: &str, detail: &str) -> Problem {
    pointing(422, "schema-mismatch", place, detail)
}

/// A problem with a place in the request's body.
pub(crate) fn pointing(status: u16, code: &str, place: &str, detail: &str) -> Problem {
    let detail = if place.is_empty() { detail.to_owned() } else { format!("{place}: {detail}") };
    Problem::new(status, code, detail).with("pointer", place)
}

pub(crate) fn network_not_found() -> Problem {
    Problem::new(404, "network-not-found", "there is no such network")
}

pub(crate) fn group_not_found() -> Problem {
    Problem::new(404, "group-not-found", "there is no such group in the network")
}

pub(crate) fn contact_not_found() -> Problem {
    Problem::new(404, "contact-not-found", "there is no such contact in the group")
}

pub(crate) fn wire_not_found() -> Problem {
    Problem::new(404, "wire-not-found", "there is no such wire in the group")
}

pub(crate) fn snapshot_not_found() -> Problem {
    Problem::new(404, "snapshot-not-found", "there is no such snapshot of the network")
}

/// An id that is there already, in the request or in the network.
pub(crate) fn duplicate(place: &str, what: &str) -> Problem {
    pointing(409, "duplicate", place, &format!("another {what} of the network has this id"))
}

/// A setting that what was sent goes beyond.
pub(crate) fn limit_exceeded(limit: &str, value: u64, detail: &str) -> Problem {
    Problem::new(422, "limit-exceeded", detail).with("limit", limit).with("value", value)
}

/// A group refers to its network by a reference.
pub(crate) fn in_network(error: Error) -> Failure {
    match error {
        Error::Reference(_) => network_not_found().into(),
        error => error.into(),
    }
}

/// A stored body that cannot be read.
pub(crate) fn corrupt(fault: &impl std::fmt::Display) -> Error {
    Error::Other(format!("a stored body: {fault}"))
}
