//! What every case stands on: a gateway of its own, with a database of its own.

mod client;
pub(crate) mod cluster;
pub(crate) mod component;
mod database;
pub(crate) mod faults;
mod gateway;
mod inspect;
pub(crate) mod log;
#[path = "../../../plugins/list.rs"]
pub(crate) mod plugin_list;
pub(crate) mod proxy;
pub(crate) mod store;
pub(crate) mod tenants;

use std::time::{Duration, Instant};

pub(crate) use client::{Answer, send, try_send};
pub(crate) use database::Database;
pub(crate) use gateway::{TestGateway, compiler, engine, plugin_path};

/// Wait until something holds that will come about.
pub(crate) async fn until(holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "it has not come about");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Make each of these functions two tests, one for each database.
///
/// A case is `async fn name(gateway: &TestGateway)`. Where it needs another configuration, it
/// stands behind `with` as a function that changes the default one.
macro_rules! on_both_databases {
    ($($(#[$note:meta])* $case:ident $(with $configure:ident)?),+ $(,)?) => {
        $($(#[$note])* mod $case {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                use $crate::harness::{Database, TestGateway};
                #[allow(unused_mut, unused_assignments, reason = "only where `with` is given")]
                let mut configure: fn(&mut loggia::config::Config) = |_| {};
                $(configure = super::$configure;)?
                super::$case(&TestGateway::start(Database::sqlite(), configure).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                use $crate::harness::{Database, TestGateway};
                #[allow(unused_mut, unused_assignments, reason = "only where `with` is given")]
                let mut configure: fn(&mut loggia::config::Config) = |_| {};
                $(configure = super::$configure;)?
                let database = Database::postgres().await;
                super::$case(&TestGateway::start(database, configure).await).await;
            }
        })+
    };
}
pub(crate) use on_both_databases;

/// Make each of these functions three tests of the storage layer alone: one for each database,
/// and one for `PostgreSQL` with `storage.row_level_security`.
///
/// A case is `async fn name(store: TestStore)`; what it declares is given by the function behind
/// `declaring`, a `fn() -> serde_json::Value`.
macro_rules! stores_on_both_databases {
    (declaring $declared:ident: $($(#[$note:meta])* $case:ident),+ $(,)?) => {
        $($(#[$note])* mod $case {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                use $crate::harness::{Database, store::TestStore};
                let store = TestStore::open(Database::sqlite(), &super::$declared()).await;
                super::$case(store).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                use $crate::harness::{Database, store::TestStore};
                let database = Database::postgres().await;
                super::$case(TestStore::open(database, &super::$declared()).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres_with_policies() {
                use $crate::harness::{Database, store::TestStore};
                let database = Database::postgres_with_policies().await;
                super::$case(TestStore::open(database, &super::$declared()).await).await;
            }
        })+
    };
}
pub(crate) use stores_on_both_databases;
