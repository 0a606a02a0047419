//! The plugin `state` over HTTP: every row of its route table, with what each refuses.

mod batches;
mod checkpoints;
mod conditions;
mod counting;
mod entries;
mod expiring;
mod lists;
mod locks;
mod refusals;
mod settings;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use serde_json::{Value, json};

use crate::harness::{Answer, TestGateway};
use crate::server::exchange;

const JSON: (&str, &str) = ("content-type", "application/json");
const BYTES: (&str, &str) = ("content-type", "application/octet-stream");

/// A route of the plugin.
fn route(path: &str) -> String {
    format!("/v1/state/{path}")
}

/// Bytes as they stand in a path or a query.
fn encoded(bytes: &[u8]) -> String {
    percent_encode(bytes, NON_ALPHANUMERIC).to_string()
}

/// The path of an entry.
fn entry(key: impl AsRef<[u8]>) -> String {
    route(&format!("entries/{}", encoded(key.as_ref())))
}

/// Bytes as they stand in JSON.
fn text(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn bytes(text: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap()
}

/// The keys of a page.
fn keys(page: &Value) -> Vec<Vec<u8>> {
    page["items"].as_array().unwrap().iter().map(|item| bytes(&item["key"])).collect()
}

impl TestGateway {
    /// Store a value, by a path that may have a query.
    async fn store(&self, path: &str, headers: &[(&str, &str)], value: impl AsRef<[u8]>) -> Answer {
        let headers = [&[BYTES], headers].concat();
        self.send("PUT", path, &headers, value.as_ref().to_vec()).await
    }

    /// Store a value that is taken.
    async fn stored(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Answer {
        let answer = self.store(&entry(key), &[], value).await;
        assert!(matches!(answer.status.as_u16(), 200 | 201), "{answer:?}");
        answer
    }

    /// Send JSON to a route of the plugin.
    async fn ask(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", &route(path), &[JSON], body.to_string()).await
    }

    /// The answer of a route of the plugin.
    async fn told(&self, path: &str) -> Value {
        self.get(&route(path)).await.assert_status(200).json()
    }

    /// Fail unless there are exactly these entries, with their values.
    async fn assert_entries(&self, expected: &[(&str, &str)]) {
        let page = self.told("entries?limit=1000").await;
        let names: Vec<&str> = expected.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys(&page), names.iter().map(|key| key.as_bytes()).collect::<Vec<_>>());
        for (key, value) in expected {
            let answer = self.get(&entry(key)).await.assert_status(200);
            assert_eq!(answer.body, value.as_bytes(), "{key}");
        }
    }

    /// Let the clock stand still, so many seconds from now.
    fn in_seconds(&self, seconds: i64) {
        self.storage().freeze_clock(self.storage().now() + seconds * 1_000_000);
    }
}

/// Announce a body of one byte more than 8 MiB: the gateway answers without reading it.
async fn announce(gateway: &TestGateway, line: &str, (name, value): (&str, &str)) -> String {
    let length = (8 << 20) + 1;
    let head = format!(
        "{line} HTTP/1.1\r\nhost: t\r\n{name}: {value}\r\ncontent-length: {length}\r\n\r\n"
    );
    exchange(gateway, &head).await
}

/// The items of an answer.
fn items(answer: &Answer) -> Vec<Value> {
    answer.json()["items"].as_array().unwrap().clone()
}

/// The version in an `ETag`.
fn version(answer: &Answer) -> u64 {
    answer.etag().trim_matches('"').parse().unwrap()
}

/// What tells how many entries were deleted.
fn deleted(count: u64) -> Value {
    json!({"deleted": count})
}
