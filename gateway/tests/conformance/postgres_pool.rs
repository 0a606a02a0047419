//! The pool of connections to `PostgreSQL`: who waits, who is refused, and what becomes of
//! connections that broke.

use std::time::Duration;

use futures_util::future::join_all;
use loggia::manifest::Mode;
use loggia::storage::{Error, PoolState};
use serde_json::json;
use tokio::time::Instant;
use tokio_postgres::NoTls;

use crate::harness::proxy::{Door, Fault};
use crate::harness::store::{TestStore, options, put};
use crate::harness::until;
use crate::postgres_commit::store;

fn pool(store: &TestStore) -> PoolState {
    store.storage.pool().expect("PostgreSQL has a pool")
}

async fn read(store: &TestStore) -> Result<bool, Error> {
    let mut session = store.session(Mode::Autocommit);
    session.get("note", &["1".to_owned()]).await.map(|found| found[0].is_some())
}

/// A transaction with a connection of its own.
async fn transaction(store: &TestStore) -> loggia::storage::Session {
    let mut session = store.session(Mode::Write);
    session.get("note", &["1".to_owned()]).await.unwrap();
    session
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_so_many_wait_for_a_connection() {
    let (store, _proxy) = store(|options| {
        options.pool_size = 1;
        options.max_waiters = 2;
        options.acquire_timeout = Duration::from_secs(60);
    })
    .await;
    let held = transaction(&store).await;
    let waiting = async {
        let (first, second) = tokio::join!(read(&store), read(&store));
        (first.unwrap(), second.unwrap())
    };
    let refused = async {
        until(|| pool(&store).waiters == 2).await;
        assert!(matches!(read(&store).await, Err(Error::PoolExhausted)));
        held.rollback().await;
    };
    let ((first, second), ()) = tokio::join!(waiting, refused);
    assert!(!first && !second);
    assert_eq!(pool(&store).waiters, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_too_long_for_a_connection_is_refused() {
    let (store, _proxy) = store(|options| {
        options.pool_size = 1;
        options.acquire_timeout = Duration::from_millis(50);
    })
    .await;
    let held = transaction(&store).await;
    assert!(matches!(read(&store).await, Err(Error::PoolExhausted)));
    // A request that has no more time itself is told so.
    let mut session = store.session_with(loggia::storage::SessionOptions {
        deadline: Instant::now() + Duration::from_millis(10),
        ..options(Mode::Autocommit, store.storage.now())
    });
    let late = session.get("note", &["1".to_owned()]).await;
    assert!(matches!(late, Err(Error::Timeout)), "{late:?}");
    held.rollback().await;
    assert!(!read(&store).await.unwrap());
}

/// All connections of the pool are gone, and no request notices.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_ended_while_nobody_used_them_disturb_nobody() {
    let (store, proxy) = store(|_| {}).await;
    store.put("note", "1", &json!({})).await;
    for _ in 0..5 {
        // As many connections as may be, so that one retry would not find a good one.
        let held = join_all((0..10).map(|_| transaction(&store))).await;
        join_all(held.into_iter().map(loggia::storage::Session::rollback)).await;
        assert_eq!(pool(&store).idle, 10);
        proxy.cut_all();
        for found in join_all((0..20).map(|_| read(&store))).await {
            assert!(found.unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backends_that_are_terminated_disturb_nobody_but_their_transactions() {
    let (store, _proxy) = store(|_| {}).await;
    store.put("note", "1", &json!({})).await;
    let mut session = transaction(&store).await;
    session.apply(&[put("note", "2", &json!({}))]).await.unwrap();
    terminate_all(&store).await;
    let after = session.get("note", &["1".to_owned()]).await;
    assert!(matches!(after, Err(Error::Unavailable)), "{after:?}");
    session.commit().await.unwrap_err();
    assert!(read(&store).await.unwrap());
    assert!(store.get("note", "2").await.is_none());
    for _ in 0..5 {
        terminate_all(&store).await;
        store.put("note", "3", &json!({})).await;
        terminate_all(&store).await;
        assert!(read(&store).await.unwrap());
    }
}

/// The next connection is good, so nobody is told that the database is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_that_ends_while_it_greets_disturbs_nobody() {
    let (store, proxy) = store(|_| {}).await;
    proxy.cut_all();
    proxy.once("pg_backend_pid", Fault::Cut);
    assert!(!read(&store).await.unwrap());
    assert_eq!(proxy.applied(), 1);
    assert!(!pool(&store).down);
}

/// Those who wait for a new connection learn at once that there is none, and nobody else does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_refuses_connections_is_told_at_once() {
    let (store, proxy) = store(|options| {
        options.acquire_timeout = Duration::from_secs(3_600);
    })
    .await;
    let client = direct(&store).await;
    let allow = "UPDATE pg_database SET datallowconn = $1 WHERE datname = current_database()";
    for _ in 0..5 {
        let held = transaction(&store).await;
        client.execute(allow, &[&false]).await.unwrap();
        for refused in join_all((0..20).map(|_| read(&store))).await {
            assert!(matches!(refused, Err(Error::Unavailable)), "{refused:?}");
        }
        assert!(!pool(&store).down);
        held.rollback().await;
        assert!(!read(&store).await.unwrap());
        client.execute(allow, &[&true]).await.unwrap();
        let held = join_all((0..10).map(|_| transaction(&store))).await;
        join_all(held.into_iter().map(loggia::storage::Session::rollback)).await;
        proxy.cut_all();
    }
}

/// Every backend of the store's database.
async fn terminate_all(store: &TestStore) {
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    direct(store).await.execute(sql, &[]).await.unwrap();
}

/// A connection past the proxy.
async fn direct(store: &TestStore) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(&store.database.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// Nobody waits for a database that is known to be gone: the time that a request would wait for a
/// connection is longer than this test may take.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_gone_is_told_at_once_and_found_when_it_is_back() {
    for door in [Door::Closed, Door::Silent] {
        let patient = |options: &mut loggia::storage::PostgresOptions| {
            options.acquire_timeout = Duration::from_secs(3_600);
        };
        let (store, proxy) = store(patient).await;
        store.put("note", "1", &json!({})).await;
        proxy.set_door(door);
        proxy.cut_all();
        // These find out.
        for refused in join_all((0..10).map(|_| read(&store))).await {
            assert!(matches!(refused, Err(Error::Unavailable)));
        }
        assert!(pool(&store).down);
        let began = Instant::now();
        for refused in join_all((0..100).map(|_| read(&store))).await {
            assert!(matches!(refused, Err(Error::Unavailable)));
        }
        eprintln!("{door:?}: 100 requests were refused in {:?}", began.elapsed());
        proxy.set_door(Door::Open);
        let began = Instant::now();
        until(|| !pool(&store).down).await;
        let held = join_all((0..10).map(|_| transaction(&store))).await;
        eprintln!("{door:?}: all connections were back after {:?}", began.elapsed());
        assert_eq!(pool(&store).in_use, 10);
        join_all(held.into_iter().map(loggia::storage::Session::rollback)).await;
        assert!(read(&store).await.unwrap());
    }
}

/// Those who wait for one of the connections when the database goes do not wait on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_when_the_database_goes_is_refused() {
    let (store, proxy) = store(|options| {
        options.pool_size = 2;
        options.acquire_timeout = Duration::from_secs(3_600);
    })
    .await;
    let held = [transaction(&store).await, transaction(&store).await];
    let refused = async {
        let answers = join_all((0..10).map(|_| read(&store))).await;
        assert!(answers.iter().all(|answer| matches!(answer, Err(Error::Unavailable))));
    };
    let gone = async {
        until(|| pool(&store).waiters == 10).await;
        proxy.set_door(Door::Closed);
        proxy.cut_all();
        // Whoever gets one of these next finds nobody to connect to.
        for session in held {
            session.rollback().await;
        }
    };
    tokio::join!(refused, gone);
}

/// After whatever happened to it, no connection of the pool is inside a transaction.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_connection_goes_back_inside_a_transaction() {
    let (store, proxy) = store(|options| options.pool_size = 4).await;
    let faults = [Fault::Cut, Fault::CutAnswer, Fault::ForwardAndCut];
    for (round, text) in ["BEGIN", "SAVEPOINT", "INSERT", "; COMMIT", "ROLLBACK"]
        .into_iter()
        .flat_map(|text| faults.map(|fault| (fault, text)))
        .map(|(fault, text)| {
            proxy.once(text, fault);
            text
        })
        .enumerate()
    {
        let work = (0..8).map(|n| {
            let store = &store;
            async move {
                let mut session = store.session(Mode::Write);
                let id = format!("{round}-{text}-{n}");
                let twice = [put("note", &id, &json!({})), put("note", "none", &json!([]))];
                // The second call fails, and is undone by its savepoint.
                session.apply(&twice[..1]).await.ok();
                session.apply(&twice).await.ok();
                match n % 2 {
                    0 => session.commit().await.unwrap_or(()),
                    _ => session.rollback().await,
                }
            }
        });
        join_all(work).await;
    }
    until(|| pool(&store).in_use == 0).await;
    let idle = "SELECT count(*) FILTER (WHERE state <> 'idle'), count(*) FROM pg_stat_activity \
                WHERE datname = current_database() AND pid <> pg_backend_pid() \
                AND application_name = 'loggia'";
    let client = direct(&store).await;
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let row = client.query_one(idle, &[]).await.unwrap();
        let (busy, all): (i64, i64) = (row.get(0), row.get(1));
        // A connection that was closed takes the server a moment to see.
        if busy == 0 && all == i64::from(pool(&store).idle) {
            break;
        }
        assert!(Instant::now() < deadline, "{busy} of {all}, {:?}", pool(&store));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!read(&store).await.unwrap());
}

/// Tables that were changed under a prepared statement cost a second try, which nobody sees.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_whose_table_has_changed_is_prepared_again() {
    let (store, _proxy) = store(|_| {}).await;
    store.put("note", "1", &json!({})).await;
    for (mode, column_type) in [(Mode::Autocommit, "int4"), (Mode::Read, "int8")] {
        let mut session = store.session(mode);
        session.get("note", &["1".to_owned()]).await.unwrap();
        session.rollback().await;
        let client = direct(&store).await;
        let table: String = client
            .query_one(
                "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relname LIKE '%note%'",
                &[],
            )
            .await
            .unwrap()
            .get(0);
        let change =
            format!("ALTER TABLE {table} ALTER COLUMN created_at TYPE {column_type} USING 1");
        client.batch_execute(&change).await.unwrap();
        let mut session = store.session(mode);
        let found = session.get("note", &["1".to_owned()]).await.unwrap();
        assert_eq!(found[0].as_ref().map(|document| document.created_at), Some(1));
        session.rollback().await;
    }
}

/// What the server answers, as the caller is told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_sqlstate_is_told_as_what_it_means() {
    let (store, _proxy) = store(|_| {}).await;
    store.put("note", "1", &json!({})).await;
    let client = direct(&store).await;
    let table: String = client
        .query_one(
            "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relname LIKE '%note%'",
            &[],
        )
        .await
        .unwrap()
        .get(0);
    let trigger = format!(
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         RAISE EXCEPTION 'the secret %', NEW.body USING ERRCODE = NEW.body->>'kind'; END $$; \
         CREATE TRIGGER fail BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW \
         WHEN (NEW.body ? 'kind') EXECUTE FUNCTION fail()"
    );
    client.batch_execute(&trigger).await.unwrap();
    for (state, expected) in [
        ("40001", "Aborted"),
        ("40P01", "Aborted"),
        ("55P03", "Aborted"),
        ("57014", "Timeout"),
        ("57P01", "Unavailable"),
        ("53100", "StorageFull"),
        ("53300", "Saturated"),
        ("25006", "ReadOnly"),
        ("42P01", "SchemaDrift"),
        ("22P05", "Invalid"),
        ("XX000", "Other"),
    ] {
        for mode in [Mode::Write, Mode::Autocommit] {
            let mut session = store.session(mode);
            let body = json!({"kind": state});
            let failed = session.apply(&[put("note", "2", &body)]).await.unwrap_err();
            session.rollback().await;
            let expected = match (state, mode) {
                // The answer of a server that goes away does not say what it has done.
                ("57P01", Mode::Autocommit) => "OutcomeUnknown",
                _ => expected,
            };
            assert!(format!("{failed:?}").starts_with(expected), "{state} {mode:?}: {failed:?}");
            assert!(store.get("note", "2").await.is_none());
        }
    }
}
