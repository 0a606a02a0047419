//! `GET /checkpoints`: a page of checkpoints, the newest first.

use loggia_plugin_sdk::{Failure, Request, Response, Route};

use super::ALL;

pub(crate) const ROUTE: Route =
    Route::get("list-checkpoints", "/checkpoints", "List checkpoints, the newest first.", list)
        .with(|operation| operation.pages(&ALL));

fn list(request: &Request) -> Result<Response, Failure> {
    Ok(ALL.page(&(), &request.page()?)?.answer())
}
