//! `PATCH /networks/{network}/groups/{group}`: a merge patch (RFC 7396) of the group's own fields.

use loggia_plugin_sdk::{Failure, Request, Response, Route, merge_patch};
use serde_json::Value;

use crate::fault::{group_not_found, invalid};
use crate::key::Key;
use crate::own::Own;
use crate::settings::Settings;
use crate::store::{GROUPS, group_id, hold_groups, network_id};
use crate::usage;
use crate::view::{GroupRow, read};

pub(crate) const ROUTE: Route = Route::patch(
    "patch-group",
    "/networks/{network}/groups/{group}",
    "Change own fields of a group by a merge patch.",
    patch,
)
.with(|operation| {
    operation
        .param("network", network_id())
        .param("group", group_id())
        .body_type("application/merge-patch+json")
        .body_type("application/json")
});

fn patch(request: &Request) -> Result<Response, Failure> {
    let (network, id) = (Key::of(request.path("network")), request.path("group"));
    let (key, limits) = (network.group(id), Settings::read()?);
    let patch: Value = request.json()?;
    if !patch.is_object() {
        return Err(invalid("", "a merge patch of a group is an object").into());
    }
    let held = hold_groups(std::slice::from_ref(&key))?;
    request.conditions().check(held.first().map(|held| held.body.seen))?;
    let found = GROUPS.get_json(&key)?.ok_or_else(group_not_found)?;
    let row = GroupRow::of(&key, &found.body)?;
    let mut group: Value = read(row.group.get())?;
    merge_patch(&mut group, patch);
    let own = Own::parse(&group.to_string(), "", Some(id))?;
    let written = GROUPS.put_json(&key, own.document(&network, &read(&found.body)?)).run()?;
    usage::check(&network, own.bytes(), &limits)?;
    Ok(Response::json(200, own.json).etag(written.version))
}
