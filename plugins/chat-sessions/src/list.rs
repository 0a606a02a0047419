//! `GET /sessions`: a page of sessions, without their histories.

use loggia_plugin_sdk::manifest::Param;
use loggia_plugin_sdk::{Failure, Request, Response, Route, Select, declare};
use serde::Serialize;

use crate::session::STATES;

pub(crate) const ROUTE: Route =
    Route::get("list-sessions", "/sessions", "List sessions without their histories.", list).with(
        |operation| {
            operation
                .param("state", Param::string().one_of(&STATES))
                .param("user_id", Param::string().describe("The member userId of the metadata."))
                .pages(&LIST)
        },
    );

declare! { STORAGE:
    const LIST: Select<Filter<'_>> = select(
        "list",
        "SELECT id, state, updated AS \"updatedAt\", created AS \"createdAt\", \
         agent_count AS \"agentCount\", turn_count AS \"turnCount\", version, metadata \
         FROM session",
    )
    .conditions(&["state = :state", "user_id = :user_id"])
    .orders(&[
        ("-updatedAt", "updated DESC"),
        ("updatedAt", "updated"),
        ("-createdAt", "created DESC"),
    ]);
}

#[derive(Serialize)]
struct Filter<'a> {
    state: Option<&'a str>,
    user_id: Option<&'a str>,
}

fn list(request: &Request) -> Result<Response, Failure> {
    let filter = Filter { state: request.query("state"), user_id: request.query("user_id") };
    Ok(LIST.page(&filter, &request.page()?)?.answer())
}
