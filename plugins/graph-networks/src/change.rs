//! Storing and deleting single contacts and wires, beside the others of their group.

use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{
    Collection, Conditions, Document, Failure, Outcome, Problem, Select, Version, apply, declare,
};
use serde::Deserialize;

use crate::fault::{contact_not_found, duplicate, wire_not_found};
use crate::key::part;
use crate::part::{Home, Part, refuse_repeated};
use crate::save::{Saved, condition, explain};
use crate::settings::Settings;
use crate::store::{CONTACTS, InGroup, Keys, WIRES, hold_group, touch_wired};
use crate::usage;
use crate::view::read;

/// Contacts or wires.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Contact,
    Wire,
}

declare! { STORAGE:
    const CONTACT_OWNERS: Select<Keys<'_>, Owned> = select(
        "contact-owners",
        "SELECT id, group_key, place, _version AS version FROM contact WHERE id = ANY(:keys)",
    );

    const WIRE_OWNERS: Select<Keys<'_>, Owned> = select(
        "wire-owners",
        "SELECT id, group_key, place, _version AS version FROM wire WHERE id = ANY(:keys)",
    );

    const CONTACT_PLACES: Select<InGroup<'_>, Places> = select(
        "contact-places",
        "SELECT max(place) AS last, count(*) AS parts FROM contact \
         WHERE network = :network AND group_key = :group",
    );

    const WIRE_PLACES: Select<InGroup<'_>, Places> = select(
        "wire-places",
        "SELECT max(place) AS last, count(*) AS parts FROM wire \
         WHERE network = :network AND group_key = :group",
    );
}

/// A part that is there.
#[derive(Debug, Deserialize)]
pub(crate) struct Owned {
    id: String,
    group_key: String,
    place: i64,
    pub(crate) version: Version,
}

/// What a group has.
#[derive(Debug, Default, Deserialize)]
struct Places {
    last: Option<i64>,
    parts: u64,
}

/// The members of a part's document that tell where it belongs.
#[derive(Deserialize)]
struct Placed<'a> {
    group_key: &'a str,
    place: i64,
}

impl Owned {
    fn of(found: Document<String>) -> Result<Self, Error> {
        let Placed { group_key, place } = read(&found.body)?;
        let group_key = group_key.to_owned();
        Ok(Self { group_key, place, version: found.version, id: found.id })
    }
}

impl Kind {
    fn collection(self) -> &'static Collection {
        match self {
            Self::Contact => &CONTACTS,
            Self::Wire => &WIRES,
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Contact => "contact",
            Self::Wire => "wire",
        }
    }

    fn not_found(self) -> Problem {
        match self {
            Self::Contact => contact_not_found(),
            Self::Wire => wire_not_found(),
        }
    }

    fn owners(self, keys: &[String]) -> Result<Vec<Owned>, Failure> {
        if let [key] = keys {
            // The gateway's own look-up costs less than a statement, as long as it is of one body.
            let found = self.collection().get_json(key)?;
            return Ok(found.map(Owned::of).transpose()?.into_iter().collect());
        }
        let owners = match self {
            Self::Contact => &CONTACT_OWNERS,
            Self::Wire => &WIRE_OWNERS,
        };
        Ok(owners.rows(&Keys { keys })?)
    }

    fn places(self, home: Home<'_>) -> Result<Places, Failure> {
        let places = match self {
            Self::Contact => &CONTACT_PLACES,
            Self::Wire => &WIRE_PLACES,
        };
        let args = InGroup { network: home.network.as_str(), group: &part(home.group) };
        Ok(places.first(&args)?.unwrap_or_default())
    }

    /// Store parts beside the others of their group; new ones come behind these. `conditions` are
    /// those of a single one.
    pub(crate) fn save(
        self,
        home: Home<'_>,
        parts: &[Part],
        conditions: &Conditions,
        limits: &Settings,
    ) -> Result<Vec<Saved>, Failure> {
        refuse_repeated(parts, self.noun())?;
        hold_group(home.network, home.group)?;
        let keys: Vec<String> = parts.iter().map(|part| part.key.clone()).collect();
        let owners = self.owners(&keys)?;
        let group = part(home.group);
        let foreign = |part: &&Part| {
            owners.iter().any(|owned| owned.id == part.key && owned.group_key != group)
        };
        if let Some(part) = parts.iter().find(foreign) {
            return Err(duplicate(&part.pointer, self.noun()).into());
        }
        if !conditions.is_empty() {
            conditions.check(owners.first().map(|owned| owned.version))?;
        }
        let mut next = self.next_place(home, parts.len() - owners.len(), limits)?;
        let mut writes = Vec::with_capacity(parts.len());
        for part in parts {
            let owned = owners.iter().find(|owned| owned.id == part.key);
            let place = owned.map_or(next, |owned| owned.place);
            next += i64::from(owned.is_none());
            let write = self.collection().put_json(&part.key, part.document(place));
            writes.push(write.when(condition(owned.is_some())).into());
        }
        let sent: Vec<(&Part, &str)> = parts.iter().map(|part| (part, self.noun())).collect();
        let outcomes = explain(apply(writes), &sent)?;
        usage::check(home.network, parts.iter().map(|part| part.bytes).sum(), limits)?;
        Ok(outcomes.into_iter().filter_map(saved).collect())
    }

    /// The place behind the others, where there are new ones.
    fn next_place(self, home: Home<'_>, new: usize, limits: &Settings) -> Result<i64, Failure> {
        if new == 0 {
            return Ok(0);
        }
        let Places { last, parts } = self.places(home)?;
        if self == Self::Contact {
            usage::check_contacts(parts + new as u64, limits)?;
        }
        Ok(last.map_or(0, |last| last + 1))
    }

    /// Delete a part of a group.
    pub(crate) fn delete(
        self,
        home: Home<'_>,
        id: &str,
        conditions: &Conditions,
    ) -> Result<(), Failure> {
        hold_group(home.network, home.group)?;
        let owned = self.find(home, id)?;
        conditions.check(owned.as_ref().map(|owned| owned.version))?;
        let owned = owned.ok_or_else(|| self.not_found())?;
        if self == Self::Contact {
            touch_wired(std::slice::from_ref(&owned.id))?;
        }
        self.collection().delete(&owned.id).run()?;
        Ok(())
    }

    /// A part of this group, if it is there.
    fn find(self, home: Home<'_>, id: &str) -> Result<Option<Owned>, Failure> {
        let group = part(home.group);
        let owners = self.owners(&[home.network.part(id)])?;
        Ok(owners.into_iter().find(|owned| owned.group_key == group))
    }
}

fn saved(outcome: Outcome) -> Option<Saved> {
    match outcome {
        Outcome::Written(written) => {
            Some(Saved { version: written.version, created: written.created })
        }
        _ => None,
    }
}
