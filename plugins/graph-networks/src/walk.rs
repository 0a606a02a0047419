//! Ways along wires, level by level: all wires of a level are found by one statement, through indexes.
//!
//! A bidirectional wire is followed both ways, a directed one from its `fromId` to its `toId`. Whichever
//! group holds a wire, it is followed, but for contacts on a boundary that have a direction. Such a
//! contact stands between its group and the group's parent: wires of the parent lead to an `input` and
//! not from it, and from an `output` and not to it.

pub(crate) mod components;
pub(crate) mod neighbors;
pub(crate) mod path;
pub(crate) mod reachable;
pub(crate) mod reached;
mod spread;
pub(crate) mod subgraph;

use std::borrow::Cow;
use std::collections::HashMap;

use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Failure, Problem, Select, declare};
use serde::Deserialize;

use crate::fault::{contact_not_found, network_not_found};
use crate::key::{Key, home_in};
use crate::store::{Between, CONTACTS, Keys, NETWORKS};
use crate::view::read;

/// So many contacts are looked from by one statement.
const MAX_KEYS: usize = 1_000;

/// So many contacts a request can come to.
const MAX_VISITED: usize = 50_000;

declare! { STORAGE:
    // Steps along wires, from contacts `a` to contacts `b`; the indexes of wires hold all of it.
    const FORWARD: Select<Keys<'_>> = select(
        "wires-forward",
        "SELECT source AS a, target AS b FROM wire WHERE source = ANY(:keys) \
         UNION ALL SELECT target AS a, source AS b FROM wire \
         WHERE target = ANY(:keys) AND NOT directed",
    )
    .unordered()
    .generic_plan();

    const BACKWARD: Select<Keys<'_>> = select(
        "wires-backward",
        "SELECT target AS a, source AS b FROM wire WHERE target = ANY(:keys) \
         UNION ALL SELECT source AS a, target AS b FROM wire \
         WHERE source = ANY(:keys) AND NOT directed",
    )
    .unordered()
    .generic_plan();

    const EITHER_WAY: Select<Keys<'_>> = select(
        "wires-either-way",
        "SELECT source AS a, target AS b FROM wire WHERE source = ANY(:keys) \
         UNION ALL SELECT target AS a, source AS b FROM wire WHERE target = ANY(:keys)",
    )
    .unordered()
    .generic_plan();

    /// The same with all that tells whether boundaries let a step through.
    const BOUNDED: Select<Keys<'_>> = select(
        "wires-bounded",
        "SELECT source AS a, target AS b, home AS held, directed, TRUE AS ahead FROM wire \
         WHERE source = ANY(:keys) \
         UNION ALL SELECT target AS a, source AS b, home AS held, directed, FALSE AS ahead FROM wire \
         WHERE target = ANY(:keys)",
    )
    .unordered()
    .generic_plan();

    const BOUNDARIES: Select<Between<'_>, Boundary> = select(
        "boundaries",
        "SELECT c.id AS id, c.boundary AS boundary, g.parent AS parent FROM contact AS c \
         JOIN \"group\" AS g ON g.id = :key || c.home \
         WHERE c.boundary IN ('input', 'output') AND c.id > :key AND c.id < :end",
    )
    .unordered()
    .generic_plan();
}

/// Which way wires are followed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Direction {
    Out,
    In,
    Both,
}

impl Direction {
    pub(crate) const NAMES: [&str; 3] = ["out", "in", "both"];

    /// By its name; the gateway has checked that it is one.
    pub(crate) fn of(name: Option<&str>) -> Self {
        match name {
            Some("in") => Self::In,
            Some("both") => Self::Both,
            _ => Self::Out,
        }
    }
}

/// A step along a wire, from a contact that was looked from.
#[derive(Debug, Deserialize)]
pub(crate) struct Step<'a> {
    #[serde(rename = "a", borrow)]
    pub(crate) from: Cow<'a, str>,
    #[serde(rename = "b", borrow)]
    pub(crate) to: Cow<'a, str>,
    /// The group that holds the wire.
    #[serde(borrow, default)]
    held: Cow<'a, str>,
    /// Whether the wire leads one way only.
    #[serde(default)]
    directed: bool,
    /// Whether the step goes from the wire's source to its target.
    #[serde(default)]
    ahead: bool,
}

/// A contact on the boundary of a group.
#[derive(Deserialize)]
struct Boundary {
    id: String,
    boundary: String,
    parent: Option<String>,
}

/// The network that is walked through.
pub(crate) struct Walk {
    /// The contacts with a direction: whether it is `input`, and the group's parent.
    boundaries: HashMap<String, (bool, String)>,
}

impl Walk {
    pub(crate) fn of(network: &Key) -> Result<Self, Error> {
        let args = Between { key: network.as_str(), end: &network.end() };
        let rows = BOUNDARIES.rows(&args)?;
        let boundary = |row: Boundary| {
            let parent = home_in(&row.parent?).to_owned();
            Some((row.id, (row.boundary == "input", parent)))
        };
        Ok(Self { boundaries: rows.into_iter().filter_map(boundary).collect() })
    }

    /// Do something for each step from these contacts.
    pub(crate) fn steps(
        &self,
        from: &[String],
        direction: Direction,
        mut each: impl FnMut(&Step<'_>),
    ) -> Result<(), Error> {
        let wires = match direction {
            _ if self.is_bounded() => &BOUNDED,
            Direction::Out => &FORWARD,
            Direction::In => &BACKWARD,
            Direction::Both => &EITHER_WAY,
        };
        for keys in from.chunks(MAX_KEYS) {
            let rows = wires.run(&Keys { keys })?;
            let steps: Vec<Step<'_>> = read(&rows.json)?;
            steps.iter().filter(|step| self.allows(step, direction)).for_each(&mut each);
        }
        Ok(())
    }

    /// Whether there are boundaries with a direction.
    pub(crate) fn is_bounded(&self) -> bool {
        !self.boundaries.is_empty()
    }

    fn allows(&self, step: &Step<'_>, direction: Direction) -> bool {
        if !self.is_bounded() {
            return true;
        }
        let Step { from, to, held, directed, ahead } = step;
        let there = (*ahead || !directed) && self.leads(from, to, held);
        let back = (!ahead || !directed) && self.leads(to, from, held);
        match direction {
            Direction::Out => there,
            Direction::In => back,
            Direction::Both => there || back,
        }
    }

    /// Whether a wire that a group holds leads from one contact to another.
    pub(crate) fn leads(&self, from: &str, to: &str, held: &str) -> bool {
        let is = |contact: &str, input: bool| {
            let found = self.boundaries.get(contact);
            found.is_some_and(|(is_input, parent)| *is_input == input && parent == held)
        };
        !is(from, true) && !is(to, false)
    }
}

/// The key of a contact that must be there.
pub(crate) fn existing(network: &Key, id: &str) -> Result<String, Failure> {
    let key = network.part(id);
    if CONTACTS.get_json(&key)?.is_some() {
        return Ok(key);
    }
    match NETWORKS.get_json(network.as_str())? {
        Some(_) => Err(contact_not_found().with("contact", id).into()),
        None => Err(network_not_found().into()),
    }
}

/// A search that has come to too many contacts.
fn too_many() -> Problem {
    let detail = format!("the search has come to more than {MAX_VISITED} contacts; bound it more");
    crate::fault::limit_exceeded("max_visited", MAX_VISITED as u64, &detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boundary_lets_wires_of_the_parent_through_one_way() {
        let boundaries = [("in", true), ("out", false)];
        let boundaries = boundaries.map(|(id, input)| (id.to_owned(), (input, "p".to_owned())));
        let walk = Walk { boundaries: boundaries.into() };
        for (from, to, held, leads) in [
            ("x", "in", "p", true),
            ("in", "x", "p", false),
            ("in", "x", "g", true),
            ("x", "out", "p", false),
            ("out", "x", "p", true),
            ("x", "out", "g", true),
            ("out", "in", "p", true),
            ("in", "out", "p", false),
            ("x", "y", "p", true),
        ] {
            assert_eq!(walk.leads(from, to, held), leads, "{from} {to} {held}");
        }
    }
}
