//! What a handler answers.

use serde::Serialize;

use crate::bindings::exports::loggia::plugin::handler;
use crate::problem::{Failure, etag};
use crate::storage::{Error, Version};

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
        let text = serde_json::to_string(value)
            .map_err(|fault| Error::Other(format!("an answer: {fault}")))?;
        Ok(Self::json(status, text))
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

    /// Name the version of the document that is answered with, as a strong `ETag`.
    #[must_use]
    pub fn etag(self, version: Version) -> Self {
        self.header("etag", &etag(version))
    }
}

impl From<Response> for handler::Response {
    fn from(Response { status, headers, body }: Response) -> Self {
        Self { status, headers, body }
    }
}
