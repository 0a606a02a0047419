//! `GET /workers` and `GET /workers/{id}`: workers, and the jobs that they hold.

use loggia_plugin_sdk::manifest::Param;
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Failure, Request, Response, Route, Select, declare};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{WORKERS, Worker, held_by, id, read};

/// What is the plugin's own.
const HIDDEN: [&str; 4] = ["offline", "due_at", "free_mb", "total_mb"];

pub(crate) const ROUTE: Route = Route::get("get-worker", "/workers/{id}", "Read a worker.", get)
    .with(|operation| operation.param("id", id()));

pub(crate) const LIST_ROUTE: Route = Route::get("list-workers", "/workers", "List workers.", list)
    .with(|operation| {
        operation.param("offline", Param::boolean().describe("Only those.")).pages(&LIST)
    });

declare! { STORAGE:
    const LIST: Select<Filter, Row> = select(
        "list-workers",
        "SELECT w.id AS id, w.name AS name, (SELECT count(*) FROM job AS j \
         WHERE j.worker_id = w.id AND j.status IN ('assigned', 'running')) AS held \
         FROM worker AS w",
    )
    .conditions(&["w.offline = :offline"])
    .orders(&[("name", "w.name")]);
}

#[derive(Serialize)]
struct Filter {
    offline: Option<bool>,
}

#[derive(Deserialize)]
struct Row {
    id: String,
    held: usize,
}

fn get(request: &Request) -> Result<Response, Failure> {
    let id = request.path("id");
    let worker = read(id)?.body;
    let jobs = held_by(id)?;
    let mut answer = shown(id, &worker, jobs.len())?;
    answer["jobs"] = jobs.into_iter().map(|job| job.id).collect();
    Response::serialize(200, &answer)
}

fn list(request: &Request) -> Result<Response, Failure> {
    let filter = Filter { offline: request.query_as("offline")? };
    let page = LIST.page(&filter, &request.page()?)?;
    let rows = page.decode()?;
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    // All is one snapshot, so each of them is there.
    let workers = WORKERS.get_many(&ids)?.into_iter().flatten();
    let items: Result<Vec<Value>, Failure> =
        workers.zip(&rows).map(|(worker, row)| shown(&worker.id, &worker.body, row.held)).collect();
    let mut answer = json!({"items": items?, "next_cursor": page.next});
    if let Some(total) = page.total {
        answer["total"] = total.into();
    }
    Response::serialize(200, &answer)
}

/// A worker as clients see it.
pub(super) fn shown(id: &str, worker: &Worker, held: usize) -> Result<Value, Failure> {
    let value = serde_json::to_value(worker);
    let value = value.map_err(|fault| Error::Other(format!("a worker: {fault}")))?;
    let mut shown = Map::new();
    shown.insert("id".to_owned(), id.into());
    if let Value::Object(members) = value {
        let told = |(name, _): &(String, Value)| !HIDDEN.contains(&name.as_str());
        shown.extend(members.into_iter().filter(told));
    }
    let mut value = Value::Object(shown);
    value["current_jobs"] = held.into();
    value["status"] = match (worker.offline, held) {
        (true, _) => "offline".into(),
        (false, 0) => "available".into(),
        (false, _) => "busy".into(),
    };
    Ok(value)
}
