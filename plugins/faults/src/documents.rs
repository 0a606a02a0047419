//! Plain documents, so that a test can see what is there, and hit every error of a write.

use loggia_plugin_sdk::{
    Collection, Document, Expiry, Failure, Page, Problem, Request, Response, Timestamp, Written,
    delete_where, select, storage, update_where,
};

pub(crate) const DOCUMENTS: Collection = Collection::new("document");

pub(crate) fn put(request: &Request) -> Result<Response, Failure> {
    let id = request.path_param(0);
    let expiry = expiry(request, request.query_as("ttl_seconds")?);
    let write = DOCUMENTS.put_json(id, request.text()?);
    let written = write.when(request.precondition(&DOCUMENTS, id)?).expires(expiry).run()?;
    Ok(stored(written))
}

pub(crate) fn get(request: &Request) -> Result<Response, Failure> {
    let Document { version, created_at, expires_at, body, .. } =
        DOCUMENTS.get_json(request.path_param(0))?.ok_or_else(not_found)?;
    let response =
        Response::json(200, body).etag(version).header("x-created-at", &created_at.to_string());
    Ok(match expires_at {
        Some(time) => response.header("x-expires-at", &time.to_string()),
        None => response,
    })
}

pub(crate) fn patch(request: &Request) -> Result<Response, Failure> {
    let id = request.path_param(0);
    let write = DOCUMENTS.merge_json(id, request.text()?);
    let written = write.when(request.precondition(&DOCUMENTS, id)?).run()?;
    Ok(stored(written))
}

pub(crate) fn delete(request: &Request) -> Result<Response, Failure> {
    let id = request.path_param(0);
    let write = DOCUMENTS.delete(id).when(request.precondition(&DOCUMENTS, id)?);
    if write.run()? { Ok(Response::empty(204)) } else { Err(not_found().into()) }
}

pub(crate) fn list(request: &Request) -> Result<Response, Failure> {
    let rows = select("list")
        .optional_arg("title", request.query("title"))
        .optional_arg("min_amount", request.query_as::<i64>("min_amount")?)
        .optional_arg("due_before", request.query_as::<Timestamp>("due_before")?)
        .page(Page {
            limit: request.query_as("limit")?.unwrap_or(50),
            offset: request.query_as("offset")?.unwrap_or(0),
            order: request.query("order").map(str::to_owned),
            after: request.query("cursor").map(str::to_owned),
            total: request.query_as("total")?.unwrap_or(false),
        })
        .run()?;
    let next = serde_json::json!(rows.next);
    let total = serde_json::json!(rows.total);
    let (items, count) = (rows.json, rows.count);
    let answer =
        format!(r#"{{"items":{items},"count":{count},"next_cursor":{next},"total":{total}}}"#);
    Ok(Response::json(200, answer))
}

pub(crate) fn sweep() -> Result<Response, Failure> {
    let deleted = storage::sweep(&["document"])?;
    Ok(Response::json(200, format!(r#"{{"deleted":{deleted}}}"#)))
}

/// Store a document that must not be there after the request has failed.
pub(crate) fn leave_a_trace(request: &Request) -> Result<(), Failure> {
    DOCUMENTS.put_json(request.operation(), r#"{"title":"trace"}"#).run()?;
    Ok(())
}

/// What a number of seconds means; none is no time to live.
pub(crate) fn expiry(request: &Request, ttl_seconds: Option<i64>) -> Expiry {
    match ttl_seconds {
        Some(seconds) => Expiry::at(request.now().plus_seconds(seconds)),
        None => Expiry::Default,
    }
}

fn stored(written: Written) -> Response {
    let status = if written.created { 201 } else { 200 };
    let version = written.version;
    Response::json(status, format!(r#"{{"version":{version}}}"#)).etag(version)
}

fn not_found() -> Problem {
    Problem::not_found("there is no such document")
}

/// Add to the amounts of documents, and tell which were changed.
pub(crate) fn raise(request: &Request) -> Result<Response, Failure> {
    let changed = update_where("raise")
        .optional_arg("by", request.query_as::<i64>("by")?)
        .optional_arg("title", request.query("title"))
        .limit(request.query_as("limit")?.unwrap_or(0))
        .run::<serde_json::Value>()?;
    let item = |document: Document<serde_json::Value>| {
        serde_json::json!({
            "id": document.id, "version": document.version, "body": document.body,
        })
    };
    let items: Vec<_> = changed.into_iter().map(item).collect();
    Response::serialize(200, &serde_json::json!({"items": items}))
}

/// Delete the documents of a title, and count them.
pub(crate) fn clear(request: &Request) -> Result<Response, Failure> {
    let deleted = delete_where("clear")
        .optional_arg("title", request.query("title"))
        .limit(request.query_as("limit")?.unwrap_or(0))
        .run()?;
    Response::serialize(200, &serde_json::json!({"deleted": deleted}))
}
