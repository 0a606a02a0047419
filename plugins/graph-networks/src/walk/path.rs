//! `GET /networks/{network}/path`: a shortest path from one contact to another.
//!
//! It is looked for from both ends, a level at a time from the side with fewer contacts, until the two
//! meet: of a graph in which each contact has many wires this sees the square root.

use std::collections::HashMap;

use loggia_plugin_sdk::manifest::Param;
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Collection, Document, Failure, Problem, Request, Response, Route};

use super::{Direction, MAX_VISITED, Step, Walk, existing, too_many};
use crate::cell::ContactRow;
use crate::fault::corrupt;
use crate::key::Key;
use crate::store::{CONTACTS, WIRES, network_id};
use crate::view::{WireRow, group_ids, read};

pub(crate) const ROUTE: Route = Route::get(
    "shortest-path",
    "/networks/{network}/path",
    "A shortest path from one contact to another.",
    path,
)
.with(|operation| {
    operation
        .param("network", network_id())
        .required_param("from", Param::string().describe("Where it begins."))
        .required_param("to", Param::string().describe("Where it ends."))
        .param("max_depth", Param::integer().between(0, 400).default(64))
        .request_ms(10_000)
});

fn path(request: &Request) -> Result<Response, Failure> {
    let network = Key::of(request.path("network"));
    let end = |name| existing(&network, request.query(name).unwrap_or_default());
    let (from, to) = (end("from")?, end("to")?);
    let max_depth: u32 = request.query_as("max_depth")?.unwrap_or(64);
    let walk = Walk::of(&network)?;
    let found = find(&walk, &from, &to, max_depth)?.ok_or_else(|| {
        let detail = format!("there is no path of at most {max_depth} wires between the contacts");
        Problem::new(404, "no-path", detail)
    })?;
    let (contacts, wires) = (contacts(&network, &found.contacts)?, wires(&found.wires)?);
    let length = wires.len();
    let (contacts, wires) = (contacts.join(","), wires.join(","));
    let json = format!(r#"{{"length":{length},"contacts":[{contacts}],"wires":[{wires}]}}"#);
    Ok(Response::json(200, json))
}

/// The keys of a path's contacts and wires.
struct Found {
    contacts: Vec<String>,
    wires: Vec<String>,
}

/// One of the two searches.
struct Side {
    direction: Direction,
    /// How each contact was come to: from which one, and by which wire. The first from nowhere.
    seen: HashMap<String, Option<(String, String)>>,
    level: Vec<String>,
    depth: u32,
}

impl Side {
    fn new(start: &str, direction: Direction) -> Self {
        let seen = [(start.to_owned(), None)].into();
        Self { direction, seen, level: vec![start.to_owned()], depth: 0 }
    }

    /// Go one level on.
    fn advance(&mut self, walk: &Walk) -> Result<(), Error> {
        let mut next: HashMap<String, (String, String)> = HashMap::new();
        let seen = &self.seen;
        walk.steps(&self.level, self.direction, |Step { from, to, wire, .. }| {
            if seen.contains_key(to.as_ref()) {
                return;
            }
            let by = (from.as_ref(), wire.as_ref());
            // Of several the same one, in whichever order they come.
            let is_better =
                next.get(to.as_ref()).is_none_or(|known| by < (known.0.as_str(), known.1.as_str()));
            if is_better {
                next.insert(to.as_ref().to_owned(), (by.0.to_owned(), by.1.to_owned()));
            }
        })?;
        self.level = next.keys().cloned().collect();
        self.level.sort_unstable();
        self.seen.extend(next.into_iter().map(|(key, by)| (key, Some(by))));
        self.depth += 1;
        Ok(())
    }

    /// The way back from a contact to where this side began.
    fn back(&self, from: &str) -> Found {
        let (mut contacts, mut wires) = (vec![from.to_owned()], Vec::new());
        let mut at = from;
        while let Some(Some((before, wire))) = self.seen.get(at) {
            contacts.push(before.clone());
            wires.push(wire.clone());
            at = before;
        }
        Found { contacts, wires }
    }
}

fn find(walk: &Walk, from: &str, to: &str, max_depth: u32) -> Result<Option<Found>, Failure> {
    let mut sides = [Side::new(from, Direction::Out), Side::new(to, Direction::In)];
    if from == to {
        return Ok(Some(sides[0].back(from)));
    }
    while sides[0].depth + sides[1].depth < max_depth {
        let smaller = usize::from(sides[1].level.len() < sides[0].level.len());
        if sides[smaller].level.is_empty() {
            return Ok(None);
        }
        sides[smaller].advance(walk)?;
        let other = &sides[1 - smaller];
        // All paths of this length are there now, and no shorter one was.
        let meeting = sides[smaller].level.iter().find(|key| other.seen.contains_key(*key));
        if let Some(meeting) = meeting {
            return Ok(Some(join(&sides, meeting)));
        }
        if sides[0].seen.len() + sides[1].seen.len() > MAX_VISITED {
            return Err(too_many().into());
        }
    }
    Ok(None)
}

/// The path through a contact that both sides have come to.
fn join([out, back]: &[Side; 2], meeting: &str) -> Found {
    let mut path = out.back(meeting);
    path.contacts.reverse();
    path.wires.reverse();
    let rest = back.back(meeting);
    path.contacts.extend(rest.contacts.into_iter().skip(1));
    path.wires.extend(rest.wires);
    path
}

/// The texts of contacts, in the order of their keys.
fn contacts(network: &Key, keys: &[String]) -> Result<Vec<String>, Error> {
    let found = documents(&CONTACTS, keys)?;
    let rows = found.iter().map(|document| ContactRow::of(&document.id, &document.body));
    let rows: Vec<ContactRow<'_>> = rows.collect::<Result<_, _>>()?;
    let groups = group_ids(network, rows.iter().map(|row| row.body.home.as_ref()))?;
    let text = |row: &ContactRow<'_>| {
        let group = groups.get(row.body.home.as_ref());
        let group = group.ok_or_else(|| corrupt(&"a contact has no group"))?;
        Ok(row.contact(group)?.json)
    };
    rows.iter().map(text).collect()
}

/// The texts of wires, in the order of their keys.
fn wires(keys: &[String]) -> Result<Vec<String>, Error> {
    let text = |document: &Document<String>| {
        let row: WireRow<'_> = read(&document.body)?;
        Ok(row.wire.get().to_owned())
    };
    documents(&WIRES, keys)?.iter().map(text).collect()
}

fn documents(collection: &Collection, keys: &[String]) -> Result<Vec<Document<String>>, Error> {
    let found = collection.get_many_json(keys)?.into_iter().collect::<Option<_>>();
    found.ok_or_else(|| corrupt(&"a part of a path is gone"))
}
