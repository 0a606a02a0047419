//! `POST /entries:batchDelete`: delete several entries, all or none.

use std::borrow::Cow;

use loggia_plugin_sdk::manifest::Mode;
use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::{Failure, Outcome, Problem, Request, Response, Route, Write};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{IfMatch, MAX_BATCH_BYTES, precondition, within};
use crate::entry::ENTRIES;
use crate::key::Key;

pub(crate) const ROUTE: Route = Route::post(
    "batch-delete",
    "/entries:batchDelete",
    "Delete several entries, all or none.",
    delete,
)
.with(|operation| {
    operation
        // One call needs no transaction around it.
        .mode(Mode::Autocommit)
        .body::<Batch<'_>>()
        .body_bytes(MAX_BATCH_BYTES)
});

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Batch<'a> {
    #[serde(borrow)]
    #[schemars(length(max = 1_000))]
    items: Vec<Item<'a>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Item<'a> {
    /// In base64url.
    #[serde(borrow)]
    key: Cow<'a, str>,
    if_match: Option<IfMatch>,
}

fn delete(request: &Request) -> Result<Response, Failure> {
    let Batch { items } = request.json()?;
    let deleted = super::run(super::writes(&items, Item::write)?)?;
    let answer = |(key, outcome): &(Key, Outcome)| json!({"key": key.text(), "deleted": *outcome == Outcome::Deleted(true)});
    let items: Vec<Value> = deleted.iter().map(answer).collect();
    Response::serialize(200, &json!({"items": items}))
}

impl Item<'_> {
    fn write(&self) -> Result<(Key, Write), Problem> {
        let key = Key::parse(&self.key).map_err(|problem| within("/key", problem))?;
        let write = ENTRIES.delete(&key.id()).when(precondition(self.if_match, None)?);
        Ok((key, write.into()))
    }
}
