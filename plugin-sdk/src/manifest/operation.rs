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
    role: Option<Role>,
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
    response: BTreeMap<String, Answer>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    limits: BTreeMap<&'static str, u64>,
}

#[derive(Clone, Debug, Default, Serialize)]
struct RequestBody {
    content_type: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Value>,
}

#[derive(Clone, Debug, Serialize)]
struct Answer {
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Value>,
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
            role: None,
            mode: None,
            isolation: None,
            params: Map::new(),
            required: Vec::new(),
            request: None,
            response: BTreeMap::new(),
            limits: BTreeMap::new(),
        }
    }

    /// Say what a caller must be at least. Without it: a reader for GET, a writer for the others.
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.role = Some(role);
        self
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

    /// Take a JSON body that satisfies this JSON Schema (2020-12). It may refer to what
    /// [`Manifest::schema`](super::Manifest::schema) declares. The gateway answers a body that does
    /// not satisfy it: 400 `unknown-member` where members are not known and the schema allows no
    /// others, else 422 `schema-mismatch`.
    ///
    /// ```
    /// use loggia_plugin_sdk::manifest::Operation;
    /// use serde_json::json;
    ///
    /// let schema = json!({
    ///     "type": "object", "additionalProperties": false, "required": ["ids"],
    ///     "properties": {"ids": {"type": "array", "items": {"type": "string"}, "maxItems": 1000}},
    /// });
    /// Operation::post("get-notes", "/notes:batchGet", "Read some notes.").body_schema(schema);
    /// ```
    #[must_use]
    pub fn body_schema(self, schema: Value) -> Self {
        let mut operation = self.json_body();
        operation.request.get_or_insert_default().schema = Some(schema);
        operation
    }

    /// Take a body of this media type. With several, a request has one of them, and the handler
    /// sees which by the header `content-type`.
    #[must_use]
    pub fn body_type(mut self, content_type: &str) -> Self {
        let taken = &mut self.request.get_or_insert_default().content_type;
        if !taken.iter().any(|known| known == content_type) {
            taken.push(content_type.to_owned());
        }
        self
    }

    /// Say what an answer of this status means, for the API's documentation.
    #[must_use]
    pub fn answers(mut self, status: u16, description: &str) -> Self {
        let answer = Answer { description: description.to_owned(), schema: None };
        self.response.insert(status.to_string(), answer);
        self
    }

    /// As [`answers`](Self::answers), with a JSON Schema of its body, to which `loggia plugin test`
    /// holds answers. In production the gateway does not look at it.
    #[must_use]
    pub fn answers_with(mut self, status: u16, description: &str, schema: Value) -> Self {
        let answer = Answer { description: description.to_owned(), schema: Some(schema) };
        self.response.insert(status.to_string(), answer);
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

    /// Ask for this many documents to write in a request, where the default limit is too low.
    #[must_use]
    pub fn documents_written(self, documents: u64) -> Self {
        self.limit("documents_written", documents)
    }

    /// Ask for this many milliseconds from the first write to the end of the transaction, where the
    /// default limit is too low. Whoever waits for one of the documents waits so much longer; on
    /// `SQLite` every other writer does.
    #[must_use]
    pub fn transaction_ms(self, milliseconds: u64) -> Self {
        self.limit("transaction_ms", milliseconds)
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

/// What a caller may do in a plugin. Each may do what those before it may.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Read: the default of GET.
    Reader,
    /// And write: the default of the other methods.
    Writer,
    /// And whatever else there is.
    Admin,
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
