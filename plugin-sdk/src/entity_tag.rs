//! Strong entity tags, of one document or of several.

use std::fmt;

use crate::digest::digest_id;
use crate::storage::Version;

/// A strong entity tag (RFC 9110, section 8.8.3): of one document its version, and of an answer that
/// several documents make up a digest of all their versions.
///
/// ```
/// use loggia_plugin_sdk::{EntityTag, Response};
///
/// let tag = EntityTag::of([("n1", 7), ("g1", 8)]);
/// assert_eq!(tag, EntityTag::of([("g1", 8), ("n1", 7)]));
/// assert_ne!(tag, EntityTag::of([("n1", 7), ("g1", 9)]));
/// assert_eq!(EntityTag::from(7).to_string(), "\"7\"");
/// let response = Response::json(200, "{}").etag(tag);
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EntityTag {
    /// What stands between the quotes.
    text: String,
}

impl EntityTag {
    /// The tag of what these documents make up, each with its id and its version, in any order. It
    /// changes when one of them does, when one is gone, and when another comes. Ids of several
    /// collections need a prefix where they can be equal.
    #[must_use]
    pub fn of<I: AsRef<str>>(documents: impl IntoIterator<Item = (I, Version)>) -> Self {
        let mut documents: Vec<_> = documents.into_iter().collect();
        documents.sort_by(|(a, _), (b, _)| a.as_ref().cmp(b.as_ref()));
        let parts = documents
            .iter()
            .flat_map(|(id, version)| [id.as_ref().to_owned(), version.to_string()]);
        Self { text: digest_id(parts) }
    }

    /// Whether this is what stands between the quotes of a strong tag.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.text == text
    }
}

impl From<Version> for EntityTag {
    fn from(version: Version) -> Self {
        Self { text: version.to_string() }
    }
}

/// As it stands in a header.
impl fmt::Display for EntityTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "\"{}\"", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_of_several_documents_changes_with_each_of_them() {
        let tag = EntityTag::of([("a", 1), ("b", 2)]);
        for other in [
            EntityTag::of([("a", 1), ("b", 3)]),
            EntityTag::of([("a", 2), ("b", 1)]),
            EntityTag::of([("a", 1), ("c", 2)]),
            EntityTag::of([("a", 1)]),
            EntityTag::of([("a", 1), ("b", 2), ("c", 3)]),
        ] {
            assert_ne!(tag, other);
        }
    }

    #[test]
    fn a_tag_of_several_documents_is_none_of_a_version() {
        // The longest version has 20 digits.
        assert_eq!(EntityTag::of([("a", 1)]).text.len(), 22);
        assert!(EntityTag::from(u64::MAX).text.len() < 22);
    }
}
