//! A declared `search` index: which texts of a document it is made of.

use serde_json::Value;

use super::collection::{self, Field};
use crate::manifest::{FieldType, IndexDeclaration};

/// A declared index of words.
#[derive(Clone, Debug)]
pub struct SearchIndex {
    /// Its name in the manifest.
    pub name: String,
    /// Its name in the database; on `SQLite` that of the table beside the collection's.
    pub physical_name: String,
    /// The column that holds its words, which is that of a hidden field.
    pub column: String,
    /// Where its texts stand, in this order.
    pub sources: Vec<SearchSource>,
}

/// One place of texts in a document.
#[derive(Clone, Debug)]
pub struct SearchSource {
    /// JSON Pointers to a value; the first that exists counts.
    pub paths: Vec<String>,
    /// The way on from there.
    steps: Vec<Step>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Step {
    /// To all elements of an array.
    Each,
    /// To a member of an object.
    Member(String),
}

/// The name of the field that holds the words of an index. No name of a plugin holds a `#`.
pub(super) fn field_name(index: &str) -> String {
    format!("#{index}")
}

impl SearchIndex {
    /// Name everything of a declared index over these fields.
    ///
    /// # Errors
    /// It names a field that is not declared, or one that holds no text.
    pub(super) fn new(
        physical_name: String,
        fields: &[Field],
        declaration: &IndexDeclaration,
    ) -> Result<Self, String> {
        let sources = declaration.search.iter().map(|source| match source.strip_prefix('/') {
            Some(pointer) => SearchSource::at(pointer),
            None => SearchSource::of_field(fields, source),
        });
        Ok(Self {
            name: declaration.name.clone(),
            physical_name,
            column: collection::physical_name(&["w", &declaration.name]),
            sources: sources.collect::<Result<_, _>>()?,
        })
    }

    /// The hidden field that holds its words. It has no pointer: the words of all sources are put
    /// together.
    pub(super) fn field(&self) -> Field {
        Field {
            name: field_name(&self.name),
            column: self.column.clone(),
            field_type: FieldType::Words,
            paths: Vec::new(),
            max_bytes: 0,
        }
    }
}

impl SearchSource {
    fn of_field(fields: &[Field], name: &str) -> Result<Self, String> {
        let field = fields.iter().find(|field| field.name == name);
        let field = field.ok_or_else(|| format!("{name} is not a declared field"))?;
        match field.field_type {
            FieldType::Text | FieldType::Texts => {
                Ok(Self { paths: field.paths.clone(), steps: Vec::new() })
            }
            other => Err(format!(
                "{name} is {}; search takes text, text[] or JSON Pointers",
                other.name()
            )),
        }
    }

    /// From a pointer, in which `*` stands for all elements of an array.
    fn at(pointer: &str) -> Result<Self, String> {
        let mut tokens = pointer.split('/').peekable();
        let mut path = String::new();
        while let Some(token) = tokens.next_if(|token| *token != "*") {
            path = format!("{path}/{token}");
        }
        if path.is_empty() {
            return Err(format!("/{pointer}: a document is no array; begin with a member's name"));
        }
        let steps = tokens.map(|token| match token {
            "*" => Step::Each,
            name => Step::Member(name.replace("~1", "/").replace("~0", "~")),
        });
        Ok(Self { paths: vec![path], steps: steps.collect() })
    }

    /// The texts in a value that stands at the path: a text, or a list of them. What is anything
    /// else has no words.
    pub(super) fn texts(&self, value: &str) -> Vec<String> {
        // The body has been checked, so what cannot be read here is no text.
        let Ok(value) = serde_json::from_str(value) else { return Vec::new() };
        let mut values = vec![value];
        for step in &self.steps {
            values = values.into_iter().flat_map(|value| step.follow(value)).collect();
        }
        let texts = values.into_iter().flat_map(|value| match value {
            Value::Array(elements) => elements,
            value => vec![value],
        });
        let text = |value| if let Value::String(text) = value { Some(text) } else { None };
        texts.filter_map(text).collect()
    }
}

impl Step {
    fn follow(&self, value: Value) -> Vec<Value> {
        match (self, value) {
            (Self::Each, Value::Array(elements)) => elements,
            (Self::Member(name), Value::Object(mut members)) => {
                members.remove(name).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_leads_to_texts() {
        for (pointer, path, value, expected) in [
            ("title", "/title", r#""a b""#, vec!["a b"]),
            ("title", "/title", "7", vec![]),
            ("title", "/title", r#"["a", 1, ["b"], "c"]"#, vec!["a", "c"]),
            (
                "turns/*/text",
                "/turns",
                r#"[{"text": "a"}, {"text": 1}, {}, {"text": ["b"]}]"#,
                vec!["a", "b"],
            ),
            ("t/*/r/*/x", "/t", r#"[{"r": [{"x": "a"}, {"x": "b"}]}, {"r": []}]"#, vec!["a", "b"]),
            ("t/*", "/t", r#"["a", "b"]"#, vec!["a", "b"]),
            ("t/*", "/t", r#"{"x": "a"}"#, vec![]),
            ("a~1b/*/c~0d", "/a~1b", r#"[{"c~d": "e"}]"#, vec!["e"]),
        ] {
            let source = SearchSource::at(pointer).expect("it is a pointer");
            assert_eq!(source.paths, [path]);
            assert_eq!(source.texts(value), expected, "{pointer} {value}");
        }
        assert!(SearchSource::at("*/a").is_err());
    }
}
