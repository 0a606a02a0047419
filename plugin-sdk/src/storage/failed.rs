//! What a write that could not be applied means: another run, or the place of its item in a batch.

use serde_json::Value;

use super::{Error, Outcome};
use crate::problem::{Failure, Problem};

impl Error {
    /// As `Failure::from`, but a failed precondition is a lost race, and so another run of the
    /// request: for a write that demands what was read before.
    ///
    /// ```no_run
    /// # use loggia_plugin_sdk::storage::Error;
    /// # use loggia_plugin_sdk::{Collection, Failure, Problem, Request, Response, declare};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Deserialize, Serialize, loggia_plugin_sdk::schemars::JsonSchema)]
    /// # struct Note { reads: u64 }
    /// # use loggia_plugin_sdk::schemars;
    /// # declare! { STORAGE: const NOTES: Collection<Note> = collection("note"); }
    /// fn read(request: &Request) -> Result<Response, Failure> {
    ///     let id = request.path("id");
    ///     let mut note = NOTES.get(id)?.ok_or_else(|| Problem::not_found("there is no such note"))?;
    ///     note.body.reads += 1;
    ///     let write = NOTES.replace(id, note.version, &note.body);
    ///     let written = write.run().map_err(Error::or_retry)?;
    ///     Ok(Response::serialize(200, &note.body)?.etag(written.version))
    /// }
    /// ```
    #[must_use]
    pub fn or_retry(self) -> Failure {
        match self {
            Self::PreconditionFailed(_) => Failure::Retry,
            other => other.into(),
        }
    }

    /// As `Failure::from`, with the place in the request's body of what could not be written:
    /// `place` gets the index of the write among those of [`apply`](super::apply).
    ///
    /// ```no_run
    /// # use loggia_plugin_sdk::{Collection, Failure, Request, Response, apply, declare};
    /// # use serde::Deserialize;
    /// # declare! { STORAGE: const NOTES: Collection = collection("note"); }
    /// #[derive(Deserialize)]
    /// struct Batch {
    ///     items: Vec<Item>,
    /// }
    ///
    /// #[derive(Deserialize)]
    /// struct Item {
    ///     id: String,
    ///     note: serde_json::Value,
    /// }
    ///
    /// fn batch_put(request: &Request) -> Result<Response, Failure> {
    ///     let Batch { items } = request.json()?;
    ///     let writes = items.iter().map(|item| NOTES.put(&item.id, &item.note).into());
    ///     let outcomes = apply(writes.collect())
    ///         .map_err(|error| error.pointing(|write| format!("/items/{write}/note")))?;
    ///     Ok(Response::json(200, format!(r#"{{"stored":{}}}"#, outcomes.len())))
    /// }
    /// ```
    ///
    /// A fault within the written body, such as `/title`, stands behind the place:
    /// `"pointer": "/items/3/note/title"`. A failed precondition has the `ETag` of what is there as
    /// the member `etag`, since the header would be that of the whole. Errors of no single write,
    /// such as one of the database, become what `?` makes of them.
    #[must_use]
    pub fn pointing(self, place: impl FnOnce(usize) -> String) -> Failure {
        let index = self.write_index();
        match (index, Failure::from(self)) {
            (Some(index), Failure::Problem(problem)) => point(problem, place(index)).into(),
            (_, failure) => failure,
        }
    }

    /// The place of the write at fault, where one is.
    fn write_index(&self) -> Option<usize> {
        match self {
            Self::PreconditionFailed(mismatch) => Some(mismatch.index as usize),
            Self::Invalid(fault) | Self::Duplicate(fault) | Self::Reference(fault) => {
                Some(fault.index as usize)
            }
            _ => None,
        }
    }
}

impl Outcome {
    /// Why a write with [`or_skip`](super::Write::or_skip) was left out, as the client is told; none
    /// where it was applied.
    ///
    /// ```no_run
    /// # use loggia_plugin_sdk::{Collection, Failure, apply};
    /// # use serde_json::{Value, json};
    /// # fn example(notes: Collection, items: &[(String, Value)]) -> Result<(), Failure> {
    /// let writes = items.iter().map(|(id, note)| notes.insert(id, note).or_skip());
    /// let mut rejected = Vec::new();
    /// for (index, outcome) in apply(writes.collect())?.into_iter().enumerate() {
    ///     if let Some(problem) = outcome.problem() {
    ///         rejected.push(json!({
    ///             "index": index, "code": problem.code, "detail": problem.detail,
    ///         }));
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn problem(self) -> Option<Problem> {
        let Self::Skipped(error) = self else { return None };
        match Failure::from(error) {
            Failure::Problem(problem) => Some(problem),
            // These end the request in place of being an outcome of it.
            Failure::Retry | Failure::Wait(_) => None,
        }
    }
}

/// Let a problem point to a place in the body of the request.
fn point(mut problem: Problem, mut place: String) -> Problem {
    if let Some(Value::String(within)) = problem.extensions.get("pointer") {
        place += within;
    }
    for (name, value) in std::mem::take(&mut problem.headers) {
        problem = problem.with(&name, value);
    }
    problem.with("pointer", place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Fault, Mismatch, Written};

    fn fault(name: &str) -> Fault {
        let text = |text: &str| text.to_owned();
        Fault { index: 3, id: text("a"), name: text(name), code: text("c"), detail: text("d") }
    }

    fn pointing(error: Error) -> Problem {
        match error.pointing(|write| format!("/items/{write}")) {
            Failure::Problem(problem) => problem,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_item_at_fault_is_pointed_to() {
        let pointer = |error| pointing(error).extensions["pointer"].clone();
        assert_eq!(pointer(Error::Invalid(fault("/title"))), "/items/3/title");
        assert_eq!(pointer(Error::Invalid(fault(""))), "/items/3");
        assert_eq!(pointer(Error::Duplicate(fault("by_email"))), "/items/3");
        assert_eq!(pointer(Error::Reference(fault("parent"))), "/items/3");
    }

    #[test]
    fn a_failed_precondition_of_an_item_has_its_tag_as_a_member() {
        let mismatch = Mismatch { index: 3, id: "a".to_owned(), found: Some(7) };
        let problem = pointing(Error::PreconditionFailed(mismatch));
        assert_eq!(problem.extensions["pointer"], "/items/3");
        assert_eq!(problem.extensions["etag"], "\"7\"");
        assert!(problem.headers.is_empty());
    }

    #[test]
    fn what_no_item_is_to_blame_for_points_nowhere() {
        let place = |_| unreachable!("no write is at fault");
        assert_eq!(Error::Aborted.pointing(place), Failure::Retry);
        assert_eq!(Error::Timeout.pointing(place), Failure::from(Error::Timeout));
    }

    #[test]
    fn a_lost_race_is_another_run() {
        let mismatch = Mismatch { index: 0, id: "a".to_owned(), found: Some(7) };
        assert_eq!(Error::PreconditionFailed(mismatch).or_retry(), Failure::Retry);
        assert_eq!(Error::Timeout.or_retry(), Failure::from(Error::Timeout));
    }

    #[test]
    fn an_outcome_tells_why_a_write_was_left_out() {
        let written = Outcome::Written(Written { version: 1, created: true });
        assert_eq!(written.problem(), None);
        let problem = Outcome::Skipped(Error::Duplicate(fault("by_email"))).problem();
        assert_eq!(problem.map(|problem| problem.status), Some(409));
    }
}
