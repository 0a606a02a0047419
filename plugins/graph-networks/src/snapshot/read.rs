//! What a snapshot holds.

use loggia_plugin_sdk::checkpoint::{self, Document};
use loggia_plugin_sdk::storage::Error;

use crate::cell::ContactRow;
use crate::fault::corrupt;
use crate::store::{CONTACTS, GROUPS, NETWORKS, WIRES};
use crate::view::{GroupRow, GroupView, WireRow, assemble, own_network, read};

/// The gateway gives no more at a time.
const PAGE: u32 = 10_000;

/// The documents of a snapshot.
pub(super) struct Kept {
    network: Vec<Document>,
    groups: Vec<Document>,
    contacts: Vec<Document>,
    wires: Vec<Document>,
}

impl Kept {
    pub(super) fn read(snapshot: &str) -> Result<Self, Error> {
        Ok(Self {
            network: documents(snapshot, NETWORKS.name())?,
            groups: documents(snapshot, GROUPS.name())?,
            contacts: documents(snapshot, CONTACTS.name())?,
            wires: documents(snapshot, WIRES.name())?,
        })
    }

    /// The network's own members.
    pub(super) fn own(&self) -> Result<&str, Error> {
        let document = self.network.first().ok_or_else(|| corrupt(&"a snapshot has no network"))?;
        own_network(&document.body)
    }

    pub(super) fn view(&self) -> Result<Vec<GroupView<'_>>, Error> {
        let groups = self.groups.iter().map(|document| GroupRow::of(&document.id, &document.body));
        let groups = groups.collect::<Result<_, _>>()?;
        let contacts = self.contacts.iter();
        let contacts = contacts.map(|document| ContactRow::of(&document.id, &document.body));
        let wires = self.wires.iter().map(|document| read(&document.body));
        let wires: Vec<WireRow<'_>> = wires.collect::<Result<_, _>>()?;
        assemble(groups, contacts.collect::<Result<_, _>>()?, wires)
    }
}

fn documents(snapshot: &str, collection: &str) -> Result<Vec<Document>, Error> {
    let mut all: Vec<Document> = Vec::new();
    loop {
        let after = all.last().map(|document| document.id.clone());
        let page = checkpoint::read(snapshot, collection, after.as_deref(), PAGE)?;
        let is_last = page.len() < PAGE as usize;
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}
