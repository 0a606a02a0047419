//! Sessions of conversations between users and agents.
//!
//! A stored document is a record around the client's session, whose text is kept as it was sent:
//! `{"session": {…}, "agentCount": 2, "turnCount": 7}`. Declared fields point into it, so that a
//! list reads columns and never a body.
//!
//! Each operation has a file of its own, with its route and its handler; `session.rs` says what a session is, and `version.rs`
//! holds the rule of its version.

mod delete;
mod get;
mod list;
mod put;
mod session;
mod shape;
mod store;
mod version;

use loggia_plugin_sdk::manifest::Manifest;
use loggia_plugin_sdk::{Plugin, Route};

struct ChatSessions;

loggia_plugin_sdk::export!(ChatSessions);

impl Plugin for ChatSessions {
    const ROUTES: &'static [Route] = &[put::ROUTE, get::ROUTE, delete::ROUTE, list::ROUTE];

    fn manifest() -> Manifest {
        let summary = "Sessions of conversations between users and agents.";
        Manifest::new("chat-sessions", env!("CARGO_PKG_VERSION"), summary)
            .storage(store::STORAGE)
            .storage(list::STORAGE)
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
