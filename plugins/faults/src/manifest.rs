//! What the plugin declares.

use loggia_plugin_sdk::manifest::{Count, Manifest, Mode, Operation, Param, Role, Schedule};
use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::{Response, Route};
use serde::Serialize;
use serde_json::json;

use crate::{
    apply, attack, breach, checkpoints, documents, echo, output, probe, schedule, together, wait,
};

#[derive(JsonSchema, Serialize)]
struct Settings {
    max_limited: i64,
    color: Color,
}

#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "an operator can say it")]
enum Color {
    Red,
    Blue,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_limited: 3, color: Color::Red }
    }
}

pub(crate) fn manifest() -> Manifest {
    let summary = "Misbehaves on request, for the tests of the gateway.";
    Manifest::new("faults", env!("CARGO_PKG_VERSION"), summary)
        .storage(documents::STORAGE)
        .storage(checkpoints::STORAGE)
        .storage(schedule::STORAGE)
        .settings::<Settings>()
        .count(Count::new("titled").collection("document").by("title"))
        .count(
            Count::new("limited")
                .collection("document")
                .only("title", json!(["limited"]))
                .limit("max_limited"),
        )
        .schema(
            "item",
            json!({
                "type": "object", "additionalProperties": false, "required": ["id"],
                "properties": {"id": {"type": "string", "pattern": "^[a-z]+$"}},
            }),
        )
        .header("x-test")
        .response_header("deprecation")
        .schedule(Schedule::every("100ms", "tick"))
        .schedule(Schedule::every("100ms", "ring").when_due("alarm", "at"))
}

/// What the plugin answers. What goes wrong has a route of its own.
pub(crate) const ROUTES: &[Route] = &[
    // What an empty call costs.
    Route::get("nothing", "/nothing", "Do nothing.", |_| Ok(Response::empty(204))).with(autocommit),
    // Documents.
    Route::put(
        "put-document",
        "/documents/{id}",
        "Store a document; If-Match is heeded.",
        documents::put,
    )
    .with(put_document),
    Route::put(
        "put-uncounted",
        "/uncounted/{id}",
        "Store a document that nothing counts; If-Match is heeded.",
        documents::put_uncounted,
    )
    .with(put_document),
    Route::get("get-document", "/documents/{id}", "Read a document.", documents::get)
        .with(autocommit),
    Route::patch("patch-document", "/documents/{id}", "Merge into a document.", documents::patch)
        .with(Operation::json_body),
    Route::delete("delete-document", "/documents/{id}", "Delete a document.", documents::delete)
        .with(autocommit),
    Route::get("list-documents", "/documents", "List the fields of documents.", documents::list)
        .with(|operation| {
            operation
                .param("title", Param::string())
                .param("min_amount", Param::integer())
                .param("due_before", Param::string().describe("A time of RFC 3339."))
                .pages(&documents::LIST)
                .param("offset", Param::integer().between(0, 1_000_000).default(0))
        }),
    Route::post("apply", "/apply", "Apply a list of writes in one call.", apply::apply)
        .with(Operation::json_body),
    Route::post("raise", "/raise", "Add to the amount of documents.", documents::raise).with(
        |operation| {
            operation
                .required_param("by", Param::integer())
                .param("title", Param::string())
                .param("limit", count().default(0))
        },
    ),
    Route::post("clear", "/clear", "Delete the documents of a title.", documents::clear).with(
        |operation| {
            operation.required_param("title", Param::string()).param("limit", count().default(0))
        },
    ),
    Route::post("wait", "/wait/{id}", "Wait until there is a document.", wait::wait).with(
        |operation| {
            operation
                .param("changed", Param::strings())
                .param("ms", Param::integer().between(-1_000, 600_000))
                .param("write", Param::boolean())
        },
    ),
    Route::post("wait-after-write", "/wait-after-write", "Write, then wait.", wait::after_write)
        .with(autocommit),
    Route::post("sweep", "/sweep", "Delete what has expired, and count it.", documents::sweep),
    Route::post("increment", "/increment/{id}", "Add one to the member amount.", apply::increment),
    Route::post("lose", "/lose/{id}", "The same, without a look at who else does.", apply::lose),
    together::READ,
    together::CHANGE,
    // Checkpoints and counts.
    Route::post(
        "create-checkpoint",
        "/checkpoints",
        "Copy the documents of a title.",
        checkpoints::create,
    )
    .with(|operation| {
        operation.required_param("title", Param::string()).param("label", Param::string())
    }),
    Route::get("list-checkpoints", "/checkpoints", "List checkpoints.", checkpoints::list),
    Route::get(
        "read-checkpoint",
        "/checkpoints/{id}",
        "Read the documents of a checkpoint.",
        checkpoints::read,
    ),
    Route::get(
        "diff-checkpoint",
        "/checkpoints/{id}:diff",
        "Compare it with now.",
        checkpoints::diff,
    ),
    Route::post(
        "restore-checkpoint",
        "/checkpoints/{id}:restore",
        "Restore it.",
        checkpoints::restore,
    ),
    Route::delete("delete-checkpoint", "/checkpoints/{id}", "Delete it.", checkpoints::delete),
    Route::get(
        "count-documents",
        "/count",
        "Count the documents of each title.",
        checkpoints::count,
    ),
    // What the gateway checks before the call; each tells what it was told.
    Route::post("echo", "/echo/{first}/{second}", "Tell what the plugin was told.", echo::echo)
        .with(|operation| {
            operation
                .param("text", Param::string())
                .param("tag", Param::strings())
                .param("number", Param::integer().default(7))
                .body_type("text/plain")
        }),
    Route::post("check-body", "/check-body", "Take items of a certain form, or lines.", echo::body)
        .with(check_body),
    together::LINES,
    Route::get("value", "/values/{value}", "Take any value.", echo::value),
    Route::get("value-verb", "/values/{value}:verb", "The same with a verb.", echo::value),
    Route::get("bytes", "/bytes/{value}", "Take any bytes.", echo::value)
        .with(|operation| operation.param("value", Param::bytes()).param("prefix", Param::bytes())),
    Route::get("settings", "/settings", "Tell the settings of the tenant.", echo::settings),
    Route::post("admin", "/admin", "What only an admin may ask for.", |_| Ok(Response::empty(204)))
        .with(|operation| operation.role(Role::Admin)),
    // Using up what a call may use.
    Route::post("loop", "/loop", "Write, then compute for ever.", breach::run_forever),
    Route::post("trap", "/trap", "Write, then panic.", breach::trap),
    Route::post("recurse", "/recurse", "Write, then use up the stack.", breach::recurse),
    Route::post("grow", "/grow", "Write, then use up the memory.", breach::grow),
    Route::post("many-calls", "/many-calls", "Make storage calls.", breach::many_calls)
        .with(|operation| operation.required_param("calls", count())),
    Route::post("log-flood", "/log-flood", "Log lines of 1 KiB.", breach::log_flood)
        .with(|operation| operation.required_param("lines", count())),
    // What is tried on the gateway and on others.
    Route::post("giant-id", "/giant-id", "Read a document with a giant id.", attack::giant_id)
        .with(bytes),
    Route::post("giant-body", "/giant-body", "Store a giant body.", attack::giant_body).with(bytes),
    Route::post(
        "giant-list",
        "/giant-list",
        "Read many documents in one call.",
        attack::giant_list,
    )
    .with(|operation| operation.required_param("ids", giant())),
    Route::post("giant-log", "/giant-log", "Log a giant message.", attack::giant_log).with(bytes),
    Route::post("forged-log", "/forged-log", "Log what looks like other lines.", |_| {
        attack::forged_log()
    }),
    Route::post("many-headers", "/many-headers", "Answer with many headers.", attack::many_headers)
        .with(|operation| operation.required_param("count", giant())),
    Route::post("trap-after", "/trap-after", "Write documents, then panic.", attack::trap_after)
        .with(|operation| operation.required_param("writes", giant())),
    Route::post(
        "trap-holding",
        "/trap-holding/{id}",
        "Lock a document, then panic.",
        attack::trap_holding,
    ),
    Route::post("remember", "/remember", "Keep a text in memory.", attack::remember)
        .with(|operation| operation.body_type("text/plain")),
    Route::get("recall", "/recall", "Look for a text in memory.", attack::recall)
        .with(|operation| operation.required_param("backwards", Param::string())),
    // What the gateway calls by itself, and what shows it.
    Route::post(
        "tick",
        "/tick",
        "Note when it was called, then do as the tally says.",
        schedule::tick,
    )
    .with(|operation| {
        autocommit(operation)
            .param("behave", Param::string().default("by schedule"))
            .role(Role::Admin)
    }),
    Route::post("ring", "/ring", "Delete the alarms that are due, and note it.", schedule::ring)
        .with(|operation| {
            operation
                .body_schema(json!({"type": "object", "additionalProperties": false}))
                .role(Role::Admin)
        }),
    Route::put("put-alarm", "/alarms/{id}", "Set an alarm.", schedule::put_alarm)
        .with(Operation::json_body),
    Route::put("put-tally", "/tallies/{id}", "Say how to behave.", schedule::put_tally)
        .with(Operation::json_body),
    Route::get("get-tally", "/tallies/{id}", "Read what was noted.", schedule::get_tally),
    // Answers that undo what was written, and wrong ones.
    Route::post("problem", "/problem", "Write, then answer with a problem.", output::problem),
    Route::post("retry", "/retry", "Write, then ask to be run again, always.", output::retry),
    Route::get(
        "big-response",
        "/big-response",
        "Answer with a text of some size.",
        output::big_response,
    )
    .with(|operation| {
        // Larger ones are not what it says here.
        let text = json!({"type": "string", "maxLength": 100});
        operation.required_param("bytes", Param::integer().between(2, 1_000_000_000)).answers_with(
            200,
            "A small text.",
            text,
        )
    }),
    Route::get("bad-status", "/bad-status", "Answer with a status that is none.", |_| {
        Ok(Response::empty(99))
    }),
    Route::get("declared-header", "/declared-header", "Set a header that is declared.", |_| {
        Ok(Response::empty(204).header("deprecation", "@1798761600"))
    }),
    Route::get("proxy-header", "/proxy-header", "Set a header that a proxy acts on.", |_| {
        Ok(Response::empty(204).header("x-accel-redirect", "/etc/passwd"))
    }),
    Route::get("bad-header", "/bad-header", "Answer with a header of two lines.", |_| {
        Ok(Response::empty(200).header("x-fault", "a\r\nx-smuggled: b"))
    }),
    // Storage calls that must fail.
    probe::SWEEP_IN_READ,
    probe::WRITE_IN_READ,
    probe::DELETE_IN_READ,
    probe::UNKNOWN_COLLECTION,
    probe::EMPTY_ID,
    probe::LONG_ID,
    probe::SELECT_UNKNOWN_STATEMENT,
    probe::SELECT_UNKNOWN_ARGUMENT,
    probe::SELECT_WRONG_TYPE,
    probe::SELECT_UNKNOWN_ORDER,
    probe::SELECT_LIMIT_0,
];

fn put_document(operation: Operation) -> Operation {
    let ttl = Param::integer().between(1, 1_000_000).describe("Without it: no time to live.");
    autocommit(operation).param("ttl_seconds", ttl).json_body()
}

fn autocommit(operation: Operation) -> Operation {
    operation.mode(Mode::Autocommit)
}

fn check_body(operation: Operation) -> Operation {
    let items = json!({
        "type": "object", "additionalProperties": false, "required": ["items"],
        "properties": {"items": {"type": "array", "items": {"$ref": "#/schemas/item"}}},
    });
    operation
        .body_schema(items)
        .body_type("application/x-ndjson")
        .answers(200, "What the plugin was told.")
}

fn bytes(operation: Operation) -> Operation {
    operation.required_param("bytes", giant())
}

fn count() -> Param {
    Param::integer().between(0, 1_000_000)
}

fn giant() -> Param {
    Param::integer().between(0, 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use loggia_plugin_sdk::describe;

    use crate::Faults;

    #[test]
    fn the_manifest_has_the_form_of_the_schema() {
        let parse = |text: &str| serde_json::from_str(text).expect("it is JSON");
        let schema: serde_json::Value = parse(include_str!("../../../wit/manifest.schema.json"));
        let manifest = parse(&describe::<Faults>().expect("all that is declared can be"));
        let checked = jsonschema::validate(&schema, &manifest);
        assert_eq!(checked.map_err(|fault| fault.to_string()), Ok(()));
    }
}
