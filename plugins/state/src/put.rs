//! `PUT /entries/{key}`: store a value.

use loggia_plugin_sdk::manifest::Mode;
use loggia_plugin_sdk::{Encoding, Failure, Request, Response, Route};

use crate::entry::{self, ENTRIES};
use crate::key::{self, Key};
use crate::metadata::{HEADER, Metadata};
use crate::settings::{MAX_VALUE_BYTES, Settings};
use crate::time_to_live;

/// A value in base64url, and what stands around it.
pub(crate) const MAX_DOCUMENT_BYTES: u64 = MAX_VALUE_BYTES / 3 * 4 + 65_536;

pub(crate) const ROUTE: Route =
    Route::put("put-entry", "/entries/{key}", "Store a value under a key.", put).with(
        |operation| {
            operation
                // One call needs no transaction around it.
                .mode(Mode::Autocommit)
                .param("key", key::in_path())
                .param("ttl_seconds", time_to_live::param())
                .body_type("application/octet-stream")
                .body_bytes(MAX_VALUE_BYTES)
                .document_bytes(MAX_DOCUMENT_BYTES)
        },
    );

fn put(request: &Request) -> Result<Response, Failure> {
    let key = Key::parse(request.path("key"))?;
    let value = request.body();
    Settings::read()?.check_value(value.len())?;
    let metadata = request.header(HEADER).map(Metadata::parse).transpose()?;
    let document = entry::document(&key, &Encoding::Base64Url.encode(value), value.len(), metadata);
    let id = key.id();
    let written = ENTRIES
        .put_json(&id, document)
        .when(request.precondition(&ENTRIES, &id)?)
        .expires(time_to_live::expiry(request.now(), request.query_as("ttl_seconds")?))
        .run()?;
    let body = format!(r#"{{"version":{}}}"#, written.version);
    Ok(Response::json(written.status(), body).etag(written.version))
}
