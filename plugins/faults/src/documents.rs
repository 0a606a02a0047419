//! Plain documents, so that a test can see what is there, and hit every error of a write.

use loggia_plugin_sdk::manifest::{self, FieldType};
use loggia_plugin_sdk::{
    Collection, Delete, Document, Expiry, Failure, Problem, Request, Response, Select, Timestamp,
    Update, Written, declare, storage,
};
use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct Title<'a> {
    pub(crate) title: &'a str,
}

#[derive(Default, Serialize)]
pub(crate) struct Filter<'a> {
    title: Option<&'a str>,
    min_amount: Option<i64>,
    due_before: Option<Timestamp>,
}

#[derive(Serialize)]
pub(crate) struct Raise<'a> {
    by: Option<i64>,
    title: Option<&'a str>,
}

declare! { STORAGE:
    /// They have a field of each type, none of which a document needs to have.
    pub(crate) const DOCUMENTS: Collection = collection("document").with(fields);

    /// The same without the counts, which cost each write something.
    const UNCOUNTED: Collection = collection("uncounted").with(fields);

    /// Only its upgrade is of interest.
    const UPGRADED: Collection = collection("upgraded").with(upgraded);

    pub(crate) const LIST: Select<Filter<'_>> = select(
        "list",
        "SELECT id, _version AS version, title, amount, ratio, done, due, tags, extra, unique_key, \
         _expires_at AS expires_at FROM document",
    )
    .conditions(&["title = :title", "amount >= :min_amount", "due < :due_before"])
    .orders(&[("id", "id"), ("newest", "_updated_at DESC"), ("amount", "amount")]);

    const RAISE: Update<Raise<'_>> = update("raise", "document")
        .set(&[
            ("amount", "coalesce(amount, 0) + :by"),
            ("extra", "json_append(extra, json_object('raised', :by))"),
        ])
        .conditions(&["title = :title"])
        .order("amount")
        .skip_locked();

    const CLEAR: Delete<Title<'_>> =
        delete("clear", "document").filter("title = :title").order("amount");
}

fn fields(collection: manifest::Collection) -> manifest::Collection {
    collection
        .field("title", FieldType::Text)
        .field("amount", FieldType::Integer)
        .field("ratio", FieldType::Number)
        .field("done", FieldType::Boolean)
        .field("due", FieldType::Timestamp)
        .field("tags", FieldType::Texts)
        .field_at("extra", FieldType::Json, &["/extra", "/meta/extra"])
        .field("unique_key", FieldType::Text)
        .index("by_title", &["title", "-amount"])
        .index("by_update", &["-_updated_at"])
        .unique_index("one_unique_key", &["unique_key"])
        .expires()
}

fn upgraded(upgraded: manifest::Collection) -> manifest::Collection {
    upgraded.schema_version(2).field("title", FieldType::Text)
}

pub(crate) fn put(request: &Request) -> Result<Response, Failure> {
    put_into(&DOCUMENTS, request)
}

pub(crate) fn put_uncounted(request: &Request) -> Result<Response, Failure> {
    put_into(&UNCOUNTED, request)
}

fn put_into(documents: &Collection, request: &Request) -> Result<Response, Failure> {
    let id = request.path("id");
    let expiry = expiry(request, request.query_as("ttl_seconds")?);
    let write = documents.put_json(id, request.text()?);
    let written = write.when(request.precondition(documents, id)?).expires(expiry).run()?;
    Ok(stored(written))
}

pub(crate) fn get(request: &Request) -> Result<Response, Failure> {
    let Document { version, created_at, expires_at, body, .. } =
        DOCUMENTS.get_json(request.path("id"))?.ok_or_else(not_found)?;
    let response =
        Response::json(200, body).etag(version).header("x-created-at", &created_at.to_string());
    Ok(match expires_at {
        Some(time) => response.header("x-expires-at", &time.to_string()),
        None => response,
    })
}

pub(crate) fn patch(request: &Request) -> Result<Response, Failure> {
    let id = request.path("id");
    let write = DOCUMENTS.merge_json(id, request.text()?);
    let written = write.when(request.precondition(&DOCUMENTS, id)?).run()?;
    Ok(stored(written))
}

pub(crate) fn delete(request: &Request) -> Result<Response, Failure> {
    let id = request.path("id");
    let write = DOCUMENTS.delete(id).when(request.precondition(&DOCUMENTS, id)?);
    if write.run()? { Ok(Response::empty(204)) } else { Err(not_found().into()) }
}

pub(crate) fn list(request: &Request) -> Result<Response, Failure> {
    let filter = Filter {
        title: request.query("title"),
        min_amount: request.query_as("min_amount")?,
        due_before: request.query_as("due_before")?,
    };
    let rows = LIST.page(&filter, &request.page()?)?;
    let next = serde_json::json!(rows.next);
    let total = serde_json::json!(rows.total);
    let (items, count) = (rows.json, rows.count);
    let answer =
        format!(r#"{{"items":{items},"count":{count},"next_cursor":{next},"total":{total}}}"#);
    Ok(Response::json(200, answer))
}

pub(crate) fn sweep(_: &Request) -> Result<Response, Failure> {
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
    let raise = Raise { by: request.query_as("by")?, title: request.query("title") };
    let changed = RAISE.limit(request.query_as("limit")?.unwrap_or(0)).run(&raise)?;
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
    let title = request.query("title").unwrap_or_default();
    let limit = request.query_as("limit")?.unwrap_or(0);
    let deleted = CLEAR.limit(limit).run(&Title { title })?;
    Response::serialize(200, &serde_json::json!({"deleted": deleted}))
}
