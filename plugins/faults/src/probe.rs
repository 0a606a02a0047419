//! Storage calls that must fail. A probe answers with the name of the error, so that a test sees
//! what a plugin sees.

use loggia_plugin_sdk::storage::{Error, sweep};
use loggia_plugin_sdk::{Collection, Failure, Page, Response, select};
use serde_json::json;

use crate::documents::DOCUMENTS;

/// A call that must fail.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Probe {
    /// The name of its operation, and its path.
    pub(crate) name: &'static str,
    call: fn() -> Result<(), Error>,
}

/// All probes. Each runs in the mode `read`.
pub(crate) const PROBES: [Probe; 11] = [
    Probe { name: "sweep-in-read", call: || sweep(&["document"]).map(drop) },
    Probe { name: "write-in-read", call: || DOCUMENTS.put_json("a", "{}").run().map(drop) },
    Probe { name: "delete-in-read", call: || DOCUMENTS.delete("a").run().map(drop) },
    Probe {
        name: "unknown-collection",
        call: || Collection::<()>::new("nothing").get_json("a").map(drop),
    },
    Probe { name: "empty-id", call: || DOCUMENTS.get_json("").map(drop) },
    Probe { name: "long-id", call: || DOCUMENTS.get_json(&"x".repeat(1_025)).map(drop) },
    Probe { name: "select-unknown-statement", call: || select("nothing").run().map(drop) },
    Probe {
        name: "select-unknown-argument",
        call: || select("list").arg("nothing", 1).run().map(drop),
    },
    Probe { name: "select-wrong-type", call: || select("list").arg("title", 1).run().map(drop) },
    Probe {
        name: "select-unknown-order",
        call: || select_page(Page { order: Some("nothing".to_owned()), ..Page::default() }),
    },
    Probe { name: "select-limit-0", call: || select_page(Page { limit: 0, ..Page::default() }) },
];

fn select_page(page: Page) -> Result<(), Error> {
    select("list").page(page).run().map(drop)
}

/// The probe of this name.
pub(crate) fn find(name: &str) -> Option<&'static Probe> {
    PROBES.iter().find(|probe| probe.name == name)
}

impl Probe {
    /// Make the call, and answer with its error.
    pub(crate) fn run(&self) -> Result<Response, Failure> {
        let error = (self.call)().err();
        Response::serialize(200, &json!({"error": error.as_ref().map(error_name)}))
    }
}

/// The name of an error in the WIT text; an invalid call has the name of its fault.
pub(crate) fn error_name(error: &Error) -> &str {
    match error {
        Error::UnknownName(_) => "unknown-name",
        Error::Invalid(fault) => &fault.code,
        Error::Denied(_) => "denied",
        Error::PreconditionFailed(_) => "precondition-failed",
        Error::Duplicate(_) => "duplicate",
        Error::Reference(_) => "reference",
        Error::LimitExceeded(_) => "limit-exceeded",
        Error::Aborted => "aborted",
        Error::Timeout => "timeout",
        Error::Unavailable => "unavailable",
        Error::Other(_) => "other",
    }
}
