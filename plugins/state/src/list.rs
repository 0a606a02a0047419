//! `GET /entries` and `GET /entries:query`: a page of entries without their values, in the order of
//! the keys' bytes.

use loggia_plugin_sdk::manifest::Param;
use loggia_plugin_sdk::storage::Json;
use loggia_plugin_sdk::{Failure, Problem, Request, Response, Route, Select, declare};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::key;
use crate::prefix::Prefix;

pub(crate) const ROUTE: Route = Route::get("list-entries", "/entries", "List entries.", list)
    .with(|operation| operation.param("prefix", key::param("How keys begin.")).pages(&LIST));

pub(crate) const QUERY_ROUTE: Route =
    Route::get("query-entries", "/entries:query", "Find entries by their metadata.", query).with(
        |operation| {
            let metadata = Param::string().describe("A JSON object that the metadata contains.");
            operation.required_param("metadata", metadata).pages(&QUERY)
        },
    );

/// An entry as clients see it.
macro_rules! columns {
    () => {
        "SELECT key, _version AS version, size, _expires_at AS expires_at, metadata FROM entry"
    };
}

declare! { STORAGE:
    const LIST: Select<Prefix> = select("list", columns!())
        .conditions(&["hex >= :from", "hex < :to"])
        .orders(&[("key", "hex")]);

    const QUERY: Select<Query<'_>> =
        select("query", concat!(columns!(), " WHERE json_contains(metadata, :metadata)"))
            .orders(&[("key", "hex")]);
}

#[derive(Serialize)]
struct Query<'a> {
    metadata: Json<&'a RawValue>,
}

fn list(request: &Request) -> Result<Response, Failure> {
    let prefix = Prefix::parse(request.query("prefix"))?;
    Ok(LIST.page(&prefix, &request.page()?)?.answer())
}

fn query(request: &Request) -> Result<Response, Failure> {
    let text = request.query("metadata").unwrap_or_default();
    let metadata: Option<&RawValue> = serde_json::from_str(text).ok();
    let metadata =
        metadata.filter(|metadata| metadata.get().starts_with('{')).ok_or_else(|| {
            Problem::new(400, "invalid-parameter", "the parameter metadata must be a JSON object")
                .with("parameter", "metadata")
        })?;
    Ok(QUERY.page(&Query { metadata: Json(metadata) }, &request.page()?)?.answer())
}
