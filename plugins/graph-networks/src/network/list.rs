//! `GET /networks`: a page of networks without their groups, the newest change of anything in them
//! first.

use loggia_plugin_sdk::{Failure, Request, Response, Route, Select, declare};

pub(crate) const ROUTE: Route =
    Route::get("list-networks", "/networks", "List networks, the newest change first.", list)
        .with(|operation| operation.pages(&LIST));

declare! { STORAGE:
    const LIST: Select = select(
        "networks",
        "SELECT json_extract(n._body, '/network') AS network, \
         (SELECT CASE WHEN max(g._updated_at) > n._updated_at THEN max(g._updated_at) \
          ELSE n._updated_at END FROM \"group\" AS g WHERE g.network = n.id) AS \"updatedAt\" \
         FROM network AS n",
    )
    .orders(&[("-updatedAt", "\"updatedAt\" DESC")]);
}

fn list(request: &Request) -> Result<Response, Failure> {
    Ok(LIST.page(&(), &request.page()?)?.answer())
}
