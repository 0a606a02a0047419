//! The conditions that `If-Match` and `If-None-Match` put on a document (RFC 9110, section 13).
//!
//! The entity tag of a document is its version in quotes, and always strong. Most conditions are
//! one [`Precondition`], so that one write both checks and changes; the others need to know what
//! is there.

use crate::problem::{Failure, Problem};
use crate::storage::{Precondition, Version};

/// What a request's `If-Match` and `If-None-Match` demand of a document.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Conditions {
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
}

/// What stands in one of the two headers.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Tags {
    /// `*`: any document.
    Any,
    /// A document of one of these versions. Tags that no document can have are left out.
    Versions(Vec<Version>),
}

impl Conditions {
    /// Read them from a request's headers. A header that stands there several times is one list.
    pub(crate) fn parse(headers: &[(String, String)]) -> Self {
        Self {
            // RFC 9110 compares strongly here: a weak tag never matches.
            if_match: list(headers, "if-match").map(|list| Tags::parse(&list, strong_version)),
            if_none_match: list(headers, "if-none-match")
                .map(|list| Tags::parse(&list, |tag| strong_version(strip_weak(tag)))),
        }
    }

    /// Whether the request has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.if_match.is_none() && self.if_none_match.is_none()
    }

    /// Check them against what is there: the version of the stored document, or none.
    ///
    /// The answer is the precondition to write with, so that what was read is what is replaced.
    ///
    /// # Errors
    /// 412 `precondition-failed` where they do not hold.
    pub fn check(&self, found: Option<Version>) -> Result<Precondition, Failure> {
        let matches = |tags: &Tags| found.is_some_and(|version| tags.contain(version));
        let wanted = self.if_match.as_ref().is_none_or(matches);
        let unwanted = self.if_none_match.as_ref().is_some_and(matches);
        if !wanted || unwanted {
            return Err(Problem::precondition_failed(found).into());
        }
        Ok(found.map_or(Precondition::Absent, Precondition::Version))
    }

    /// The one precondition that says the same, if there is one. Others must be checked against
    /// what is there.
    pub(crate) fn as_precondition(&self) -> Option<Precondition> {
        match (&self.if_match, &self.if_none_match) {
            (None, None) => Some(Precondition::Any),
            (Some(Tags::Any), None) => Some(Precondition::Present),
            (None, Some(Tags::Any)) => Some(Precondition::Absent),
            (Some(Tags::Versions(versions)), None) => match versions.as_slice() {
                [version] => Some(Precondition::Version(*version)),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Tags {
    fn parse(list: &str, version: impl Fn(&str) -> Option<Version>) -> Self {
        if list.trim() == "*" {
            return Self::Any;
        }
        Self::Versions(members(list).filter_map(version).collect())
    }

    fn contain(&self, version: Version) -> bool {
        match self {
            Self::Any => true,
            Self::Versions(versions) => versions.contains(&version),
        }
    }
}

fn list(headers: &[(String, String)], name: &str) -> Option<String> {
    let values: Vec<&str> = headers
        .iter()
        .filter(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
        .collect();
    (!values.is_empty()).then(|| values.join(","))
}

/// The members of a list. A comma inside quotes belongs to a tag.
fn members(list: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    list.split(move |character| {
        quoted ^= character == '"';
        character == ',' && !quoted
    })
    .map(str::trim)
}

fn strip_weak(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

/// The version of a strong tag. Tags are compared byte by byte, so `"07"` is not version 7.
fn strong_version(tag: &str) -> Option<Version> {
    let text = tag.strip_prefix('"')?.strip_suffix('"')?;
    text.parse().ok().filter(|version: &Version| version.to_string() == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conditions(headers: &[(&str, &str)]) -> Conditions {
        let headers: Vec<(String, String)> =
            headers.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Conditions::parse(&headers)
    }

    fn if_match(value: &str) -> Conditions {
        conditions(&[("if-match", value)])
    }

    fn if_none_match(value: &str) -> Conditions {
        conditions(&[("if-none-match", value)])
    }

    #[test]
    fn the_usual_conditions_are_one_precondition() {
        assert_eq!(conditions(&[]).as_precondition(), Some(Precondition::Any));
        assert_eq!(if_match("*").as_precondition(), Some(Precondition::Present));
        assert_eq!(if_match(" \"7\" ").as_precondition(), Some(Precondition::Version(7)));
        assert_eq!(if_none_match("*").as_precondition(), Some(Precondition::Absent));
    }

    #[test]
    fn the_others_must_be_checked() {
        for unusual in [
            if_match("\"7\", \"8\""),
            if_match("\"x\""),
            if_none_match("\"7\""),
            conditions(&[("if-match", "*"), ("if-none-match", "\"7\"")]),
        ] {
            assert_eq!(unusual.as_precondition(), None, "{unusual:?}");
        }
    }

    #[test]
    fn a_list_matches_each_of_its_tags() {
        for list in [
            if_match("\"a,b\",\"7\" , \"8\""),
            conditions(&[("if-match", "\"7\""), ("if-match", "\"8\"")]),
        ] {
            assert_eq!(list.check(Some(7)), Ok(Precondition::Version(7)));
            assert_eq!(list.check(Some(8)), Ok(Precondition::Version(8)));
            assert!(list.check(Some(9)).is_err());
            assert!(list.check(None).is_err());
        }
    }

    #[test]
    fn a_weak_or_malformed_tag_never_matches() {
        for tag in
            ["W/\"7\"", "7", "\"07\"", "\"+7\"", "\"7", "7\"", "\"\"", "", "*, \"8\"", "\"7\"x"]
        {
            assert!(if_match(tag).check(Some(7)).is_err(), "{tag}");
            assert!(if_match(tag).check(None).is_err(), "{tag}");
        }
    }

    #[test]
    fn if_none_match_refuses_what_it_names() {
        assert!(if_none_match("*").check(Some(7)).is_err());
        assert_eq!(if_none_match("*").check(None), Ok(Precondition::Absent));
        assert!(if_none_match("\"6\", W/\"7\"").check(Some(7)).is_err());
        assert_eq!(if_none_match("\"6\"").check(Some(7)), Ok(Precondition::Version(7)));
    }

    #[test]
    fn both_must_hold() {
        let both = conditions(&[("if-match", "*"), ("if-none-match", "\"7\"")]);
        assert_eq!(both.check(Some(8)), Ok(Precondition::Version(8)));
        assert!(both.check(Some(7)).is_err());
        assert!(both.check(None).is_err());
    }
}
