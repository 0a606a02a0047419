//! Storing groups as a whole, with their contacts and wires.
//!
//! Who stores a group holds its row (`store.rs`), so what belongs to it does not change hands
//! meanwhile: contacts and wires that are there are written over, and others must be new in the
//! network.

use std::collections::HashSet;

use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{
    Conditions, Failure, Outcome, Precondition, Problem, Select, Version, Write, apply, declare,
};
use serde::{Deserialize, Serialize};

use crate::fault::{duplicate, in_network, invalid, pointing};
use crate::key::{Key, home_in};
use crate::members::Members;
use crate::own::Own;
use crate::part::{Home, Part, Sent, contact, elements, refuse_repeated, wire};
use crate::settings::Settings;
use crate::store::{CONTACTS, GROUPS, Held, WIRES, hold_groups, touch_wired};
use crate::usage;

declare! { STORAGE:
    const STORED_IN_GROUPS: Select<AtHomes<'_>, Stored> = select(
        "stored-in-groups",
        "SELECT id, home, TRUE AS contact FROM contact WHERE home = ANY(:homes) \
         UNION ALL SELECT id, home, FALSE AS contact FROM wire WHERE home = ANY(:homes)",
    )
    .unordered()
    .generic_plan();
}

/// The place of a group that was not sent with its network: behind those that were.
const BEHIND: i64 = 1 << 40;

#[derive(Serialize)]
struct AtHomes<'a> {
    homes: &'a [&'a str],
}

/// A group with its contacts and wires, as a client sent it.
#[derive(Debug)]
pub(crate) struct Group {
    /// The id of its document.
    pub(crate) key: String,
    pub(crate) own: Own,
    pub(crate) contacts: Vec<Part>,
    pub(crate) wires: Vec<Part>,
    /// Where it stands in the request's body.
    pub(crate) pointer: String,
}

/// The documents of contacts and wires that are there.
#[derive(Debug, Default)]
pub(crate) struct There {
    contacts: HashSet<String>,
    wires: HashSet<String>,
}

#[derive(Deserialize)]
struct Stored {
    id: String,
    contact: bool,
}

/// What became of a group.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Saved {
    pub(crate) version: Version,
    pub(crate) created: bool,
}

impl Group {
    /// Read `{"group": …, "contacts": […], "wires": […]}`.
    pub(crate) fn parse(network: &Key, sent: Sent<'_>, limits: &Settings) -> Result<Self, Failure> {
        let place = sent.pointer;
        let members = Members::parse(sent.text, place)?;
        let at = |name: &str| format!("{place}/{name}");
        let own = members.given("group").ok_or_else(|| invalid(&at("group"), "it is missing"))?;
        let own = Own::parse(own, &at("group"), sent.id)?;
        let home = Home::of(network, &own.id);
        let contacts =
            parts(members.given("contacts"), &at("contacts"), |sent| contact(&home, sent, limits))?;
        let wires = parts(members.given("wires"), &at("wires"), |sent| wire(&home, sent))?;
        usage::check_contacts(contacts.len() as u64, limits)?;
        let (key, pointer) = (home.key, at("group"));
        Ok(Self { key, own, contacts, wires, pointer })
    }

    /// What it has, at a place.
    pub(crate) fn holds(&self, place: i64) -> Held {
        let contact_bytes = self.contacts.iter().map(|part| part.bytes).sum();
        let contacts = self.contacts.len() as u64;
        Held { seen: 0, place, contacts, contact_bytes, next: contacts.cast_signed() }
    }

    /// Read a list of them.
    pub(crate) fn parse_all(
        network: &Key,
        list: Option<&str>,
        place: &str,
        limits: &Settings,
    ) -> Result<Vec<Self>, Failure> {
        let texts = elements(list, place)?.into_iter().enumerate();
        let group = |(number, text): (usize, &str)| {
            let pointer = format!("{place}/{number}");
            Self::parse(network, Sent { text, pointer: &pointer, id: None }, limits)
        };
        texts.map(group).collect()
    }
}

/// The parts of a list that a client sent.
pub(crate) fn parts(
    list: Option<&str>,
    place: &str,
    read: impl Fn(Sent<'_>) -> Result<Part, Problem>,
) -> Result<Vec<Part>, Problem> {
    let texts = elements(list, place)?.into_iter().enumerate();
    let part = |(number, text): (usize, &str)| {
        read(Sent { text, pointer: &format!("{place}/{number}"), id: None })
    };
    texts.map(part).collect()
}

/// How many bytes are stored for groups.
pub(crate) fn bytes(groups: &[Group]) -> u64 {
    let parts = groups.iter().flat_map(|group| group.contacts.iter().chain(&group.wires));
    parts.map(|part| part.bytes).sum::<u64>() + groups.iter().map(|g| g.own.bytes()).sum::<u64>()
}

/// Refuse an id that is given twice, in whichever groups.
pub(crate) fn refuse_repeated_ids(groups: &[Group]) -> Result<(), Problem> {
    let mut seen = HashSet::new();
    if let Some(repeated) = groups.iter().find(|group| !seen.insert(group.key.as_str())) {
        return Err(duplicate(&repeated.pointer, "group"));
    }
    refuse_repeated(groups.iter().flat_map(|group| &group.contacts), "contact")?;
    refuse_repeated(groups.iter().flat_map(|group| &group.wires), "wire")
}

/// Store groups in place of what is there of them. `conditions` are those of a single one.
pub(crate) fn save(
    network: &Key,
    groups: &[Group],
    conditions: &Conditions,
    limits: &Settings,
) -> Result<Vec<Saved>, Failure> {
    refuse_repeated_ids(groups)?;
    let keys: Vec<String> = groups.iter().map(|group| group.key.clone()).collect();
    let held = hold_groups(&keys)?;
    if !conditions.is_empty() {
        conditions.check(held.first().map(|found| found.body.seen))?;
    }
    let there = There::in_groups(held.iter().map(|found| found.id.as_str()))?;
    touch_wired(&there.gone(groups))?;
    let write = |group: &Group| {
        let found = held.iter().find(|found| found.id == group.key);
        let place = found.map_or(BEHIND, |found| found.body.place);
        let document = group.own.document(network, &group.holds(place));
        GROUPS.put_json(&group.key, document).when(condition(found.is_some())).into()
    };
    let writes = groups.iter().map(write).collect();
    replace(groups, there)?;
    // New groups come last: near a network's limit of groups, others wait from here on.
    let saved = write_groups(groups, writes)?;
    usage::check(network, bytes(groups), limits)?;
    Ok(saved)
}

/// Apply writes of which the first are those of groups.
pub(crate) fn write_groups(groups: &[Group], writes: Vec<Write>) -> Result<Vec<Saved>, Failure> {
    let outcomes = match apply(writes) {
        // Somebody else has just made it.
        Err(error @ Error::PreconditionFailed(_)) => return Err(error.or_retry()),
        Err(Error::Invalid(fault)) => {
            let place = groups.get(fault.index as usize).map_or("", |group| &group.pointer);
            return Err(pointing(422, &fault.code, place, &fault.detail).into());
        }
        outcomes => outcomes.map_err(in_network)?,
    };
    let saved = outcomes.into_iter().filter_map(|outcome| match outcome {
        Outcome::Written(written) => {
            Some(Saved { version: written.version, created: written.created })
        }
        _ => None,
    });
    Ok(saved.collect())
}

impl There {
    /// What is there of groups, by the ids of their documents.
    pub(crate) fn in_groups<'a>(groups: impl Iterator<Item = &'a str>) -> Result<Self, Error> {
        let homes: Vec<&str> = groups.map(home_in).collect();
        if homes.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self::of(STORED_IN_GROUPS.rows(&AtHomes { homes: &homes })?))
    }

    fn of(stored: Vec<Stored>) -> Self {
        let mut there = Self::default();
        for Stored { id, contact } in stored {
            if contact {
                there.contacts.insert(id)
            } else {
                there.wires.insert(id)
            };
        }
        there
    }

    /// The documents of the contacts.
    pub(crate) fn contacts(&self) -> Vec<String> {
        self.contacts.iter().cloned().collect()
    }

    /// The contacts that are in none of the groups any more.
    fn gone(&self, groups: &[Group]) -> Vec<String> {
        let stay: HashSet<&str> =
            groups.iter().flat_map(|group| &group.contacts).map(|part| part.key.as_str()).collect();
        self.contacts.iter().filter(|key| !stay.contains(key.as_str())).cloned().collect()
    }
}

/// Make the contacts and wires of these groups what was sent, in place of what is there.
pub(crate) fn replace(groups: &[Group], mut there: There) -> Result<(), Failure> {
    let (mut writes, mut sent): (Vec<Write>, _) = (Vec::new(), Vec::new());
    for group in groups {
        for (place, part) in (0..).zip(&group.contacts) {
            let write = CONTACTS.put_json(&part.key, part.document(place));
            writes.push(write.when(condition(there.contacts.remove(&part.key))).into());
            sent.push((part, "contact"));
        }
        for (place, part) in (0..).zip(&group.wires) {
            let write = WIRES.put_json(&part.key, part.document(place));
            writes.push(write.when(condition(there.wires.remove(&part.key))).into());
            sent.push((part, "wire"));
        }
    }
    // A wire to a contact that goes would go with it.
    for (part, _) in &sent {
        let ends = part.ends.iter().flatten().zip(["source", "target"]);
        if let Some((_, end)) = ends.into_iter().find(|(key, _)| there.contacts.contains(*key)) {
            return Err(no_end(part, end).into());
        }
    }
    writes.extend(there.wires.iter().map(|key| WIRES.delete(key).into()));
    writes.extend(there.contacts.iter().map(|key| CONTACTS.delete(key).into()));
    if !writes.is_empty() {
        explain(apply(writes), &sent)?;
    }
    Ok(())
}

/// What is there is the group's own, and is written over. What is not must be new.
pub(crate) fn condition(is_there: bool) -> Precondition {
    if is_there { Precondition::Any } else { Precondition::Absent }
}

/// Say what writes of contacts and wires have met. `sent` are those that come first.
pub(crate) fn explain(
    outcomes: Result<Vec<Outcome>, Error>,
    sent: &[(&Part, &str)],
) -> Result<Vec<Outcome>, Failure> {
    let at = |index: u32| sent.get(index as usize);
    match outcomes {
        Err(Error::PreconditionFailed(mismatch)) => match at(mismatch.index) {
            Some((part, what)) => Err(duplicate(&part.pointer, what).into()),
            None => Err(Failure::Retry),
        },
        Err(Error::Reference(fault)) => match at(fault.index) {
            Some((part, _)) => Err(no_end(part, &fault.name).into()),
            None => Err(Error::Reference(fault).into()),
        },
        Err(Error::Invalid(fault)) => {
            let place = at(fault.index).map_or("", |(part, _)| part.pointer.as_str());
            Err(pointing(422, &fault.code, place, &fault.detail).into())
        }
        outcomes => Ok(outcomes?),
    }
}

/// An end of a wire that is no contact of the network.
fn no_end(part: &Part, reference: &str) -> Problem {
    let end = if reference == "source" { "fromId" } else { "toId" };
    let place = format!("{}/{end}", part.pointer);
    pointing(422, "contact-not-found", &place, "there is no contact of this id in the network")
}
