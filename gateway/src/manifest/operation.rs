//! Operations: a route, who may ask for it, what it takes and answers, and how it runs.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// One operation: a route and how it runs.
#[derive(Clone, Debug, Deserialize)]
pub struct OperationDeclaration {
    /// Its name, by which the handler knows it.
    pub name: String,
    /// The HTTP method.
    pub method: String,
    /// The template below `/v1/{plugin}`.
    pub path: String,
    /// One sentence for the API's documentation.
    pub summary: String,
    role: Option<Role>,
    mode: Option<Mode>,
    #[serde(default)]
    isolation: TransactionIsolation,
    /// JSON Schemas of path and query parameters, by name.
    #[serde(default)]
    pub params: Map<String, Value>,
    /// Query parameters that must be given.
    #[serde(default)]
    pub required: Vec<String>,
    /// The body that it takes.
    pub request: Option<RequestDeclaration>,
    /// What it answers, by status. For documentation, and for `loggia plugin test`: in production
    /// no answer is checked.
    #[serde(default)]
    pub response: BTreeMap<String, ResponseDeclaration>,
    /// What it needs beyond the default limits.
    #[serde(default)]
    pub limits: OperationLimits,
}

impl OperationDeclaration {
    /// The least that a caller must be.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role.unwrap_or(if self.method == "GET" { Role::Reader } else { Role::Writer })
    }

    /// How its storage calls are put into a transaction.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode.unwrap_or(if self.method == "GET" { Mode::Read } else { Mode::Write })
    }

    /// How its transaction stands to concurrent ones.
    #[must_use]
    pub fn isolation(&self) -> TransactionIsolation {
        self.isolation
    }

    /// The names of the path's parameters, in its order: `id` and `v` of `/notes/{id}/versions/{v}`.
    #[must_use]
    pub fn path_params(&self) -> Vec<&str> {
        let names = self.path.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
        names.map(|(name, _)| name).collect()
    }

    /// The schemas of its bodies.
    pub(super) fn schemas_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        let request = self.request.as_mut().and_then(|request| request.schema.as_mut());
        let responses = self.response.values_mut().filter_map(|answer| answer.schema.as_mut());
        request.into_iter().chain(responses)
    }
}

/// What a caller may do in a plugin. Each may do what those before it may.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Read.
    Reader,
    /// And write.
    Writer,
    /// And whatever else there is.
    Admin,
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Reader, Self::Writer, Self::Admin];

    /// Its name in a manifest and in `gateway.toml`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Writer => "writer",
            Self::Admin => "admin",
        }
    }

    /// The role of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

/// The body that an operation takes.
#[derive(Clone, Debug, Deserialize)]
pub struct RequestDeclaration {
    /// Media types without parameters; a request has one of them.
    #[serde(rename = "content_type", deserialize_with = "one_or_several")]
    pub content_types: Vec<String>,
    /// A JSON Schema that a JSON body must satisfy.
    pub schema: Option<Value>,
}

/// What an operation answers with one status.
#[derive(Clone, Debug, Deserialize)]
pub struct ResponseDeclaration {
    /// One sentence for the API's documentation.
    pub description: Option<String>,
    /// Its media type.
    pub content_type: Option<String>,
    /// A JSON Schema of a JSON body.
    pub schema: Option<Value>,
}

/// Whether a body of this media type is JSON, which the gateway checks before the call.
#[must_use]
pub fn is_json(content_type: &str) -> bool {
    content_type == "application/json" || content_type.ends_with("+json")
}

fn one_or_several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Texts {
        One(String),
        Several(Vec<String>),
    }
    Ok(match Texts::deserialize(deserializer)? {
        Texts::One(text) => vec![text],
        Texts::Several(texts) => texts,
    })
}

/// What an operation needs beyond the default limits.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct OperationLimits {
    /// The largest request body, in bytes.
    pub body_bytes: Option<usize>,
    /// The largest document, in bytes.
    pub document_bytes: Option<usize>,
    /// The largest response body, in bytes.
    pub response_bytes: Option<usize>,
    /// The deadline of the whole request, in milliseconds.
    pub request_ms: Option<u64>,
    /// From the first write to the end of the transaction, in milliseconds.
    pub transaction_ms: Option<u64>,
    /// The most writes of one request.
    pub documents_written: Option<u32>,
}

/// How an operation's storage calls are put into a transaction.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// One read-only snapshot.
    Read,
    /// One transaction.
    Write,
    /// Each call commits by itself.
    Autocommit,
}

impl Mode {
    /// Its name in a manifest.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Autocommit => "autocommit",
        }
    }
}

/// How a transaction that writes stands to concurrent ones.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum TransactionIsolation {
    /// Each statement sees what was committed before it.
    #[default]
    ReadCommitted,
    /// As if the transactions ran one after the other.
    Serializable,
}
