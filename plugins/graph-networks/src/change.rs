//! Storing and deleting single contacts and wires, beside the others of their group.

use std::collections::HashMap;

use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{
    Collection, Conditions, Document, Failure, Outcome, Problem, Select, Version, apply, declare,
};
use serde::Deserialize;

use crate::cell::ContactRow;
use crate::fault::{contact_not_found, duplicate, wire_not_found};
use crate::part::{Home, Part, refuse_repeated};
use crate::save::{Saved, condition, explain};
use crate::settings::Settings;
use crate::store::{AtHome, CONTACTS, Held, WIRES, fill_group, hold_group, touch_wired};
use crate::usage;
use crate::view::{WireRow, read};

/// Contacts or wires.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Contact,
    Wire,
}

declare! { STORAGE:
    const LAST_WIRE: Select<AtHome<'_>, Last> =
        select("last-wire", "SELECT max(place) AS last FROM wire WHERE home = :home").generic_plan();
}

/// A part that is there.
#[derive(Debug)]
struct Owned {
    /// The home of its group.
    home: String,
    place: i64,
    bytes: u64,
    version: Version,
}

/// Where a group's last wire is.
#[derive(Default, Deserialize)]
struct Last {
    last: Option<i64>,
}

impl Owned {
    /// Read the document of a part, which may be another group's.
    fn of(kind: Kind, found: &Document<String>, home: &Home<'_>) -> Result<Self, Error> {
        let version = found.version;
        if kind == Kind::Wire {
            let WireRow { home, place, .. } = read(&found.body)?;
            return Ok(Self { home: home.into_owned(), place, bytes: 0, version });
        }
        let row = ContactRow::of(&found.id, &found.body)?;
        let bytes = row.contact(home.group)?.json.len() as u64;
        Ok(Self { home: row.body.home.into_owned(), place: row.body.place, bytes, version })
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

    /// Those of these documents that are there.
    fn owners(self, keys: &[String], home: &Home<'_>) -> Result<HashMap<String, Owned>, Error> {
        let found = self.collection().get_many_json(keys)?.into_iter().flatten();
        let owned = |found: Document<String>| {
            let owned = Owned::of(self, &found, home)?;
            Ok((found.id, owned))
        };
        found.map(owned).collect()
    }

    /// Store parts beside the others of their group; new ones come behind these. `conditions` are
    /// those of a single one.
    pub(crate) fn save(
        self,
        home: &Home<'_>,
        parts: &[Part],
        conditions: &Conditions,
        limits: &Settings,
    ) -> Result<Vec<Saved>, Failure> {
        refuse_repeated(parts, self.noun())?;
        let held = hold_group(&home.key)?;
        let keys: Vec<String> = parts.iter().map(|part| part.key.clone()).collect();
        let owners = self.owners(&keys, home)?;
        let own = home.at();
        let foreign = |part: &&Part| owners.get(&part.key).is_some_and(|owned| owned.home != own);
        if let Some(part) = parts.iter().find(foreign) {
            return Err(duplicate(&part.pointer, self.noun()).into());
        }
        if !conditions.is_empty() {
            conditions.check(owners.values().next().map(|owned| owned.version))?;
        }
        let new = (parts.len() - owners.len()) as u64;
        let mut next = match self {
            Self::Contact => held.next,
            Self::Wire if new == 0 => 0,
            Self::Wire => LAST_WIRE.first(&AtHome { home: own })?.unwrap_or_default().next(),
        };
        let mut writes = Vec::with_capacity(parts.len());
        for part in parts {
            let owned = owners.get(&part.key);
            let place = owned.map_or(next, |owned| owned.place);
            next += i64::from(owned.is_none());
            let write = self.collection().put_json(&part.key, part.document(place));
            writes.push(write.when(condition(owned.is_some())).into());
        }
        let (written, replaced) = (bytes(parts), owners.values().map(|owned| owned.bytes).sum());
        if self == Self::Contact {
            let contacts = held.contacts + new;
            if new > 0 {
                usage::check_contacts(contacts, limits)?;
            }
            let contact_bytes = held.contact_bytes + written - replaced;
            fill_group(home, &held, &Held { contacts, contact_bytes, next, ..held })?;
        }
        let sent: Vec<(&Part, &str)> = parts.iter().map(|part| (part, self.noun())).collect();
        let outcomes = explain(apply(writes), &sent)?;
        if written > replaced {
            usage::check(home.network, written, limits)?;
        }
        Ok(outcomes.into_iter().filter_map(saved).collect())
    }

    /// Delete a part of a group.
    pub(crate) fn delete(
        self,
        home: &Home<'_>,
        id: &str,
        conditions: &Conditions,
    ) -> Result<(), Failure> {
        let held = hold_group(&home.key)?;
        let key = home.network.part(id);
        let owned = self.owners(std::slice::from_ref(&key), home)?.remove(&key);
        let owned = owned.filter(|owned| owned.home == home.at());
        conditions.check(owned.as_ref().map(|owned| owned.version))?;
        let owned = owned.ok_or_else(|| self.not_found())?;
        if self == Self::Contact {
            touch_wired(std::slice::from_ref(&key))?;
            let contact_bytes = held.contact_bytes - owned.bytes;
            let left = Held { contacts: held.contacts - 1, contact_bytes, ..held };
            fill_group(home, &held, &left)?;
        }
        self.collection().delete(&key).run()?;
        Ok(())
    }
}

impl Last {
    /// The place behind it.
    fn next(&self) -> i64 {
        self.last.map_or(0, |last| last + 1)
    }
}

fn bytes(parts: &[Part]) -> u64 {
    parts.iter().map(|part| part.bytes).sum()
}

fn saved(outcome: Outcome) -> Option<Saved> {
    match outcome {
        Outcome::Written(written) => {
            Some(Saved { version: written.version, created: written.created })
        }
        _ => None,
    }
}
