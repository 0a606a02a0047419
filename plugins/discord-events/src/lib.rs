//! What a Discord bot sees: it is stored as events, and asked who behaves how.
//!
//! `event.rs` says what an event is and how it is stored; begin reading there. Each route has a file of
//! its own with its handler, and each analytic one in the folder `analytics`.

#![cfg_attr(test, expect(clippy::unwrap_used, reason = "a test that fails there has failed"))]

mod activity;
mod analytics;
mod dispatch;
mod erase;
mod event;
mod ingest;
mod list;
mod member;
mod name;
mod period;
mod retention;
mod score;
mod search;
mod settings;
mod stats;
mod timeline;

use loggia_plugin_sdk::manifest::Manifest;
use loggia_plugin_sdk::{Plugin, Route};

struct DiscordEvents;

loggia_plugin_sdk::export!(DiscordEvents);

impl Plugin for DiscordEvents {
    const ROUTES: &'static [Route] = &[
        ingest::ROUTE,
        dispatch::ROUTE,
        list::ROUTE,
        search::ROUTE,
        analytics::ROUTE,
        score::ROUTE,
        timeline::ROUTE,
        activity::ROUTE,
        erase::USER_ROUTE,
        erase::GUILD_ROUTE,
        retention::ROUTE,
        stats::ROUTE,
    ];

    fn manifest() -> Manifest {
        let summary = "Events that a Discord bot sees, and who behaves how.";
        let manifest = Manifest::new("discord-events", env!("CARGO_PKG_VERSION"), summary)
            .storage(event::STORAGE)
            .storage(member::STORAGE)
            .storage(name::STORAGE)
            .storage(dispatch::STORAGE)
            .storage(list::STORAGE)
            .storage(search::STORAGE)
            .storage(score::STORAGE)
            .storage(timeline::STORAGE)
            .storage(activity::STORAGE)
            .storage(erase::STORAGE)
            .storage(retention::STORAGE)
            .storage(stats::STORAGE)
            .settings::<settings::Settings>()
            .count(stats::events())
            .schedule(retention::schedule());
        analytics::STORAGES.iter().fold(manifest, |manifest, storage| manifest.storage(storage))
    }
}

#[cfg(test)]
mod tests {
    use loggia_plugin_sdk::describe;

    use super::DiscordEvents;

    #[test]
    fn the_manifest_has_the_form_of_the_schema() {
        let parse = |text: &str| serde_json::from_str(text).unwrap();
        let schema: serde_json::Value = parse(include_str!("../../../wit/manifest.schema.json"));
        let manifest = parse(&describe::<DiscordEvents>().unwrap());
        let checked = jsonschema::validate(&schema, &manifest);
        assert_eq!(checked.map_err(|fault| fault.to_string()), Ok(()));
    }
}
