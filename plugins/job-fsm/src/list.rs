//! `GET /jobs`: a page of jobs.

use loggia_plugin_sdk::manifest::Param;
use loggia_plugin_sdk::{Failure, Problem, Request, Response, Route, Select, Timestamp, declare};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::job::JOBS;
use crate::state::State;

pub(crate) const ROUTE: Route =
    Route::get("list-jobs", "/jobs", "List jobs.", list).with(|operation| {
        let status = Param::strings()
            .keyword("items", json!({"type": "string", "enum": State::NAMES}))
            .describe("Any of these.");
        let time = |text: &str| Param::string().describe(text);
        operation
            .param("sequence_number", Param::integer().between(1, i64::MAX))
            .param("status", status)
            .param("queue", Param::string())
            .param("worker_id", Param::string().describe("The worker that has it, or had it last."))
            .param("user_id", Param::string())
            .param("created_after", time("created_at is later than this time."))
            .param("created_before", time("created_at is earlier than this time."))
            .pages(&LIST)
    });

declare! { STORAGE:
    const LIST: Select<Filter<'_>, Row> = select("list", "SELECT id FROM job")
        .conditions(&[
            "sequence_number = :sequence_number",
            "status = :status",
            "status = ANY(:statuses)",
            "queue = :queue",
            "worker_id = :worker_id",
            "user_id = :user_id",
            "created_at > :created_after",
            "created_at < :created_before",
        ])
        .orders(&[
            ("created_at", "created_at, sequence_number"),
            ("-created_at", "created_at DESC, sequence_number DESC"),
        ]);
}

#[derive(Serialize)]
struct Filter<'a> {
    sequence_number: Option<i64>,
    /// One alone, whose jobs an index has in order.
    status: Option<&'a str>,
    statuses: Option<&'a [&'a str]>,
    queue: Option<&'a str>,
    worker_id: Option<&'a str>,
    user_id: Option<&'a str>,
    created_after: Option<Timestamp>,
    created_before: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Row {
    id: String,
}

fn list(request: &Request) -> Result<Response, Failure> {
    let statuses: Vec<&str> =
        request.query_all("status").filter_map(State::parse).map(State::name).collect();
    let filter = Filter {
        sequence_number: request.query_as("sequence_number")?,
        status: if let [status] = statuses[..] { Some(status) } else { None },
        statuses: (statuses.len() > 1).then_some(&statuses),
        queue: request.query("queue"),
        worker_id: request.query("worker_id"),
        user_id: request.query("user_id"),
        created_after: time(request, "created_after")?,
        created_before: time(request, "created_before")?,
    };
    let page = LIST.page(&filter, &request.page()?)?;
    let ids: Vec<String> = page.decode()?.into_iter().map(|row| row.id).collect();
    // All is one snapshot, so each of them is there.
    let jobs = JOBS.get_many(&ids)?.into_iter().flatten();
    let items: Result<Vec<Value>, Failure> = jobs.map(|job| job.body.shown(&job.id)).collect();
    let mut answer = json!({"items": items?, "next_cursor": page.next});
    if let Some(total) = page.total {
        answer["total"] = total.into();
    }
    Response::serialize(200, &answer)
}

fn time(request: &Request, name: &str) -> Result<Option<Timestamp>, Problem> {
    let time = request.query(name).map(str::parse).transpose();
    time.map_err(|fault: loggia_plugin_sdk::InvalidTimestamp| {
        let detail = format!("the parameter {name}: {fault}");
        Problem::new(400, "invalid-parameter", detail).with("parameter", name)
    })
}
