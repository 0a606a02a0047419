//! A plugin that misbehaves on request, for the tests of the gateway and its benchmarks.
//!
//! Nobody serves it. What goes wrong has a route of its own, and `/documents` shows what is left
//! behind. Operations that write and then fail write the document that has their name.

mod apply;
mod attack;
mod breach;
mod checkpoints;
mod documents;
mod echo;
mod manifest;
mod output;
mod probe;
mod schedule;
mod together;
mod wait;

use loggia_plugin_sdk::manifest::Manifest;
use loggia_plugin_sdk::{Plugin, Route};

struct Faults;

loggia_plugin_sdk::export!(Faults);

impl Plugin for Faults {
    const ROUTES: &'static [Route] = manifest::ROUTES;

    fn manifest() -> Manifest {
        manifest::manifest()
    }

    /// What had a `name` has a `title` now.
    fn upgrade(_collection: &str, _from: u32, body: &str) -> Result<String, String> {
        if !body.contains("\"name\"") {
            return Err("it has no name".to_owned());
        }
        Ok(body.replace("\"name\"", "\"title\""))
    }
}
