//! Where the gateway enters a plugin.

use crate::bindings::exports::loggia::plugin::handler;
use crate::manifest::Manifest;
use crate::problem::Failure;
use crate::request::Request;
use crate::response::Response;

/// What a plugin provides. [`export!`](crate::export) hands it to the gateway.
pub trait Plugin {
    /// What the plugin declares. It is asked for when the plugin is built and when it is loaded;
    /// no storage call and no log line can be made then.
    fn manifest() -> Manifest;

    /// Answer one request. `Ok` commits what was written, whatever the status; `Err` undoes it.
    ///
    /// It may run several times for one request: all that it does must go through the storage
    /// calls.
    ///
    /// # Errors
    /// A problem for the client, or the wish to be run again: after a lost race, or when
    /// something has changed.
    fn handle(request: Request) -> Result<Response, Failure>;

    /// Bring a body that was written under an older
    /// [`schema_version`](crate::manifest::Collection::schema_version) of a collection up to the
    /// current one. It is called for each stored document before the plugin gets requests, and
    /// by `loggia plugin plan`; no storage call and no log line can be made then.
    ///
    /// # Errors
    /// Why the body cannot be upgraded. The plugin is not served then, and no document is changed.
    fn upgrade(collection: &str, from: u32, body: &str) -> Result<String, String> {
        let _ = body;
        Err(format!("the plugin does not upgrade {collection} from the schema version {from}"))
    }
}

impl<P: Plugin> handler::Guest for P {
    fn describe() -> String {
        P::manifest().to_json()
    }

    fn handle(request: handler::Request) -> Result<handler::Response, handler::Failure> {
        P::handle(Request::from(request)).map(Into::into).map_err(Into::into)
    }

    fn upgrade(collection: String, from: u32, bodies: Vec<String>) -> Vec<Result<String, String>> {
        bodies.iter().map(|body| P::upgrade(&collection, from, body)).collect()
    }
}

/// Make a type that is a [`Plugin`] the one of this component. The crate's root is the place for
/// it:
///
/// ```
/// # use loggia_plugin_sdk::{Failure, Plugin, Request, Response, manifest::Manifest};
/// struct Notes;
///
/// loggia_plugin_sdk::export!(Notes);
///
/// impl Plugin for Notes {
///     // …
/// #   fn manifest() -> Manifest { Manifest::new("notes", "0.1.0", "Notes.") }
/// #   fn handle(_: Request) -> Result<Response, Failure> { Ok(Response::empty(204)) }
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! export {
    ($plugin:ident) => {
        #[cfg(target_family = "wasm")]
        $crate::bindings::export_plugin!($plugin with_types_in $crate::bindings);

        // The names of a component's exports are none that another linker takes.
        #[cfg(not(target_family = "wasm"))]
        const _: () = {
            const fn is_a_plugin<P: $crate::Plugin>() {}
            is_a_plugin::<$plugin>();
        };
    };
}
