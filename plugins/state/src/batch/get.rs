//! `POST /entries:batchGet`: read several values, as of one instant.

use std::borrow::Cow;

use loggia_plugin_sdk::manifest::{Mode, Role};
use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::{
    Collection, Document, Failure, Problem, Request, Response, Route, Select, Timestamp, Version,
    declare,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::MAX_BATCH_BYTES;
use crate::entry::ENTRIES;
use crate::key::Key;

/// All values together, before base64url.
const MAX_VALUES_BYTES: u64 = 8 * 1024 * 1024;

pub(crate) const ROUTE: Route =
    Route::post("batch-get", "/entries:batchGet", "Read several values.", get).with(|operation| {
        operation
            .mode(Mode::Read)
            .role(Role::Reader)
            .body::<Batch<'_>>()
            .body_bytes(MAX_BATCH_BYTES)
    });

declare! { STORAGE:
    const SIZE: Select<Ids, Size> = select(
        "batch-size",
        "SELECT coalesce(sum(size), 0) AS bytes FROM entry WHERE id = ANY(:ids)",
    )
    .generic_plan();
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Batch<'a> {
    /// In base64url.
    #[serde(borrow)]
    #[schemars(length(max = 1_000))]
    keys: Vec<Cow<'a, str>>,
}

#[derive(Serialize)]
struct Ids {
    ids: Vec<String>,
}

#[derive(Deserialize)]
struct Size {
    bytes: u64,
}

const STORED: Collection<Stored> = ENTRIES.of();

/// What is read of a document; key and value are in base64url.
#[derive(Deserialize)]
struct Stored {
    key: String,
    value: String,
    metadata: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct Answer {
    /// Null where there is no entry.
    items: Vec<Option<Item>>,
}

#[derive(Serialize)]
struct Item {
    key: String,
    version: Version,
    expires_at: Option<Timestamp>,
    metadata: Option<Box<RawValue>>,
    value: String,
}

fn get(request: &Request) -> Result<Response, Failure> {
    let Batch { keys } = request.json()?;
    let ids = Ids { ids: ids(&keys)? };
    refuse_too_much(&ids)?;
    let found = STORED.get_many(&ids.ids)?.into_iter();
    let items = found.map(|found| found.map(Item::from)).collect();
    Response::serialize(200, &Answer { items })
}

fn ids(keys: &[Cow<'_, str>]) -> Result<Vec<String>, Problem> {
    let id = |(place, key): (usize, &Cow<'_, str>)| match Key::parse(key) {
        Ok(key) => Ok(key.id()),
        Err(problem) => Err(problem.with("pointer", format!("/keys/{place}"))),
    };
    keys.iter().enumerate().map(id).collect()
}

/// The mode is `read`, so what is looked at here is what is read afterwards.
fn refuse_too_much(ids: &Ids) -> Result<(), Failure> {
    let bytes = SIZE.first(ids)?.map_or(0, |size| size.bytes);
    if bytes <= MAX_VALUES_BYTES {
        return Ok(());
    }
    let detail = format!("the values have {bytes} bytes together; ask for fewer at a time");
    Err(Problem::new(422, "batch-too-large", detail).with("limit", MAX_VALUES_BYTES).into())
}

impl From<Document<Stored>> for Item {
    fn from(found: Document<Stored>) -> Self {
        let Document { version, expires_at, body: Stored { key, value, metadata }, .. } = found;
        Self { key, version, expires_at, metadata, value }
    }
}
