//! A route and how it runs.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::Param;

/// A route, and how the request to it runs.
#[derive(Clone, Debug, Serialize)]
pub struct Operation {
    name: String,
    method: &'static str,
    path: String,
    summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<Mode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    isolation: Option<&'static str>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    params: Map<String, Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    required: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<RequestBody>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    limits: BTreeMap<&'static str, u64>,
}

#[derive(Clone, Debug, Serialize)]
struct RequestBody {
    content_type: String,
}

impl Operation {
    /// A route that reads. It answers HEAD as well.
    #[must_use]
    pub fn get(name: &str, path: &str, summary: &str) -> Self {
        Self::new("GET", name, path, summary)
    }

    /// A route that stores what it is given.
    #[must_use]
    pub fn put(name: &str, path: &str, summary: &str) -> Self {
        Self::new("PUT", name, path, summary)
    }

    /// A route that does something else.
    #[must_use]
    pub fn post(name: &str, path: &str, summary: &str) -> Self {
        Self::new("POST", name, path, summary)
    }

    /// A route that changes part of what is stored.
    #[must_use]
    pub fn patch(name: &str, path: &str, summary: &str) -> Self {
        Self::new("PATCH", name, path, summary)
    }

    /// A route that deletes.
    #[must_use]
    pub fn delete(name: &str, path: &str, summary: &str) -> Self {
        Self::new("DELETE", name, path, summary)
    }

    fn new(method: &'static str, name: &str, path: &str, summary: &str) -> Self {
        Self {
            name: name.to_owned(),
            method,
            path: path.to_owned(),
            summary: summary.to_owned(),
            mode: None,
            isolation: None,
            params: Map::new(),
            required: Vec::new(),
            request: None,
            limits: BTreeMap::new(),
        }
    }

    /// Say how the storage calls are put into a transaction.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = Some(mode);
        self
    }

    /// Let the transaction have the effect of one that ran alone, where what it has only read
    /// matters to what it writes. Transactions that would not have it run again, so it costs most
    /// where many meet. Conditions and unique indexes hold without it. For the mode
    /// [`Write`](Mode::Write).
    #[must_use]
    pub fn serializable(mut self) -> Self {
        self.isolation = Some("serializable");
        self
    }

    /// Declare a parameter of the query, or describe one of the path. The gateway refuses those
    /// that are not declared.
    #[must_use]
    pub fn param(mut self, name: &str, param: Param) -> Self {
        self.params.insert(name.to_owned(), param.into_schema());
        self
    }

    /// Declare a parameter of the query that must be given.
    #[must_use]
    pub fn required_param(mut self, name: &str, param: Param) -> Self {
        self.required.push(name.to_owned());
        self.param(name, param)
    }

    /// Take a JSON body, which the gateway checks before the call. Without this or
    /// [`body_type`](Self::body_type), a body is refused.
    #[must_use]
    pub fn json_body(self) -> Self {
        self.body_type("application/json")
    }

    /// Take a body of this media type.
    #[must_use]
    pub fn body_type(mut self, content_type: &str) -> Self {
        self.request = Some(RequestBody { content_type: content_type.to_owned() });
        self
    }

    /// Ask for request bodies of this size, where the default limit is too low.
    #[must_use]
    pub fn body_bytes(self, bytes: u64) -> Self {
        self.limit("body_bytes", bytes)
    }

    /// Ask for documents of this size, where the default limit is too low.
    #[must_use]
    pub fn document_bytes(self, bytes: u64) -> Self {
        self.limit("document_bytes", bytes)
    }

    /// Ask for responses of this size, where the default limit is too low.
    #[must_use]
    pub fn response_bytes(self, bytes: u64) -> Self {
        self.limit("response_bytes", bytes)
    }

    /// Ask for this many milliseconds for the whole request.
    #[must_use]
    pub fn request_ms(self, milliseconds: u64) -> Self {
        self.limit("request_ms", milliseconds)
    }

    fn limit(mut self, name: &'static str, value: u64) -> Self {
        self.limits.insert(name, value);
        self
    }
}

/// How the storage calls of an operation are put into a transaction.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// One read-only snapshot: the default of GET.
    Read,
    /// One transaction: the default of the other methods.
    Write,
    /// Each call commits by itself, so a failure does not undo the calls before it. For
    /// operations that write in at most one call.
    Autocommit,
}
