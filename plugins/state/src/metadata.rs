//! What a client notes beside a value: a JSON object, which travels in a header.

use std::fmt::Write as _;

use loggia_plugin_sdk::Problem;
use serde_json::value::RawValue;

/// The request and response header.
pub(crate) const HEADER: &str = "x-metadata";

/// The longest metadata as it stands in the header: what proxies let pass.
const MAX_HEADER_BYTES: usize = 8_192;

/// The text of a JSON object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metadata<'a>(&'a str);

impl<'a> Metadata<'a> {
    /// Metadata in a header.
    pub(crate) fn parse(text: &'a str) -> Result<Self, Problem> {
        let metadata: &RawValue = serde_json::from_str(text).map_err(|fault| {
            Problem::new(400, "invalid-metadata", format!("the metadata is no JSON: {fault}"))
        })?;
        Self::new(metadata)
    }

    /// Metadata in JSON.
    pub(crate) fn new(metadata: &'a RawValue) -> Result<Self, Problem> {
        let text = metadata.get();
        if !text.starts_with('{') {
            return Err(Problem::new(422, "invalid-metadata", "the metadata must be an object"));
        }
        if in_header(text).len() > MAX_HEADER_BYTES {
            let detail = format!("the metadata has more than {MAX_HEADER_BYTES} bytes in a header");
            return Err(
                Problem::new(422, "metadata-too-large", detail).with("limit", MAX_HEADER_BYTES)
            );
        }
        Ok(Self(text))
    }

    pub(crate) fn json(self) -> &'a str {
        self.0
    }
}

/// JSON as it can stand in a header: characters beyond ASCII are escaped, and lines joined.
pub(crate) fn in_header(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            ' '..='~' => text.push(character),
            // These stand between values only.
            '\n' | '\r' | '\t' => text.push(' '),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Option<String> {
        Metadata::parse(text).err().map(|problem| problem.code)
    }

    #[test]
    fn metadata_is_an_object() {
        assert_eq!(Metadata::parse(r#" {"a": 1} "#).expect("one").json(), r#"{"a": 1}"#);
        for text in ["", "{", "{} {}", "x"] {
            assert_eq!(code(text).as_deref(), Some("invalid-metadata"), "{text}");
        }
        assert_eq!(code("[1]").as_deref(), Some("invalid-metadata"));
    }

    #[test]
    fn metadata_fits_a_header() {
        let of = |text: &str, count: usize| format!(r#"{{"a":"{}"}}"#, text.repeat(count));
        assert_eq!(code(&of("x", MAX_HEADER_BYTES - 8)), None);
        assert_eq!(code(&of("x", MAX_HEADER_BYTES - 7)).as_deref(), Some("metadata-too-large"));
        assert_eq!(code(&of("é", MAX_HEADER_BYTES / 4)).as_deref(), Some("metadata-too-large"));
    }

    #[test]
    fn a_header_holds_ascii_alone() {
        let shown = in_header("{\n\t\"é\u{7f}\": \"\u{1F980}\"}");
        assert_eq!(shown, r#"{  "\u00e9\u007f": "\ud83e\udd80"}"#);
        let value: serde_json::Value = serde_json::from_str(&shown).expect("it is JSON");
        assert_eq!(value, serde_json::json!({"é\u{7f}": "\u{1F980}"}));
    }
}
