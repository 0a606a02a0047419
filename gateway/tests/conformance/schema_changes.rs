//! From one manifest to the next with documents in the tables: what is done, what is refused, and
//! that a change that was stopped anywhere goes on.

use loggia::config::Permission;
use loggia::storage::{Error, Expiry, InstallError, InstallOptions, Plan, Step, StepKind, Value};
use serde_json::{Value as Json, json};
use tokio_postgres::NoTls;

use crate::harness::store::{TestStore, install_with, manifest, put};
use crate::harness::stores_on_both_databases;

mod beside;
mod gateways;
mod refused;
mod resumed;
mod upgraded;

stores_on_both_databases! { declaring notes:
    a_manifest_that_is_installed_again_changes_nothing,
    a_new_collection_is_added,
    statements_see_the_values_of_an_added_field,
    an_added_field_of_each_type_is_filled,
    a_filled_document_keeps_its_version,
    an_added_index_is_used_by_writes,
    an_index_that_is_declared_otherwise_is_built_anew,
    a_dropped_index_is_gone,
    a_field_that_is_removed_and_added_again_has_the_values_of_today,
    documents_can_begin_to_expire,
    another_time_to_live_counts_for_new_documents,
    more_rows_than_one_batch_are_filled,
    documents_of_all_tenants_are_filled,
    long_names_stay_distinct_through_changes,
    an_older_generation_of_the_same_gateway_reads_and_cannot_write,
    a_change_taken_back_lets_the_first_generation_write_again,
    a_plan_changes_nothing,
}

/// What every case begins with.
fn notes() -> Json {
    json!({
        "collections": [{"name": "note", "fields": {"kind": "text"},
            "indexes": [{"name": "by_kind", "fields": ["kind"]}]}],
        "statements": [{"name": "all", "select": "SELECT id, kind FROM note"}],
    })
}

/// One collection `note` with other members.
fn note(changed: Json) -> Json {
    let mut collection = json!({"name": "note"});
    for (name, value) in changed.as_object().unwrap() {
        collection[name] = value.clone();
    }
    json!({"collections": [collection]})
}

fn with_statement(mut declared: Json, select: &str) -> Json {
    declared["statements"] = json!([{"name": "all", "select": select}]);
    declared
}

fn allowing(permissions: &[Permission]) -> InstallOptions {
    InstallOptions { allow: permissions.iter().copied().collect(), ..InstallOptions::default() }
}

impl TestStore {
    /// Go over to another declaration.
    async fn change(&mut self, declared: &Json) -> Result<(), InstallError> {
        self.change_with(declared, &InstallOptions::default()).await
    }

    async fn change_with(
        &mut self,
        declared: &Json,
        options: &InstallOptions,
    ) -> Result<(), InstallError> {
        self.schema = install_with(&self.storage, declared, options).await?;
        Ok(())
    }

    /// Run SQL behind the gateway's back.
    async fn execute(&self, sql: &str) {
        match self.database.url().strip_prefix("sqlite:") {
            Some(path) => rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap(),
            None => self.postgres().await.batch_execute(sql).await.unwrap(),
        }
    }

    /// A connection of the test's own.
    async fn postgres(&self) -> tokio_postgres::Client {
        let url = self.database.url();
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    async fn plan(&self, declared: &Json) -> Plan {
        let (manifest, _) = manifest(declared).unwrap();
        self.storage.plan(&manifest, &InstallOptions::default()).await.unwrap()
    }

    /// The steps to a declaration, each as `kind collection.name`.
    async fn steps(&self, declared: &Json) -> Vec<String> {
        self.plan(declared).await.steps.iter().map(named).collect()
    }
}

fn named(step: &Step) -> String {
    let dot = if step.name.is_empty() { "" } else { "." };
    format!("{} {}{dot}{}", step.kind.name(), step.collection, step.name)
}

async fn a_manifest_that_is_installed_again_changes_nothing(mut store: TestStore) {
    store.put("note", "1", &json!({"kind": "a"})).await;
    assert_eq!(store.steps(&notes()).await, [""; 0]);
    store.change(&notes()).await.unwrap();
    assert_eq!(store.select("all", &[]).await, json!([{"id": "1", "kind": "a"}]));
}

async fn a_new_collection_is_added(mut store: TestStore) {
    let mut declared = notes();
    let tag = json!({"name": "tag", "indexes": [{"name": "by_id", "fields": ["id"]}]});
    declared["collections"].as_array_mut().unwrap().push(tag);
    assert_eq!(store.steps(&declared).await, ["add-collection tag"]);
    store.change(&declared).await.unwrap();
    store.put("tag", "1", &json!({})).await;
    assert!(store.get("tag", "1").await.is_some());
}

async fn statements_see_the_values_of_an_added_field(mut store: TestStore) {
    store.put("note", "1", &json!({"kind": "a", "size": 3})).await;
    store.put("note", "2", &json!({"kind": "a"})).await;
    let declared = note(json!({"fields": {"kind": "text", "size": "integer"},
        "indexes": [{"name": "by_kind", "fields": ["kind"]}]}));
    let declared = with_statement(declared, "SELECT id, size FROM note WHERE size > 1");
    assert_eq!(store.steps(&declared).await, ["add-field note.size", "fill-fields note"]);
    store.change(&declared).await.unwrap();
    assert_eq!(store.select("all", &[]).await, json!([{"id": "1", "size": 3}]));
}

async fn an_added_field_of_each_type_is_filled(mut store: TestStore) {
    let body = json!({"t": "ü", "i": -7, "n": 0.5, "b": true, "at": "2026-01-31T12:00:00.000Z",
        "ts": ["x", "y"], "j": {"k": [1]}});
    store.put("note", "1", &body).await;
    let fields = json!({"t": "text", "i": "integer", "n": "number", "b": "boolean",
        "at": "timestamp", "ts": "text[]", "j": "json"});
    let declared =
        with_statement(note(json!({"fields": fields})), "SELECT t, i, n, b, at, ts, j FROM note");
    store.change_with(&declared, &allowing(&[Permission::DropField])).await.unwrap();
    assert_eq!(store.select("all", &[]).await, json!([body]));
}

async fn a_filled_document_keeps_its_version(mut store: TestStore) {
    store.put("note", "1", &json!({"size": 3})).await;
    let before = store.get("note", "1").await;
    let declared = note(json!({"fields": {"kind": "text", "size": "integer"}}));
    store.change(&declared).await.unwrap();
    assert_eq!(store.get("note", "1").await, before);
}

async fn an_added_index_is_used_by_writes(mut store: TestStore) {
    store.put("note", "1", &json!({"kind": "a"})).await;
    store.put("note", "2", &json!({})).await;
    store.put("note", "3", &json!({})).await;
    let unique = json!([{"name": "by_kind", "fields": ["kind"]},
        {"name": "one_kind", "fields": ["kind"], "unique": true}]);
    let declared = note(json!({"fields": {"kind": "text"}, "indexes": unique}));
    assert_eq!(store.steps(&declared).await, ["add-index note.one_kind"]);
    store.change(&declared).await.unwrap();
    let error = store.apply(&[put("note", "4", &json!({"kind": "a"}))]).await.unwrap_err();
    let loggia::storage::Error::Duplicate(fault) = error else { panic!("{error}") };
    assert_eq!((fault.name.as_str(), fault.code), ("one_kind", "already-exists"));
}

async fn an_index_that_is_declared_otherwise_is_built_anew(mut store: TestStore) {
    store.put("note", "1", &json!({"kind": "a"})).await;
    let unique = json!([{"name": "by_kind", "fields": ["kind"], "unique": true}]);
    let declared = note(json!({"fields": {"kind": "text"}, "indexes": unique}));
    let steps = ["drop-index note.by_kind", "add-index note.by_kind"];
    assert_eq!(store.steps(&declared).await, steps);
    store.change(&declared).await.unwrap();
    assert_eq!(store.steps(&declared).await, [""; 0]);
    store.apply(&[put("note", "2", &json!({"kind": "a"}))]).await.unwrap_err();
    store.change(&notes()).await.unwrap();
    store.put("note", "2", &json!({"kind": "a"})).await;
}

async fn a_dropped_index_is_gone(mut store: TestStore) {
    let unique = json!([{"name": "one", "fields": ["kind"], "unique": true}]);
    store.change(&note(json!({"fields": {"kind": "text"}, "indexes": unique}))).await.unwrap();
    store.put("note", "1", &json!({"kind": "a"})).await;
    let declared = note(json!({"fields": {"kind": "text"}}));
    assert_eq!(store.steps(&declared).await, ["drop-index note.one"]);
    store.change(&declared).await.unwrap();
    store.put("note", "2", &json!({"kind": "a"})).await;
}

async fn a_field_that_is_removed_and_added_again_has_the_values_of_today(mut store: TestStore) {
    store.put("note", "1", &json!({"kind": "before"})).await;
    store.put("note", "2", &json!({"kind": "stays"})).await;
    let without = note(json!({}));
    store.change_with(&without, &allowing(&[Permission::DropField])).await.unwrap();
    store.put("note", "1", &json!({"kind": "after"})).await;
    store.put("note", "3", &json!({"kind": 5})).await;
    store
        .apply(&[crate::harness::store::write("note", "3", loggia::storage::Change::Delete)])
        .await
        .unwrap();
    store.change(&notes()).await.unwrap();
    let rows = store.select("all", &[]).await;
    assert_eq!(rows, json!([{"id": "1", "kind": "after"}, {"id": "2", "kind": "stays"}]));
}

async fn documents_can_begin_to_expire(mut store: TestStore) {
    store.put("note", "1", &json!({"kind": "a"})).await;
    let mut declared = notes();
    declared["collections"][0]["ttl_seconds"] = json!(60);
    assert_eq!(store.steps(&declared).await, ["start-expiry note", "fill-fields note"]);
    store.change(&declared).await.unwrap();
    assert_eq!(store.get("note", "1").await.unwrap().expires_at, None);
    store.put("note", "2", &json!({})).await;
    assert!(store.get("note", "2").await.unwrap().expires_at.is_some());
}

async fn another_time_to_live_counts_for_new_documents(mut store: TestStore) {
    let mut declared = notes();
    declared["collections"][0]["ttl_seconds"] = json!(60);
    store.change(&declared).await.unwrap();
    store.put("note", "1", &json!({})).await;
    let before = store.get("note", "1").await.unwrap();
    declared["collections"][0]["ttl_seconds"] = json!(600);
    assert_eq!(store.steps(&declared).await, ["change-ttl note"]);
    store.change(&declared).await.unwrap();
    assert_eq!(store.get("note", "1").await.unwrap().expires_at, before.expires_at);
    store.put("note", "2", &json!({})).await;
    let after = store.get("note", "2").await.unwrap();
    assert_eq!(after.expires_at.unwrap() - after.created_at, 600_000_000);
}

async fn more_rows_than_one_batch_are_filled(mut store: TestStore) {
    let writes: Vec<_> =
        (0..1_100).map(|n| put("note", &format!("{n:04}"), &json!({"size": n}))).collect();
    store.apply(&writes).await.unwrap();
    let declared = with_statement(
        note(json!({"fields": {"kind": "text", "size": "integer"}})),
        "SELECT count(*) AS n, sum(size) AS s FROM note",
    );
    store.change(&declared).await.unwrap();
    let sum = 1_099 * 1_100 / 2;
    assert_eq!(store.select("all", &[]).await, json!([{"n": 1_100, "s": sum}]));
}

async fn documents_of_all_tenants_are_filled(mut store: TestStore) {
    let other = store.as_tenant("two").await;
    store.put("note", "1", &json!({"size": 1})).await;
    other.put("note", "1", &json!({"size": 2})).await;
    let declared = with_statement(
        note(json!({"fields": {"kind": "text", "size": "integer"}})),
        "SELECT size FROM note",
    );
    store.change(&declared).await.unwrap();
    let other = store.as_tenant("two").await;
    assert_eq!(store.select("all", &[]).await, json!([{"size": 1}]));
    assert_eq!(other.select("all", &[]).await, json!([{"size": 2}]));
}

async fn long_names_stay_distinct_through_changes(mut store: TestStore) {
    let long = "a".repeat(55);
    let collection = |fields: Json, indexes: Json| {
        let name = format!("{long}_one");
        json!({"collections": [
            {"name": name, "fields": fields, "indexes": indexes},
            {"name": format!("{long}_two"), "fields": {"kind": "text"}},
        ]})
    };
    let (one, two) = (format!("{long}_one"), format!("{long}_two"));
    let index = |field: &str| json!({"name": format!("{long}_by"), "fields": [field]});
    let allow = allowing(&[Permission::DropCollection, Permission::DropField]);
    let field = format!("{long}_f");
    let before = collection(json!({&field: "text"}), json!([index(&field)]));
    store.change_with(&before, &allow).await.unwrap();
    store.put(&one, "1", &json!({&field: "a", format!("{field}2"): 2})).await;
    store.put(&two, "1", &json!({"kind": "untouched"})).await;
    let second = format!("{field}2");
    let after = collection(json!({&field: "text", &second: "integer"}), json!([index(&second)]));
    let steps = [
        format!("add-field {one}.{second}"),
        format!("fill-fields {one}"),
        format!("drop-index {one}.{long}_by"),
        format!("add-index {one}.{long}_by"),
    ];
    assert_eq!(store.steps(&after).await, steps);
    let after = with_statement(after, &format!("SELECT {field} AS a, {second} AS b FROM {one}"));
    store.change(&after).await.unwrap();
    assert_eq!(store.steps(&after).await, [""; 0]);
    assert_eq!(store.select("all", &[]).await, json!([{"a": "a", "b": 2}]));
    assert!(store.get(&two, "1").await.is_some());
}

async fn a_plan_changes_nothing(store: TestStore) {
    store.put("note", "1", &json!({"kind": "a", "size": 1})).await;
    let declared = note(json!({"fields": {"size": "integer"}}));
    let before = store.steps(&declared).await;
    let steps = [
        "drop-field note.kind",
        "add-field note.size",
        "fill-fields note",
        "drop-index note.by_kind",
    ];
    assert_eq!(before, steps);
    assert_eq!(store.steps(&declared).await, before);
    assert_eq!(store.select("all", &[]).await, json!([{"id": "1", "kind": "a"}]));
}

/// A reload leaves requests under way that began on the generation before.
async fn an_older_generation_of_the_same_gateway_reads_and_cannot_write(older: TestStore) {
    older.put("note", "1", &json!({"kind": "a", "size": 1})).await;
    let mut newer = older.as_tenant("one").await;
    newer.change(&sized()).await.unwrap();
    assert_eq!(older.select("all", &[]).await, json!([{"id": "1", "kind": "a"}]));
    for write in [put("note", "1", &json!({})), put("note", "2", &json!({}))] {
        let error = older.apply(&[write]).await.unwrap_err();
        assert!(matches!(error, Error::SchemaDrift), "{error}");
    }
    newer.put("note", "1", &json!({"size": 2})).await;
    newer.put("note", "2", &json!({"size": 3})).await;
    let rows = json!([{"id": "1", "size": 2}, {"id": "2", "size": 3}]);
    assert_eq!(newer.select("all", &[]).await, rows);
}

async fn a_change_taken_back_lets_the_first_generation_write_again(first: TestStore) {
    first.put("note", "1", &json!({"kind": "a", "size": 1})).await;
    let mut newer = first.as_tenant("one").await;
    newer.change(&sized()).await.unwrap();
    newer.change_with(&notes(), &allowing(&[Permission::DropField])).await.unwrap();
    first.put("note", "2", &json!({"kind": "b"})).await;
    let rows = json!([{"id": "1", "kind": "a"}, {"id": "2", "kind": "b"}]);
    assert_eq!(first.select("all", &[]).await, rows);
    assert_eq!(first.steps(&notes()).await, [""; 0]);
}

/// The notes with a field more.
fn sized() -> Json {
    let fields = json!({"fields": {"kind": "text", "size": "integer"}, "indexes": [{"name": "by_kind", "fields": ["kind"]}]});
    with_statement(note(fields), "SELECT id, size FROM note")
}
