//! Checkpoints: consistent cuts, what they keep, and what a restore makes of them.

use std::sync::Arc;

use loggia::manifest::Mode;
use loggia::storage::{
    About, Change, Checkpoint, Difference, DifferenceKind, Error, Expiry, Scope, Session,
    SessionOptions, Value, Write,
};
use serde_json::{Value as Json, json};

use crate::harness::store::{TestStore, options, put, write};
use crate::harness::stores_on_both_databases;

stores_on_both_databases! { declaring networks:
    a_checkpoint_holds_what_the_scopes_held,
    a_checkpoint_is_read_in_pages,
    bodies_of_every_kind_come_back_equal,
    large_checkpoints_are_cut_into_chunks_that_nobody_sees,
    a_restore_brings_back_changes_and_takes_away_what_came,
    a_restore_that_changes_nothing_keeps_versions,
    a_restore_keeps_times_to_live_and_of_creation,
    a_restore_brings_children_back_with_their_parents,
    a_restore_can_trade_unique_values,
    a_restore_is_counted,
    a_restore_that_fails_changes_nothing,
    a_restore_over_the_budget_changes_nothing,
    what_was_expired_is_not_copied_nor_brought_back,
    a_difference_names_each_document_once,
    differences_come_in_pages,
    checkpoints_are_listed_by_statements,
    a_deleted_checkpoint_is_gone,
    another_tenant_sees_no_checkpoint,
    calls_that_cannot_be_are_refused,
    writes_of_the_session_are_in_its_checkpoint,
    a_rolled_back_checkpoint_is_not_there,
    a_checkpoint_in_autocommit_mode_lasts,
    a_checkpoint_under_writes_is_one_cut,
    a_checkpoint_of_another_schema_version_can_be_read_only,
}

fn networks() -> Json {
    json!({
        "collections": [
            {"name": "network"},
            {"name": "node", "expires": true, "fields": {
                "network_id": "text", "email": "text", "n": "integer"},
             "indexes": [{"name": "email", "fields": ["email"], "unique": true}],
             "references": [{"name": "network", "field": "network_id", "collection": "network",
                             "on_delete": "cascade"}]},
        ],
        "counts": [{"name": "nodes", "collections": ["node"], "by": ["network_id"], "sum": ["n"]}],
        "statements": [
            {"name": "network", "scope": "network", "where": "id = :network"},
            {"name": "nodes", "scope": "node", "where": "network_id = :network"},
            {"name": "all-nodes", "scope": "node"},
            {"name": "every-network", "scope": "network"},
            {"name": "counted", "select": "SELECT network_id, documents, sum_n FROM count_nodes"},
            {"name": "checkpoints",
             "select": "SELECT id, subject, label, metadata, created_at, documents FROM checkpoint",
             "where": ["subject = :subject"], "order": {"newest": "created_at DESC"}},
        ],
    })
}

fn scope(statement: &str) -> Scope {
    let arguments = match statement {
        "all-nodes" => vec![],
        _ => vec![("network".to_owned(), Value::Text("net".to_owned()))],
    };
    Scope { statement: statement.to_owned(), arguments }
}

fn both() -> [Scope; 2] {
    [scope("nodes"), scope("network")]
}

const ABOUT: About<'static> = About { subject: "net", label: "first", metadata: r#"{"by":"me"}"# };

async fn create(store: &TestStore, scopes: &[Scope]) -> Checkpoint {
    let mut session = store.session(Mode::Write);
    let checkpoint = session.create_checkpoint(ABOUT, scopes).await.unwrap();
    session.commit().await.unwrap();
    checkpoint
}

async fn restore(store: &TestStore, id: &str) -> Result<u64, Error> {
    let mut session = store.session(Mode::Write);
    let restored = session.restore_checkpoint(id).await;
    match &restored {
        Ok(_) => session.commit().await.unwrap(),
        Err(_) => session.rollback().await,
    }
    restored
}

async fn differences(store: &TestStore, from: &str, to: Option<&str>) -> Vec<Difference> {
    let mut session = store.session(Mode::Read);
    let found = session.diff_checkpoint(from, to, None, 1_000).await.unwrap();
    session.rollback().await;
    found
}

fn difference(collection: &str, id: &str, kind: DifferenceKind) -> Difference {
    Difference { collection: collection.to_owned(), id: id.to_owned(), kind }
}

fn node(id: &str, n: i64) -> Write {
    put("node", id, &json!({"network_id": "net", "n": n, "email": format!("{id}@x")}))
}

fn delete(collection: &str, id: &str) -> Write {
    write(collection, id, Change::Delete)
}

async fn fill(store: &TestStore) {
    store.put("network", "net", &json!({"name": "one"})).await;
    store.put("network", "other", &json!({})).await;
    store.apply(&[node("a", 1), node("b", 2), node("c", 3)]).await.unwrap();
    store.put("node", "elsewhere", &json!({"network_id": "other", "n": 10})).await;
}

async fn contents(store: &TestStore) -> Vec<(String, u64, Json)> {
    let checkpoint = create(store, &[scope("all-nodes")]).await;
    let mut session = store.session(Mode::Read);
    let found = session.read_checkpoint(&checkpoint.id, "node", None, 10_000).await.unwrap();
    session.rollback().await;
    let content =
        |d: loggia::storage::Document| (d.id, d.version, serde_json::from_str(&d.body).unwrap());
    found.into_iter().map(content).collect()
}

async fn a_checkpoint_holds_what_the_scopes_held(store: TestStore) {
    fill(&store).await;
    let before = store.get("node", "b").await.unwrap();
    let checkpoint = create(&store, &both()).await;
    assert_eq!(checkpoint.documents, 4);
    assert!(checkpoint.bytes > 0);
    store.apply(&[node("b", 200), delete("node", "c")]).await.unwrap();
    let mut session = store.session(Mode::Read);
    let nodes = session.read_checkpoint(&checkpoint.id, "node", None, 100).await.unwrap();
    let ids: Vec<&str> = nodes.iter().map(|d| d.id.as_str()).collect();
    assert_eq!(ids, ["a", "b", "c"]);
    assert_eq!(nodes[1].version, before.version);
    assert_eq!((nodes[1].created_at, nodes[1].updated_at), (before.created_at, before.updated_at));
    assert_eq!(nodes[1].expires_at, None);
    let body = |text: &str| serde_json::from_str::<Json>(text).unwrap();
    assert_eq!(body(&nodes[1].body), body(&before.body));
    let networks = session.read_checkpoint(&checkpoint.id, "network", None, 100).await.unwrap();
    assert_eq!(networks.len(), 1);
    session.rollback().await;
}

async fn a_checkpoint_is_read_in_pages(store: TestStore) {
    store.put("network", "net", &json!({})).await;
    let id = |n: usize| format!("{n:04}");
    let writes: Vec<Write> = (0..1_203).map(|n| put("node", &id(n), &json!({"n": n}))).collect();
    store.apply(&writes).await.unwrap();
    let checkpoint = create(&store, &[scope("all-nodes")]).await;
    let mut session = store.session(Mode::Read);
    for size in [1, 499, 500, 501, 10_000] {
        let mut found = Vec::new();
        loop {
            let after = found.last().cloned();
            let page = session
                .read_checkpoint(&checkpoint.id, "node", after.as_deref(), size)
                .await
                .unwrap();
            assert!(page.len() <= size as usize);
            let more = page.len() == size as usize;
            found.extend(page.into_iter().map(|document| document.id));
            // One by one only the first chunk's border.
            if !more || size == 1 && found.len() > 502 {
                break;
            }
        }
        let expected: Vec<String> = (0..1_203).map(id).take(found.len()).collect();
        assert_eq!(found, expected, "{size}");
        assert!(size == 1 || found.len() == 1_203);
    }
    session.rollback().await;
}

async fn bodies_of_every_kind_come_back_equal(store: TestStore) {
    let bodies = [
        json!({"a": "\"\\,[]{} ü\u{1F600}\u{7}", "b": [1, -0.5, 1e300, null, true]}),
        json!({"": {"": {}}, "n": i64::MAX, "min": i64::MIN}),
        json!({}),
    ];
    let ids = ["\"quoted\",[0]", "ü\u{1F600}\\", "\u{1}\n\t"];
    for (id, body) in ids.iter().zip(&bodies) {
        store.put("node", id, body).await;
    }
    let checkpoint = create(&store, &[scope("all-nodes")]).await;
    for id in ids {
        store.apply(&[delete("node", id)]).await.unwrap();
    }
    assert_eq!(restore(&store, &checkpoint.id).await.unwrap(), 3);
    for (id, body) in ids.iter().zip(&bodies) {
        let found = store.get("node", id).await.unwrap();
        assert_eq!(serde_json::from_str::<Json>(&found.body).unwrap(), *body, "{id:?}");
    }
}

async fn large_checkpoints_are_cut_into_chunks_that_nobody_sees(store: TestStore) {
    let filler = "x".repeat(300_000);
    let writes: Vec<Write> =
        (0..12).map(|n| put("node", &format!("{n:02}"), &json!({"filler": filler}))).collect();
    store.apply(&writes).await.unwrap();
    let checkpoint = create(&store, &[scope("all-nodes")]).await;
    assert_eq!(checkpoint.documents, 12);
    assert!(checkpoint.bytes > 3_600_000);
    let mut session = store.session(Mode::Read);
    let page = session.read_checkpoint(&checkpoint.id, "node", Some("03"), 5).await.unwrap();
    let ids: Vec<&str> = page.iter().map(|d| d.id.as_str()).collect();
    assert_eq!(ids, ["04", "05", "06", "07", "08"]);
    session.rollback().await;
    store.apply(&[delete("node", "07")]).await.unwrap();
    assert_eq!(restore(&store, &checkpoint.id).await.unwrap(), 1);
}

async fn a_restore_brings_back_changes_and_takes_away_what_came(store: TestStore) {
    fill(&store).await;
    let checkpoint = create(&store, &both()).await;
    let before = contents(&store).await;
    store.apply(&[node("b", 200), delete("node", "c"), node("new", 5)]).await.unwrap();
    store.put("network", "net", &json!({"name": "two"})).await;
    store.put("node", "elsewhere", &json!({"network_id": "other", "n": 11})).await;
    assert_eq!(restore(&store, &checkpoint.id).await.unwrap(), 4);
    let after = contents(&store).await;
    let bodies = |of: &[(String, u64, Json)]| -> Vec<(String, Json)> {
        let in_scope = of.iter().filter(|(id, ..)| id != "elsewhere");
        in_scope.map(|(id, _, body)| (id.clone(), body.clone())).collect()
    };
    assert_eq!(bodies(&after), bodies(&before));
    assert_eq!(after[0].1, before[0].1, "a has not changed");
    assert!(after[1].1 > before[1].1, "b has a new version");
    let network = store.get("network", "net").await.unwrap();
    assert_eq!(serde_json::from_str::<Json>(&network.body).unwrap(), json!({"name": "one"}));
    let elsewhere = store.get("node", "elsewhere").await.unwrap();
    assert!(elsewhere.body.contains("11"), "what is in no scope stays");
    assert_eq!(restore(&store, &checkpoint.id).await.unwrap(), 0);
}

async fn a_restore_that_changes_nothing_keeps_versions(store: TestStore) {
    fill(&store).await;
    let before = contents(&store).await;
    let checkpoint = create(&store, &both()).await;
    assert_eq!(restore(&store, &checkpoint.id).await.unwrap(), 0);
    // Another version with the same body is no difference either.
    store.apply(&[node("a", 1)]).await.unwrap();
    assert_eq!(restore(&store, &checkpoint.id).await.unwrap(), 0);
    let after = contents(&store).await;
    assert_eq!(after[1], before[1]);
    assert!(differences(&store, &checkpoint.id, None).await.is_empty());
}

async fn a_restore_keeps_times_to_live_and_of_creation(store: TestStore) {
    let later = store.storage.now() + 3_600_000_000;
    fill(&store).await;
    store.apply(&[Write { expiry: Expiry::At(later), ..node("a", 1) }]).await.unwrap();
    let created = store.get("node", "b").await.unwrap().created_at;
    let checkpoint = create(&store, &both()).await;
    let forever = Write { expiry: Expiry::Never, ..node("a", 1) };
    store.apply(&[forever, delete("node", "b")]).await.unwrap();
    assert_eq!(
        differences(&store, &checkpoint.id, None).await,
        [
            difference("node", "a", DifferenceKind::Changed),
            difference("node", "b", DifferenceKind::Removed),
        ]
    );
    assert_eq!(restore(&store, &checkpoint.id).await.unwrap(), 2);
    assert_eq!(store.get("node", "a").await.unwrap().expires_at, Some(later));
    let back = store.get("node", "b").await.unwrap();
    assert_eq!((back.expires_at, back.created_at), (None, created));
}

async fn a_restore_brings_children_back_with_their_parents(store: TestStore) {
    fill(&store).await;
    let checkpoint = create(&store, &both()).await;
    store.apply(&[delete("network", "net")]).await.unwrap();
    assert!(store.get("node", "a").await.is_none());
    assert_eq!(restore(&store, &checkpoint.id).await.unwrap(), 4);
    assert!(store.get("node", "a").await.is_some());
}

async fn a_restore_can_trade_unique_values(store: TestStore) {
    fill(&store).await;
    let checkpoint = create(&store, &both()).await;
    let with = |id: &str, email: &str| {
        put("node", id, &json!({"network_id": "net", "n": 0, "email": email}))
    };
    store.apply(&[with("a", "spare@x")]).await.unwrap();
    store.apply(&[with("b", "a@x")]).await.unwrap();
    store.apply(&[with("a", "b@x")]).await.unwrap();
    restore(&store, &checkpoint.id).await.unwrap();
    assert!(store.get("node", "a").await.unwrap().body.contains("a@x"));
    assert!(store.get("node", "b").await.unwrap().body.contains("b@x"));
}

async fn a_restore_is_counted(store: TestStore) {
    fill(&store).await;
    let counted = store.select("counted", &[]).await;
    let checkpoint = create(&store, &both()).await;
    store.apply(&[node("b", 200), delete("node", "c"), node("new", 5)]).await.unwrap();
    assert_ne!(store.select("counted", &[]).await, counted);
    restore(&store, &checkpoint.id).await.unwrap();
    assert_eq!(store.select("counted", &[]).await, counted);
}

async fn a_restore_that_fails_changes_nothing(store: TestStore) {
    fill(&store).await;
    let checkpoint = create(&store, &[scope("nodes")]).await;
    store.apply(&[delete("network", "net")]).await.unwrap();
    store.put("node", "mine", &json!({"n": 1})).await;
    let mut session = store.session(Mode::Write);
    session.apply(&[put("node", "kept", &json!({}))]).await.unwrap();
    let error = session.restore_checkpoint(&checkpoint.id).await.unwrap_err();
    assert!(matches!(error, Error::Reference(_)), "{error:?}");
    session.commit().await.unwrap();
    assert!(store.get("node", "kept").await.is_some(), "the session goes on");
    assert!(store.get("node", "a").await.is_none());
}

async fn a_restore_over_the_budget_changes_nothing(store: TestStore) {
    fill(&store).await;
    let checkpoint = create(&store, &both()).await;
    store.apply(&[delete("network", "net")]).await.unwrap();
    let small = |written: u32| {
        let options = options(Mode::Write, store.storage.now());
        store.session_with(SessionOptions { documents_written: written, ..options })
    };
    let mut session = small(3);
    let error = session.restore_checkpoint(&checkpoint.id).await.unwrap_err();
    assert!(matches!(error, Error::LimitExceeded("documents_written")), "{error:?}");
    session.rollback().await;
    assert!(store.get("node", "a").await.is_none());
    let mut session = small(4);
    assert_eq!(session.restore_checkpoint(&checkpoint.id).await.unwrap(), 4);
    session.commit().await.unwrap();
}

async fn what_was_expired_is_not_copied_nor_brought_back(store: TestStore) {
    let now = store.storage.now();
    fill(&store).await;
    store.apply(&[Write { expiry: Expiry::At(now - 1), ..node("a", 1) }]).await.unwrap();
    store.apply(&[Write { expiry: Expiry::At(now + 60_000_000), ..node("b", 1) }]).await.unwrap();
    let checkpoint = create(&store, &[scope("nodes")]).await;
    assert_eq!(checkpoint.documents, 2);
    store.apply(&[delete("node", "b"), delete("node", "c")]).await.unwrap();
    let mut session = store.session_at(Mode::Write, now + 120_000_000);
    let gone = session.diff_checkpoint(&checkpoint.id, None, None, 10).await.unwrap();
    assert_eq!(gone, [difference("node", "c", DifferenceKind::Removed)]);
    assert_eq!(session.restore_checkpoint(&checkpoint.id).await.unwrap(), 1);
    session.commit().await.unwrap();
    assert!(store.get("node", "b").await.is_none());
    assert!(store.get("node", "c").await.is_some());
}

async fn a_difference_names_each_document_once(store: TestStore) {
    fill(&store).await;
    let one = create(&store, &both()).await;
    store.apply(&[node("b", 200), delete("node", "c"), node("new", 5)]).await.unwrap();
    store.put("network", "net", &json!({"name": "two"})).await;
    let two = create(&store, &both()).await;
    let expected = [
        difference("network", "net", DifferenceKind::Changed),
        difference("node", "b", DifferenceKind::Changed),
        difference("node", "c", DifferenceKind::Removed),
        difference("node", "new", DifferenceKind::Added),
    ];
    assert_eq!(differences(&store, &one.id, Some(&two.id)).await, expected);
    assert_eq!(differences(&store, &one.id, None).await, expected);
    assert!(differences(&store, &two.id, None).await.is_empty());
    let back = differences(&store, &two.id, Some(&one.id)).await;
    assert_eq!(back[3], difference("node", "new", DifferenceKind::Removed));
}

async fn differences_come_in_pages(store: TestStore) {
    let empty = create(&store, &both()).await;
    fill(&store).await;
    let all = differences(&store, &empty.id, None).await;
    assert_eq!(all.len(), 4);
    let mut session = store.session(Mode::Read);
    let mut found: Vec<Difference> = Vec::new();
    loop {
        let page = session.diff_checkpoint(&empty.id, None, found.last(), 3).await.unwrap();
        let more = page.len() == 3;
        found.extend(page);
        if !more {
            break;
        }
    }
    assert_eq!(found, all);
    session.rollback().await;
}

async fn checkpoints_are_listed_by_statements(store: TestStore) {
    fill(&store).await;
    let mut ids = Vec::new();
    for (at, subject) in [(1_000_000, "net"), (2_000_000, "other"), (3_000_000, "net")] {
        let mut session = store.session_at(Mode::Write, at);
        let about = About { subject, ..ABOUT };
        ids.push(session.create_checkpoint(about, &both()).await.unwrap().id);
        session.commit().await.unwrap();
    }
    let subject = [("subject", Value::Text("net".to_owned()))];
    let rows = store.select("checkpoints", &subject).await;
    assert_eq!(
        rows,
        json!([
            {"id": ids[2], "subject": "net", "label": "first", "metadata": {"by": "me"},
             "created_at": "1970-01-01T00:00:03.000Z", "documents": 4},
            {"id": ids[0], "subject": "net", "label": "first", "metadata": {"by": "me"},
             "created_at": "1970-01-01T00:00:01.000Z", "documents": 4},
        ])
    );
    assert_eq!(store.select("checkpoints", &[]).await.as_array().unwrap().len(), 3);
}

async fn delete_checkpoints(store: &TestStore, ids: &[&str]) -> u64 {
    let mut session = store.session(Mode::Write);
    let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
    let deleted = session.delete_checkpoints(&ids).await.unwrap();
    session.commit().await.unwrap();
    deleted
}

#[track_caller]
fn assert_not_found<T: std::fmt::Debug>(result: Result<T, Error>) {
    match result {
        Err(Error::Invalid(fault)) => assert_eq!(fault.code, "checkpoint-not-found"),
        other => panic!("{other:?}"),
    }
}

async fn assert_gone(session: &mut Session, id: &str, known: &str) {
    assert_not_found(session.read_checkpoint(id, "node", None, 1).await);
    assert_not_found(session.diff_checkpoint(id, None, None, 1).await);
    assert_not_found(session.diff_checkpoint(known, Some(id), None, 1).await);
    assert_not_found(session.restore_checkpoint(id).await);
}

async fn a_deleted_checkpoint_is_gone(store: TestStore) {
    fill(&store).await;
    let (one, two) = (create(&store, &both()).await, create(&store, &both()).await);
    assert_eq!(delete_checkpoints(&store, &[&one.id, "none"]).await, 1);
    assert_eq!(delete_checkpoints(&store, &[&one.id]).await, 0);
    let mut session = store.session(Mode::Write);
    assert_gone(&mut session, &one.id, &two.id).await;
    session.rollback().await;
    assert_eq!(store.select("checkpoints", &[]).await.as_array().unwrap().len(), 1);
}

async fn another_tenant_sees_no_checkpoint(store: TestStore) {
    fill(&store).await;
    let mine = create(&store, &both()).await;
    let other = store.as_tenant("two").await;
    let theirs = create(&other, &both()).await;
    assert_eq!(theirs.documents, 0);
    let mut session = other.session(Mode::Write);
    assert_gone(&mut session, &mine.id, &theirs.id).await;
    session.rollback().await;
    assert_eq!(delete_checkpoints(&other, &[&mine.id]).await, 0);
    assert_eq!(other.select("checkpoints", &[]).await.as_array().unwrap().len(), 1);
    assert_eq!(restore(&store, &mine.id).await.unwrap(), 0);
}

async fn calls_that_cannot_be_are_refused(store: TestStore) {
    let invalid = |result: Result<Checkpoint, Error>| match result {
        Err(Error::Invalid(fault)) => fault.code,
        other => panic!("{other:?}"),
    };
    let mut session = store.session(Mode::Write);
    assert_eq!(invalid(session.create_checkpoint(ABOUT, &[]).await), "no-scopes");
    let twice = [scope("nodes"), scope("all-nodes")];
    assert_eq!(invalid(session.create_checkpoint(ABOUT, &twice).await), "named-twice");
    let long = "x".repeat(1_025);
    for about in [About { subject: &long, ..ABOUT }, About { label: &long, ..ABOUT }] {
        assert_eq!(invalid(session.create_checkpoint(about, &both()).await), "too-long");
    }
    let nul = About { label: "a\0b", ..ABOUT };
    assert_eq!(invalid(session.create_checkpoint(nul, &both()).await), "nul-character");
    let array = About { metadata: "[]", ..ABOUT };
    assert_eq!(invalid(session.create_checkpoint(array, &both()).await), "not-an-object");
    let unknown = session.create_checkpoint(ABOUT, &[scope("counted")]).await;
    assert!(matches!(unknown, Err(Error::UnknownName(_))), "{unknown:?}");
    let missing = Scope { arguments: vec![], ..scope("nodes") };
    assert_eq!(invalid(session.create_checkpoint(ABOUT, &[missing]).await), "missing-parameter");
    let checkpoint = session.create_checkpoint(ABOUT, &both()).await.unwrap();
    let unknown = session.read_checkpoint(&checkpoint.id, "none", None, 1).await;
    assert!(matches!(unknown, Err(Error::UnknownName(_))), "{unknown:?}");
    for limit in [0, 10_001] {
        let page = session.read_checkpoint(&checkpoint.id, "node", None, limit).await;
        assert!(matches!(page, Err(Error::Invalid(fault)) if fault.code == "invalid-page"));
        let page = session.diff_checkpoint(&checkpoint.id, None, None, limit).await;
        assert!(matches!(page, Err(Error::Invalid(fault)) if fault.code == "invalid-page"));
    }
    session.commit().await.unwrap();
    let mut reader = store.session(Mode::Read);
    for denied in [
        reader.create_checkpoint(ABOUT, &both()).await.map(drop),
        reader.restore_checkpoint(&checkpoint.id).await.map(drop),
        reader.delete_checkpoints(&[]).await.map(drop),
    ] {
        assert!(matches!(denied, Err(Error::Denied(_))), "{denied:?}");
    }
    reader.rollback().await;
}

async fn writes_of_the_session_are_in_its_checkpoint(store: TestStore) {
    let mut session = store.session(Mode::Write);
    session.apply(&[put("network", "net", &json!({})), node("a", 1)]).await.unwrap();
    let checkpoint = session.create_checkpoint(ABOUT, &both()).await.unwrap();
    assert_eq!(checkpoint.documents, 2);
    session.apply(&[delete("node", "a")]).await.unwrap();
    assert_eq!(session.restore_checkpoint(&checkpoint.id).await.unwrap(), 1);
    session.commit().await.unwrap();
    assert!(store.get("node", "a").await.is_some());
}

async fn a_rolled_back_checkpoint_is_not_there(store: TestStore) {
    fill(&store).await;
    let mut session = store.session(Mode::Write);
    session.create_checkpoint(ABOUT, &both()).await.unwrap();
    session.rollback().await;
    assert_eq!(store.select("checkpoints", &[]).await, json!([]));
}

async fn a_checkpoint_in_autocommit_mode_lasts(store: TestStore) {
    fill(&store).await;
    let mut session = store.session(Mode::Autocommit);
    let checkpoint = session.create_checkpoint(ABOUT, &both()).await.unwrap();
    assert!(session.kept());
    store.apply(&[delete("node", "a")]).await.unwrap();
    assert_eq!(session.restore_checkpoint(&checkpoint.id).await.unwrap(), 1);
    assert_eq!(session.delete_checkpoints(&[checkpoint.id]).await.unwrap(), 1);
    session.rollback().await;
    assert!(store.get("node", "a").await.is_some());
}

/// Each writer writes its node and then, in a later transaction, the network with the same number:
/// a cut never holds a network that is ahead of a node.
async fn a_checkpoint_under_writes_is_one_cut(store: TestStore) {
    let store = Arc::new(store);
    store.put("network", "net", &json!({})).await;
    let writer = |number: usize| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let (id, network) = (format!("w{number}"), format!("net{number}"));
            for n in 0..40 {
                store.apply(&[node(&id, n)]).await.unwrap();
                store.apply(&[put("network", &network, &json!({"n": n}))]).await.unwrap();
            }
        })
    };
    let writers: Vec<_> = (0..4).map(writer).collect();
    let mut cuts = 0;
    while cuts < 10 || writers.iter().any(|writer| !writer.is_finished()) && cuts < 60 {
        // The collection that is read first is the one that is written first.
        let all = Scope { statement: "every-network".to_owned(), arguments: vec![] };
        let checkpoint = create_all(&store, &[scope("nodes"), all]).await;
        let mut session = store.session(Mode::Read);
        let nodes = session.read_checkpoint(&checkpoint, "node", None, 100).await.unwrap();
        let networks = session.read_checkpoint(&checkpoint, "network", None, 100).await.unwrap();
        session.rollback().await;
        let number = |body: &str| serde_json::from_str::<Json>(body).unwrap()["n"].as_i64();
        for network in networks.iter().filter(|network| network.id != "net") {
            let writer = network.id.trim_start_matches("net");
            let node = nodes.iter().find(|node| node.id == format!("w{writer}")).unwrap();
            assert!(number(&node.body) >= number(&network.body), "{node:?} {network:?}");
        }
        cuts += 1;
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

async fn create_all(store: &TestStore, scopes: &[Scope]) -> String {
    let mut session = store.session(Mode::Write);
    let checkpoint = session.create_checkpoint(ABOUT, scopes).await.unwrap();
    session.commit().await.unwrap();
    checkpoint.id
}

async fn a_checkpoint_of_another_schema_version_can_be_read_only(store: TestStore) {
    use crate::harness::store::manifest;
    fill(&store).await;
    let checkpoint = create(&store, &both()).await;
    let mut declared = networks();
    declared["collections"][1]["schema_version"] = json!(2);
    let (parsed, text) = manifest(&declared).unwrap();
    store.apply(&[delete("network", "net"), delete("network", "other")]).await.unwrap();
    let schema = store.storage.install(&parsed, &text).await.unwrap();
    let store = TestStore { schema, ..store };
    let error = restore(&store, &checkpoint.id).await.unwrap_err();
    assert!(
        matches!(&error, Error::Invalid(fault) if fault.code == "checkpoint-outdated"),
        "{error:?}"
    );
    let mut session = store.session(Mode::Read);
    let nodes = session.read_checkpoint(&checkpoint.id, "node", None, 100).await.unwrap();
    assert_eq!(nodes.len(), 3);
    session.rollback().await;
    let now = create(&store, &both()).await;
    assert_eq!(restore(&store, &now.id).await.unwrap(), 0);
}
