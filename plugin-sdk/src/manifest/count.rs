//! Declared counts.

use serde::Serialize;
use serde_json::{Map, Value};

/// How many documents there are, kept exactly by the gateway with every change of one.
///
/// Statements read it as the relation `count_` and its name: the fields counted by, `documents`, and `sum_` with
/// the name of each field that is added up.
///
/// ```
/// use loggia_plugin_sdk::manifest::{Count, FieldType, Manifest};
/// use loggia_plugin_sdk::{Collection, Select, declare};
///
/// declare! { STORAGE:
///     const JOBS: Collection = collection("job").with(|job| job.field("state", FieldType::Text));
///     const STATS: Select = select("stats", "SELECT state, documents FROM count_by_state");
/// }
///
/// let manifest = Manifest::new("jobs", "0.1.0", "Jobs.")
///     .storage(STORAGE)
///     .count(Count::new("by_state").collection("job").by("state"));
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct Count {
    name: String,
    collections: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    by: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sum: Vec<String>,
    #[serde(rename = "where", skip_serializing_if = "Map::is_empty")]
    conditions: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<String>,
}

impl Count {
    /// Begin a count of this name, of no collection yet.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            collections: Vec::new(),
            by: Vec::new(),
            sum: Vec::new(),
            conditions: Map::new(),
            limit: None,
        }
    }

    /// Count the documents of this collection, together with those of others.
    #[must_use]
    pub fn collection(mut self, name: &str) -> Self {
        self.collections.push(name.to_owned());
        self
    }

    /// Count apart by the values of this field.
    #[must_use]
    pub fn by(mut self, field: &str) -> Self {
        self.by.push(field.to_owned());
        self
    }

    /// Add up this integer field. `_written` and `_deleted` add up what happens to documents, and
    /// never fall: statements read them as `written` and `deleted`.
    #[must_use]
    pub fn sum(mut self, field: &str) -> Self {
        self.sum.push(field.to_owned());
        self
    }

    /// Count only documents whose field has one of these values, a JSON array; null stands for a
    /// document that lacks the field.
    #[must_use]
    pub fn only(mut self, field: &str, values: Value) -> Self {
        self.conditions.insert(field.to_owned(), values);
        self
    }

    /// Allow at most as many documents, for each combination of values counted by, as this integer
    /// setting says; 0 for no limit. A write over it fails with `limit-exceeded`.
    #[must_use]
    pub fn limit(mut self, setting: &str) -> Self {
        self.limit = Some(setting.to_owned());
        self
    }
}
