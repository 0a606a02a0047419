//! `POST /checkpoints`: copy entries as they are now.

use std::borrow::Cow;

use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::{Failure, Page, Request, Response, Route, checkpoint};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{ENTRIES_OF, Id, OTHERS, Row, TURN, Turn};
use crate::prefix::Prefix;
use crate::settings::Settings;

pub(crate) const ROUTE: Route =
    Route::post("create-checkpoint", "/checkpoints", "Copy entries as they are now.", create)
        .with(|operation| operation.body::<New<'_>>().request_ms(30_000));

/// Too many checkpoints are deleted by pages of so many.
const PAGE: u32 = 1_000;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct New<'a> {
    /// How keys begin, in base64url.
    #[serde(borrow)]
    prefix: Option<Cow<'a, str>>,
    #[serde(borrow)]
    label: Option<Cow<'a, str>>,
    #[serde(borrow)]
    #[schemars(with = "Option<Map<String, Value>>")]
    metadata: Option<&'a RawValue>,
}

fn create(request: &Request) -> Result<Response, Failure> {
    let New { prefix, label, metadata } = request.json()?;
    let max_checkpoints = Settings::read()?.max_checkpoints;
    let part = ENTRIES_OF.of(&Prefix::parse(prefix.as_deref())?)?;
    let metadata = metadata.map_or("{}", RawValue::get);
    let made = checkpoint::create("", &label.unwrap_or_default(), metadata, &[part])?;
    // From here on each sees what those before have made. The copy is not kept waiting for that.
    TURN.put("create", &Turn {}).run()?;
    delete_oldest(&made.id, max_checkpoints)?;
    let shown = super::find(&made.id)?;
    Ok(Response::json(201, shown.json)
        .etag(shown.version)
        .header("location", &format!("/v1/state/checkpoints/{}", made.id)))
}

/// Of the others, only so many stay that all are no more than `max_checkpoints`.
fn delete_oldest(made: &str, max_checkpoints: u32) -> Result<(), Failure> {
    let beyond = Page { limit: PAGE, offset: max_checkpoints - 1, ..Page::default() };
    loop {
        let rows: Vec<Row> = OTHERS.page(&Id { id: made }, &beyond)?.decode()?;
        if rows.is_empty() {
            return Ok(());
        }
        let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
        checkpoint::delete(&ids)?;
    }
}
