//! The gateway under test: started as `loggia serve` starts it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use loggia::cli::{Started, start};
use loggia::config::{Config, Plugin};
use loggia::http::Gateway;
use loggia::plugin::Isolation;
use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::client::{Answer, send};
use super::database::Database;

/// A serving gateway. Dropping it fails the test when it has left something open.
#[derive(Debug)]
pub(crate) struct TestGateway {
    pub(crate) address: SocketAddr,
    gateway: Arc<Gateway>,
    configuration: Config,
    serving: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
    _database: Arc<Database>,
}

const JSON: (&str, &str) = ("content-type", "application/json");

impl TestGateway {
    /// Start a gateway with both plugins on a database.
    pub(crate) async fn start(database: Database, configure: fn(&mut Config)) -> Self {
        let mut configuration = Config::default();
        configuration.server.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        configuration.storage.url = database.url();
        for name in ["chat-sessions", "faults"] {
            configuration.plugins.insert(name.to_owned(), plugin(name));
        }
        configure(&mut configuration);
        Self::serve(configuration, Arc::new(database)).await
    }

    async fn serve(configuration: Config, database: Arc<Database>) -> Self {
        let Started { server, gateway } = start(&configuration).await.unwrap();
        let address = server.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(server.run(async { stopped.await.unwrap_or(()) }));
        let serving = Some((stop, serving));
        Self { address, gateway, configuration, serving, _database: database }
    }

    /// Another gateway on the same database.
    pub(crate) async fn second(&self) -> Self {
        Self::serve(self.configuration.clone(), Arc::clone(&self._database)).await
    }

    /// Stop as SIGTERM does, and start again on the same database.
    pub(crate) async fn restart(mut self) -> Self {
        self.stop().await;
        let (configuration, database) = (self.configuration.clone(), Arc::clone(&self._database));
        drop(self);
        Self::serve(configuration, database).await
    }

    async fn stop(&mut self) {
        if let Some((stop, serving)) = self.serving.take() {
            stop.send(()).ok();
            serving.await.unwrap();
        }
    }

    /// Whether it runs on `SQLite`.
    pub(crate) fn is_sqlite(&self) -> bool {
        self.gateway.storage().is_sqlite()
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        send(self.address, method, path, headers, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], "").await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send("DELETE", path, &[], "").await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, &[JSON], body.to_string()).await
    }

    pub(crate) async fn put_text(&self, path: &str, body: &str) -> Answer {
        self.send("PUT", path, &[JSON], body.to_owned()).await
    }

    pub(crate) async fn put_if(&self, path: &str, condition: (&str, &str), body: &Value) -> Answer {
        self.send("PUT", path, &[JSON, condition], body.to_string()).await
    }

    pub(crate) async fn post(&self, path: &str) -> Answer {
        self.send("POST", path, &[], "").await
    }

    /// What is out of the pool or under way, once requests had time to end.
    fn left_open(&self) -> Option<String> {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let (in_use, in_calls) = (self.gateway.storage().in_use(), self.gateway.in_calls());
            if in_use.connections == 0 && in_calls == 0 {
                return None;
            }
            if Instant::now() >= deadline {
                return Some(format!("{in_use:?}, {in_calls} calls under way"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for TestGateway {
    fn drop(&mut self) {
        let left_open = self.left_open();
        if let Some((_, serving)) = self.serving.take() {
            serving.abort();
        }
        if let (Some(what), false) = (left_open, std::thread::panicking()) {
            panic!("the test left something open: {what}");
        }
    }
}

fn plugin(name: &str) -> Plugin {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let path = root.join(format!("plugins/{name}.wasm"));
    assert!(path.exists(), "{} is missing; run `cargo xtask test`", path.display());
    Plugin { path, sha256: None, isolation: Isolation::Tenant, max_requests_per_instance: 1_000 }
}
