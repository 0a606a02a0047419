//! What a plugin may try on the gateway while it answers a request, and what comes of it. Each
//! writes a document first, of which nothing may be there afterwards.

/// One attack: a request below `/v1/faults` that does harm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attack {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) expected: Expected,
}

/// How the request that attacks is answered.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expected {
    /// A problem of this status and code.
    Problem(u16, &'static str),
    /// A problem because a limit of this name was hit.
    Limit(u16, &'static str, &'static str),
    /// The plugin goes on and tells the error that it got. What it wrote stays.
    Told(&'static str),
    /// The plugin goes on: it has harmed nobody.
    Harmless,
}

use Expected::{Harmless, Limit, Problem, Told};

const TIME: &str = "plugin-timeout";
const RESOURCE: &str = "plugin-resource-limit";
const OUTPUT: &str = "plugin-bad-output";
const TRAP: &str = "plugin-trap";

pub(crate) const ENDLESS_LOOP: Attack = post("loop", Limit(504, TIME, "guest_cpu_ms"));
pub(crate) const RECURSION: Attack = post("recurse", Problem(502, TRAP));
pub(crate) const MEMORY: Attack = post("grow", Limit(502, RESOURCE, "plugin_memory_bytes"));
pub(crate) const TRAPPING: Attack = post("trap", Problem(502, TRAP));
pub(crate) const TRAP_AFTER_WRITES: Attack = post("trap-after?writes=900", Problem(502, TRAP));
pub(crate) const TRAP_WITH_A_LOCK: Attack = post("trap-holding/held", Problem(502, TRAP));
pub(crate) const STORAGE_CALLS: Attack =
    post("many-calls?calls=1000000", Limit(502, RESOURCE, "storage_calls"));
pub(crate) const GIANT_ID: Attack = post("giant-id?bytes=8000000", Told("invalid-id"));
pub(crate) const GIANT_BODY: Attack = post("giant-body?bytes=8000000", Told("too-large"));
pub(crate) const GIANT_LIST: Attack =
    post("giant-list?ids=300000", Limit(502, RESOURCE, "documents_read"));
pub(crate) const LOST_RACES: Attack = post("retry", Problem(503, "contention"));
pub(crate) const LOG_FLOOD: Attack = post("log-flood?lines=5000", Harmless);
pub(crate) const GIANT_LOG: Attack = post("giant-log?bytes=8000000", Harmless);
pub(crate) const FORGED_LOG: Attack = post("forged-log", Harmless);
pub(crate) const MANY_HEADERS: Attack = post("many-headers?count=10000", Problem(502, OUTPUT));
pub(crate) const SPLIT_HEADER: Attack = get("bad-header", Problem(502, OUTPUT));
pub(crate) const BAD_STATUS: Attack = get("bad-status", Problem(502, OUTPUT));
pub(crate) const LARGE_BODY: Attack =
    get("big-response?bytes=20000000", Limit(502, RESOURCE, "response_bytes"));
pub(crate) const BODY_OF_A_GIGABYTE: Attack =
    get("big-response?bytes=1000000000", Limit(502, RESOURCE, "plugin_memory_bytes"));

const fn post(path: &'static str, expected: Expected) -> Attack {
    Attack { method: "POST", path, expected }
}

const fn get(path: &'static str, expected: Expected) -> Attack {
    Attack { method: "GET", path, expected }
}
