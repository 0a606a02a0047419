//! `POST /checkpoints/{id}:restore`: make the entries what they were, all or none of them.

use loggia_plugin_sdk::{Failure, Request, Response, Route, checkpoint};

use super::{found, id};

pub(crate) const ROUTE: Route = Route::post(
    "restore-checkpoint",
    "/checkpoints/{id}:restore",
    "Make the entries what they were.",
    restore,
)
.with(|operation| operation.param("id", id()).request_ms(30_000));

fn restore(request: &Request) -> Result<Response, Failure> {
    let changed = found(checkpoint::restore(request.path("id")))?;
    Ok(Response::json(200, format!(r#"{{"changed":{changed}}}"#)))
}
