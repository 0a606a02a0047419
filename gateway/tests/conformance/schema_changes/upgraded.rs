//! Bodies of an older schema version.

use std::sync::{Arc, Mutex};

use futures_util::FutureExt as _;
use loggia::storage::Upgrade;

use super::*;

stores_on_both_databases! { declaring notes:
    bodies_go_through_the_plugin_once,
    a_body_that_stays_keeps_its_version,
    a_body_that_cannot_be_upgraded_is_named,
    nothing_is_upgraded_without_an_upgrade,
    an_upgrade_that_was_stopped_goes_on_to_a_newer_version,
    an_older_plugin_does_not_take_an_upgrade_back_that_has_begun,
    an_upgrade_that_loses_bodies_fails,
}

/// Says of each call which version it was made for, and appends it to the body's `seen`.
fn noting(calls: &Arc<Mutex<Vec<u32>>>) -> Upgrade {
    let calls = Arc::clone(calls);
    Arc::new(move |collection, from, bodies| {
        assert_eq!(collection, "note");
        calls.lock().unwrap().push(from);
        let upgraded = bodies.into_iter().map(|body| upgraded(from, &body));
        std::future::ready(Ok(upgraded.collect())).boxed()
    })
}

fn upgraded(from: u32, body: &str) -> Result<String, String> {
    let mut body: Json = serde_json::from_str(body).unwrap();
    if body["bad"] == true {
        return Err("it is bad".to_owned());
    }
    if body["stays"] != true {
        let seen = body["seen"].as_str().unwrap_or_default();
        body["seen"] = json!(format!("{seen}{from}"));
    }
    Ok(body.to_string())
}

fn version(number: u32) -> Json {
    with_statement(
        note(json!({"schema_version": number, "fields": {"kind": "text", "seen": "text"}})),
        "SELECT id, seen FROM note",
    )
}

fn upgrading() -> InstallOptions {
    InstallOptions { upgrade: Some(noting(&Arc::default())), ..InstallOptions::default() }
}

async fn bodies_go_through_the_plugin_once(mut store: TestStore) {
    store.put("note", "1", &json!({"kind": "a"})).await;
    let before = store.get("note", "1").await.unwrap();
    let steps = ["add-field note.seen", "upgrade note", "drop-index note.by_kind"];
    let (parsed, _) = manifest(&version(2)).unwrap();
    let plan = store.storage.plan(&parsed, &upgrading()).await.unwrap();
    assert_eq!(plan.steps.iter().map(named).collect::<Vec<_>>(), steps);
    store.change_with(&version(2), &upgrading()).await.unwrap();
    store.change_with(&version(2), &upgrading()).await.unwrap();
    assert_eq!(store.select("all", &[]).await, json!([{"id": "1", "seen": "1"}]));
    let after = store.get("note", "1").await.unwrap();
    assert!(after.version > before.version, "another body has another version");
    assert_eq!(
        (after.created_at, after.updated_at),
        (before.created_at, before.updated_at),
        "no client has written it"
    );
}

async fn a_body_that_stays_keeps_its_version(mut store: TestStore) {
    // As a database gives it back: an upgrade that gives the same text has changed nothing.
    store.put("note", "1", &json!({"stays": true})).await;
    let before = store.get("note", "1").await.unwrap();
    let same: Upgrade = Arc::new(|_, _, bodies| {
        std::future::ready(Ok(bodies.into_iter().map(Ok).collect())).boxed()
    });
    let options = InstallOptions { upgrade: Some(same), ..InstallOptions::default() };
    store.change_with(&version(2), &options).await.unwrap();
    assert_eq!(store.get("note", "1").await.unwrap(), before);
}

async fn a_body_that_cannot_be_upgraded_is_named(mut store: TestStore) {
    store.put("note", "good", &json!({})).await;
    store.put("note", "bad", &json!({"bad": true})).await;
    let error = store.change_with(&version(2), &upgrading()).await.unwrap_err();
    let InstallError::Refused(plan) = error else { panic!("{error}") };
    let step = plan.steps.iter().find(|step| step.kind == StepKind::Upgrade).unwrap();
    let culprits = &step.refusal.as_ref().unwrap().culprits;
    assert_eq!((culprits.count, culprits.first[0].id.as_str()), (1, "bad"));
    assert_eq!(culprits.first[0].detail, "upgrade: it is bad");
    store.change(&notes()).await.unwrap();
    assert_eq!(store.get("note", "good").await.unwrap().body, "{}");
}

async fn nothing_is_upgraded_without_an_upgrade(mut store: TestStore) {
    store.change(&version(2)).await.unwrap();
    store.put("note", "1", &json!({})).await;
    let error = store.change(&version(3)).await.unwrap_err().to_string();
    assert!(error.contains("schema version 2") && error.contains("\"1\""), "{error}");
}

async fn an_upgrade_that_was_stopped_goes_on_to_a_newer_version(mut store: TestStore) {
    let writes: Vec<_> = (0..45).map(|n| put("note", &format!("{n:02}"), &json!({}))).collect();
    store.apply(&writes).await.unwrap();
    // Stopped behind the first batch.
    let stopping = InstallOptions { stop_after: Some(4), ..upgrading() };
    store.change_with(&version(2), &stopping).await.unwrap_err();
    let calls = Arc::default();
    let options = InstallOptions { upgrade: Some(noting(&calls)), ..InstallOptions::default() };
    store.change_with(&version(3), &options).await.unwrap();
    let rows = store.select("all", &[]).await;
    let seen: Vec<&str> =
        rows.as_array().unwrap().iter().map(|row| row["seen"].as_str().unwrap()).collect();
    assert!(seen.iter().all(|seen| ["1", "12"].contains(seen)), "{seen:?}");
    assert!(seen.contains(&"1") && seen.contains(&"12"), "{seen:?}");
    let calls = calls.lock().unwrap();
    assert!(calls.contains(&1) && calls.contains(&2), "{calls:?}");
}

async fn an_older_plugin_does_not_take_an_upgrade_back_that_has_begun(mut store: TestStore) {
    store.put("note", "1", &json!({})).await;
    let stopping = InstallOptions { stop_after: Some(2), ..upgrading() };
    store.change_with(&version(2), &stopping).await.unwrap_err();
    let error = store.change(&notes()).await.unwrap_err().to_string();
    assert!(error.contains("downgrade note"), "{error}");
    store.change_with(&version(2), &upgrading()).await.unwrap();
}

async fn an_upgrade_that_loses_bodies_fails(mut store: TestStore) {
    store.put("note", "1", &json!({})).await;
    let losing: Upgrade = Arc::new(|_, _, _| std::future::ready(Ok(Vec::new())).boxed());
    let options = InstallOptions { upgrade: Some(losing), ..InstallOptions::default() };
    let error = store.change_with(&version(2), &options).await.unwrap_err();
    assert!(matches!(error, InstallError::Upgrade { .. }), "{error}");
}
