//! `DELETE /networks/{network}/groups/{group}`: a group with its contacts, and the wires to these.

use loggia_plugin_sdk::{Delete, Failure, Request, Response, Route, Select, Write, apply, declare};
use serde::{Deserialize, Serialize};

use crate::fault::group_not_found;
use crate::key::{Key, home_in};
use crate::members::Members;
use crate::own::Own;
use crate::save::There;
use crate::store::{AtHome, GROUPS, group_id, hold_groups, hold_network, network_id, touch_wired};
use crate::view::{GroupRow, read};

pub(crate) const ROUTE: Route = Route::delete(
    "delete-group",
    "/networks/{network}/groups/{group}",
    "Delete a group with its contacts and wires.",
    delete,
)
.with(|operation| {
    operation
        .param("network", network_id())
        .param("group", group_id())
        .documents_written(100_000)
        .request_ms(10_000)
        .transaction_ms(10_000)
});

declare! { STORAGE:
    const WIRES: Delete<AtHome<'_>> = delete("delete-wires-of", "wire")
        .filter("home = :home")
        .order("home, id");

    const CONTACTS: Delete<AtHome<'_>> = delete("delete-contacts-of", "contact")
        .filter("home = :home")
        .order("home, id");

    const SUBGROUPS: Select<Parent<'_>, Subgroup> =
        select("subgroups", "SELECT id FROM \"group\" WHERE parent = :parent");
}

#[derive(Serialize)]
struct Parent<'a> {
    parent: &'a str,
}

#[derive(Deserialize)]
struct Subgroup {
    id: String,
}

fn delete(request: &Request) -> Result<Response, Failure> {
    let (network, id) = (Key::of(request.path("network")), request.path("group"));
    let key = network.group(id);
    let held = hold_groups(std::slice::from_ref(&key))?;
    request.conditions().check(held.first().map(|held| held.body.seen))?;
    if held.is_empty() {
        return Err(group_not_found().into());
    }
    touch_wired(&There::in_groups(std::iter::once(key.as_str()))?.contacts())?;
    leave(&network, &key)?;
    let args = AtHome { home: home_in(&key) };
    WIRES.run(&args)?;
    CONTACTS.run(&args)?;
    GROUPS.delete(&key).run()?;
    // What is left of the network does not show that it has changed.
    hold_network(&network)?;
    Ok(Response::empty(204))
}

/// Take the parent away from the subgroups.
fn leave(network: &Key, parent: &str) -> Result<(), Failure> {
    let subgroups = SUBGROUPS.rows(&Parent { parent })?;
    if subgroups.is_empty() {
        return Ok(());
    }
    let keys: Vec<String> = subgroups.into_iter().map(|subgroup| subgroup.id).collect();
    hold_groups(&keys)?;
    let found = GROUPS.get_many_json(&keys)?.into_iter().flatten();
    let writes = found.map(|found| without_parent(network, &found.id, &found.body));
    apply(writes.collect::<Result<_, _>>()?)?;
    Ok(())
}

fn without_parent(network: &Key, key: &str, body: &str) -> Result<Write, Failure> {
    let row: GroupRow<'_> = read(body)?;
    let mut members = Members::parse(row.group.get(), "")?;
    members.remove("parentId");
    let own = Own::parse(&members.to_json(), "", None)?;
    Ok(GROUPS.put_json(key, own.document(network, &read(body)?)).into())
}
