//! What a plugin declares, as data: the Rust form of `wit/manifest.schema.json`.
//!
//! [`Manifest::parse`] is the one way in: it checks the text against the schema, so that every
//! other module can rely on the shape of names, and reports all faults at once. What needs more
//! than the schema (statements, routes) is checked by the layer that uses it.

use std::sync::LazyLock;

use serde::Deserialize;
use serde_json::{Map, Value};

pub use json_schema::compile_schema;
pub use operation::{
    Mode, OperationDeclaration, OperationLimits, RequestDeclaration, ResponseDeclaration, Role,
    TransactionIsolation, is_json,
};
pub use schedule::{DueDeclaration, ScheduleDeclaration};
pub use settings::SettingsFault;
pub use statement::{
    Conditions, DeleteDeclaration, Locked, Plan, ScopeDeclaration, SelectDeclaration,
    StatementDeclaration, UpdateDeclaration,
};

mod check;
mod json_schema;
mod operation;
mod schedule;
mod settings;
mod statement;

/// The JSON Schema that every manifest must satisfy.
pub const SCHEMA: &str = include_str!("../../wit/manifest.schema.json");

static VALIDATOR: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(SCHEMA).expect("the manifest's schema is JSON");
    jsonschema::validator_for(&schema).expect("the manifest's schema is a JSON Schema")
});

/// A plugin's manifest.
#[derive(Clone, Debug, Deserialize)]
pub struct Manifest {
    /// The plugin's name in kebab case.
    pub name: String,
    /// The plugin's semantic version.
    pub version: String,
    /// One sentence for operators.
    pub summary: String,
    /// The kinds of documents that it stores.
    pub collections: Vec<CollectionDeclaration>,
    /// The sums that the gateway keeps of documents.
    #[serde(default)]
    pub counts: Vec<CountDeclaration>,
    /// A JSON Schema of the plugin's settings, with their defaults.
    #[serde(default)]
    pub settings: Value,
    /// The statements that it can run.
    #[serde(default)]
    pub statements: Vec<StatementDeclaration>,
    /// The requests that it answers.
    pub operations: Vec<OperationDeclaration>,
    /// Operations that the gateway calls by itself.
    #[serde(default)]
    pub schedules: Vec<ScheduleDeclaration>,
    /// JSON Schemas that those of collections, requests and responses may refer to, by name.
    #[serde(default)]
    pub schemas: Map<String, Value>,
    /// Request headers that its handler wants to see.
    #[serde(default)]
    pub headers: Vec<String>,
    /// Response headers that its handler may set besides those that every handler may.
    #[serde(default)]
    pub response_headers: Vec<String>,
}

/// One collection of a manifest.
#[derive(Clone, Debug, Deserialize)]
pub struct CollectionDeclaration {
    /// Its name in statements and calls.
    pub name: String,
    /// Grows when the form of the bodies changes.
    #[serde(default = "one")]
    pub schema_version: u32,
    /// Fields by name, in the order of the manifest.
    #[serde(default)]
    pub fields: FieldDeclarations,
    /// Its indexes.
    #[serde(default)]
    pub indexes: Vec<IndexDeclaration>,
    /// Its references to documents of this plugin.
    #[serde(default)]
    pub references: Vec<ReferenceDeclaration>,
    /// A JSON Schema that every body must satisfy when it is written.
    pub schema: Option<Value>,
    /// Whether documents may carry a time to live.
    #[serde(default)]
    expires: bool,
    /// The default time to live in seconds.
    pub ttl_seconds: Option<u32>,
    /// How long the gateway keeps documents that do not expire.
    pub retention: Option<RetentionDeclaration>,
}

/// How long the gateway keeps documents.
#[derive(Clone, Debug, Deserialize)]
pub struct RetentionDeclaration {
    /// The time from which it counts: a field of the type `timestamp`, `_created_at` or
    /// `_updated_at`.
    pub field: String,
    /// How old a document becomes.
    pub days: u32,
}

impl CollectionDeclaration {
    /// Whether documents of it may expire.
    #[must_use]
    pub fn expires(&self) -> bool {
        self.expires || self.ttl_seconds.is_some()
    }
}

/// Declared fields in the order of the manifest.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "Map<String, Value>")]
pub struct FieldDeclarations(pub Vec<FieldDeclaration>);

impl From<Map<String, Value>> for FieldDeclarations {
    fn from(fields: Map<String, Value>) -> Self {
        Self(fields.into_iter().map(|(name, value)| FieldDeclaration::new(name, &value)).collect())
    }
}

/// One declared field.
#[derive(Clone, Debug)]
pub struct FieldDeclaration {
    /// Its name in statements.
    pub name: String,
    /// Its type.
    pub field_type: FieldType,
    /// JSON Pointers; the first that exists in a body counts.
    pub paths: Vec<String>,
    /// The longest text that it takes, where that is declared.
    pub max_bytes: Option<usize>,
}

impl FieldDeclaration {
    /// From a form that the schema has accepted: a type, or an object with type and path.
    fn new(name: String, value: &Value) -> Self {
        let type_name = value.get("type").unwrap_or(value);
        let field_type = FieldType::deserialize(type_name).unwrap_or(FieldType::Json);
        let paths = match value.get("path") {
            Some(Value::String(path)) => vec![path.clone()],
            Some(Value::Array(paths)) => {
                paths.iter().filter_map(Value::as_str).map(str::to_owned).collect()
            }
            _ => vec![format!("/{name}")],
        };
        let max_bytes = value.get("max_bytes").and_then(Value::as_u64);
        let max_bytes = max_bytes.and_then(|bytes| usize::try_from(bytes).ok());
        Self { name, field_type, paths, max_bytes }
    }
}

/// The type of a declared field, of a statement's parameter, or of a column of its result.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// Unicode text, compared byte by byte.
    Text,
    /// A whole number of 64 bits.
    Integer,
    /// A finite double.
    Number,
    /// True or false.
    Boolean,
    /// RFC 3339 text in the body, microseconds since 1970 in the column.
    Timestamp,
    /// A list of text.
    #[serde(rename = "text[]")]
    Texts,
    /// Any JSON value: can be read, not compared.
    Json,
    /// The words of a `search` index. No manifest names it.
    #[serde(skip)]
    Words,
}

impl FieldType {
    /// The name of this type in a manifest.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Timestamp => "timestamp",
            Self::Texts => "text[]",
            Self::Json => "json",
            Self::Words => "words",
        }
    }
}

/// One index of a collection.
#[derive(Clone, Debug, Deserialize)]
pub struct IndexDeclaration {
    /// Its name, unique in the collection.
    pub name: String,
    /// Of an index by order: names of fields; a leading `-` means descending.
    #[serde(default)]
    pub fields: Vec<String>,
    /// At most one document with these values.
    #[serde(default)]
    pub unique: bool,
    /// Only documents that have the first field.
    #[serde(default)]
    pub sparse: bool,
    /// Only for conditions on all of its fields, and for no order.
    #[serde(default)]
    pub lookup: bool,
    /// Fields with the values that a document must have one of to stand in the index.
    #[serde(default, rename = "where")]
    pub only: Map<String, Value>,
    /// Of an index by what a list or JSON contains: the one field.
    #[serde(default)]
    pub contains: Vec<String>,
    /// Of an index of words: fields, or JSON Pointers in which `*` stands for all elements.
    #[serde(default)]
    pub search: Vec<String>,
}

/// How many documents there are, kept with every change of one.
#[derive(Clone, Debug, Deserialize)]
pub struct CountDeclaration {
    /// Its name; statements read it as `count_` and this.
    pub name: String,
    /// The collections whose documents it counts together.
    pub collections: Vec<String>,
    /// Fields by whose values it counts apart.
    #[serde(default)]
    pub by: Vec<String>,
    /// Integer fields that it adds up; `_written` and `_deleted` add up what happens to documents.
    #[serde(default)]
    pub sum: Vec<String>,
    /// The values that fields must have for a document to count.
    #[serde(default, rename = "where")]
    pub conditions: Map<String, Value>,
    /// The setting that says how many documents there may be, for each combination of values of
    /// `by`; 0 for no limit.
    pub limit: Option<String>,
}

/// A field that holds the id of another document.
#[derive(Clone, Debug, Deserialize)]
pub struct ReferenceDeclaration {
    /// Its name, unique in the collection.
    pub name: String,
    /// The text field that holds the id. Without a value it refers to nothing.
    pub field: String,
    /// The collection of the document that is referred to.
    pub collection: String,
    /// What happens when that document is deleted.
    pub on_delete: OnDelete,
}

/// What becomes of a document when the one that it refers to is deleted.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum OnDelete {
    /// It is deleted as well.
    Cascade,
    /// The other cannot be deleted.
    Restrict,
}

impl Manifest {
    /// Parse a manifest and check it against [`SCHEMA`], then what a schema cannot say. In place of
    /// a manifest a plugin may give the faults that it has found itself.
    ///
    /// # Errors
    /// All faults at once, each as a JSON Pointer and what is wrong there.
    pub fn parse(text: &str) -> Result<Self, Vec<String>> {
        let value: Value =
            serde_json::from_str(text).map_err(|e| vec![format!("not JSON: {e}")])?;
        if let Some(faults) = value.get("faults") {
            let faults = Vec::<String>::deserialize(faults);
            return Err(faults.unwrap_or_else(|e| vec![format!("/faults: {e}")]));
        }
        let faults: Vec<String> = VALIDATOR
            .iter_errors(&value)
            .map(|fault| format!("{}: {fault}", fault.instance_path()))
            .collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut manifest: Self = serde_json::from_value(value).map_err(|e| vec![e.to_string()])?;
        manifest.share_schemas();
        let faults = check::faults(&manifest);
        if faults.is_empty() { Ok(manifest) } else { Err(faults) }
    }

    /// Let every schema that refers to `#/schemas/…` find them in itself, so that whoever compiles
    /// one needs to know of no other.
    fn share_schemas(&mut self) {
        let shared = std::mem::take(&mut self.schemas);
        let bodies = self.collections.iter_mut().filter_map(|c| c.schema.as_mut());
        let bodies = bodies.chain(self.operations.iter_mut().flat_map(|o| o.schemas_mut()));
        let all = bodies.chain([&mut self.settings]);
        all.for_each(|schema| json_schema::share(&shared, schema));
        self.schemas = shared;
    }

    /// What each setting is where the operator says nothing: a JSON object.
    #[must_use]
    pub fn default_settings(&self) -> Value {
        let settings = self.settings.get("properties").and_then(Value::as_object);
        let settings = settings.into_iter().flatten();
        settings.filter_map(|(name, of)| Some((name.clone(), of.get("default")?.clone()))).collect()
    }
}

fn one() -> u32 {
    1
}
