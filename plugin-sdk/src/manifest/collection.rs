//! A kind of documents, with its fields and indexes.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Shape;

/// The declaration of a kind of documents that the plugin stores: what
/// [`Collection::with`](crate::Collection::with) gets and gives.
#[derive(Clone, Debug, Serialize)]
pub struct Collection {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema_version: Option<u32>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    fields: Map<String, Value>,
    /// The types of the fields.
    #[serde(skip)]
    types: BTreeMap<String, FieldType>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    indexes: Vec<Index>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    references: Vec<Reference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<Value>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    expires: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retention: Option<Retention>,
}

#[derive(Clone, Debug, Serialize)]
struct Reference {
    name: String,
    field: String,
    collection: String,
    on_delete: OnDelete,
}

/// What becomes of a document when the one that it refers to is deleted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDelete {
    /// It is deleted as well.
    Cascade,
    /// The other cannot be deleted.
    Restrict,
}

#[derive(Clone, Debug, Serialize)]
struct Retention {
    field: String,
    days: u32,
}

#[derive(Clone, Debug, Default, Serialize)]
struct Index {
    name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    contains: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    search: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unique: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    sparse: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    lookup: bool,
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    only: Option<Value>,
}

impl Collection {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            schema_version: None,
            fields: Map::new(),
            types: BTreeMap::new(),
            indexes: Vec::new(),
            references: Vec::new(),
            schema: None,
            expires: false,
            ttl_seconds: None,
            retention: None,
        }
    }

    /// Number the form of the bodies. It grows when that form changes.
    #[must_use]
    pub fn schema_version(mut self, version: u32) -> Self {
        self.schema_version = Some(version);
        self
    }

    /// Declare that the member of this name, at the top of the body, is a typed column.
    #[must_use]
    pub fn field(self, name: &str, field_type: FieldType) -> Self {
        self.add_field(name, field_type, json!(field_type))
    }

    /// Declare a typed column for a member deeper in the body, by JSON Pointers: the first that
    /// exists counts.
    #[must_use]
    pub fn field_at(self, name: &str, field_type: FieldType, paths: &[&str]) -> Self {
        let path = if let [path] = paths { json!(path) } else { json!(paths) };
        self.add_field(name, field_type, json!({"type": field_type, "path": path}))
    }

    /// Declare a column of text that may be longer than 2,048 bytes, by a JSON Pointer. It cannot
    /// stand in an index by order.
    #[must_use]
    pub fn long_text(self, name: &str, path: &str, max_bytes: u32) -> Self {
        let field = json!({"type": FieldType::Text, "path": path, "max_bytes": max_bytes});
        self.add_field(name, FieldType::Text, field)
    }

    /// Index these fields in this order; a leading `-` means descending.
    #[must_use]
    pub fn index(self, name: &str, fields: &[&str]) -> Self {
        self.add_index(Index { fields: owned(fields), ..Index::new(name) })
    }

    /// Index these fields for conditions that say what each of them is. It gives documents in no
    /// order, and is much smaller than [`index`](Self::index) where many have the same values.
    #[must_use]
    pub fn lookup_index(self, name: &str, fields: &[&str]) -> Self {
        self.add_index(Index { fields: owned(fields), lookup: true, ..Index::new(name) })
    }

    /// Index these fields, and allow at most one document with the same values in them. A
    /// document that lacks one of the fields does not count.
    #[must_use]
    pub fn unique_index(self, name: &str, fields: &[&str]) -> Self {
        self.add_index(Index { fields: owned(fields), unique: true, ..Index::new(name) })
    }

    /// As [`index`](Self::index), of those documents only that have the first of the fields. It
    /// serves statements that ask for a value of it.
    #[must_use]
    pub fn sparse_index(self, name: &str, fields: &[&str]) -> Self {
        self.add_index(Index { fields: owned(fields), sparse: true, ..Index::new(name) })
    }

    /// As [`index`](Self::index), of those documents only whose fields have one of these values:
    /// `json!({"status": ["queued"]})`. It serves statements with that condition in literals.
    #[must_use]
    pub fn index_where(self, name: &str, fields: &[&str], only: Value) -> Self {
        self.add_index(Index { fields: owned(fields), only: Some(only), ..Index::new(name) })
    }

    /// As [`index_where`](Self::index_where), of those of them only that have the first of the
    /// fields.
    #[must_use]
    pub fn sparse_index_where(self, name: &str, fields: &[&str], only: Value) -> Self {
        let only = Some(only);
        self.add_index(Index { fields: owned(fields), sparse: true, only, ..Index::new(name) })
    }

    /// As [`unique_index`](Self::unique_index), of those documents only whose fields have one of
    /// these values.
    #[must_use]
    pub fn unique_index_where(self, name: &str, fields: &[&str], only: Value) -> Self {
        let only = Some(only);
        self.add_index(Index { fields: owned(fields), unique: true, only, ..Index::new(name) })
    }

    /// Index a field of the type [`FieldType::Texts`] or [`FieldType::Json`] by what it contains:
    /// for `array_has_any`, `array_has_all` and `json_contains` in statements.
    #[must_use]
    pub fn contains_index(self, name: &str, field: &str) -> Self {
        self.add_index(Index { contains: owned(&[field]), ..Index::new(name) })
    }

    /// Let a text field hold the id of a document of a collection, which must exist when this one is
    /// written. Documents of that collection must not expire.
    #[must_use]
    pub fn reference(
        mut self,
        name: &str,
        field: &str,
        collection: &str,
        on_delete: OnDelete,
    ) -> Self {
        let [name, field, collection] = [name, field, collection].map(str::to_owned);
        self.references.push(Reference { name, field, collection, on_delete });
        self
    }

    /// Demand that every body that is written satisfies this JSON Schema (2020-12), instead of the
    /// one that follows from the type of the bodies.
    #[must_use]
    pub fn schema(mut self, schema: Value) -> Self {
        self.schema = Some(schema);
        self
    }

    /// Let documents carry a time to live.
    #[must_use]
    pub fn expires(mut self) -> Self {
        self.expires = true;
        self
    }

    /// Give every document this time to live unless its write says otherwise.
    #[must_use]
    pub fn ttl_seconds(mut self, seconds: u32) -> Self {
        self.ttl_seconds = Some(seconds);
        self
    }

    /// Let the gateway delete documents whose field is older than so many days: a field of the
    /// type [`FieldType::Timestamp`], `_created_at` or `_updated_at`. Until then, and until it
    /// comes to it, they are there for everything.
    #[must_use]
    pub fn retention(mut self, field: &str, days: u32) -> Self {
        self.retention = Some(Retention { field: field.to_owned(), days });
        self
    }

    /// Index texts by their words, for `match` and `rank` in statements: fields of the types
    /// [`FieldType::Text`] and [`FieldType::Texts`], or JSON Pointers, in which a segment `*` stands
    /// for all elements of an array: `/turns/*/text`.
    #[must_use]
    pub fn search_index(self, name: &str, texts: &[&str]) -> Self {
        self.add_index(Index { search: owned(texts), ..Index::new(name) })
    }

    /// What is wrong with fields of bodies of this shape.
    pub(super) fn faults(&self, shape: &Shape) -> Vec<String> {
        let of_field = |(name, declared): (&String, &Value)| {
            let own = format!("/{name}");
            let pointers = match declared.get("path") {
                Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
                Some(Value::String(one)) => vec![one.as_str()],
                _ => vec![own.as_str()],
            };
            let field_type = self.types.get(name).copied()?;
            // Where one of several leads somewhere, it may be the one that counts.
            let faults: Option<Vec<String>> =
                pointers.iter().map(|pointer| shape.fault_of(pointer, field_type)).collect();
            let fault = faults?.pop()?;
            Some(format!("collection {}, field {name}: it {fault}", self.name))
        };
        self.fields.iter().filter_map(of_field).collect()
    }

    /// With the schema of the bodies' shape, where none was declared.
    pub(super) fn or_schema(mut self, shape: Shape) -> Self {
        self.schema = self.schema.or_else(|| shape.into_schema());
        self
    }

    fn add_field(mut self, name: &str, field_type: FieldType, declared: Value) -> Self {
        self.fields.insert(name.to_owned(), declared);
        self.types.insert(name.to_owned(), field_type);
        self
    }

    fn add_index(mut self, index: Index) -> Self {
        self.indexes.push(index);
        self
    }
}

impl Index {
    fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// The type of a declared field. A member of another type is refused when it is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
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
    /// RFC 3339 text in the body, a time in statements.
    Timestamp,
    /// A list of text.
    #[serde(rename = "text[]")]
    Texts,
    /// Any JSON value: can be read, not compared.
    Json,
}
