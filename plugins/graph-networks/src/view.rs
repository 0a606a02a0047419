//! Networks and groups as clients see them, put together from rows or from the documents of a
//! snapshot. The texts of wires, own fields and contents pass through as they are.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{EntityTag, Select, Version, declare};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::cell::{Contact, ContactRow};
use crate::fault::corrupt;
use crate::key::{Key, home_in};
use crate::members::quoted;
use crate::store::{Between, InNetwork, Keys, NETWORKS};

declare! { STORAGE:
    const GROUPS_IN: Select<InNetwork<'_>> = select(
        "groups-in",
        "SELECT id, _version AS version, parent, place, json_extract(_body, '/group') AS \"group\" \
         FROM \"group\" WHERE network = :network",
    )
    .unordered()
    .generic_plan();

    const CONTACTS_IN: Select<Between<'_>> = select(
        "contacts-in",
        "SELECT id, _body AS body FROM contact WHERE id > :key AND id < :end",
    )
    .orders(&[("id", "id")])
    .generic_plan();

    const WIRES_IN: Select<Between<'_>> = select(
        "wires-in",
        "SELECT home, place, json_extract(_body, '/w') AS wire FROM wire \
         WHERE id > :key AND id < :end",
    )
    .orders(&[("id", "id")])
    .generic_plan();

    const GROUP_IDS: Select<Keys<'_>, GroupId> = select(
        "group-ids",
        "SELECT id AS key, json_extract(_body, '/group/id') AS id FROM \"group\" \
         WHERE id = ANY(:keys)",
    )
    .unordered()
    .generic_plan();
}

/// What is read of a group's document.
#[derive(Debug, Deserialize)]
pub(crate) struct GroupRow<'a> {
    /// Of its document.
    #[serde(default)]
    pub(crate) id: Cow<'a, str>,
    #[serde(default)]
    version: Version,
    parent: Option<Cow<'a, str>>,
    pub(crate) place: i64,
    #[serde(borrow)]
    pub(crate) group: &'a RawValue,
}

impl<'a> GroupRow<'a> {
    /// Read a group's document.
    pub(crate) fn of(id: &'a str, body: &'a str) -> Result<Self, Error> {
        Ok(Self { id: Cow::Borrowed(id), ..read(body)? })
    }
}

/// What is read of the document of a wire.
#[derive(Debug, Deserialize)]
pub(crate) struct WireRow<'a> {
    /// The home of its group.
    #[serde(alias = "g", borrow)]
    pub(crate) home: Cow<'a, str>,
    #[serde(alias = "p")]
    pub(crate) place: i64,
    #[serde(alias = "w", borrow)]
    pub(crate) wire: &'a RawValue,
}

#[derive(Deserialize)]
struct GroupId {
    key: String,
    id: String,
}

/// A group with what belongs to it.
#[derive(Debug)]
pub(crate) struct GroupView<'a> {
    pub(crate) own: &'a str,
    pub(crate) contacts: Vec<Contact>,
    pub(crate) wires: Vec<&'a str>,
    /// The texts of the subgroups' ids.
    pub(crate) subgroups: Vec<String>,
}

/// The texts of a network's documents.
#[derive(Debug)]
pub(crate) struct Live {
    /// The network's own members.
    pub(crate) own: String,
    version: Version,
    groups: String,
    contacts: String,
    wires: String,
}

/// A network's own document.
#[derive(Deserialize)]
struct NetworkBody<'a> {
    #[serde(borrow)]
    network: &'a RawValue,
}

#[derive(Deserialize)]
struct Identified<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

impl Live {
    /// Read a whole network, if it is there.
    pub(crate) fn read(network: &Key) -> Result<Option<Self>, Error> {
        let Some(found) = NETWORKS.get_json(network.as_str())? else { return Ok(None) };
        let all = Between { key: network.as_str(), end: &network.end() };
        let groups = GROUPS_IN.run(&InNetwork { network: network.as_str() })?;
        // All that there is belongs to groups.
        let (contacts, wires) = match groups.count {
            0 => ("[]".to_owned(), "[]".to_owned()),
            _ => (CONTACTS_IN.run(&all)?.json, WIRES_IN.run(&all)?.json),
        };
        let own = own_network(&found.body)?.to_owned();
        Ok(Some(Self { own, version: found.version, groups: groups.json, contacts, wires }))
    }

    /// Its groups, and the tag of the whole.
    pub(crate) fn view(&self) -> Result<(Vec<GroupView<'_>>, EntityTag), Error> {
        let groups: Vec<GroupRow<'_>> = read(&self.groups)?;
        let tag = tag(self.version, groups.iter().map(|group| group.version));
        Ok((assemble(groups, read(&self.contacts)?, read(&self.wires)?)?, tag))
    }
}

/// The tag of a network: of its own version and those of its groups, which change with their contacts
/// and wires.
///
/// The sum and the number are enough. Each version is greater than all that were there before, so as
/// long as there are as many groups, the sum only grows.
pub(crate) fn tag(network: Version, groups: impl Iterator<Item = Version>) -> EntityTag {
    let (sum, count) =
        groups.fold((0_u64, 0), |(sum, count), version| (sum.wrapping_add(version), count + 1));
    EntityTag::of([("network", network), ("sum", sum), ("count", count)])
}

/// The text of a network's own members.
pub(crate) fn own_network(body: &str) -> Result<&str, Error> {
    let body: NetworkBody<'_> = read(body)?;
    Ok(body.network.get())
}

/// Put contacts and wires to their groups, in their order.
pub(crate) fn assemble<'a>(
    mut groups: Vec<GroupRow<'a>>,
    mut contacts: Vec<ContactRow<'a>>,
    mut wires: Vec<WireRow<'a>>,
) -> Result<Vec<GroupView<'a>>, Error> {
    groups.sort_by(|a, b| (a.place, &a.id).cmp(&(b.place, &b.id)));
    // These are stable, and the documents come in the order of their ids.
    contacts.sort_by_key(|row| row.body.place);
    wires.sort_by_key(|row| row.place);
    let mut views = Vec::with_capacity(groups.len());
    let mut places = HashMap::with_capacity(groups.len());
    for (place, row) in groups.iter().enumerate() {
        places.insert(home_in(&row.id), place);
        let (contacts, wires, subgroups) = (Vec::new(), Vec::new(), Vec::new());
        views.push(GroupView { own: row.group.get(), contacts, wires, subgroups });
    }
    for row in &groups {
        let parent = row.parent.as_deref().and_then(|parent| places.get(home_in(parent)));
        if let Some(&parent) = parent {
            views[parent].subgroups.push(quoted(&id_of(row.group.get())?));
        }
    }
    let ids = groups.iter().map(|row| id_of(row.group.get())).collect::<Result<Vec<_>, _>>()?;
    for row in contacts {
        if let Some(&place) = places.get(row.body.home.as_ref()) {
            views[place].contacts.push(row.contact(&ids[place])?);
        }
    }
    for row in wires {
        if let Some(&place) = places.get(row.home.as_ref()) {
            views[place].wires.push(row.wire.get());
        }
    }
    Ok(views)
}

/// The text of a network with its groups.
pub(crate) fn network_json(own: &str, groups: &[GroupView<'_>]) -> Result<String, Error> {
    let mut json = open(own).to_owned();
    json += ",\"groups\":[";
    for (place, group) in groups.iter().enumerate() {
        if place > 0 {
            json.push(',');
        }
        group.write(&mut json)?;
    }
    json += "]}";
    Ok(json)
}

impl GroupView<'_> {
    /// The text of the group with what belongs to it.
    pub(crate) fn write(&self, json: &mut String) -> Result<(), Error> {
        *json += "{\"group\":";
        *json += open(self.own);
        let contacts = self.contacts.iter().map(|contact| Ok(contact.id.as_str().into()));
        write_ids(json, ",\"contactIds\":[", contacts)?;
        write_ids(json, "],\"wireIds\":[", self.wires.iter().map(|wire| id_of(wire)))?;
        *json += "],\"subgroupIds\":[";
        *json += &self.subgroups.join(",");
        *json += "]},\"contacts\":[";
        for (place, contact) in self.contacts.iter().enumerate() {
            if place > 0 {
                json.push(',');
            }
            *json += &contact.json;
        }
        *json += "],\"wires\":[";
        *json += &self.wires.join(",");
        *json += "]}";
        Ok(())
    }
}

fn write_ids<'a>(
    json: &mut String,
    before: &str,
    ids: impl Iterator<Item = Result<Cow<'a, str>, Error>>,
) -> Result<(), Error> {
    *json += before;
    for (place, id) in ids.enumerate() {
        if place > 0 {
            json.push(',');
        }
        *json += &quoted(&id?);
    }
    Ok(())
}

/// The ids of groups, by their homes.
pub(crate) fn group_ids<'a>(
    network: &Key,
    homes: impl Iterator<Item = &'a str>,
) -> Result<HashMap<String, String>, Error> {
    let homes: HashSet<&str> = homes.collect();
    let keys: Vec<String> = homes.into_iter().map(|home| network.group_at(home)).collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = GROUP_IDS.rows(&Keys { keys: &keys })?;
    Ok(rows.into_iter().map(|row| (home_in(&row.key).to_owned(), row.id)).collect())
}

/// The id of a wire or a group.
pub(crate) fn id_of(part: &str) -> Result<Cow<'_, str>, Error> {
    let Identified { id } = read(part)?;
    Ok(id)
}

/// An object, which has members, without what ends it.
fn open(object: &str) -> &str {
    object.trim_end().strip_suffix('}').unwrap_or(object)
}

pub(crate) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|fault| corrupt(&fault))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_network_is_put_together_in_the_order_sent() {
        let network = Key::of("n");
        let (a, b) = (network.group("a"), network.group("b"));
        let contact = |group: &str, place: i64, id: &str| json!({"id": network.part(id), "body": {"g": network.home(group), "p": place}});
        let groups = json!([
            {"id": b, "version": 1, "parent": a, "place": 1, "group": {"id": "b", "parentId": "a"}},
            {"id": a, "version": 2, "place": 0, "group": {"id": "a", "x": 1}},
        ])
        .to_string();
        let contacts = [contact("a", 1, "c1"), contact("b", 0, "c3"), contact("a", 0, "c2")];
        let contacts = json!(contacts).to_string();
        let wires = json!([{"home": network.home("a"), "place": 0, "wire": {"id": "w\"1"}}]);
        let wires = wires.to_string();
        let seen =
            |group: &str, id: &str| json!({"groupId": group, "id": id, "blendMode": "accept-last"});
        let views =
            assemble(read(&groups).unwrap(), read(&contacts).unwrap(), read(&wires).unwrap());
        let text = network_json(r#"{"id":"n"}"#, &views.unwrap()).unwrap();
        let expected = json!({"id": "n", "groups": [
            {"group": {"id": "a", "x": 1, "contactIds": ["c2", "c1"], "wireIds": ["w\"1"],
                "subgroupIds": ["b"]},
             "contacts": [seen("a", "c2"), seen("a", "c1")], "wires": [{"id": "w\"1"}]},
            {"group": {"id": "b", "parentId": "a", "contactIds": ["c3"], "wireIds": [],
                "subgroupIds": []},
             "contacts": [seen("b", "c3")], "wires": []},
        ]});
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), expected);
    }

    #[test]
    fn a_tag_changes_with_each_version_and_each_group() {
        let of = |network, groups: &[Version]| tag(network, groups.iter().copied());
        let tags =
            [of(1, &[]), of(2, &[]), of(1, &[3]), of(1, &[4]), of(1, &[1, 2]), of(1, &[1, 3])];
        for (place, one) in tags.iter().enumerate() {
            assert!(tags[..place].iter().all(|other| other != one));
        }
    }
}
