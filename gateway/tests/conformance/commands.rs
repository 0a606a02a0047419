//! `loggia migrate` and `loggia plugin plan`, as an operator runs them, and a plugin that is newer
//! than its documents.

use std::collections::BTreeSet;
use std::process::{Command, Output};
use std::time::Duration;

use loggia::config::Isolation;
use loggia::plugin::{LoadError, LoadOptions, Plugin, Retry};
use loggia::storage::Storage;
use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::harness::store::{TestStore, install, location};
use crate::harness::{Database, engine, plugin_path};

/// Run the program with a configuration for this database.
fn run(database: &Database, arguments: &[&str]) -> Output {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("gateway.toml");
    let text = format!(
        "[storage]\nurl = \"{}\"\n[plugins.faults]\npath = \"{}\"\n",
        database.url(),
        plugin_path("faults").display()
    );
    std::fs::write(&path, text).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_loggia"));
    // Compiled code is kept below it.
    program.current_dir(env!("CARGO_TARGET_TMPDIR"));
    program.args(arguments).arg("--config").arg(&path).output().unwrap()
}

#[track_caller]
fn printed(output: &Output, code: i32) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn migrate_lists_and_applies(database: Database) {
    let before = printed(&run(&database, &["migrate", "--list"]), 0);
    assert!(before.lines().all(|line| line.starts_with("pending ")), "{before}");
    assert!(before.contains("pending 0001_gateway"), "{before}");
    let after = printed(&run(&database, &["migrate"]), 0);
    assert!(after.lines().all(|line| line.starts_with("applied ")), "{after}");
    assert_eq!(printed(&run(&database, &["migrate", "--list"]), 0), after);
    // A gateway finds nothing to do.
    drop(Storage::open(&location(&database)).await.unwrap());
}

async fn migrate_takes_back_what_can_be_taken_back(database: Database) {
    printed(&run(&database, &["migrate"]), 0);
    let back = printed(&run(&database, &["migrate", "--down-to", "5"]), 0);
    assert!(back.contains("applied 0005_checkpoints\npending 0006_schema_change"), "{back}");
    printed(&run(&database, &["migrate"]), 0);
    let refused = run(&database, &["migrate", "--down-to", "0"]);
    printed(&refused, 70);
    let message = String::from_utf8_lossy(&refused.stderr);
    assert!(message.contains("cannot be taken back"), "{message}");
    let after = printed(&run(&database, &["migrate", "--list"]), 0);
    assert!(!after.contains("pending"), "{after}");
}

async fn plan_prints_the_steps(database: Database) {
    let steps = printed(&run(&database, &["plugin", "plan"]), 0);
    assert!(steps.contains("faults:\nadd-collection "), "{steps}");
}

async fn plan_fails_where_a_step_is_refused(database: Database) {
    let storage = Storage::open(&location(&database)).await.unwrap();
    let declared = json!({"name": "faults", "collections": [{"name": "extra"}]});
    install(&storage, &declared).await.unwrap();
    drop(storage);
    let steps = printed(&run(&database, &["plugin", "plan"]), 78);
    assert!(steps.contains("drop-collection extra: refused"), "{steps}");
    let serve = run(&database, &["serve"]);
    printed(&serve, 78);
    let message = String::from_utf8_lossy(&serve.stderr);
    assert!(message.contains("allow = [\"drop-collection\"] permits it"), "{message}");
}

/// A database with documents of a plugin that was older.
async fn with_older_documents(database: Database, bodies: &[Json]) -> TestStore {
    let older = json!({"name": "faults", "collections": [{"name": "upgraded"}]});
    let store = TestStore::open(database, &older).await;
    for (number, body) in bodies.iter().enumerate() {
        store.put("upgraded", &number.to_string(), body).await;
    }
    store
}

async fn load(store: &TestStore) -> Result<Plugin, LoadError> {
    let memory_bytes = 64 << 20;
    let options = LoadOptions {
        isolation: Isolation::Request,
        max_requests_per_instance: 1,
        memory_bytes,
        retry: Retry { times: 0, backoff: Duration::ZERO },
        allow: BTreeSet::new(),
        statistics: false,
        stored_limits: Vec::new(),
    };
    let component = std::fs::read(plugin_path("faults")).unwrap();
    Plugin::load(engine(), &store.storage, &component, options).await
}

async fn a_plugin_upgrades_stored_bodies(database: Database) {
    let store = with_older_documents(database, &[json!({"name": "a"})]).await;
    load(&store).await.unwrap();
    let rows = store.database.query("SELECT schema_version, f__title FROM faults__upgraded").await;
    assert_eq!(rows, [["2", "a"]]);
    load(&store).await.unwrap();
}

async fn a_body_that_a_plugin_cannot_upgrade_is_named(database: Database) {
    let store = with_older_documents(database, &[json!({"name": "a"}), json!({})]).await;
    let error = load(&store).await.unwrap_err().to_string();
    assert!(error.contains("tenant \"one\", id \"1\": upgrade: it has no name"), "{error}");
}

macro_rules! commands_on_both_databases {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(super::Database::sqlite()).await;
            })+
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(super::Database::postgres().await).await;
            })+
        }
    };
}

commands_on_both_databases! {
    migrate_lists_and_applies,
    migrate_takes_back_what_can_be_taken_back,
    plan_prints_the_steps,
    plan_fails_where_a_step_is_refused,
    a_plugin_upgrades_stored_bodies,
    a_body_that_a_plugin_cannot_upgrade_is_named,
}
