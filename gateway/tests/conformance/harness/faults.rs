//! The plugin `faults` as cases use it: its routes, and a configuration whose time never runs out.

use loggia::config::Config;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::client::Answer;
use super::gateway::TestGateway;

/// The list of all documents.
pub(crate) const DOCUMENTS: &str = "/v1/faults/documents";

const JSON: (&str, &str) = ("content-type", "application/json");

/// More time than a test needs on a machine that has no time for it. A case about a limit of time
/// sets that one.
pub(crate) fn patient(config: &mut Config) {
    config.server.body_timeout_ms = 60_000;
    config.storage.acquire_timeout_ms = 60_000;
    config.limits.request_ms = 60_000;
    config.limits.guest_cpu_ms = 60_000;
    config.limits.transaction_ms = Some(60_000);
}

/// A route of the plugin.
pub(crate) fn route(path: &str) -> String {
    format!("/v1/faults/{path}")
}

/// The path of a document, whatever its id holds.
pub(crate) fn document(id: &str) -> String {
    format!("{DOCUMENTS}/{}", utf8_percent_encode(id, NON_ALPHANUMERIC))
}

impl TestGateway {
    /// PUT a document with a text of its own.
    pub(crate) async fn put_document(&self, id: &str, body: &Value) -> Answer {
        self.put(&document(id), body).await
    }

    /// PATCH a document.
    pub(crate) async fn patch_document(&self, id: &str, patch: &Value) -> Answer {
        self.send("PATCH", &document(id), &[JSON], patch.to_string()).await
    }

    /// Any method on a document with one conditional header.
    pub(crate) async fn conditional(
        &self,
        method: &str,
        id: &str,
        condition: (&str, &str),
        body: &Value,
    ) -> Answer {
        match method {
            "PUT" | "PATCH" => {
                self.send(method, &document(id), &[JSON, condition], body.to_string()).await
            }
            _ => self.send(method, &document(id), &[condition], "").await,
        }
    }

    /// Several writes in one call.
    pub(crate) async fn apply(&self, writes: &Value) -> Answer {
        self.send("POST", &route("apply"), &[JSON], writes.to_string()).await
    }

    /// The outcomes of several writes in one call that succeeds.
    pub(crate) async fn applied(&self, writes: &Value) -> Vec<Value> {
        let answer = self.apply(writes).await.assert_status(200).json();
        answer["outcomes"].as_array().expect("outcomes").clone()
    }

    /// One page of the list.
    pub(crate) async fn list(&self, query: &str) -> Value {
        self.get(&format!("{DOCUMENTS}?{query}")).await.assert_status(200).json()
    }

    /// Fail unless the document is there with this body.
    pub(crate) async fn assert_stored(&self, id: &str, body: &Value) -> Answer {
        let answer = self.get(&document(id)).await.assert_status(200);
        assert_eq!(answer.json(), *body, "{id}");
        answer
    }

    /// Fail unless there is no such document.
    pub(crate) async fn assert_absent(&self, id: &str) {
        self.get(&document(id)).await.assert_problem(404, "not-found");
    }

    /// Fail unless there is nothing at all.
    pub(crate) async fn assert_nothing_stored(&self) {
        let page = self.list("total=true").await;
        assert_eq!((&page["items"], &page["total"]), (&json!([]), &json!(0)));
    }
}

/// A value from its text. Tables hold texts: as `json!` in an async function they would take the
/// compiler minutes.
#[track_caller]
pub(crate) fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// The ids of a page.
pub(crate) fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().expect("items");
    items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

impl Answer {
    /// The entity tag.
    #[track_caller]
    pub(crate) fn etag(&self) -> String {
        self.header("etag").expect("an ETag").to_owned()
    }
}
