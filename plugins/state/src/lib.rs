//! A byte store for stream processors: entries with versions, metadata and time to live, checkpoints
//! of them, and locks.
//!
//! Each route has a file of its own, with its handler. `entry.rs` says how an entry is stored, and
//! `key.rs` how any bytes become an id and keep their order; begin reading there. Those of batches,
//! checkpoints and locks stand in folders of these names.

mod batch;
mod checkpoint;
mod cleanup;
mod clear;
mod count;
mod delete;
mod entry;
mod get;
mod http_date;
mod key;
mod list;
mod lock;
mod metadata;
mod prefix;
mod put;
mod settings;
mod stats;
mod time_to_live;

use loggia_plugin_sdk::manifest::Manifest;
use loggia_plugin_sdk::{Plugin, Route};

struct State;

loggia_plugin_sdk::export!(State);

impl Plugin for State {
    const ROUTES: &'static [Route] = &[
        put::ROUTE,
        get::ROUTE,
        delete::ROUTE,
        list::ROUTE,
        list::QUERY_ROUTE,
        batch::put::ROUTE,
        batch::get::ROUTE,
        batch::delete::ROUTE,
        clear::ROUTE,
        count::ROUTE,
        cleanup::ROUTE,
        checkpoint::create::ROUTE,
        checkpoint::list::ROUTE,
        checkpoint::get::ROUTE,
        checkpoint::delete::ROUTE,
        checkpoint::restore::ROUTE,
        checkpoint::diff::ROUTE,
        lock::acquire::ROUTE,
        lock::renew::ROUTE,
        lock::release::ROUTE,
        lock::get::ROUTE,
        stats::ROUTE,
    ];

    fn manifest() -> Manifest {
        let summary = "A byte store with versions, time to live, checkpoints and locks.";
        Manifest::new("state", env!("CARGO_PKG_VERSION"), summary)
            .settings::<settings::Settings>()
            .storage(entry::STORAGE)
            .storage(list::STORAGE)
            .storage(count::STORAGE)
            .storage(clear::STORAGE)
            .storage(batch::get::STORAGE)
            .storage(checkpoint::STORAGE)
            .storage(lock::STORAGE)
            .storage(stats::STORAGE)
            .count(stats::entries())
            .header(metadata::HEADER)
    }
}

#[cfg(test)]
mod tests {
    use loggia_plugin_sdk::describe;

    use super::State;

    #[test]
    fn the_manifest_has_the_form_of_the_schema() {
        let parse = |text: &str| serde_json::from_str(text).expect("it is JSON");
        let schema: serde_json::Value = parse(include_str!("../../../wit/manifest.schema.json"));
        let manifest = parse(&describe::<State>().expect("it has no faults"));
        let checked = jsonschema::validate(&schema, &manifest);
        assert_eq!(checked.map_err(|fault| fault.to_string()), Ok(()));
    }
}
