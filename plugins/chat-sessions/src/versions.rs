//! `GET /sessions/{id}/versions` and `/versions/{version}`: a session as it was left by a PUT, a
//! PATCH, a transition, a trim or a change of an agent, where the operator lets them be kept.

use loggia_plugin_sdk::manifest::{self, FieldType, OnDelete, Param};
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{
    Collection, Failure, Page, Problem, Request, Response, Route, Select, Write, declare, digest_id,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::record::{Chunk, Record, corrupt, inside};
use crate::session::Made;
use crate::settings::Settings;
use crate::store::{find, id, not_found};

pub(crate) const LIST_ROUTE: Route = Route::get(
    "list-versions",
    "/sessions/{id}/versions",
    "List the earlier versions of a session.",
    list,
)
.with(|operation| operation.param("id", id()).pages(&LIST));

pub(crate) const GET_ROUTE: Route = Route::get(
    "get-version",
    "/sessions/{id}/versions/{version}",
    "Read an earlier version of a session.",
    get,
)
.with(|operation| {
    operation.param("id", id()).param("version", Param::integer().between(1, i64::MAX))
});

declare! { STORAGE:
    const VERSIONS: Collection = collection("version").with(version);

    const LIST: Select<Earlier<'_>> = select(
        "versions",
        "SELECT version, updated AS \"updatedAt\" FROM version \
         WHERE session = :session AND version <> :current",
    )
    .orders(&[("-version", "version DESC"), ("version", "version")]);

    const KEPT: Select<Kept<'_>, Id> =
        select("kept-versions", "SELECT id FROM version WHERE session = :session")
            .orders(&[("newest", "version DESC")]);
}

fn version(version: manifest::Collection) -> manifest::Collection {
    version
        .field("session", FieldType::Text)
        .field("version", FieldType::Integer)
        .field_at("updated", FieldType::Timestamp, &["/text/updatedAt"])
        .index("by_session", &["session", "-version"])
        .reference("session", "session", "session", OnDelete::Cascade)
}

#[derive(Serialize)]
struct Earlier<'a> {
    session: &'a str,
    current: u64,
}

#[derive(Serialize)]
struct Kept<'a> {
    session: &'a str,
}

#[derive(Deserialize)]
struct Id {
    id: String,
}

/// A document of the collection `version`.
#[derive(Deserialize, Serialize)]
struct Version<'a> {
    session: &'a str,
    version: u64,
    #[serde(borrow)]
    text: &'a RawValue,
}

fn version_id(session: &str, version: u64) -> String {
    format!("{}.{version}", digest_id([session]))
}

/// The writes that keep what a session is made of now, and let go of what is too old.
pub(crate) fn of_made(
    id: &str,
    version: u64,
    made: &Made,
    settings: &Settings,
) -> Result<Vec<Write>, Failure> {
    let keep = settings.keep_versions;
    if keep == 0 {
        return Ok(Vec::new());
    }
    let text =
        RawValue::from_string(whole(id, made)?).map_err(|fault| corrupt(&fault.to_string()))?;
    let kept = Version { session: id, version, text: &text };
    let kept = serde_json::to_string(&kept).map_err(|fault| corrupt(&fault.to_string()))?;
    let mut writes = vec![VERSIONS.put_json(&version_id(id, version), kept).into()];
    let page = Page { offset: keep, limit: 1_000, ..Page::default() };
    for old in KEPT.page(&Kept { session: id }, &page)?.decode()? {
        if old.id != version_id(id, version) {
            writes.push(VERSIONS.delete(&old.id).into());
        }
    }
    Ok(writes)
}

/// The text of a session that is about to be stored.
fn whole(id: &str, made: &Made) -> Result<String, Error> {
    let record = Record::parse(&made.document)?;
    if made.chunks.is_empty() {
        // What there is of its history stays as it is.
        return record.whole(id);
    }
    let mut turns = Vec::new();
    for (_, text) in &made.chunks {
        let chunk: Chunk<'_> =
            serde_json::from_str(text).map_err(|fault| corrupt(&fault.to_string()))?;
        turns.push(inside(chunk.turns.get()).to_owned());
    }
    let members = record.session.get().trim_end().strip_suffix('}').unwrap_or_default();
    Ok(format!(r#"{members},"conversationHistory":[{}]}}"#, turns.join(",")))
}

fn list(request: &Request) -> Result<Response, Failure> {
    let session = request.path("id");
    let current = find(session)?.ok_or_else(not_found)?.version;
    Ok(LIST.page(&Earlier { session, current }, &request.page()?)?.answer())
}

fn get(request: &Request) -> Result<Response, Failure> {
    let version = request.path("version").parse().unwrap_or(0);
    let found = VERSIONS.get_json(&version_id(request.path("id"), version))?;
    let document = found.ok_or_else(|| Problem::not_found("no such version is kept"))?;
    #[derive(Deserialize)]
    struct Text<'a> {
        #[serde(borrow)]
        text: &'a RawValue,
    }
    let stored: Text<'_> =
        serde_json::from_str(&document.body).map_err(|fault| corrupt(&fault.to_string()))?;
    Ok(Response::json(200, stored.text.get()).etag(document.version))
}
