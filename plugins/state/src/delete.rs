//! `DELETE /entries/{key}`: see to it that there is no such entry.

use loggia_plugin_sdk::manifest::{Mode, Param};
use loggia_plugin_sdk::{Failure, Request, Response, Route};

use crate::entry::ENTRIES;
use crate::key::{self, Key};

pub(crate) const ROUTE: Route = Route::delete(
    "delete-entry",
    "/entries/{key}",
    "Delete an entry; it need not be there.",
    delete,
)
.with(|operation| {
    operation
        // One call needs no transaction around it.
        .mode(Mode::Autocommit)
        .param("key", key::in_path())
        .param("report", Param::boolean().default(false).describe("Tell if it was there."))
});

fn delete(request: &Request) -> Result<Response, Failure> {
    let id = Key::parse(request.path("key"))?.id();
    let deleted = ENTRIES.delete(&id).when(request.precondition(&ENTRIES, &id)?).run()?;
    if request.query_as("report")?.unwrap_or(false) {
        return Ok(Response::json(200, format!(r#"{{"deleted":{deleted}}}"#)));
    }
    Ok(Response::empty(204))
}
