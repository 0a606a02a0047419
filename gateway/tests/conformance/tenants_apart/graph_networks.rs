//! Networks, their groups, contacts, wires and snapshots of two tenants.

use serde_json::{Value, json};

use super::Case;
use super::requests::Request;

pub(super) const CASE: Case = Case {
    store,
    params: &[
        ("contact", "a"),
        ("from", "a"),
        ("to", "a"),
        ("contacts", "a"),
        ("depth", "1"),
        ("members", "true"),
    ],
    conditional: &[
        "PUT /networks/",
        "PATCH /networks/",
        "DELETE /networks/",
        "POST /networks/a:import",
        "POST /networks/b:import",
    ],
    body,
};

/// A network in which everything has its id, since all ids of a path are the same here.
fn network(id: &str, text: &str) -> Value {
    json!({"text": text, "groups": [{
        "group": {"id": id, "name": text, "attributes": {"text": text}},
        "contacts": [{"id": id, "content": text}],
        "wires": [{"id": id, "fromId": id, "toId": id, "attributes": {"text": text}}],
    }]})
}

fn store(text: &str) -> Vec<Request> {
    let put = |id: &str| Request::new("PUT", &format!("/networks/{id}")).json(&network(id, text));
    let snapshot = json!({"label": text});
    vec![
        put("a"),
        put("b"),
        Request::new("GET", "/networks?limit=1"),
        Request::new("GET", "/networks/a"),
        Request::new("GET", "/networks/a/groups/a"),
        Request::new("GET", "/networks/a/groups/a/contacts/a"),
        Request::new("GET", "/networks/a/groups/a/wires/a"),
        Request::new("POST", "/networks/a/snapshots").json(&snapshot),
        Request::new("POST", "/networks/a/snapshots").json(&snapshot),
        Request::new("GET", "/networks/a/snapshots?limit=1"),
    ]
}

fn body(operation: &str) -> Value {
    match operation {
        "put-group" => json!({"group": {}, "contacts": [{"id": "other"}]}),
        "batch-save-groups" => json!({"groups": [{"group": {"id": "a"}}]}),
        "batch-save-contacts" => json!({"contacts": [{"id": "a"}]}),
        "put-wire" => json!({"fromId": "a", "toId": "a"}),
        "put-contact" => json!({"content": "text"}),
        "create-snapshot" => json!({}),
        _ => json!({"groups": []}),
    }
}
