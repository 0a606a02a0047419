//! `PUT /networks/{network}`: make a network what is sent, all of it or nothing.

use std::collections::HashSet;

use loggia_plugin_sdk::{Conditions, Failure, Request, Response, Route, Select, Write, declare};
use serde::Deserialize;
use serde_json::json;

use crate::fault::invalid;
use crate::key::Key;
use crate::members::Members;
use crate::save::{self, Group, Saved, There, condition, replace, write_groups};
use crate::settings::{MAX_NETWORK_BYTES, Settings};
use crate::store::{GROUPS, InNetwork, NETWORKS, hold_all, hold_network, network_id};
use crate::{usage, view};

pub(crate) const ROUTE: Route =
    Route::put("put-network", "/networks/{network}", "Make a network what is sent.", put).with(
        |operation| {
            operation
                .param("network", network_id())
                .json_body()
                .body_bytes(MAX_NETWORK_BYTES)
                .documents_written(1_000_000)
                .request_ms(30_000)
                .transaction_ms(30_000)
        },
    );

declare! { STORAGE:
    const STORED: Select<InNetwork<'_>, Stored> =
        select("stored-groups", "SELECT id FROM \"group\" WHERE network = :network")
            .unordered()
            .generic_plan();
}

#[derive(Deserialize)]
struct Stored {
    id: String,
}

/// A network as a client sent it.
pub(crate) struct Sent {
    /// Its own document.
    document: String,
    groups: Vec<Group>,
}

fn put(request: &Request) -> Result<Response, Failure> {
    let (id, limits) = (request.path("network"), Settings::read()?);
    let sent = Sent::parse(request.text()?, id, &limits)?;
    sent.store(id, &request.conditions(), &limits)
}

impl Sent {
    pub(crate) fn parse(text: &str, id: &str, limits: &Settings) -> Result<Self, Failure> {
        let mut members = Members::parse(text, "")?;
        members.fill_id("id", id, "")?;
        Self::of(members, id, limits)
    }

    /// The same, of a network that may have had another id.
    pub(crate) fn parse_as(text: &str, id: &str, limits: &Settings) -> Result<Self, Failure> {
        let mut members = Members::parse(text, "")?;
        members.set_string("id", id);
        Self::of(members, id, limits)
    }

    fn of(mut members: Members<'_>, id: &str, limits: &Settings) -> Result<Self, Failure> {
        let network = Key::of(id);
        for name in ["rootGroupId", "currentGroupId"] {
            members.string(name, "")?;
        }
        let groups = Group::parse_all(&network, members.given("groups"), "/groups", limits)?;
        save::refuse_repeated_ids(&groups)?;
        members.remove("groups");
        let own = members.to_json();
        if own.len() > MAX_OWN_BYTES {
            let detail = format!("a network's own members have at most {MAX_OWN_BYTES} bytes");
            return Err(invalid("", &detail).into());
        }
        Ok(Self { document: format!("{{\"network\":{own}}}"), groups })
    }

    /// Store it in place of what is there.
    pub(crate) fn store(
        &self,
        id: &str,
        conditions: &Conditions,
        limits: &Settings,
    ) -> Result<Response, Failure> {
        let (network, groups) = (Key::of(id), &self.groups);
        check(&network, conditions)?;
        let made = NETWORKS.put_json(network.as_str(), self.document.as_str()).run()?;
        let stored = if made.created { Vec::new() } else { stored(&network)? };
        let saved = self.store_groups(&network, &stored)?;
        replace(groups, There::in_groups(stored.iter().map(String::as_str))?)?;
        usage::check(&network, save::bytes(groups), limits)?;
        let tag = view::tag(made.version, saved.iter().map(|saved| saved.version));
        let (contacts, wires) = self.counts();
        let body = json!({
            "id": id, "groupCount": groups.len(), "contactCount": contacts, "wireCount": wires,
        });
        Ok(Response::serialize(made.status(), &body)?.etag(tag))
    }

    /// Store the groups themselves in place of those that are there. Who holds one of these is waited
    /// for; one that somebody makes meanwhile, and that is sent, too, is met by another run.
    fn store_groups(&self, network: &Key, stored: &[String]) -> Result<Vec<Saved>, Failure> {
        let mut gone: HashSet<&str> = stored.iter().map(String::as_str).collect();
        let mut writes: Vec<Write> = Vec::with_capacity(self.groups.len());
        for (place, group) in (0..).zip(&self.groups) {
            let write =
                GROUPS.put_json(&group.key, group.own.document(network, &group.holds(place)));
            writes.push(write.when(condition(gone.remove(group.key.as_str()))).into());
        }
        writes.extend(gone.into_iter().map(|key| GROUPS.delete(key).into()));
        if writes.is_empty() { Ok(Vec::new()) } else { write_groups(&self.groups, writes) }
    }

    fn counts(&self) -> (usize, usize) {
        let contacts = self.groups.iter().map(|group| group.contacts.len()).sum();
        (contacts, self.groups.iter().map(|group| group.wires.len()).sum())
    }
}

/// The documents of the groups that are there.
fn stored(network: &Key) -> Result<Vec<String>, Failure> {
    let stored = STORED.rows(&InNetwork { network: network.as_str() })?;
    Ok(stored.into_iter().map(|stored| stored.id).collect())
}

/// Besides its groups a network has little.
const MAX_OWN_BYTES: usize = 1 << 20;

/// Check conditions on the whole network, which does not change any more behind this.
pub(crate) fn check(network: &Key, conditions: &Conditions) -> Result<(), Failure> {
    if conditions.is_empty() {
        return Ok(());
    }
    let held = hold_network(network)?;
    let groups = if held.is_some() { hold_all(network)? } else { Vec::new() };
    let tag = held.map(|version| view::tag(version, groups.into_iter()));
    conditions.check_tag(tag.as_ref())
}
