//! Checkpoints: made, listed, restored and compared.

use loggia::config::Config;
use serde_json::{Value, json};

use super::{bytes, encoded, entry, route, text};
use crate::harness::faults::patient;
use crate::harness::{Answer, TestGateway, on_both_databases};

on_both_databases! {
    a_checkpoint_tells_what_it_holds,
    checkpoints_are_listed_from_the_newest,
    a_checkpoint_is_deleted_under_its_condition,
    a_restore_keeps_metadata_time_to_live_and_count,
    a_restore_leaves_alone_what_is_as_it_was,
    a_prefix_bounds_a_checkpoint_and_its_restore,
    a_restore_is_all_or_nothing with few_writes,
    a_diff_names_what_differs,
    a_diff_is_paged with patient,
    a_checkpoint_that_is_none_is_not_found,
    what_a_checkpoint_is_given_is_checked,
    large_entries_come_back with patient,
}

async fn make(gateway: &TestGateway, body: &Value) -> Answer {
    gateway.ask("checkpoints", body).await.assert_status(201)
}

/// The id of a checkpoint of all entries.
async fn checkpoint(gateway: &TestGateway) -> String {
    id(&make(gateway, &json!({})).await)
}

fn id(made: &Answer) -> String {
    made.json()["id"].as_str().unwrap().to_owned()
}

async fn restore(gateway: &TestGateway, id: &str) -> Value {
    let answer = gateway.post(&route(&format!("checkpoints/{id}:restore"))).await;
    answer.assert_status(200).json()
}

async fn a_checkpoint_tells_what_it_holds(gateway: &TestGateway) {
    gateway.stored("a", "1").await;
    gateway.stored("b", "2").await;
    let metadata = json!({"by": ["x", 1]});
    let made = make(gateway, &json!({"label": "before", "metadata": metadata})).await;
    let shown = made.json();
    assert_eq!(shown["id"].as_str().unwrap().len(), 36);
    assert!(shown["created_at"].as_str().unwrap().ends_with('Z'), "{shown}");
    assert!(shown["data_size"].as_u64().unwrap() > 20, "{shown}");
    assert_eq!(
        (&shown["row_count"], &shown["label"], &shown["metadata"]),
        (&json!(2), &json!("before"), &metadata)
    );
    assert_eq!(shown.as_object().unwrap().len(), 6);
    let path = route(&format!("checkpoints/{}", id(&made)));
    assert_eq!(made.header("location"), Some(path.as_str()));
    let got = gateway.get(&path).await.assert_status(200);
    assert_eq!((got.json(), got.etag()), (shown.clone(), made.etag()));
    let same = gateway.send("GET", &path, &[("if-none-match", &made.etag())], "").await;
    same.assert_status(304);
    gateway.send("HEAD", &path, &[], "").await.assert_status(200);

    let nothing = make(gateway, &json!({"prefix": text("none")})).await.json();
    assert_eq!(
        (&nothing["row_count"], &nothing["data_size"], &nothing["label"], &nothing["metadata"]),
        (&json!(0), &json!(0), &Value::Null, &json!({}))
    );
}

async fn checkpoints_are_listed_from_the_newest(gateway: &TestGateway) {
    gateway.in_seconds(0);
    let mut made = Vec::new();
    for n in 0..5 {
        gateway.in_seconds(1);
        made.insert(0, make(gateway, &json!({"label": n.to_string()})).await.json());
    }
    // Two of the same time.
    made.push(made[0].clone());
    made[0] = make(gateway, &json!({"label": "tie"})).await.json();
    let page = gateway.told("checkpoints?total=true").await;
    assert_eq!(
        (items_of(&page).len(), &page["total"], &page["next_cursor"]),
        (6, &json!(6), &Value::Null)
    );
    let labels = |page: &Value| -> Vec<String> {
        items_of(page).iter().map(|one| one["label"].as_str().unwrap().to_owned()).collect()
    };
    let all = labels(&page);
    assert_eq!(all[2..], ["3", "2", "1", "0"]);
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = gateway.told(&format!("checkpoints?limit=1{cursor}")).await;
        seen.extend(labels(&page));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, all);
    let answer = gateway.get(&route("checkpoints?cursor=x")).await;
    answer.assert_problem(400, "invalid-cursor");
}

fn items_of(page: &Value) -> Vec<Value> {
    page["items"].as_array().unwrap().clone()
}

async fn a_checkpoint_is_deleted_under_its_condition(gateway: &TestGateway) {
    let (one, other) = (make(gateway, &json!({})).await, make(gateway, &json!({})).await);
    assert_ne!(one.etag(), other.etag());
    let path = route(&format!("checkpoints/{}", id(&one)));
    let delete = async |etag: &str| gateway.send("DELETE", &path, &[("if-match", etag)], "").await;
    let stale = delete(&other.etag()).await;
    stale.assert_problem(412, "precondition-failed");
    assert_eq!(stale.etag(), one.etag());
    delete(&one.etag()).await.assert_status(204);
    gateway.get(&path).await.assert_problem(404, "not-found");
    gateway.delete(&path).await.assert_problem(404, "not-found");
    delete("*").await.assert_problem(404, "not-found");
    gateway.delete(&route(&format!("checkpoints/{}", id(&other)))).await.assert_status(204);
    assert_eq!(gateway.told("checkpoints").await["items"], json!([]));
}

/// The forerunner's lost both.
async fn a_restore_keeps_metadata_time_to_live_and_count(gateway: &TestGateway) {
    gateway.in_seconds(0);
    let metadata = [("x-metadata", r#"{"m":[1]}"#)];
    let kept = format!("{}?ttl_seconds=100", entry("kept"));
    gateway.store(&kept, &metadata, "value").await.assert_status(201);
    gateway.store(&entry("gone"), &metadata, "value").await.assert_status(201);
    gateway.stored([0xff], "bytes").await;
    let page = gateway.told("entries").await;
    let before = gateway.get(&entry("kept")).await;
    let made = checkpoint(gateway).await;

    gateway.in_seconds(50);
    gateway.stored("kept", "changed").await;
    gateway.delete(&entry("gone")).await.assert_status(204);
    gateway.stored("new", "v").await;
    gateway.stored("newer", "v").await;
    assert_eq!(restore(gateway, &made).await, json!({"changed": 4}));
    let after = gateway.get(&entry("kept")).await.assert_status(200);
    assert_eq!(after.body, before.body);
    for header in ["x-metadata", "expires"] {
        assert_eq!(after.header(header), before.header(header), "{header}");
        assert!(after.header(header).is_some(), "{header}");
    }
    assert_ne!(after.etag(), before.etag(), "what differed has a new version");
    let without_version = |page: &Value| -> Vec<Value> {
        let mut items = items_of(page);
        for item in &mut items {
            item.as_object_mut().unwrap().remove("version");
        }
        items
    };
    let restored = gateway.told("entries").await;
    assert_eq!(without_version(&restored), without_version(&page));
    assert_eq!(gateway.told("count").await, json!({"count": 3}));
    assert_eq!(gateway.told("stats").await["bytes"], 15);
    // Its time goes on.
    gateway.in_seconds(49);
    gateway.get(&entry("kept")).await.assert_status(200);
    gateway.in_seconds(1);
    gateway.get(&entry("kept")).await.assert_problem(404, "not-found");
    assert_eq!(restore(gateway, &made).await, json!({"changed": 0}));
}

async fn a_restore_leaves_alone_what_is_as_it_was(gateway: &TestGateway) {
    let same = gateway.stored("same", "v").await.etag();
    let written = gateway.stored("written", "v").await.etag();
    let made = checkpoint(gateway).await;
    assert_eq!(restore(gateway, &made).await, json!({"changed": 0}));
    let again = gateway.stored("written", "v").await.etag();
    assert_ne!(again, written);
    // The same value, so it does not differ.
    assert_eq!(restore(gateway, &made).await, json!({"changed": 0}));
    assert_eq!(gateway.get(&entry("same")).await.etag(), same);
    assert_eq!(gateway.get(&entry("written")).await.etag(), again);
}

async fn a_prefix_bounds_a_checkpoint_and_its_restore(gateway: &TestGateway) {
    for key in [&b"a\xff1"[..], b"a\xff2", b"b"] {
        gateway.stored(key, "old").await;
    }
    let made = make(gateway, &json!({"prefix": text(b"a\xff")})).await;
    assert_eq!(made.json()["row_count"], 2);
    for key in [&b"a\xff1"[..], b"a\xff3", b"b", b"c"] {
        gateway.stored(key, "new").await;
    }
    assert_eq!(restore(gateway, &id(&made)).await, json!({"changed": 2}));
    let values = |key: &'static [u8]| async move { gateway.get(&entry(key)).await };
    assert_eq!(&values(b"a\xff1").await.body[..], b"old");
    assert_eq!(&values(b"b").await.body[..], b"new");
    assert_eq!(&values(b"c").await.body[..], b"new");
    values(b"a\xff3").await.assert_problem(404, "not-found");
    let everything = make(gateway, &json!({"prefix": ""})).await;
    assert_eq!(everything.json()["row_count"], 4);
}

fn few_writes(config: &mut Config) {
    patient(config);
    config.limits.documents_written = 10;
}

async fn a_restore_is_all_or_nothing(gateway: &TestGateway) {
    for n in 0..11 {
        gateway.stored(n.to_string(), "old").await;
    }
    let made = checkpoint(gateway).await;
    for n in 0..11 {
        gateway.stored(n.to_string(), "new").await;
    }
    let path = route(&format!("checkpoints/{made}:restore"));
    let answer = gateway.post(&path).await;
    assert_eq!(answer.assert_problem(502, "plugin-resource-limit")["limit"], "documents_written");
    for n in 0..11 {
        assert_eq!(&gateway.get(&entry(n.to_string())).await.body[..], b"new");
    }
    gateway.stored("10", "old").await;
    assert_eq!(restore(gateway, &made).await, json!({"changed": 10}));
    // Nor is part of a clear done.
    let answer = gateway.post(&route("entries:clear")).await;
    answer.assert_problem(502, "plugin-resource-limit");
    assert_eq!(gateway.told("count").await, json!({"count": 11}));
}

/// Keys and kinds of a diff.
async fn diff(gateway: &TestGateway, path: &str) -> Vec<(String, String)> {
    let page = gateway.told(&format!("checkpoints/{path}")).await;
    assert_eq!(page["next_cursor"], Value::Null);
    let shown = |item: &Value| {
        let key = String::from_utf8(bytes(&item["key"])).unwrap();
        (key, item["kind"].as_str().unwrap().to_owned())
    };
    items_of(&page).iter().map(shown).collect()
}

async fn a_diff_names_what_differs(gateway: &TestGateway) {
    let long = "k".repeat(600);
    for key in ["changed", "removed", "same", &format!("{long}-removed"), &format!("{long}-same")] {
        gateway.stored(key, "1").await;
    }
    let first = checkpoint(gateway).await;
    assert_eq!(diff(gateway, &format!("{first}:diff")).await, []);
    gateway.stored("changed", "2").await;
    gateway.stored("same", "1").await;
    gateway.stored("added", "1").await;
    gateway.stored(format!("{long}-added"), "1").await;
    for key in ["removed".to_owned(), format!("{long}-removed")] {
        gateway.delete(&entry(key)).await.assert_status(204);
    }
    let owned = |found: &[(&str, &str)]| -> Vec<(String, String)> {
        let owned = |(key, kind): &(&str, &str)| ((*key).to_owned(), (*kind).to_owned());
        found.iter().map(owned).collect()
    };
    let (long_added, long_removed) = (format!("{long}-added"), format!("{long}-removed"));
    let expected = owned(&[
        ("added", "added"),
        ("changed", "changed"),
        ("removed", "removed"),
        (&long_added, "added"),
        (&long_removed, "removed"),
    ]);
    // Those of long keys come last, in no order that means anything.
    let mut found = diff(gateway, &format!("{first}:diff")).await;
    found[3..].sort();
    assert_eq!(found, expected);
    let second = checkpoint(gateway).await;
    gateway.post(&route("entries:clear")).await.assert_status(200);
    let mut found = diff(gateway, &format!("{first}:diff?to={second}")).await;
    found[3..].sort();
    assert_eq!(found, expected);
    let found = diff(gateway, &format!("{second}:diff?to={first}")).await;
    assert_eq!(
        found[..3],
        owned(&[("added", "removed"), ("changed", "changed"), ("removed", "added")])
    );
    assert_eq!(diff(gateway, &format!("{second}:diff?to={second}")).await, []);
    assert_eq!(diff(gateway, &format!("{second}:diff")).await.len(), 5);
}

async fn a_diff_is_paged(gateway: &TestGateway) {
    let made = checkpoint(gateway).await;
    let all: Vec<Vec<u8>> = (0..250_u8).map(|n| vec![n, 0xff]).collect();
    let item = |key: &Vec<u8>| json!({"key": text(key), "value": ""});
    let batch: Vec<Value> = all.iter().map(item).collect();
    gateway.ask("entries:batchPut", &json!({"items": batch})).await.assert_status(200);
    let path = format!("checkpoints/{made}:diff?limit=99&total=true");
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = gateway.told(&format!("{path}{cursor}")).await;
        assert_eq!(page["total"], 250);
        seen.extend(items_of(&page).iter().map(|item| bytes(&item["key"])));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, all);
    let other = checkpoint(gateway).await;
    for query in [
        format!("{made}:diff?to={other}{cursor}"),
        format!("{other}:diff?limit=99{cursor}"),
        format!("{made}:diff?limit=99{cursor}A"),
        format!("{made}:diff?cursor=x"),
    ] {
        let answer = gateway.get(&route(&format!("checkpoints/{query}"))).await;
        answer.assert_problem(400, "invalid-cursor");
    }
    for query in ["limit=0", "limit=1001", "limit=x"] {
        let answer = gateway.get(&route(&format!("checkpoints/{made}:diff?{query}"))).await;
        answer.assert_problem(400, "invalid-parameter");
    }
}

async fn a_checkpoint_that_is_none_is_not_found(gateway: &TestGateway) {
    let made = checkpoint(gateway).await;
    let none = "00000000-0000-4000-8000-000000000000";
    for id in [none, "x", &encoded("ä/'\"".as_bytes())] {
        for path in [format!("checkpoints/{id}"), format!("checkpoints/{id}:diff")] {
            gateway.get(&route(&path)).await.assert_problem(404, "not-found");
        }
        let path = route(&format!("checkpoints/{id}:restore"));
        gateway.post(&path).await.assert_problem(404, "not-found");
        let path = route(&format!("checkpoints/{id}"));
        gateway.delete(&path).await.assert_problem(404, "not-found");
    }
    let path = route(&format!("checkpoints/{made}:diff?to={none}"));
    gateway.get(&path).await.assert_problem(404, "not-found");
}

async fn what_a_checkpoint_is_given_is_checked(gateway: &TestGateway) {
    for (body, status, code) in [
        (json!({"prefix": "a"}), 422, "invalid-prefix"),
        (json!({"prefix": 1}), 422, "schema-mismatch"),
        (json!({"label": 1}), 422, "schema-mismatch"),
        (json!({"metadata": []}), 422, "schema-mismatch"),
        (json!({"name": "x"}), 400, "unknown-member"),
    ] {
        gateway.ask("checkpoints", &body).await.assert_problem(status, code);
    }
    let long = gateway.ask("checkpoints", &json!({"label": "l".repeat(1_025)})).await;
    assert_eq!(long.status, 422, "{long:?}");
    let large = gateway.ask("checkpoints", &json!({"metadata": {"m": "m".repeat(70_000)}})).await;
    assert_eq!(large.status, 422, "{large:?}");
    assert_eq!(gateway.told("checkpoints").await["items"], json!([]));
}

async fn large_entries_come_back(gateway: &TestGateway) {
    let values: Vec<Vec<u8>> = (0..4).map(|n| vec![n; 1 << 20]).collect();
    for (n, value) in values.iter().enumerate() {
        gateway.stored(n.to_string(), value).await;
    }
    let made = checkpoint(gateway).await;
    gateway.post(&route("entries:clear")).await.assert_status(200);
    assert_eq!(restore(gateway, &made).await, json!({"changed": 4}));
    for (n, value) in values.iter().enumerate() {
        assert!(gateway.get(&entry(n.to_string())).await.body == *value, "{n}");
    }
}
