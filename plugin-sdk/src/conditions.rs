//! The conditions that `If-Match` and `If-None-Match` put on a document (RFC 9110, section 13).
//!
//! The entity tag of a document is its version in quotes, and always strong. Most conditions are
//! one [`Precondition`], so that one write both checks and changes; the others need to know what
//! is there.

use crate::entity_tag::EntityTag;
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
    /// `*`: whatever is there.
    Any,
    /// One of these, as they stand between the quotes. Weak tags, where they cannot match, and
    /// malformed ones are left out.
    Listed(Vec<String>),
}

impl Conditions {
    /// Read them from a request's headers. A header that stands there several times is one list.
    pub(crate) fn parse(headers: &[(String, String)]) -> Self {
        Self {
            // RFC 9110 compares strongly here: a weak tag never matches.
            if_match: list(headers, "if-match").map(|list| Tags::parse(&list, strong)),
            if_none_match: list(headers, "if-none-match")
                .map(|list| Tags::parse(&list, |tag| strong(strip_weak(tag)))),
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
        self.check_tag(found.map(EntityTag::from).as_ref())?;
        Ok(found.map_or(Precondition::Absent, Precondition::Version))
    }

    /// Check them against the tag of what several documents make up, or none where there is nothing.
    ///
    /// Another request may change one of the documents between the read and the write. So a change
    /// of one part must be seen by the changes of all others: let each of them also write one
    /// document that they share, under the version that was read.
    ///
    /// ```no_run
    /// use loggia_plugin_sdk::storage::Error;
    /// use loggia_plugin_sdk::{Collection, EntityTag, Failure, Problem, Request, Response, declare};
    ///
    /// declare! { STORAGE:
    ///     const NETWORKS: Collection = collection("network");
    ///     const CONTACTS: Collection = collection("contact");
    /// }
    ///
    /// fn rename(request: &Request) -> Result<Response, Failure> {
    ///     let (network, contact) = (request.path("network"), request.path("contact"));
    ///     let missing = || Problem::not_found("there is no such contact");
    ///     let root = NETWORKS.get_json(network)?.ok_or_else(missing)?;
    ///     let part = CONTACTS.get_json(contact)?.ok_or_else(missing)?;
    ///     let tag = EntityTag::of([(network, root.version), (contact, part.version)]);
    ///     request.conditions().check_tag(Some(&tag))?;
    ///     let root = NETWORKS.merge_json(network, "{}").when(root.precondition());
    ///     let root = root.run().map_err(Error::or_retry)?;
    ///     let part = CONTACTS.merge_json(contact, request.text()?).when(part.precondition());
    ///     let part = part.run().map_err(Error::or_retry)?;
    ///     let tag = EntityTag::of([(network, root.version), (contact, part.version)]);
    ///     Ok(Response::empty(204).etag(tag))
    /// }
    /// ```
    ///
    /// # Errors
    /// 412 `precondition-failed`, with the tag of what is there, where they do not hold.
    pub fn check_tag(&self, found: Option<&EntityTag>) -> Result<(), Failure> {
        let matches = |tags: &Tags| found.is_some_and(|tag| tags.contain(tag));
        let wanted = self.if_match.as_ref().is_none_or(matches);
        let unwanted = self.if_none_match.as_ref().is_some_and(matches);
        if !wanted || unwanted {
            return Err(Problem::unmatched(found).into());
        }
        Ok(())
    }

    /// The one precondition that says the same, if there is one. Others must be checked against
    /// what is there.
    pub(crate) fn as_precondition(&self) -> Option<Precondition> {
        match (&self.if_match, &self.if_none_match) {
            (None, None) => Some(Precondition::Any),
            (Some(Tags::Any), None) => Some(Precondition::Present),
            (None, Some(Tags::Any)) => Some(Precondition::Absent),
            (Some(Tags::Listed(tags)), None) => match tags.as_slice() {
                [tag] => version(tag).map(Precondition::Version),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Tags {
    fn parse(list: &str, text: impl Fn(&str) -> Option<&str>) -> Self {
        if list.trim() == "*" {
            return Self::Any;
        }
        Self::Listed(members(list).filter_map(text).map(str::to_owned).collect())
    }

    fn contain(&self, tag: &EntityTag) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(texts) => texts.iter().any(|text| tag.is(text)),
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

/// What stands between the quotes of a strong tag.
fn strong(tag: &str) -> Option<&str> {
    tag.strip_prefix('"')?.strip_suffix('"')
}

/// The version that a tag is of. Tags are compared byte by byte, so `"07"` is not version 7.
fn version(text: &str) -> Option<Version> {
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
    fn a_tag_of_several_documents_is_compared_as_any_other() {
        let tag = EntityTag::of([("a", 7), ("b", 8)]);
        let listed = format!("\"7\", {tag}");
        assert_eq!(if_match(&listed).check_tag(Some(&tag)), Ok(()));
        assert_eq!(if_match("*").check_tag(Some(&tag)), Ok(()));
        assert_eq!(conditions(&[]).check_tag(None), Ok(()));
        assert_eq!(if_none_match("*").check_tag(None), Ok(()));
        assert_eq!(if_none_match("\"7\"").check_tag(Some(&tag)), Ok(()));
        assert!(if_none_match(&format!("W/{tag}")).check_tag(Some(&tag)).is_err());
        assert!(if_match(&listed).check_tag(None).is_err());
        let other = EntityTag::of([("a", 7), ("b", 9)]);
        let Err(Failure::Problem(problem)) = if_match(&listed).check_tag(Some(&other)) else {
            panic!("the condition held");
        };
        assert_eq!(problem.headers, [("etag".to_owned(), other.to_string())]);
    }

    #[test]
    fn both_must_hold() {
        let both = conditions(&[("if-match", "*"), ("if-none-match", "\"7\"")]);
        assert_eq!(both.check(Some(8)), Ok(Precondition::Version(8)));
        assert!(both.check(Some(7)).is_err());
        assert!(both.check(None).is_err());
    }
}
