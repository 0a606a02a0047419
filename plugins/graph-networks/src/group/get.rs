//! `GET /networks/{network}/groups/{group}`: a group with its contacts and wires.

use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Failure, Request, Response, Route, Select, Version, declare};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::fault::group_not_found;
use crate::key::{Key, part};
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
         (SELECT json_array_agg(json_extract(c._body, '/contact') ORDER BY c.place, c.id) \
          FROM contact AS c WHERE c.network = :network AND c.group_key = :group) AS contacts, \
         (SELECT json_array_agg(json_extract(w._body, '/wire') ORDER BY w.place, w.id) \
          FROM wire AS w WHERE w.network = :network AND w.group_key = :group) AS wires, \
         (SELECT json_array_agg(json_extract(s._body, '/group/id') ORDER BY s.place, s.id) \
          FROM \"group\" AS s WHERE s.parent = :id) AS subgroups \
         FROM \"group\" AS g WHERE g.id = :id",
    );
}

#[derive(Serialize)]
struct One<'a> {
    id: &'a str,
    network: &'a str,
    /// The digest of its id.
    group: &'a str,
}

#[derive(Deserialize)]
struct Row<'a> {
    version: Version,
    #[serde(borrow)]
    own: &'a RawValue,
    #[serde(borrow)]
    contacts: Vec<&'a RawValue>,
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
    let args = One { id: &network.part(id), network: network.as_str(), group: &part(id) };
    let rows = GROUP.run(&args)?;
    let rows: Vec<Row<'_>> = read(&rows.json)?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let texts = |raw: &[&'_ RawValue]| raw.iter().map(|text| text.get().to_owned()).collect();
    let view = GroupView {
        own: row.own.get(),
        contacts: row.contacts.iter().map(|text| text.get()).collect(),
        wires: row.wires.iter().map(|text| text.get()).collect(),
        subgroups: texts(&row.subgroups),
    };
    let mut json = String::new();
    view.write(&mut json)?;
    Ok(Some((row.version, json)))
}
