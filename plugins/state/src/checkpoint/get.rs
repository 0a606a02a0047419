//! `GET /checkpoints/{id}`.

use loggia_plugin_sdk::{Failure, Request, Response, Route};

use super::{find, id};

pub(crate) const ROUTE: Route =
    Route::get("get-checkpoint", "/checkpoints/{id}", "What is known of a checkpoint.", get)
        .with(|operation| operation.param("id", id()));

fn get(request: &Request) -> Result<Response, Failure> {
    let shown = find(request.path("id"))?;
    Ok(Response::json(200, shown.json).etag(shown.version))
}
