//! The storage layer without HTTP: what its sessions promise, on both databases.

use loggia::manifest::Mode;
use serde_json::{Value as Json, json};

use crate::harness::store::{TestStore, put, version};
use crate::harness::stores_on_both_databases;

stores_on_both_databases! { declaring notes:
    a_session_sees_its_own_writes,
    a_dropped_session_leaves_nothing,
    tenants_do_not_see_each_other,
}

fn notes() -> Json {
    json!({
        "collections": [{"name": "note", "fields": {"kind": "text"}}],
        "statements": [{"name": "kinds", "select": "SELECT id, kind FROM note"}],
    })
}

async fn a_session_sees_its_own_writes(store: TestStore) {
    let mut session = store.session(Mode::Write);
    let body = json!({"kind": "a"});
    let written = version(&session.apply(&[put("note", "1", &body)]).await.unwrap()[0]);
    let found = session.get("note", &["1".to_owned()]).await.unwrap();
    assert_eq!(found[0].as_ref().map(|document| document.version), Some(written));
    assert!(store.get("note", "1").await.is_none(), "others do not see it yet");
    session.commit().await.unwrap();
    assert_eq!(store.select("kinds", &[]).await, json!([{"id": "1", "kind": "a"}]));
}

async fn a_dropped_session_leaves_nothing(store: TestStore) {
    let mut session = store.session(Mode::Write);
    session.apply(&[put("note", "1", &json!({}))]).await.unwrap();
    drop(session);
    store.put("note", "2", &json!({})).await;
    assert!(store.get("note", "1").await.is_none());
}

async fn tenants_do_not_see_each_other(store: TestStore) {
    let other = store.as_tenant("two").await;
    let (mine, theirs) = (json!({"kind": "mine"}), json!({"kind": "theirs"}));
    store.put("note", "1", &mine).await;
    other.put("note", "1", &theirs).await;
    other.put("note", "2", &theirs).await;
    assert_eq!(store.select("kinds", &[]).await, json!([{"id": "1", "kind": "mine"}]));
    assert!(store.get("note", "2").await.is_none());
}
