//! What a plugin declares besides its routes: collections, statements, counts and settings.
//!
//! The types are builders of the JSON document that `wit/manifest.schema.json` describes. They
//! check what the gateway cannot see, such as whether a field is in the type of a body; the gateway
//! checks all else when the plugin is built and when it is loaded. Both report all faults at once.
//!
//! ```
//! use loggia_plugin_sdk::manifest::{Count, FieldType, Manifest};
//! use loggia_plugin_sdk::{Collection, Select, declare};
//!
//! declare! { STORAGE:
//!     const NOTES: Collection = collection("note").with(|note| {
//!         note.field("title", FieldType::Text).index("by_title", &["title"])
//!     });
//!
//!     const LIST: Select = select("list", "SELECT id, title FROM note")
//!         .orders(&[("title", "title")]);
//! }
//!
//! let manifest = Manifest::new("notes", "0.1.0", "Notes with a title.")
//!     .storage(STORAGE)
//!     .count(Count::new("notes").collection("note"));
//! ```

mod collection;
mod count;
mod operation;
mod param;
mod schedule;
mod shape;
mod typed;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

pub use self::collection::{Collection, FieldType, OnDelete};
pub use self::count::Count;
pub use self::operation::{Mode, Operation, Role};
pub use self::param::Param;
pub use self::schedule::Schedule;
pub(crate) use self::shape::Shape;
use crate::storage::{Declare, Definition};

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
    statements: Vec<Definition>,
    operations: Vec<Operation>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    schedules: Vec<Schedule>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    schemas: Map<String, Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    headers: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    response_headers: Vec<String>,
    /// What is wrong with it that the gateway cannot see.
    #[serde(skip)]
    faults: Vec<String>,
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
            schedules: Vec::new(),
            schemas: Map::new(),
            headers: Vec::new(),
            response_headers: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Declare collections and statements: what a [`declare!`](crate::declare) lists.
    #[must_use]
    pub fn storage(mut self, declared: &[&dyn Declare]) -> Self {
        for one in declared {
            one.declare(&mut self);
        }
        self
    }

    /// Declare a count that the gateway keeps.
    #[must_use]
    pub fn count(mut self, count: Count) -> Self {
        self.counts.push(count);
        self
    }

    /// Declare the settings that an operator can make for each tenant, by the type that
    /// [`settings`](crate::settings) reads them into. `Default` says what each is where the
    /// operator says nothing. A count can name one as its limit.
    ///
    /// ```
    /// use loggia_plugin_sdk::manifest::Manifest;
    /// use loggia_plugin_sdk::schemars::{self, JsonSchema};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Deserialize, JsonSchema, Serialize)]
    /// #[serde(deny_unknown_fields)]
    /// struct Settings {
    ///     /// The most notes that a tenant can have; 0 for no limit.
    ///     max_notes: u32,
    /// }
    ///
    /// impl Default for Settings {
    ///     fn default() -> Self {
    ///         Self { max_notes: 1_000 }
    ///     }
    /// }
    ///
    /// let manifest = Manifest::new("notes", "0.1.0", "Notes.").settings::<Settings>();
    /// ```
    #[must_use]
    pub fn settings<T: Default + JsonSchema + Serialize>(mut self) -> Self {
        let mut schema = Shape::inline::<T>().into_schema().unwrap_or_else(|| json!({}));
        match serde_json::to_value(T::default()) {
            Ok(Value::Object(defaults)) => {
                for (name, default) in defaults {
                    schema["properties"][name]["default"] = default;
                }
                // Each has a default, so none must be given.
                schema.as_object_mut().map(|schema| schema.remove("required"));
                self.settings = Some(schema);
            }
            _ => self.faults.push("settings: they must be an object".to_owned()),
        }
        self
    }

    /// Let the gateway call an operation by itself.
    #[must_use]
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedules.push(schedule);
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

    /// Set a response header, in lower case, besides those that every handler may set.
    #[must_use]
    pub fn response_header(mut self, name: &str) -> Self {
        self.response_headers.push(name.to_owned());
        self
    }

    pub(crate) fn operation(mut self, operation: Operation) -> Self {
        self.operations.push(operation);
        self
    }

    pub(crate) fn add_statement(&mut self, statement: Definition) {
        self.statements.push(statement);
    }

    /// Add a collection whose bodies have this shape.
    pub(crate) fn add_collection(&mut self, collection: Collection, shape: Shape) {
        self.faults.extend(collection.faults(&shape));
        self.collections.push(collection.or_schema(shape));
    }

    /// The document that the gateway reads, or what is wrong with it.
    pub(crate) fn into_json(self) -> Result<String, Vec<String>> {
        if self.faults.is_empty() {
            Ok(serde_json::to_string(&self).expect("a manifest is made of text, numbers and lists"))
        } else {
            Err(self.faults)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(manifest: Manifest) -> Value {
        serde_json::from_str(&manifest.into_json().expect("no fault")).expect("a manifest is JSON")
    }

    #[derive(JsonSchema, Serialize)]
    struct Settings {
        max_notes: u32,
        color: Color,
    }

    #[derive(JsonSchema, Serialize)]
    #[serde(rename_all = "lowercase")]
    enum Color {
        Red,
    }

    impl Default for Settings {
        fn default() -> Self {
            Self { max_notes: 100, color: Color::Red }
        }
    }

    crate::declare! { STORAGE:
        const NOTE: crate::Collection = collection("note").with(note);

        const LIST: crate::Select = select("list", "SELECT id FROM note")
            .conditions(&["title = :title"])
            .orders(&[("-updatedAt", "_updated_at DESC"), ("oldest", "_updated_at")]);

        const CLAIM: crate::Update = update("claim", "note")
            .set(&[("title", "'claimed'")])
            .filter("title = 'free'")
            .order("id")
            .skip_locked()
            .expires("never");

        const CLEAR: crate::Delete = delete("clear", "note").conditions(&["title = :title"]);

        const ALL: crate::Scope = scope("all", "note");
    }

    crate::declare! { BIN_ALONE:
        const BIN: crate::Collection = collection("bin").with(Collection::expires);
    }

    fn note(note: Collection) -> Collection {
        note.schema_version(2)
            .field("title", FieldType::Text)
            .field_at("author", FieldType::Text, &["/meta/author"])
            .field_at("tags", FieldType::Texts, &["/tags", "/meta/tags"])
            .index("newest", &["-_updated_at"])
            .unique_index("one_title", &["title"])
            .index_where("by_ann", &["title"], json!({"author": ["ann", null]}))
            .sparse_index("by_author", &["author", "title"])
            .sparse_index_where("anns", &["title"], json!({"author": ["ann"]}))
            .long_text("text", "/content/text", 65_536)
            .contains_index("tags", "tags")
            .search_index("words", &["title", "/turns/*/text"])
            .unique_index_where("of_ann", &["-title"], json!({"author": ["ann"]}))
            .reference("folder", "author", "bin", OnDelete::Restrict)
            .schema(json!({"required": ["title"]}))
            .ttl_seconds(60)
    }

    fn full() -> Manifest {
        Manifest::new("notes", "1.2.3", "Notes.")
            .storage(STORAGE)
            .storage(BIN_ALONE)
            .settings::<Settings>()
            .count(
                Count::new("notes")
                    .collection("note")
                    .by("author")
                    .sum("size")
                    .only("title", json!(["a", null]))
                    .limit("max_notes"),
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
                    .documents_written(35)
                    .transaction_ms(38)
                    .request_ms(40),
            )
            .schema("note", json!({"type": "object"}))
            .header("x-note")
            .response_header("deprecation")
            .schedule(Schedule::every("1m", "add-note").when_due("note", "at"))
            .schedule(Schedule::every("24h", "add-note"))
    }

    #[test]
    fn a_manifest_has_the_form_of_the_schema() {
        let schema: Value = serde_json::from_str(include_str!("../../wit/manifest.schema.json"))
            .expect("the schema is JSON");
        let smallest = Manifest::new("notes", "0.1.0", "Notes.")
            .storage(BIN_ALONE)
            .operation(Operation::delete("delete-note", "/notes/{id}", "Delete a note."));
        for manifest in [full(), smallest] {
            assert_eq!(
                jsonschema::validate(&schema, &json(manifest)).map_err(|f| f.to_string()),
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
                        {"name": "by_author", "fields": ["author", "title"], "sparse": true},
                        {
                            "name": "anns", "fields": ["title"], "sparse": true,
                            "where": {"author": ["ann"]},
                        },
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
                "properties": {
                    "max_notes": {"type": "integer", "format": "uint32", "minimum": 0, "default": 100},
                    "color": {"type": "string", "enum": ["red"], "default": "red"},
                },
            },
            "statements": [
                {
                    "name": "list", "select": "SELECT id FROM note", "where": ["title = :title"],
                    "order": {"updated-at-desc": "_updated_at DESC", "oldest": "_updated_at"},
                },
                {
                    "name": "claim", "update": "note", "set": {"title": "'claimed'"},
                    "where": "title = 'free'", "order": {"only": "id"}, "locked": "skip",
                    "expires": "never",
                },
                {"name": "clear", "delete": "note", "where": ["title = :title"]},
                {"name": "all", "scope": "note"},
            ],
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
                    "body_bytes": 10, "document_bytes": 20, "response_bytes": 30, "documents_written": 35, "request_ms": 40, "transaction_ms": 38,
                },
            }],
            "schedules": [
                {
                    "operation": "add-note", "every": "1m",
                    "due": {"collection": "note", "field": "at"},
                },
                {"operation": "add-note", "every": "24h"},
            ],
            "schemas": {"note": {"type": "object"}},
            "headers": ["x-note"],
            "response_headers": ["deprecation"],
        });
        assert_eq!(json(full()), expected);
    }

    #[test]
    fn a_field_that_the_type_lacks_is_a_fault() {
        #[derive(JsonSchema)]
        #[expect(dead_code, reason = "only its shape is looked at")]
        struct Note {
            title: String,
        }

        crate::declare! { NOTES_ALONE:
            const NOTES: crate::Collection<Note> = collection("note").with(|note| {
                note.field("title", FieldType::Integer).field("text", FieldType::Text)
            });
        }

        let faults = Manifest::new("notes", "0.1.0", "Notes.").storage(NOTES_ALONE).into_json();
        let expected = [
            "collection note, field title: it is something else than Integer in Note",
            "collection note, field text: it leads to a member text that Note has not: title",
        ];
        assert_eq!(faults.expect_err("faults"), expected);
    }

    #[test]
    fn a_page_is_declared_by_its_statement() {
        let operation = Operation::get("list-notes", "/notes", "List.").pages(&LIST);
        let declared = serde_json::to_value(operation).expect("it is JSON");
        assert_eq!(declared["params"]["order"]["enum"], json!(["-updatedAt", "oldest"]));
        assert_eq!(declared["params"]["order"]["default"], "-updatedAt");
        assert_eq!(declared["params"]["limit"]["maximum"], 1_000);
    }
}
