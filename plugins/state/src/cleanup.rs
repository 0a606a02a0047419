//! `POST /entries:cleanup`: delete what has expired. The gateway does so by itself as well, and its
//! call says how many were cleaned up since the last one, whoever did it.

use loggia_plugin_sdk::manifest::Mode;
use loggia_plugin_sdk::{Failure, Request, Response, Route, sweep};

use crate::entry::ENTRIES;

pub(crate) const ROUTE: Route =
    Route::post("cleanup", "/entries:cleanup", "Delete expired entries and say how many.", cleanup)
        // One call needs no transaction around it.
        .with(|operation| operation.mode(Mode::Autocommit));

fn cleanup(_: &Request) -> Result<Response, Failure> {
    let deleted = sweep(&[ENTRIES.name()])?;
    Ok(Response::json(200, format!(r#"{{"deleted":{deleted}}}"#)))
}
