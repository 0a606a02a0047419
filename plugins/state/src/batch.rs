//! What batches have in common: conditions of items, and where a failure points to.
//!
//! A batch is one storage call, so all of it is done or nothing.

pub(crate) mod delete;
pub(crate) mod get;
pub(crate) mod put;

use std::collections::HashSet;

use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::{Failure, Outcome, Precondition, Problem, Version, Write, apply};
use serde::Deserialize;

use crate::key::Key;

/// The largest body of a batch.
pub(crate) const MAX_BATCH_BYTES: u64 = 8 * 1024 * 1024;

/// The member `if_match`: the version of what is there, or anything.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum IfMatch {
    Version(Version),
    Any(Star),
}

/// The member `if_none_match`, and anything in `if_match`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(crate) enum Star {
    #[serde(rename = "*")]
    Star,
}

/// What an item demands of the entry that is there.
pub(crate) fn precondition(
    if_match: Option<IfMatch>,
    if_none_match: Option<Star>,
) -> Result<Precondition, Problem> {
    match (if_match, if_none_match) {
        (None, None) => Ok(Precondition::Any),
        (Some(IfMatch::Version(version)), None) => Ok(Precondition::Version(version)),
        (Some(IfMatch::Any(Star::Star)), None) => Ok(Precondition::Present),
        (None, Some(Star::Star)) => Ok(Precondition::Absent),
        (Some(_), Some(_)) => {
            let detail = "if_match and if_none_match cannot both hold: give one of them";
            Err(Problem::new(422, "impossible-condition", detail))
        }
    }
}

/// Make a write of each item; a problem points at the item, or at its member where it says so.
pub(crate) fn writes<T>(
    items: &[T],
    write: impl Fn(&T) -> Result<(Key, Write), Problem>,
) -> Result<Vec<(Key, Write)>, Problem> {
    let mut seen = HashSet::with_capacity(items.len());
    let checked = items.iter().enumerate().map(|(place, item)| {
        let (key, write) = write(item).map_err(|problem| at(place, problem))?;
        if seen.insert(key.id()) {
            return Ok((key, write));
        }
        let problem = Problem::new(422, "named-twice", "an item before this one has the same key");
        Err(at(place, within("/key", problem)))
    });
    checked.collect()
}

/// Write them all or none: the keys with what became of each.
pub(crate) fn run(writes: Vec<(Key, Write)>) -> Result<Vec<(Key, Outcome)>, Failure> {
    let (keys, writes): (Vec<Key>, Vec<Write>) = writes.into_iter().unzip();
    let outcomes =
        apply(writes).map_err(|error| error.pointing(|item| format!("/items/{item}")))?;
    Ok(keys.into_iter().zip(outcomes).collect())
}

/// A problem of a member of an item.
pub(crate) fn within(member: &str, problem: Problem) -> Problem {
    problem.with("pointer", member)
}

/// A problem of an item: its pointer, if it has one, leads on from there.
pub(crate) fn at(place: usize, problem: Problem) -> Problem {
    let member = problem.extensions.get("pointer").and_then(|pointer| pointer.as_str());
    let pointer = format!("/items/{place}{}", member.unwrap_or_default());
    problem.with("pointer", pointer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_points_at_its_item() {
        let problem = at(3, Problem::not_found("gone"));
        assert_eq!(problem.extensions["pointer"], "/items/3");
        let problem = at(3, within("/key", Problem::not_found("gone")));
        assert_eq!(problem.extensions["pointer"], "/items/3/key");
    }

    #[test]
    fn a_condition_is_one_of_four() {
        let parse = |text: &str| serde_json::from_str::<IfMatch>(text).ok();
        assert_eq!(precondition(None, None), Ok(Precondition::Any));
        assert_eq!(precondition(parse("7"), None), Ok(Precondition::Version(7)));
        assert_eq!(precondition(parse("\"*\""), None), Ok(Precondition::Present));
        assert_eq!(precondition(None, Some(Star::Star)), Ok(Precondition::Absent));
        assert!(precondition(parse("7"), Some(Star::Star)).is_err());
        assert!(parse("\"7\"").is_none() && parse("-1").is_none());
    }
}
