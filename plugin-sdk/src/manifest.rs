//! What a plugin declares: collections, statements and operations.
//!
//! The types are builders of the JSON document that `wit/manifest.schema.json` describes. They
//! check nothing: the gateway does when the plugin is built and when it is loaded, and reports
//! all faults at once.
//!
//! ```
//! use loggia_plugin_sdk::manifest::{Collection, FieldType, Manifest, Operation, Param, Statement};
//!
//! let manifest = Manifest::new("notes", "0.1.0", "Notes with a title.")
//!     .collection(
//!         Collection::new("note")
//!             .field("title", FieldType::Text)
//!             .index("by_title", &["title"]),
//!     )
//!     .statement(
//!         Statement::select("list", "SELECT id, title FROM note")
//!             .condition("title = :title")
//!             .order("title", "title"),
//!     )
//!     .operation(Operation::get("get-note", "/notes/{id}", "Read a note."))
//!     .operation(Operation::put("put-note", "/notes/{id}", "Store a note.").json_body())
//!     .operation(
//!         Operation::get("list-notes", "/notes", "List notes.")
//!             .param("title", Param::string())
//!             .param("limit", Param::integer().between(1, 1000).default(50)),
//!     );
//! assert!(manifest.to_json().starts_with(r#"{"name":"notes""#));
//! ```

mod collection;
mod count;
mod operation;
mod param;
mod statement;

use serde::Serialize;
use serde_json::{Map, Value, json};

pub use self::collection::{Collection, FieldType, OnDelete};
pub use self::count::Count;
pub use self::operation::{Mode, Operation, Role};
pub use self::param::Param;
pub use self::statement::Statement;

/// All that a plugin declares.
#[derive(Clone, Debug, Serialize)]
pub struct Manifest {
    name: String,
    version: String,
    summary: String,
    collections: Vec<Collection>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    counts: Vec<Count>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    statements: Vec<Statement>,
    operations: Vec<Operation>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    schemas: Map<String, Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    headers: Vec<String>,
}

impl Manifest {
    /// Begin the manifest of a plugin: its name in kebab case, which is also the first segment of
    /// its routes; its semantic version; one sentence for operators.
    #[must_use]
    pub fn new(name: &str, version: &str, summary: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            summary: summary.to_owned(),
            collections: Vec::new(),
            counts: Vec::new(),
            settings: None,
            statements: Vec::new(),
            operations: Vec::new(),
            schemas: Map::new(),
            headers: Vec::new(),
        }
    }

    /// Declare a collection of documents.
    #[must_use]
    pub fn collection(mut self, collection: Collection) -> Self {
        self.collections.push(collection);
        self
    }

    /// Declare a count that the gateway keeps.
    #[must_use]
    pub fn count(mut self, count: Count) -> Self {
        self.counts.push(count);
        self
    }

    /// Declare an integer setting with its default. A count can name it as its limit.
    #[must_use]
    pub fn integer_setting(mut self, name: &str, default: i64) -> Self {
        let settings =
            self.settings.get_or_insert_with(|| json!({"type": "object", "properties": {}}));
        settings["properties"][name] = json!({"type": "integer", "default": default});
        self
    }

    /// Declare a query.
    #[must_use]
    pub fn statement(mut self, statement: Statement) -> Self {
        self.statements.push(statement);
        self
    }

    /// Declare a route.
    #[must_use]
    pub fn operation(mut self, operation: Operation) -> Self {
        self.operations.push(operation);
        self
    }

    /// Declare a JSON Schema (2020-12) that those of collections, requests and answers may refer to
    /// as `{"$ref": "#/schemas/NAME"}`.
    #[must_use]
    pub fn schema(mut self, name: &str, schema: Value) -> Self {
        self.schemas.insert(name.to_owned(), schema);
        self
    }

    /// Ask for a request header, in lower case. A handler always gets `content-type`, `if-match`
    /// and `if-none-match`.
    #[must_use]
    pub fn header(mut self, name: &str) -> Self {
        self.headers.push(name.to_owned());
        self
    }

    /// The document that the gateway reads.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a manifest is made of text, numbers and lists")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(manifest: &Manifest) -> Value {
        serde_json::from_str(&manifest.to_json()).expect("a manifest is JSON")
    }

    fn full() -> Manifest {
        Manifest::new("notes", "1.2.3", "Notes.")
            .collection(
                Collection::new("note")
                    .schema_version(2)
                    .field("title", FieldType::Text)
                    .field_at("author", FieldType::Text, &["/meta/author"])
                    .field_at("tags", FieldType::Texts, &["/tags", "/meta/tags"])
                    .index("newest", &["-_updated_at"])
                    .unique_index("one_title", &["title"])
                    .index_where("by_ann", &["title"], json!({"author": ["ann", null]}))
                    .long_text("text", "/content/text", 65_536)
                    .contains_index("tags", "tags")
                    .search_index("words", &["title", "/turns/*/text"])
                    .unique_index_where("of_ann", &["-title"], json!({"author": ["ann"]}))
                    .reference("folder", "author", "bin", OnDelete::Restrict)
                    .schema(json!({"required": ["title"]}))
                    .ttl_seconds(60),
            )
            .integer_setting("max_notes", 100)
            .count(
                Count::new("notes")
                    .collection("note")
                    .by("author")
                    .sum("size")
                    .only("title", json!(["a", null]))
                    .limit("max_notes"),
            )
            .collection(Collection::new("bin").expires())
            .statement(
                Statement::select("list", "SELECT id FROM note")
                    .condition("title = :title")
                    .order("newest", "_updated_at DESC")
                    .order("oldest", "_updated_at"),
            )
            .operation(
                Operation::post("add-note", "/notes", "Add a note.")
                    .mode(Mode::Autocommit)
                    .param("tag", Param::strings().describe("All of them."))
                    .required_param("dry", Param::boolean())
                    .role(Role::Admin)
                    .body_type("text/csv")
                    .body_schema(json!({"$ref": "#/schemas/note"}))
                    .answers(204, "It is there.")
                    .answers_with(200, "It was there.", json!({"$ref": "#/schemas/note"}))
                    .body_bytes(10)
                    .document_bytes(20)
                    .response_bytes(30)
                    .request_ms(40)
                    .documents_written(50),
            )
            .schema("note", json!({"type": "object"}))
            .header("x-note")
    }

    #[test]
    fn a_manifest_has_the_form_of_the_schema() {
        let schema: Value = serde_json::from_str(include_str!("../../wit/manifest.schema.json"))
            .expect("the schema is JSON");
        let smallest = Manifest::new("notes", "0.1.0", "Notes.")
            .collection(Collection::new("note"))
            .operation(Operation::delete("delete-note", "/notes/{id}", "Delete a note."));
        for manifest in [full(), smallest] {
            assert_eq!(
                jsonschema::validate(&schema, &json(&manifest)).map_err(|f| f.to_string()),
                Ok(())
            );
        }
    }

    #[test]
    fn a_manifest_says_what_was_declared() {
        let expected = json!({
            "name": "notes", "version": "1.2.3", "summary": "Notes.",
            "collections": [
                {
                    "name": "note", "schema_version": 2,
                    "fields": {
                        "title": "text",
                        "author": {"type": "text", "path": "/meta/author"},
                        "tags": {"type": "text[]", "path": ["/tags", "/meta/tags"]},
                        "text": {"type": "text", "path": "/content/text", "max_bytes": 65536},
                    },
                    "indexes": [
                        {"name": "newest", "fields": ["-_updated_at"]},
                        {"name": "one_title", "fields": ["title"], "unique": true},
                        {"name": "by_ann", "fields": ["title"], "where": {"author": ["ann", null]}},
                        {"name": "tags", "contains": ["tags"]},
                        {"name": "words", "search": ["title", "/turns/*/text"]},
                        {
                            "name": "of_ann", "fields": ["-title"], "unique": true,
                            "where": {"author": ["ann"]},
                        },
                    ],
                    "references": [{
                        "name": "folder", "field": "author", "collection": "bin",
                        "on_delete": "restrict",
                    }],
                    "schema": {"required": ["title"]},
                    "ttl_seconds": 60,
                },
                {"name": "bin", "expires": true},
            ],
            "counts": [{
                "name": "notes", "collections": ["note"], "by": ["author"], "sum": ["size"],
                "where": {"title": ["a", null]}, "limit": "max_notes",
            }],
            "settings": {
                "type": "object",
                "properties": {"max_notes": {"type": "integer", "default": 100}},
            },
            "statements": [{
                "name": "list", "select": "SELECT id FROM note", "where": ["title = :title"],
                "order": {"newest": "_updated_at DESC", "oldest": "_updated_at"},
            }],
            "operations": [{
                "name": "add-note", "method": "POST", "path": "/notes", "summary": "Add a note.",
                "role": "admin", "mode": "autocommit",
                "params": {
                    "tag": {
                        "type": "array", "items": {"type": "string"}, "description": "All of them.",
                    },
                    "dry": {"type": "boolean"},
                },
                "required": ["dry"],
                "request": {
                    "content_type": ["text/csv", "application/json"],
                    "schema": {"$ref": "#/schemas/note"},
                },
                "response": {
                    "200": {"description": "It was there.", "schema": {"$ref": "#/schemas/note"}},
                    "204": {"description": "It is there."},
                },
                "limits": {
                    "body_bytes": 10, "document_bytes": 20, "response_bytes": 30, "request_ms": 40,
                    "documents_written": 50,
                },
            }],
            "schemas": {"note": {"type": "object"}},
            "headers": ["x-note"],
        });
        assert_eq!(json(&full()), expected);
    }
}
