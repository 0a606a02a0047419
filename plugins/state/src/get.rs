//! `GET /entries/{key}`: the value, and what is known of it in headers.

use loggia_plugin_sdk::manifest::Mode;
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Encoding, Failure, Problem, Request, Response, Route};

use crate::entry::{ENTRIES, Entry};
use crate::http_date::http_date;
use crate::key::{self, Key};
use crate::metadata::{HEADER, in_header};

pub(crate) const ROUTE: Route = Route::get("get-entry", "/entries/{key}", "Read a value.", get)
    // One call needs no transaction around it.
    .with(|operation| operation.mode(Mode::Autocommit).param("key", key::in_path()));

fn get(request: &Request) -> Result<Response, Failure> {
    let found = ENTRIES.get_json(&Key::parse(request.path("key"))?.id())?;
    let found = found.ok_or_else(|| Problem::not_found("there is no entry with this key"))?;
    let entry = Entry::read(&found.body)?;
    let value = Encoding::Base64Url.decode(entry.value);
    let value = value.map_err(|fault| Error::Other(format!("a stored value: {fault}")))?;
    let mut response = Response::bytes(200, "application/octet-stream", value).etag(found.version);
    if let Some(metadata) = entry.metadata {
        response = response.header(HEADER, &in_header(metadata.get()));
    }
    if let Some(expires_at) = found.expires_at {
        response = response.header("expires", &http_date(expires_at));
    }
    Ok(response)
}
