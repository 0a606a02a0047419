//! `GET /networks/{network}/path`: a shortest path from one contact to another.
//!
//! It is looked for from both ends, a level at a time from the side with fewer contacts, until the two
//! meet: of a graph in which each contact has many wires this sees the square root. The last level,
//! which is the largest, is not read: the database looks for a wire from one side to the other.

use std::borrow::Cow;
use std::collections::HashMap;

use loggia_plugin_sdk::manifest::Param;
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Failure, Problem, Request, Response, Route, Select, declare};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Direction, MAX_KEYS, MAX_VISITED, Step, Walk, existing, too_many};
use crate::cell::{Cell, ContactRow};
use crate::fault::corrupt;
use crate::key::Key;
use crate::store::{Keys, network_id};
use crate::view::read;

/// From so many contacts on each side the database looks for a wire between them. With fewer, to read
/// the next level takes no longer.
const MIN_CROSSED: usize = 48;

/// To no more contacts than these.
const MAX_CROSSED: usize = 5_000;

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

declare! { STORAGE:
    // Of the two ends of a wire one is looked up and the other compared, which the empty text is for:
    // an index entered by both would be entered for each pair.
    const CROSSING_FROM: Select<Levels<'_>> = select(
        "wires-crossing-from",
        "SELECT source AS a, target AS b FROM wire \
         WHERE source = ANY(:from) AND target || '' = ANY(:to) \
         UNION ALL SELECT target AS a, source AS b FROM wire \
         WHERE target = ANY(:from) AND source || '' = ANY(:to) AND NOT directed",
    )
    .unordered();

    const CROSSING_TO: Select<Levels<'_>> = select(
        "wires-crossing-to",
        "SELECT source AS a, target AS b FROM wire \
         WHERE target = ANY(:to) AND source || '' = ANY(:from) \
         UNION ALL SELECT target AS a, source AS b FROM wire \
         WHERE source = ANY(:to) AND target || '' = ANY(:from) AND NOT directed",
    )
    .unordered();

    const CONTACTS_ALONG: Select<Along<'_>> = select(
        "contacts-along",
        "SELECT c.id AS id, c._body AS body, json_extract(g._body, '/group/id') AS \"group\" \
         FROM contact AS c JOIN \"group\" AS g ON g.id = :network || c.home \
         WHERE c.id = ANY(:keys)",
    )
    .unordered()
    .generic_plan();

    const WIRES_ALONG: Select<Keys<'_>> = select(
        "wires-along",
        "SELECT id, source, target, home, directed, json_extract(_body, '/w') AS wire FROM wire \
         WHERE source = ANY(:keys) AND target || '' = ANY(:keys)",
    )
    .unordered();
}

#[derive(Serialize)]
struct Levels<'a> {
    from: &'a [String],
    to: &'a [String],
}

#[derive(Serialize)]
struct Along<'a> {
    network: &'a str,
    keys: &'a [String],
}

#[derive(Deserialize)]
struct ContactAlong<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    body: Cell<'a>,
    #[serde(borrow)]
    group: Cow<'a, str>,
}

#[derive(Deserialize)]
struct WireAlong<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow)]
    target: Cow<'a, str>,
    #[serde(borrow)]
    home: Cow<'a, str>,
    directed: bool,
    #[serde(borrow)]
    wire: &'a RawValue,
}

fn path(request: &Request) -> Result<Response, Failure> {
    let network = Key::of(request.path("network"));
    let ends = ["from", "to"].map(|name| request.query(name).unwrap_or_default());
    let [from, to] = ends.map(|id| network.part(id));
    let max_depth: u32 = request.query_as("max_depth")?.unwrap_or(64);
    let walk = Walk::of(&network)?;
    let found = find(&walk, &from, &to, max_depth)?;
    let contacts = contacts(&network, found.as_deref().unwrap_or(&[]))?;
    if contacts.is_empty() {
        // There is no path from or to what is not there.
        ends.iter().try_for_each(|id| existing(&network, id).map(drop))?;
        let detail = format!("there is no path of at most {max_depth} wires between the contacts");
        return Err(Problem::new(404, "no-path", detail).into());
    }
    let wires = wires(&walk, &found.unwrap_or_default())?;
    let length = wires.len();
    let (contacts, wires) = (contacts.join(","), wires.join(","));
    let json = format!(r#"{{"length":{length},"contacts":[{contacts}],"wires":[{wires}]}}"#);
    Ok(Response::json(200, json))
}

/// One of the two searches.
struct Side {
    direction: Direction,
    /// From which contact each one was come to. The first from nowhere.
    seen: HashMap<String, Option<String>>,
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
        let mut next: HashMap<String, String> = HashMap::new();
        let seen = &self.seen;
        walk.steps(&self.level, self.direction, |Step { from, to, .. }| {
            if seen.contains_key(to.as_ref()) {
                return;
            }
            // Of several the same one, in whichever order they come.
            match next.get_mut(to.as_ref()) {
                Some(known) if from.as_ref() < known.as_str() => from.as_ref().clone_into(known),
                Some(_) => {}
                None => drop(next.insert(to.as_ref().to_owned(), from.as_ref().to_owned())),
            }
        })?;
        self.level = next.keys().cloned().collect();
        self.level.sort_unstable();
        self.seen.extend(next.into_iter().map(|(key, from)| (key, Some(from))));
        self.depth += 1;
        Ok(())
    }

    /// The way back from a contact to where this side began.
    fn back(&self, from: &str) -> Vec<String> {
        let mut contacts = vec![from.to_owned()];
        let mut at = from;
        while let Some(Some(before)) = self.seen.get(at) {
            contacts.push(before.clone());
            at = before;
        }
        contacts
    }
}

/// The contacts of a shortest path.
fn find(walk: &Walk, from: &str, to: &str, max_depth: u32) -> Result<Option<Vec<String>>, Failure> {
    let mut sides = [Side::new(from, Direction::Out), Side::new(to, Direction::In)];
    if from == to {
        return Ok(Some(sides[0].back(from)));
    }
    while sides[0].depth + sides[1].depth < max_depth {
        let smaller = usize::from(sides[1].level.len() < sides[0].level.len());
        if sides[smaller].level.is_empty() {
            return Ok(None);
        }
        if let Some((from, to)) = crossing(walk, &sides)? {
            return Ok(Some(join(&sides, &from, &to)));
        }
        sides[smaller].advance(walk)?;
        let other = &sides[1 - smaller];
        // All paths of this length are there now, and no shorter one was.
        let meeting = sides[smaller].level.iter().find(|key| other.seen.contains_key(*key));
        if let Some(meeting) = meeting {
            let mut path = join(&sides, meeting, meeting);
            path.dedup();
            return Ok(Some(path));
        }
        if sides[0].seen.len() + sides[1].seen.len() > MAX_VISITED {
            return Err(too_many().into());
        }
    }
    Ok(None)
}

/// The first step that leads from the level of one side to that of the other, where it is worth while
/// to look for one. Boundaries let through what depends on more than contacts.
fn crossing(walk: &Walk, [out, back]: &[Side; 2]) -> Result<Option<(String, String)>, Error> {
    let (from, to) = (&out.level, &back.level);
    let (less, more) = (from.len().min(to.len()), from.len().max(to.len()));
    if walk.is_bounded() || less < MIN_CROSSED || more > MAX_CROSSED {
        return Ok(None);
    }
    let mut first: Option<(String, String)> = None;
    let mut look = |wires: &Select<Levels<'_>>, levels: Levels<'_>| {
        let rows = wires.run(&levels)?;
        let steps: Vec<Step<'_>> = read(&rows.json)?;
        let steps = steps.into_iter().map(|step| (step.from.into_owned(), step.to.into_owned()));
        first = first.take().into_iter().chain(steps).min();
        Ok::<_, Error>(())
    };
    if from.len() <= to.len() {
        from.chunks(MAX_KEYS).try_for_each(|from| look(&CROSSING_FROM, Levels { from, to }))?;
    } else {
        to.chunks(MAX_KEYS).try_for_each(|to| look(&CROSSING_TO, Levels { from, to }))?;
    }
    Ok(first)
}

/// The path over a contact that one side has come to and one that the other has.
fn join([out, back]: &[Side; 2], from: &str, to: &str) -> Vec<String> {
    let mut path = out.back(from);
    path.reverse();
    path.extend(back.back(to));
    path
}

/// The texts of contacts, in the order of their keys; none where one is not there.
fn contacts(network: &Key, keys: &[String]) -> Result<Vec<String>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let rows = CONTACTS_ALONG.run(&Along { network: network.as_str(), keys })?;
    let rows: Vec<ContactAlong<'_>> = read(&rows.json)?;
    let text = |ContactAlong { id, body, group }: ContactAlong<'_>| {
        let row = ContactRow { id, body };
        let json = row.contact(&group)?.json;
        Ok((row.id.into_owned(), json))
    };
    let mut texts: HashMap<String, String> =
        rows.into_iter().map(text).collect::<Result<_, Error>>()?;
    let along: Option<_> = keys.iter().map(|key| texts.remove(key)).collect();
    Ok(along.unwrap_or_default())
}

/// The texts of the wires between contacts that follow each other; of several the first by its id.
fn wires(walk: &Walk, keys: &[String]) -> Result<Vec<String>, Error> {
    if keys.len() < 2 {
        return Ok(Vec::new());
    }
    let rows = WIRES_ALONG.run(&Keys { keys })?;
    let rows: Vec<WireAlong<'_>> = read(&rows.json)?;
    let between = |pair: &[String]| {
        let leads = |row: &&WireAlong<'_>| row.leads(walk, &pair[0], &pair[1]);
        let wire = rows.iter().filter(leads).min_by(|a, b| a.id.cmp(&b.id));
        let wire = wire.ok_or_else(|| corrupt(&"a wire of a path is gone"))?;
        Ok(wire.wire.get().to_owned())
    };
    keys.windows(2).map(between).collect()
}

impl WireAlong<'_> {
    fn leads(&self, walk: &Walk, from: &str, to: &str) -> bool {
        let ahead = self.source == from && self.target == to;
        let back = self.target == from && self.source == to && !self.directed;
        (ahead || back) && walk.leads(from, to, &self.home)
    }
}
