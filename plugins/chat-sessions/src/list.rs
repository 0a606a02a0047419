//! `GET /sessions`: a page of sessions, without their histories.

use loggia_plugin_sdk::manifest::Param;
use loggia_plugin_sdk::{Failure, Problem, Request, Response, Route, Select, Timestamp, declare};
use serde::Serialize;

use crate::session::STATES;

pub(crate) const ROUTE: Route =
    Route::get("list-sessions", "/sessions", "List sessions without their histories.", list).with(
        |operation| {
            let time = |text: &str| Param::string().describe(text);
            operation
                .param("state", Param::string().one_of(&STATES))
                .param("user_id", Param::string().describe("The member userId of the metadata."))
                .param("tag", Param::strings().describe("Sessions with all of these tags."))
                .param("agent_id", Param::string().describe("Sessions in which it takes part."))
                .param("created_after", time("createdAt is later than this time."))
                .param("created_before", time("createdAt is earlier than this time."))
                .param("updated_after", time("updatedAt is later than this time."))
                .param("updated_before", time("updatedAt is earlier than this time."))
                .param("q", Param::string().describe("Words of the title or of messages."))
                .param("offset", Param::integer().between(0, 1_000_000).default(0))
                .pages(&LIST)
        },
    );

declare! { STORAGE:
    const LIST: Select<Filter<'_>> = select(
        "list",
        "SELECT s.id AS id, s.state AS state, s.updated AS \"updatedAt\", \
         s.created AS \"createdAt\", s.agent_count AS \"agentCount\", \
         s.turn_count AS \"turnCount\", s.version AS version, s.metadata AS metadata \
         FROM session AS s",
    )
    .conditions(&[
        "s.state = :state",
        "s.user_id = :user_id",
        "array_has_all(s.tags, :tags)",
        "array_has_any(s.agents, :agents)",
        "s.created > :created_after",
        "s.created < :created_before",
        "s.updated > :updated_after",
        "s.updated < :updated_before",
        "(match(s.words, :q) OR EXISTS (SELECT 1 FROM chunk AS c \
          WHERE c.session = s.id AND match(c.words, :q)))",
    ])
    .orders(&[
        ("-updatedAt", "s.updated DESC"),
        ("updatedAt", "s.updated"),
        ("-createdAt", "s.created DESC"),
    ]);
}

#[derive(Serialize)]
struct Filter<'a> {
    state: Option<&'a str>,
    user_id: Option<&'a str>,
    tags: Option<Vec<&'a str>>,
    agents: Option<Vec<&'a str>>,
    created_after: Option<Timestamp>,
    created_before: Option<Timestamp>,
    updated_after: Option<Timestamp>,
    updated_before: Option<Timestamp>,
    q: Option<&'a str>,
}

fn list(request: &Request) -> Result<Response, Failure> {
    let tags: Vec<&str> = request.query_all("tag").collect();
    let filter = Filter {
        state: request.query("state"),
        user_id: request.query("user_id"),
        tags: (!tags.is_empty()).then_some(tags),
        agents: request.query("agent_id").map(|agent| vec![agent]),
        created_after: time(request, "created_after")?,
        created_before: time(request, "created_before")?,
        updated_after: time(request, "updated_after")?,
        updated_before: time(request, "updated_before")?,
        q: request.query("q"),
    };
    Ok(LIST.page(&filter, &request.page()?)?.answer())
}

fn time(request: &Request, name: &str) -> Result<Option<Timestamp>, Problem> {
    let time = request.query(name).map(str::parse).transpose();
    time.map_err(|fault: loggia_plugin_sdk::InvalidTimestamp| {
        let detail = format!("the parameter {name}: {fault}");
        Problem::new(400, "invalid-parameter", detail).with("parameter", name)
    })
}
