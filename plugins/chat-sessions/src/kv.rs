//! `/kv/{key}`: any JSON under a key, with a time to live.

use loggia_plugin_sdk::manifest::{Mode, Param};
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{
    Collection, Expiry, Failure, Problem, Request, Response, Route, Select, declare,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub(crate) const PUT_ROUTE: Route =
    Route::put("put-value", "/kv/{key}", "Store a value under a key.", put).with(|operation| {
        let ttl = Param::integer().between(1, MAX_TTL_SECONDS);
        operation
            // One call needs no transaction around it.
            .mode(Mode::Autocommit)
            .param("ttl_seconds", ttl.describe("Without it the value does not expire."))
            .json_body()
    });

pub(crate) const GET_ROUTE: Route = Route::get("get-value", "/kv/{key}", "Read a value.", get)
    .with(|operation| operation.mode(Mode::Autocommit));

pub(crate) const DELETE_ROUTE: Route =
    Route::delete("delete-value", "/kv/{key}", "Delete a value.", delete)
        .with(|operation| operation.mode(Mode::Autocommit));

pub(crate) const LIST_ROUTE: Route =
    Route::get("list-keys", "/kv", "List keys in the order of their bytes.", list).with(
        |operation| {
            let prefix = Param::string().describe("Only keys that begin with it.");
            operation.param("prefix", prefix).pages(&LIST)
        },
    );

/// A hundred years.
const MAX_TTL_SECONDS: i64 = 3_155_760_000;

declare! { STORAGE:
    const VALUES: Collection = collection("kv").with(|value| value.expires());

    const LIST: Select<Prefix<'_>> = select(
        "keys",
        "SELECT id AS key, _updated_at AS updated_at, _expires_at AS expires_at FROM kv",
    )
    .conditions(&["starts_with(id, :prefix)"])
    .orders(&[("key", "id")]);
}

#[derive(Serialize)]
struct Prefix<'a> {
    prefix: Option<&'a str>,
}

fn put(request: &Request) -> Result<Response, Failure> {
    let key = request.path("key");
    let ttl: Option<i64> = request.query_as("ttl_seconds")?;
    let expiry = ttl.map_or(Expiry::Never, |ttl| Expiry::at(request.now().plus_seconds(ttl)));
    let body = format!(r#"{{"value":{}}}"#, request.text()?);
    let write = VALUES.put_json(key, body).when(request.precondition(&VALUES, key)?);
    let written = write.expires(expiry).run()?;
    Ok(Response::empty(written.status()).etag(written.version))
}

fn get(request: &Request) -> Result<Response, Failure> {
    #[derive(Deserialize)]
    struct Stored<'a> {
        #[serde(borrow)]
        value: &'a RawValue,
    }
    let document = VALUES.get_json(request.path("key"))?.ok_or_else(not_found)?;
    let stored: Stored<'_> = serde_json::from_str(&document.body)
        .map_err(|fault| Error::Other(format!("a stored value: {fault}")))?;
    Ok(Response::json(200, stored.value.get()).etag(document.version))
}

fn delete(request: &Request) -> Result<Response, Failure> {
    let key = request.path("key");
    let write = VALUES.delete(key).when(request.precondition(&VALUES, key)?);
    if write.run()? { Ok(Response::empty(204)) } else { Err(not_found().into()) }
}

fn list(request: &Request) -> Result<Response, Failure> {
    let prefix = request.query("prefix").filter(|prefix| !prefix.is_empty());
    Ok(LIST.page(&Prefix { prefix }, &request.page()?)?.answer())
}

fn not_found() -> Problem {
    Problem::not_found("there is no value under this key")
}
