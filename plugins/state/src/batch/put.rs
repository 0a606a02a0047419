//! `POST /entries:batchPut`: store several values, all or none.

use std::borrow::Cow;

use loggia_plugin_sdk::manifest::Mode;
use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::{
    Encoding, Failure, Outcome, Problem, Request, Response, Route, Timestamp, Write,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{IfMatch, MAX_BATCH_BYTES, Star, precondition, within};
use crate::entry::{self, ENTRIES};
use crate::key::Key;
use crate::metadata::Metadata;
use crate::put::MAX_DOCUMENT_BYTES;
use crate::settings::Settings;
use crate::time_to_live;

pub(crate) const ROUTE: Route =
    Route::post("batch-put", "/entries:batchPut", "Store several values, all or none.", put).with(
        |operation| {
            operation
                // One call needs no transaction around it.
                .mode(Mode::Autocommit)
                .body::<Batch<'_>>()
                .body_bytes(MAX_BATCH_BYTES)
                .document_bytes(MAX_DOCUMENT_BYTES)
        },
    );

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
    /// In base64url.
    #[serde(borrow)]
    value: Cow<'a, str>,
    #[schemars(range(min = time_to_live::MIN_SECONDS, max = time_to_live::MAX_SECONDS))]
    ttl_seconds: Option<f64>,
    #[serde(borrow)]
    #[schemars(with = "Option<Map<String, Value>>")]
    metadata: Option<&'a RawValue>,
    if_match: Option<IfMatch>,
    if_none_match: Option<Star>,
}

fn put(request: &Request) -> Result<Response, Failure> {
    let Batch { items } = request.json()?;
    let settings = Settings::read()?;
    let writes = super::writes(&items, |item| item.write(&settings, request.now()))?;
    let written = super::run(writes)?;
    let items: Vec<Value> = written.iter().map(|(key, outcome)| answer(key, outcome)).collect();
    Response::serialize(200, &json!({"items": items}))
}

impl Item<'_> {
    fn write(&self, settings: &Settings, now: Timestamp) -> Result<(Key, Write), Problem> {
        let key = Key::parse(&self.key).map_err(|problem| within("/key", problem))?;
        let size = Encoding::Base64Url.decode(&self.value).map(|value| value.len());
        let size = size.map_err(|fault| {
            within("/value", Problem::new(422, "invalid-value", format!("the value is {fault}")))
        })?;
        settings.check_value(size).map_err(|problem| within("/value", problem))?;
        let metadata = self.metadata.map(Metadata::new).transpose();
        let metadata = metadata.map_err(|problem| within("/metadata", problem))?;
        let document = entry::document(&key, &self.value, size, metadata);
        let write = ENTRIES
            .put_json(&key.id(), document)
            .when(precondition(self.if_match, self.if_none_match)?)
            .expires(time_to_live::expiry(now, self.ttl_seconds));
        Ok((key, write.into()))
    }
}

fn answer(key: &Key, outcome: &Outcome) -> Value {
    match outcome {
        Outcome::Written(written) => json!({
            "key": key.text(), "version": written.version, "created": written.created,
        }),
        // Every item is a put, and none may be skipped.
        Outcome::Deleted(_) | Outcome::Skipped(_) => Value::Null,
    }
}
