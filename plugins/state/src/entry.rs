//! How an entry is stored: `{"hex": …, "key": …, "size": …, "metadata": …, "value": …}`.
//!
//! Key and value lie in it in base64url, as they stand in JSON, so that lists and batches pass them
//! on as they are.

use loggia_plugin_sdk::manifest::{self, FieldType};
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Collection, declare};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::key::Key;
use crate::metadata::Metadata;

declare! { STORAGE:
    pub(crate) const ENTRIES: Collection = collection("entry").with(entry);
}

fn entry(entry: manifest::Collection) -> manifest::Collection {
    entry
        .field("hex", FieldType::Text)
        .field("key", FieldType::Text)
        .field("size", FieldType::Integer)
        .field("metadata", FieldType::Json)
        .index("by_hex", &["hex"])
        .contains_index("by_metadata", "metadata")
        .expires()
}

/// The document of an entry; the value is in base64url.
pub(crate) fn document(
    key: &Key,
    value: &str,
    size: usize,
    metadata: Option<Metadata<'_>>,
) -> String {
    let (hex, key) = (key.hex(), key.text());
    let metadata =
        metadata.map(|metadata| format!(r#""metadata":{},"#, metadata.json())).unwrap_or_default();
    format!(r#"{{"hex":"{hex}","key":"{key}","size":{size},{metadata}"value":"{value}"}}"#)
}

/// What is read of a document.
#[derive(Debug, Deserialize)]
pub(crate) struct Entry<'a> {
    /// In base64url.
    pub(crate) key: &'a str,
    /// In base64url.
    pub(crate) value: &'a str,
    #[serde(borrow)]
    pub(crate) metadata: Option<&'a RawValue>,
}

impl<'a> Entry<'a> {
    pub(crate) fn read(document: &'a str) -> Result<Self, Error> {
        serde_json::from_str(document)
            .map_err(|fault| Error::Other(format!("a stored entry: {fault}")))
    }
}

#[cfg(test)]
mod tests {
    use loggia_plugin_sdk::Encoding;

    use super::*;

    #[test]
    fn a_document_is_read_as_it_was_made() {
        let key = Key::parse(&Encoding::Base64Url.encode(b"a\xff")).expect("a key");
        let metadata = Metadata::parse(r#"{"a": [1]}"#).expect("an object");
        let text = document(&key, "AAE", 2, Some(metadata));
        let entry = Entry::read(&text).expect("an entry");
        assert_eq!((entry.key, entry.value), ("Yf8", "AAE"));
        assert_eq!(entry.metadata.map(RawValue::get), Some(r#"{"a": [1]}"#));
        let text = document(&key, "", 0, None);
        assert_eq!(text, r#"{"hex":"61ff","key":"Yf8","size":0,"value":""}"#);
        assert!(Entry::read(&text).expect("an entry").metadata.is_none());
    }
}
