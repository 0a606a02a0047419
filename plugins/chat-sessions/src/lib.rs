//! Sessions of conversations between users and agents, and a store of values by key.
//!
//! `record.rs` says how a session is stored, `session.rs` what one is, and `version.rs` holds the
//! rule of its version. Each operation has its route and its handler in a file of its own.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that fails there has failed"))]

mod agents;
mod batch;
mod batch_save;
mod change;
mod clear;
mod delete;
mod fork;
mod get;
mod history;
mod kv;
mod list;
mod messages;
mod patch;
mod put;
mod record;
mod session;
mod settings;
mod shape;
mod stats;
mod store;
mod transition;
mod trim;
mod upgrade;
mod version;
mod versions;
mod write;

use loggia_plugin_sdk::manifest::Manifest;
use loggia_plugin_sdk::{Plugin, Route};

struct ChatSessions;

loggia_plugin_sdk::export!(ChatSessions);

impl Plugin for ChatSessions {
    const ROUTES: &'static [Route] = &[
        put::ROUTE,
        get::ROUTE,
        patch::ROUTE,
        delete::ROUTE,
        list::ROUTE,
        batch_save::ROUTE,
        batch::GET_ROUTE,
        batch::DELETE_ROUTE,
        clear::CLEAR_ROUTE,
        clear::CLEANUP_ROUTE,
        messages::ROUTE,
        history::ROUTE,
        agents::ROUTE,
        transition::ROUTE,
        trim::ROUTE,
        fork::ROUTE,
        versions::LIST_ROUTE,
        versions::GET_ROUTE,
        kv::PUT_ROUTE,
        kv::GET_ROUTE,
        kv::DELETE_ROUTE,
        kv::LIST_ROUTE,
        stats::ROUTE,
    ];

    fn manifest() -> Manifest {
        let summary = "Sessions of conversations between users and agents.";
        let manifest = Manifest::new("chat-sessions", env!("CARGO_PKG_VERSION"), summary)
            .storage(store::STORAGE)
            .storage(list::STORAGE)
            .storage(messages::STORAGE)
            .storage(versions::STORAGE)
            .storage(clear::STORAGE)
            .storage(kv::STORAGE)
            .storage(stats::STORAGE)
            .settings::<settings::Settings>()
            .schedule(clear::schedule());
        stats::counts().into_iter().fold(manifest, Manifest::count)
    }

    fn upgrade(collection: &str, from: u32, body: &str) -> Result<String, String> {
        upgrade::upgrade(collection, from, body)
    }
}

#[cfg(test)]
mod tests {
    use loggia_plugin_sdk::describe;

    use super::ChatSessions;

    #[test]
    fn the_manifest_has_the_form_of_the_schema() {
        let parse = |text: &str| serde_json::from_str(text).expect("it is JSON");
        let schema: serde_json::Value = parse(include_str!("../../../wit/manifest.schema.json"));
        let manifest = parse(&describe::<ChatSessions>().expect("all that is declared can be"));
        let checked = jsonschema::validate(&schema, &manifest);
        assert_eq!(checked.map_err(|fault| fault.to_string()), Ok(()));
    }
}
