//! What the plugin declares.

use loggia_plugin_sdk::manifest::{
    Collection, Count, FieldType, Manifest, Mode, Operation, Param, Role, Statement,
};

use serde_json::json;

use crate::probe::PROBES;

pub(crate) fn manifest() -> Manifest {
    let summary = "Misbehaves on request, for the tests of the gateway.";
    let manifest = Manifest::new("faults", env!("CARGO_PKG_VERSION"), summary)
        .collection(document())
        .collection(Collection::new("upgraded").schema_version(2).field("title", FieldType::Text))
        .statement(list())
        .statement(raise())
        .statement(clear())
        .statement(Statement::scope("titled", "document").filter("title = :title"))
        .statement(Statement::select(
            "checkpoints",
            "SELECT id, subject, label, metadata, documents FROM checkpoint",
        ))
        .statement(Statement::select("count", "SELECT title, documents FROM count_titled"))
        .integer_setting("max_limited", 3)
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
        .header("x-test");
    let operations = documents()
        .into_iter()
        .chain(checkpoints())
        .chain(breaches())
        .chain(output())
        .chain(inputs())
        .chain(probes());
    operations.fold(manifest, Manifest::operation)
}

/// A field of each type, none of which a document needs to have.
fn document() -> Collection {
    Collection::new("document")
        .field("title", FieldType::Text)
        .field("amount", FieldType::Integer)
        .field("ratio", FieldType::Number)
        .field("done", FieldType::Boolean)
        .field("due", FieldType::Timestamp)
        .field("tags", FieldType::Texts)
        .field_at("extra", FieldType::Json, &["/extra", "/meta/extra"])
        .field("unique_key", FieldType::Text)
        .index("by_title", &["title", "-amount"])
        .index("by_update", &["-_updated_at"])
        .unique_index("one_unique_key", &["unique_key"])
        .expires()
}

fn list() -> Statement {
    Statement::select(
        "list",
        "SELECT id, _version AS version, title, amount, ratio, done, due, tags, extra, \
         unique_key, _expires_at AS expires_at FROM document",
    )
    .condition("title = :title")
    .condition("amount >= :min_amount")
    .condition("due < :due_before")
    .order("id", "id")
    .order("newest", "_updated_at DESC")
    .order("amount", "amount")
}

fn raise() -> Statement {
    Statement::update("raise", "document")
        .set("amount", "coalesce(amount, 0) + :by")
        .set("extra", "json_append(extra, json_object('raised', :by))")
        .condition("title = :title")
        .order("lowest", "amount")
        .skip_locked()
}

fn clear() -> Statement {
    Statement::delete("clear", "document").filter("title = :title").order("lowest", "amount")
}

fn checkpoints() -> Vec<Operation> {
    let one = "/checkpoints/{id}";
    vec![
        Operation::post("create-checkpoint", "/checkpoints", "Copy the documents of a title.")
            .required_param("title", Param::string())
            .param("label", Param::string()),
        Operation::get("list-checkpoints", "/checkpoints", "List checkpoints."),
        Operation::get("read-checkpoint", one, "Read the documents of a checkpoint."),
        Operation::get("diff-checkpoint", "/checkpoints/{id}:diff", "Compare it with now."),
        Operation::post("restore-checkpoint", "/checkpoints/{id}:restore", "Restore it."),
        Operation::delete("delete-checkpoint", one, "Delete it."),
        Operation::get("count-documents", "/count", "Count the documents of each title."),
    ]
}

fn documents() -> Vec<Operation> {
    let ttl = Param::integer().between(1, 1_000_000).describe("Without it: no time to live.");
    vec![
        Operation::put("put-document", "/documents/{id}", "Store a document; If-Match is heeded.")
            .mode(Mode::Autocommit)
            .param("ttl_seconds", ttl)
            .json_body(),
        Operation::get("get-document", "/documents/{id}", "Read a document.")
            .mode(Mode::Autocommit),
        Operation::patch("patch-document", "/documents/{id}", "Merge into a document.").json_body(),
        Operation::delete("delete-document", "/documents/{id}", "Delete a document.")
            .mode(Mode::Autocommit),
        Operation::get("list-documents", "/documents", "List the fields of documents.")
            .param("title", Param::string())
            .param("min_amount", Param::integer())
            .param("due_before", Param::string().describe("A time of RFC 3339."))
            .param("order", Param::string().one_of(&["id", "newest", "amount"]))
            .param("limit", Param::integer().between(1, 1_000).default(50))
            .param("offset", Param::integer().between(0, 1_000_000).default(0))
            .param("cursor", Param::string())
            .param("total", Param::boolean().default(false)),
        Operation::post("apply", "/apply", "Apply a list of writes in one call.").json_body(),
        Operation::post("apply-more", "/apply-more", "The same, with more writes than usual.")
            .documents_written(50)
            .json_body(),
        Operation::post("raise", "/raise", "Add to the amount of documents.")
            .required_param("by", Param::integer())
            .param("title", Param::string())
            .param("limit", Param::integer().between(0, 1_000_000).default(0)),
        Operation::post("clear", "/clear", "Delete the documents of a title.")
            .required_param("title", Param::string())
            .param("limit", Param::integer().between(0, 1_000_000).default(0)),
        Operation::post("wait", "/wait/{id}", "Wait until there is a document.")
            .param("changed", Param::strings())
            .param("ms", Param::integer().between(-1_000, 600_000))
            .param("write", Param::boolean()),
        Operation::post("wait-after-write", "/wait-after-write", "Write, then wait.")
            .mode(Mode::Autocommit),
        Operation::post("sweep", "/sweep", "Delete what has expired, and count it."),
        Operation::post("increment", "/increment/{id}", "Add one to the member amount."),
        Operation::post("echo", "/echo/{first}/{second}", "Tell what the plugin was told.")
            .param("text", Param::string())
            .param("tag", Param::strings())
            .param("number", Param::integer().default(7))
            .body_type("text/plain"),
    ]
}

/// What the gateway checks before the call; each tells what it was told.
fn inputs() -> Vec<Operation> {
    let items = json!({
        "type": "object", "additionalProperties": false, "required": ["items"],
        "properties": {"items": {"type": "array", "items": {"$ref": "#/schemas/item"}}},
    });
    vec![
        Operation::post("check-body", "/check-body", "Take items of a certain form, or lines.")
            .body_schema(items)
            .body_type("application/x-ndjson")
            .answers(200, "What the plugin was told."),
        Operation::get("value", "/values/{value}", "Take any value."),
        Operation::get("value-verb", "/values/{value}:verb", "The same with a verb."),
        Operation::get("bytes", "/bytes/{bytes}", "Take any bytes.")
            .param("bytes", Param::bytes())
            .param("prefix", Param::bytes()),
        Operation::get("settings", "/settings", "Tell the settings of the tenant."),
        Operation::post("admin", "/admin", "What only an admin may ask for.").role(Role::Admin),
    ]
}

fn breaches() -> Vec<Operation> {
    let count = || Param::integer().between(0, 1_000_000);
    vec![
        Operation::post("loop", "/loop", "Write, then compute for ever."),
        Operation::post("trap", "/trap", "Write, then panic."),
        Operation::post("recurse", "/recurse", "Write, then use up the stack."),
        Operation::post("grow", "/grow", "Write, then use up the memory."),
        Operation::post("many-calls", "/many-calls", "Make storage calls.")
            .required_param("calls", count()),
        Operation::post("log-flood", "/log-flood", "Log lines of 1 KiB.")
            .required_param("lines", count()),
    ]
}

fn output() -> Vec<Operation> {
    let bytes = Param::integer().between(2, 1_000_000_000);
    vec![
        Operation::get("nothing", "/nothing", "Do nothing.").mode(Mode::Autocommit),
        Operation::get("hasty", "/hasty", "Do nothing, and soon.").request_ms(200),
        Operation::post("problem", "/problem", "Write, then answer with a problem."),
        Operation::post("retry", "/retry", "Write, then ask to be run again, always."),
        Operation::get("big-response", "/big-response", "Answer with a text of some size.")
            .required_param("bytes", bytes),
        Operation::get("bad-status", "/bad-status", "Answer with a status that is none."),
        Operation::get("bad-header", "/bad-header", "Answer with a header of two lines."),
    ]
}

fn probes() -> impl Iterator<Item = Operation> {
    PROBES.iter().map(|probe| {
        let summary = "Make a call that must fail, and tell its error.";
        Operation::get(probe.name, &format!("/{}", probe.name), summary).mode(Mode::Read)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_has_the_form_of_the_schema() {
        let parse = |text: &str| serde_json::from_str(text).expect("it is JSON");
        let schema: serde_json::Value = parse(include_str!("../../../wit/manifest.schema.json"));
        let manifest = parse(&manifest().to_json());
        let checked = jsonschema::validate(&schema, &manifest);
        assert_eq!(checked.map_err(|fault| fault.to_string()), Ok(()));
    }
}
