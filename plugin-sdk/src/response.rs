//! What a handler answers.

use serde::Serialize;

use crate::bindings::exports::loggia::plugin::handler;
use crate::entity_tag::EntityTag;
use crate::ndjson;
use crate::problem::Failure;
use crate::storage::Error;

/// An answer. The gateway checks it before it commits, so a wrong one undoes the request.
///
/// ```
/// # use loggia_plugin_sdk::Response;
/// let response = Response::json(201, r#"{"title":"a"}"#).etag(7);
/// let gone = Response::empty(204);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Response {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Response {
    /// An answer without a body.
    #[must_use]
    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// An answer whose body is this JSON text.
    #[must_use]
    pub fn json(status: u16, text: impl Into<String>) -> Self {
        Self::bytes(status, "application/json", text.into())
    }

    /// An answer whose body is this value as JSON.
    ///
    /// # Errors
    /// The value cannot be written as JSON.
    pub fn serialize<T: Serialize + ?Sized>(status: u16, value: &T) -> Result<Self, Failure> {
        let text = serde_json::to_string(value).map_err(unserializable)?;
        Ok(Self::json(status, text))
    }

    /// An answer whose body is NDJSON: each of these values as JSON on a line of its own.
    ///
    /// ```
    /// # use loggia_plugin_sdk::Response;
    /// let response = Response::ndjson(200, [["a", "b"], ["c", "d"]])?;
    /// # Ok::<(), loggia_plugin_sdk::Failure>(())
    /// ```
    ///
    /// # Errors
    /// A value cannot be written as JSON.
    pub fn ndjson<T: Serialize>(
        status: u16,
        values: impl IntoIterator<Item = T>,
    ) -> Result<Self, Failure> {
        let body = ndjson::write(values).map_err(unserializable)?;
        Ok(Self::bytes(status, ndjson::MEDIA_TYPE, body))
    }

    /// An answer with a body of any media type.
    #[must_use]
    pub fn bytes(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::empty(status).header("content-type", content_type) }
    }

    /// Add a header; names are in lower case.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Name what is answered with by a strong `ETag`: the version of a document, or an
    /// [`EntityTag`] of several.
    #[must_use]
    pub fn etag(self, tag: impl Into<EntityTag>) -> Self {
        self.header("etag", &tag.into().to_string())
    }
}

fn unserializable(fault: serde_json::Error) -> Error {
    Error::Other(format!("an answer: {fault}"))
}

impl From<Response> for handler::Response {
    fn from(Response { status, headers, body }: Response) -> Self {
        Self { status, headers, body }
    }
}
