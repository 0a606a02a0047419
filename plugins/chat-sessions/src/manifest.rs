//! What the plugin declares.

use loggia_plugin_sdk::manifest::{
    Collection, FieldType, Manifest, Mode, Operation, Param, Statement,
};

use crate::list::{DEFAULT_LIMIT, ORDERS};
use crate::session::STATES;

/// The largest session.
const MAX_SESSION_BYTES: u64 = 10 * 1024 * 1024;

/// What the record around a session adds, and room for numbers that take more space in a
/// database than in the request.
const RECORD_BYTES: u64 = 1024 * 1024;

pub(crate) fn manifest() -> Manifest {
    let summary = "Sessions of conversations between users and agents.";
    Manifest::new("chat-sessions", env!("CARGO_PKG_VERSION"), summary)
        .collection(session())
        .statement(stored())
        .statement(list())
        .operation(put_session())
        .operation(
            Operation::get("get-session", "/sessions/{id}", "Read a whole session.")
                // One call needs no transaction around it.
                .mode(Mode::Autocommit)
                .param("id", id()),
        )
        .operation(
            Operation::delete("delete-session", "/sessions/{id}", "Delete a session.")
                // One call needs no transaction around it.
                .mode(Mode::Autocommit)
                .param("id", id()),
        )
        .operation(list_sessions())
}

fn session() -> Collection {
    Collection::new("session")
        .field_at("state", FieldType::Text, &["/session/state"])
        .field_at("user_id", FieldType::Text, &["/session/metadata/userId"])
        .field_at("created", FieldType::Timestamp, &["/session/createdAt"])
        .field_at("updated", FieldType::Timestamp, &["/session/updatedAt"])
        .field_at("expires_on", FieldType::Timestamp, &["/session/expiresAt"])
        .field_at("agent_count", FieldType::Integer, &["/agentCount"])
        .field_at("turn_count", FieldType::Integer, &["/turnCount"])
        .field_at("version", FieldType::Integer, &["/session/version"])
        .field_at("metadata", FieldType::Json, &["/session/metadata"])
        // Both orders by `updated` are one index, read forwards or backwards. By `created` and a
        // filter there is none: a user has few sessions, and a state is shared by many.
        .index("by_updated", &["-updated"])
        .index("by_created", &["-created"])
        .index("by_state", &["state", "-updated"])
        .index("by_user", &["user_id", "-updated"])
}

/// What decides whether a session may be replaced, without its body.
fn stored() -> Statement {
    Statement::select(
        "stored",
        "SELECT _version AS revision, version, created FROM session WHERE id = :id",
    )
}

fn list() -> Statement {
    let statement = Statement::select(
        "list",
        "SELECT id, state, updated AS \"updatedAt\", created AS \"createdAt\", \
         agent_count AS \"agentCount\", turn_count AS \"turnCount\", version, metadata \
         FROM session",
    )
    .condition("state = :state")
    .condition("user_id = :user_id");
    ORDERS.iter().fold(statement, |statement, order| statement.order(order.name, order.columns))
}

fn put_session() -> Operation {
    Operation::put(
        "put-session",
        "/sessions/{id}",
        "Store a session under the rule of its version.",
    )
    // The only call that writes checks what was read before, so there is nothing to undo.
    .mode(Mode::Autocommit)
    .param("id", id())
    .json_body()
    .body_bytes(MAX_SESSION_BYTES)
    .document_bytes(MAX_SESSION_BYTES + RECORD_BYTES)
}

fn list_sessions() -> Operation {
    let orders = ORDERS.map(|order| order.param);
    let order = Param::string().one_of(&orders).default(orders[0]);
    Operation::get("list-sessions", "/sessions", "List sessions without their histories.")
        .param("state", Param::string().one_of(&STATES))
        .param("user_id", Param::string().describe("The member userId of the metadata."))
        .param("order", order)
        .param("limit", Param::integer().between(1, 1_000).default(DEFAULT_LIMIT))
        .param("cursor", Param::string().describe("The next_cursor of the page before."))
        .param("total", Param::boolean().default(false).describe("Count all sessions as well."))
}

fn id() -> Param {
    Param::string().describe("The session's id.")
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
