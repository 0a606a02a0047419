//! What a network amounts to, by counts that the gateway keeps, and the limits of it.

use loggia_plugin_sdk::manifest::Count;
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Failure, Select, declare};
use serde::Deserialize;

use crate::fault::limit_exceeded;
use crate::key::Key;
use crate::settings::Settings;
use crate::store::{InNetwork, hold_network};

declare! { STORAGE:
    const USAGE: Select<InNetwork<'_>, Usage> = select(
        "usage",
        "SELECT (SELECT sum(g.documents) FROM count_groups AS g WHERE g.network = n.id) AS groups, \
         (SELECT sum(c.sum_contacts) FROM count_groups AS c WHERE c.network = n.id) AS contacts, \
         (SELECT sum(w.documents) FROM count_wires AS w WHERE w.network = n.id) AS wires \
         FROM network AS n WHERE n.id = :network",
    )
    .generic_plan();

    const BYTES: Select<InNetwork<'_>, Bytes> = select(
        "bytes",
        "SELECT g.sum_bytes + g.sum_contact_bytes AS bytes FROM count_groups AS g \
         WHERE g.network = :network \
         UNION ALL SELECT w.sum_bytes AS bytes FROM count_wires AS w WHERE w.network = :network",
    )
    .unordered()
    .generic_plan();
}

/// What the gateway counts.
pub(crate) fn counts() -> [Count; 2] {
    let by_network = |name: &str, collection: &str| {
        Count::new(name).collection(collection).by("network").sum("bytes")
    };
    let groups = by_network("groups", "group").sum("contacts").sum("contact_bytes");
    [groups.limit("max_groups_per_network"), by_network("wires", "wire")]
}

/// What a network has; what it has none of has no count.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Usage {
    groups: Option<u64>,
    contacts: Option<u64>,
    wires: Option<u64>,
}

/// Of the documents of one collection.
#[derive(Deserialize)]
struct Bytes {
    bytes: u64,
}

impl Usage {
    /// None where there is no such network.
    pub(crate) fn of(network: &Key) -> Result<Option<Self>, Error> {
        USAGE.first(&InNetwork { network: network.as_str() })
    }

    pub(crate) fn groups(&self) -> u64 {
        self.groups.unwrap_or(0)
    }

    pub(crate) fn contacts(&self) -> u64 {
        self.contacts.unwrap_or(0)
    }

    pub(crate) fn wires(&self) -> u64 {
        self.wires.unwrap_or(0)
    }
}

/// Refuse what has made a network too large. `written` is how many bytes this request has stored.
///
/// A request sees its own documents and those of requests that have ended. So two that come near the
/// limit at once must take turns: whoever finds the network more than half full, or writes more than
/// a hundredth of the limit, holds the network's row and looks again. As long as fewer than 50
/// requests write one network at the same instant, the limit is exact.
pub(crate) fn check(network: &Key, written: u64, limits: &Settings) -> Result<(), Failure> {
    let limit = limits.max_network_bytes;
    let mut bytes = bytes(network)?;
    if bytes > limit / 2 || written > limit / 100 {
        hold_network(network)?;
        bytes = self::bytes(network)?;
    }
    if bytes > limit {
        let detail = format!(
            "the network would have {bytes} bytes; the setting max_network_bytes is {limit}"
        );
        return Err(limit_exceeded("max_network_bytes", limit, &detail).into());
    }
    Ok(())
}

/// How many bytes the groups, contacts and wires of a network have, as JSON.
pub(crate) fn bytes(network: &Key) -> Result<u64, Error> {
    let rows = BYTES.rows(&InNetwork { network: network.as_str() })?;
    Ok(rows.into_iter().map(|row| row.bytes).sum())
}

/// Refuse too many contacts of one group.
pub(crate) fn check_contacts(contacts: u64, limits: &Settings) -> Result<(), Failure> {
    let limit = u64::from(limits.max_contacts_per_group);
    if contacts <= limit {
        return Ok(());
    }
    let detail = format!(
        "the group would have {contacts} contacts; the setting max_contacts_per_group is {limit}"
    );
    Err(limit_exceeded("max_contacts_per_group", limit, &detail).into())
}
