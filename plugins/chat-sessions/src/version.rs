//! The rule of a session's own version: the optimistic lock that chat clients use.
//!
//! It is not the document's version, which the gateway counts and HTTP shows as the `ETag`.

use loggia_plugin_sdk::{Conditions, Problem};

/// How a client guards a PUT against what it has not seen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Guard {
    /// The body holds the version that the session is to have.
    Version(u64),
    /// There is no version, but `If-Match` or `If-None-Match`, and it holds.
    Condition,
    /// Neither.
    Nothing,
}

/// Why a session cannot be stored.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Refusal {
    /// The version is not the one after the stored one.
    Conflict { sent: u64, stored: u64 },
    /// Replacing needs a guard.
    Unguarded,
}

impl Guard {
    pub(crate) fn new(version: Option<u64>, conditions: &Conditions) -> Self {
        match version {
            Some(version) => Self::Version(version),
            None if conditions.is_empty() => Self::Nothing,
            None => Self::Condition,
        }
    }

    /// The version to store, where this one is stored or none is.
    pub(crate) fn next_version(self, stored: Option<u64>) -> Result<u64, Refusal> {
        match (self, stored) {
            (Self::Version(sent), None) => Ok(sent),
            (Self::Version(sent), Some(stored)) if sent.checked_sub(1) == Some(stored) => Ok(sent),
            (Self::Version(sent), Some(stored)) => Err(Refusal::Conflict { sent, stored }),
            (Self::Condition | Self::Nothing, None) => Ok(1),
            (Self::Condition, Some(stored)) => Ok(stored + 1),
            (Self::Nothing, Some(_)) => Err(Refusal::Unguarded),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Conflict { sent, stored } => {
                let detail = format!("version {} was expected", stored + 1);
                Self::new(409, "version-conflict", detail).with("sent", sent).with("stored", stored)
            }
            Refusal::Unguarded => Self::new(
                428,
                "precondition-required",
                "the session exists: send its next version, or If-Match",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_creates_whatever_it_is() {
        assert_eq!(Guard::Version(1).next_version(None), Ok(1));
        assert_eq!(Guard::Version(7).next_version(None), Ok(7));
    }

    #[test]
    fn a_version_replaces_the_one_before_only() {
        assert_eq!(Guard::Version(8).next_version(Some(7)), Ok(8));
        for sent in [1, 6, 7, 9] {
            let refusal = Guard::Version(sent).next_version(Some(7));
            assert_eq!(refusal, Err(Refusal::Conflict { sent, stored: 7 }));
        }
        assert!(Guard::Version(0).next_version(Some(u64::MAX)).is_err());
    }

    #[test]
    fn without_a_version_the_server_counts() {
        assert_eq!(Guard::Nothing.next_version(None), Ok(1));
        assert_eq!(Guard::Condition.next_version(None), Ok(1));
        assert_eq!(Guard::Condition.next_version(Some(7)), Ok(8));
        assert_eq!(Guard::Nothing.next_version(Some(7)), Err(Refusal::Unguarded));
    }

    #[test]
    fn a_conflict_names_both_versions() {
        let problem = Problem::from(Refusal::Conflict { sent: 3, stored: 5 });
        assert_eq!((problem.status, problem.code.as_str()), (409, "version-conflict"));
        assert_eq!(
            (&problem.extensions["sent"], &problem.extensions["stored"]),
            (&3.into(), &5.into())
        );
        assert_eq!(Problem::from(Refusal::Unguarded).status, 428);
    }

    #[test]
    fn a_condition_guards_where_there_is_no_version() {
        let none = Conditions::default();
        assert_eq!(Guard::new(Some(3), &none), Guard::Version(3));
        assert_eq!(Guard::new(None, &none), Guard::Nothing);
    }
}
