//! The plugin `graph-networks` over HTTP: every row of its route table, with what each refuses.

mod at_once;
mod contacts;
mod files;
mod filters;
mod groups;
mod limits;
mod refusals;
mod snapshots;
mod walks;
mod whole;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use crate::harness::{Answer, TestGateway};

const JSON: (&str, &str) = ("content-type", "application/json");

/// A route of the plugin.
fn route(path: &str) -> String {
    format!("/v1/graph-networks/{path}")
}

/// An id as it stands in a path or a query.
fn encoded(id: &str) -> String {
    utf8_percent_encode(id, NON_ALPHANUMERIC).to_string()
}

fn network(id: &str) -> String {
    route(&format!("networks/{}", encoded(id)))
}

/// A group of the network `n`.
fn group(id: &str) -> String {
    format!("{}/groups/{}", network("n"), encoded(id))
}

/// A contact of a group of the network `n`.
fn contact(group_id: &str, id: &str) -> String {
    format!("{}/contacts/{}", group(group_id), encoded(id))
}

/// A wire of a group of the network `n`.
fn wire(group_id: &str, id: &str) -> String {
    format!("{}/wires/{}", group(group_id), encoded(id))
}

/// A group with contacts of these ids and without wires.
fn saved_group(id: &str, contacts: &[&str]) -> Value {
    let contacts: Vec<Value> = contacts.iter().map(|id| json!({"id": id})).collect();
    json!({"group": {"id": id}, "contacts": contacts})
}

/// The ids of a member of an answer's items, `/group/id` or `/id`.
fn ids(answer: &Answer, pointer: &str) -> Vec<String> {
    let answer = answer.json();
    let items = answer["items"].as_array().unwrap();
    items.iter().map(|item| item.pointer(pointer).unwrap().as_str().unwrap().to_owned()).collect()
}

impl TestGateway {
    /// Make the network `n` of these groups.
    async fn network_of(&self, groups: &[Value]) -> Answer {
        let answer = self.put(&network("n"), &json!({"groups": groups})).await;
        assert!(matches!(answer.status.as_u16(), 200 | 201), "{answer:?}");
        answer
    }

    /// POST JSON.
    async fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, &[JSON], body.to_string()).await
    }

    /// What a GET answers.
    async fn got(&self, path: &str) -> Value {
        self.get(path).await.assert_status(200).json()
    }

    /// Make a snapshot of the network `n`, and say its id.
    async fn snapshot(&self, label: &str) -> String {
        let path = format!("{}/snapshots", network("n"));
        let made = self.post_json(&path, &json!({"label": label})).await.assert_status(201);
        made.json()["id"].as_str().unwrap().to_owned()
    }
}
