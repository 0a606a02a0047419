//! `GET /networks/{network}/groups/{group}`: a group with its contacts and wires.

use std::borrow::Cow;

use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Failure, Request, Response, Route, Select, Version, declare};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::cell::{Cell, ContactRow};
use crate::fault::group_not_found;
use crate::key::{Key, home_in};
use crate::settings::MAX_NETWORK_BYTES;
use crate::store::{group_id, network_id};
use crate::view::{GroupView, read};

pub(crate) const ROUTE: Route = Route::get(
    "get-group",
    "/networks/{network}/groups/{group}",
    "A group with its contacts and wires.",
    get,
)
.with(|operation| {
    operation
        .param("network", network_id())
        .param("group", group_id())
        .response_bytes(2 * MAX_NETWORK_BYTES)
});

declare! { STORAGE:
    const GROUP: Select<One<'_>> = select(
        "one-group",
        "SELECT g._version AS version, json_extract(g._body, '/group') AS own, \
         (SELECT json_array_agg(c.id ORDER BY c.home, c.id) \
          FROM contact AS c WHERE c.home = :home) AS keys, \
         (SELECT json_array_agg(c._body ORDER BY c.home, c.id) \
          FROM contact AS c WHERE c.home = :home) AS contacts, \
         (SELECT json_array_agg(json_extract(w._body, '/w') ORDER BY w.place, w.id) \
          FROM wire AS w WHERE w.home = :home) AS wires, \
         (SELECT json_array_agg(json_extract(s._body, '/group/id') ORDER BY s.place, s.id) \
          FROM \"group\" AS s WHERE s.parent = :id) AS subgroups \
         FROM \"group\" AS g WHERE g.id = :id",
    )
    .generic_plan();
}

#[derive(Serialize)]
struct One<'a> {
    id: &'a str,
    home: &'a str,
}

#[derive(Deserialize)]
struct Row<'a> {
    version: Version,
    #[serde(borrow)]
    own: &'a RawValue,
    /// The ids of the contacts' documents.
    #[serde(borrow)]
    keys: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    contacts: Vec<Cell<'a>>,
    #[serde(borrow)]
    wires: Vec<&'a RawValue>,
    #[serde(borrow)]
    subgroups: Vec<&'a RawValue>,
}

fn get(request: &Request) -> Result<Response, Failure> {
    let (network, id) = (Key::of(request.path("network")), request.path("group"));
    let (version, json) = find(&network, id)?.ok_or_else(group_not_found)?;
    Ok(Response::json(200, json).etag(version))
}

/// The version and the text of a group, if it is there.
fn find(network: &Key, id: &str) -> Result<Option<(Version, String)>, Error> {
    let key = network.group(id);
    let rows = GROUP.run(&One { id: &key, home: home_in(&key) })?;
    let rows: Vec<Row<'_>> = read(&rows.json)?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let contacts = row.keys.into_iter().zip(row.contacts);
    let mut contacts: Vec<_> = contacts.map(|(id, body)| ContactRow { id, body }).collect();
    contacts.sort_by_key(|row| row.body.place);
    let view = GroupView {
        own: row.own.get(),
        contacts: contacts.iter().map(|row| row.contact(id)).collect::<Result<_, _>>()?,
        wires: row.wires.iter().map(|text| text.get()).collect(),
        subgroups: row.subgroups.iter().map(|text| text.get().to_owned()).collect(),
    };
    let mut json = String::new();
    view.write(&mut json)?;
    Ok(Some((row.version, json)))
}
