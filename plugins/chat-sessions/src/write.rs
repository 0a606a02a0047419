//! Storing a session: its document, its chunks and its versions in one call, under a precondition
//! on what was seen.

use loggia_plugin_sdk::storage::{Error, Fault, Outcome};
use loggia_plugin_sdk::{Failure, Precondition, Problem, Response, Write, Written, apply};
use serde_json::json;

use crate::session::Made;
use crate::settings::Settings;
use crate::store::{CHUNKS, SESSIONS, chunk_id};

/// The largest document: of a session, and room for numbers that take more space in a database than
/// in the request.
pub(crate) const MAX_DOCUMENT_BYTES: u64 = 16 << 20;

/// The writes that store a session in place of one with so many chunks.
pub(crate) fn writes(
    id: &str,
    made: &Made,
    chunks_before: usize,
    precondition: Precondition,
) -> Vec<Write> {
    let mut writes: Vec<Write> =
        vec![SESSIONS.put_json(id, made.document.as_str()).when(precondition).into()];
    let puts = made.chunks.iter().map(|(id, text)| CHUNKS.put_json(id, text.as_str()).into());
    writes.extend(puts);
    let superfluous = made.chunks.len()..chunks_before;
    writes.extend(superfluous.map(|place| CHUNKS.delete(&chunk_id(id, place)).into()));
    writes
}

/// Apply them. There is nothing where another session is there by now than was seen.
pub(crate) fn run(writes: Vec<Write>) -> Result<Option<Written>, Failure> {
    match apply(writes) {
        Ok(outcomes) => match outcomes.into_iter().next() {
            Some(Outcome::Written(written)) => Ok(Some(written)),
            _ => Err(Error::Other("a session was not written".to_owned()).into()),
        },
        Err(Error::PreconditionFailed(mismatch)) if mismatch.index == 0 => Ok(None),
        Err(error) => Err(refused(error)),
    }
}

/// What the client is told of a write that failed.
pub(crate) fn refused(error: Error) -> Failure {
    match error {
        Error::LimitExceeded(limit) if limit == "max_sessions" => {
            let detail = "there are as many sessions as the operator allows: delete some";
            Problem::new(503, "too-many-sessions", detail)
                .with("limit", "max_sessions")
                .header("retry-after", "60")
                .into()
        }
        Error::Invalid(fault) => Error::Invalid(within_session(fault)).into(),
        error => error.into(),
    }
}

/// The client knows nothing of the record around its session.
fn within_session(fault: Fault) -> Fault {
    let name = match fault.name.strip_prefix("/history") {
        Some(rest) => format!("/conversationHistory{rest}"),
        None => fault.name.strip_prefix("/session").unwrap_or(&fault.name).to_owned(),
    };
    Fault { name, ..fault }
}

pub(crate) fn check_size(bytes: usize, settings: &Settings) -> Result<(), Problem> {
    let most = settings.max_session_bytes;
    if bytes as u64 > most {
        let detail = format!("a session has at most {most} bytes, and this one has {bytes}");
        let problem = Problem::new(413, "session-too-large", detail);
        return Err(problem.with("limit", "max_session_bytes").with("max_session_bytes", most));
    }
    Ok(())
}

/// What a change of a session answers.
pub(crate) fn answer(status: u16, id: &str, version: u64, written: Written) -> Response {
    let body = json!({"id": id, "version": version});
    Response::json(status, body.to_string()).etag(written.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_shown_where_the_client_has_sent_it() {
        let name = |name: &str| {
            let fault = Fault {
                index: 0,
                id: "a".to_owned(),
                name: name.to_owned(),
                code: "field-too-long".to_owned(),
                detail: "too long".to_owned(),
            };
            within_session(fault).name
        };
        assert_eq!(name("/session/metadata/userId"), "/metadata/userId");
        assert_eq!(name("/history/3/userMessage"), "/conversationHistory/3/userMessage");
        assert_eq!(name(""), "");
    }
}
