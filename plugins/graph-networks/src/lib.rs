//! Propagation networks: a network holds groups, a group holds contacts, which are cells with content,
//! and wires between contacts.
//!
//! `store.rs` says how they are stored, and who waits for whom; begin reading there. `own.rs` and
//! `part.rs` read what clients send, `save.rs` stores groups as a whole and `change.rs` single contacts
//! and wires, and `view.rs` puts together what clients see; `walk.rs` follows wires. Each route has a file of its own, with
//! its handler, in a folder by what it is about.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that fails there has failed"))]

mod cell;
mod change;
mod contact;
mod exchange;
mod fault;
mod group;
mod key;
mod members;
mod network;
mod own;
mod part;
mod save;
mod settings;
mod snapshot;
mod stats;
mod store;
mod usage;
mod view;
mod walk;
mod wire;

use loggia_plugin_sdk::manifest::Manifest;
use loggia_plugin_sdk::{Plugin, Route};

struct GraphNetworks;

loggia_plugin_sdk::export!(GraphNetworks);

impl Plugin for GraphNetworks {
    const ROUTES: &'static [Route] = &[
        network::put::ROUTE,
        network::get::ROUTE,
        network::delete::ROUTE,
        network::list::ROUTE,
        group::put::ROUTE,
        group::get::ROUTE,
        group::delete::ROUTE,
        group::patch::ROUTE,
        group::list::ROUTE,
        group::batch_save::ROUTE,
        contact::put::ROUTE,
        contact::get::ROUTE,
        contact::delete::ROUTE,
        contact::content::GET_ROUTE,
        contact::content::PUT_ROUTE,
        contact::batch_save::ROUTE,
        wire::put::ROUTE,
        wire::get::ROUTE,
        wire::delete::ROUTE,
        snapshot::create::ROUTE,
        snapshot::list::ROUTE,
        snapshot::get::ROUTE,
        snapshot::delete::ROUTE,
        snapshot::restore::ROUTE,
        snapshot::diff::ROUTE,
        stats::ROUTE,
        walk::neighbors::ROUTE,
        walk::path::ROUTE,
        walk::reachable::ROUTE,
        walk::subgraph::ROUTE,
        walk::components::ROUTE,
        exchange::export::ROUTE,
        exchange::import::ROUTE,
    ];

    fn manifest() -> Manifest {
        let summary = "Propagation networks: groups of contacts, and wires between them.";
        let manifest = Manifest::new("graph-networks", env!("CARGO_PKG_VERSION"), summary)
            .settings::<settings::Settings>()
            .storage(store::STORAGE)
            .storage(usage::STORAGE)
            .storage(save::STORAGE)
            .storage(change::STORAGE)
            .storage(view::STORAGE)
            .storage(network::put::STORAGE)
            .storage(network::delete::STORAGE)
            .storage(network::list::STORAGE)
            .storage(group::get::STORAGE)
            .storage(group::delete::STORAGE)
            .storage(group::list::STORAGE)
            .storage(snapshot::STORAGE)
            .storage(stats::STORAGE)
            .storage(walk::STORAGE)
            .storage(walk::path::STORAGE)
            .storage(walk::reached::STORAGE)
            .storage(walk::subgraph::STORAGE)
            .storage(walk::components::STORAGE);
        usage::counts().into_iter().fold(manifest, Manifest::count)
    }
}

#[cfg(test)]
mod tests {
    use loggia_plugin_sdk::describe;

    use super::GraphNetworks;

    #[test]
    fn the_manifest_has_the_form_of_the_schema() {
        let parse = |text: &str| serde_json::from_str(text).unwrap();
        let schema: serde_json::Value = parse(include_str!("../../../wit/manifest.schema.json"));
        let manifest = parse(&describe::<GraphNetworks>().unwrap());
        let checked = jsonschema::validate(&schema, &manifest);
        assert_eq!(checked.map_err(|fault| fault.to_string()), Ok(()));
    }
}
