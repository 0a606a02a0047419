//! What wakes claims that wait: a document that is written when jobs may have come within reach.
//!
//! They do not wait for changes of jobs themselves, since each heartbeat of a job is one. A new job
//! takes a sequence number, which is a change to wake by, too.

use loggia_plugin_sdk::{Collection, Timestamp, Wait, Write, declare};

use crate::sequence::SEQUENCES;

declare! { STORAGE:
    const BELLS: Collection = collection("bell");
}

const ID: &str = "jobs";

pub(crate) fn ring() -> Write {
    BELLS.put_json(ID, "{}").into()
}

/// Until there may be a job to claim.
pub(crate) fn wait(until: Timestamp) -> Wait {
    Wait::for_change(&[SEQUENCES.name(), BELLS.name()], until)
}
