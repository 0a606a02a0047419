//! `POST /entries:clear`: delete all entries, or those whose keys begin alike, as one step.

use loggia_plugin_sdk::manifest::Mode;
use loggia_plugin_sdk::{Delete, Failure, Request, Response, Route, declare};

use crate::key;
use crate::prefix::Prefix;

pub(crate) const ROUTE: Route = Route::post(
    "clear-entries",
    "/entries:clear",
    "Delete entries by the beginning of their keys.",
    clear,
)
.with(|operation| {
    operation
        // One call needs no transaction around it.
        .mode(Mode::Autocommit)
        .param("prefix", key::param("How keys begin; without it, all are deleted."))
});

declare! { STORAGE:
    const CLEAR: Delete<Prefix> =
        delete("clear", "entry").conditions(&["hex >= :from", "hex < :to"]);
}

fn clear(request: &Request) -> Result<Response, Failure> {
    let deleted = CLEAR.run(&Prefix::parse(request.query("prefix"))?)?;
    Ok(Response::json(200, format!(r#"{{"deleted":{deleted}}}"#)))
}
