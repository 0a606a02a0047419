//! Where the gateway enters a plugin.

use crate::bindings::exports::loggia::plugin::handler;
use crate::log;
use crate::manifest::Manifest;
use crate::request::Request;
use crate::route::{self, Route};

/// What a plugin provides. [`export!`](crate::export) hands it to the gateway.
pub trait Plugin {
    /// The requests that it answers, each with its handler.
    const ROUTES: &'static [Route];

    /// What else the plugin declares. It is asked for when the plugin is built and when it is
    /// loaded; no storage call and no log line can be made then.
    fn manifest() -> Manifest;

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

/// The manifest of a plugin with its routes, as the gateway reads it: for a test.
///
/// ```
/// # use loggia_plugin_sdk::{Failure, Plugin, Response, Route, manifest::Manifest};
/// # struct Notes;
/// # impl Plugin for Notes {
/// #     const ROUTES: &'static [Route] =
/// #         &[Route::get("nothing", "/nothing", "Do nothing.", |_| Ok(Response::empty(204)))];
/// #     fn manifest() -> Manifest { Manifest::new("notes", "0.1.0", "Notes.") }
/// # }
/// let manifest = loggia_plugin_sdk::describe::<Notes>()?;
/// assert!(manifest.starts_with(r#"{"name":"notes""#));
/// # Ok::<(), Vec<String>>(())
/// ```
///
/// # Errors
/// What is declared and cannot be: all faults at once. The gateway finds more, when the plugin is
/// built and when it is loaded.
pub fn describe<P: Plugin>() -> Result<String, Vec<String>> {
    let operations = P::ROUTES.iter().map(Route::operation);
    operations.fold(P::manifest(), Manifest::operation).into_json()
}

impl<P: Plugin> handler::Guest for P {
    fn describe() -> String {
        describe::<P>().unwrap_or_else(|faults| serde_json::json!({"faults": faults}).to_string())
    }

    fn handle(request: handler::Request) -> Result<handler::Response, handler::Failure> {
        log::on_panic();
        let operation = request.operation.clone();
        let request = |path| Request::new(request, path);
        route::dispatch(P::ROUTES, request, &operation).map(Into::into).map_err(Into::into)
    }

    fn upgrade(collection: String, from: u32, bodies: Vec<String>) -> Vec<Result<String, String>> {
        bodies.iter().map(|body| P::upgrade(&collection, from, body)).collect()
    }
}

/// Make a type that is a [`Plugin`] the one of this component. The crate's root is the place for
/// it:
///
/// ```
/// # use loggia_plugin_sdk::{Plugin, Response, Route, manifest::Manifest};
/// struct Notes;
///
/// loggia_plugin_sdk::export!(Notes);
///
/// impl Plugin for Notes {
///     // …
/// #   const ROUTES: &'static [Route] =
/// #       &[Route::get("nothing", "/nothing", "Do nothing.", |_| Ok(Response::empty(204)))];
/// #   fn manifest() -> Manifest { Manifest::new("notes", "0.1.0", "Notes.") }
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
