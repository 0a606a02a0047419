//! A gateway with two tenants, on threads of its own, that can be reloaded.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;

use anyhow::{Context as _, Result};
use loggia::cli::{Source, Started, start_from};
use loggia::config::{Config, Isolation, Key, Role, Roles, Tenant};
use loggia::tenant::{Digest, generate};
use loggia_benches::client::Connection;
use loggia_benches::database::Database;
use loggia_benches::gateway;
use tokio::runtime;
use tokio::sync::oneshot;

use crate::attack::{NO_BODY, Step, request, send_all};

pub(crate) struct Gateway {
    /// Where clients ask, and where the operator does.
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// The tenants' keys.
    pub(crate) attacker: String,
    pub(crate) victim: String,
    /// What a reload finds.
    config: Arc<Mutex<Config>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<Result<()>>>,
}

impl Gateway {
    pub(crate) fn start(database: &Database) -> Result<Self> {
        let mut config = gateway::configuration(&database.url(), Isolation::Tenant)?;
        let [attacker, victim] = [generate(), generate()];
        for (name, key) in [("attacker", &attacker), ("victim", &victim)] {
            config.tenants.insert(name.to_owned(), tenant(key)?);
        }
        let config = Arc::new(Mutex::new(config));
        let (started, addresses) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&config);
        let thread = thread::spawn(move || {
            let runtime = runtime::Builder::new_multi_thread().enable_all().build()?;
            runtime.block_on(serve(&shared, &started, stopped))
        });
        let (address, admin) = addresses.recv().context("the gateway did not start")?;
        let (stop, thread) = (Some(stop), Some(thread));
        Ok(Self { address, admin, attacker, victim, config, stop, thread })
    }

    /// Change what the next reload finds.
    pub(crate) fn configure(&self, change: impl FnOnce(&mut Config)) {
        change(&mut self.config.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Send requests to one of its addresses.
    pub(crate) fn ask(address: SocketAddr, steps: &[Step]) -> Result<()> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut connection = Connection::open(address).await?;
            send_all(&mut connection, steps).await
        })
    }
}

/// A reload that ends so, of which this is told.
pub(crate) fn reload(status: u16, told: &'static str) -> Step {
    let told = vec![told];
    Step { request: request("POST", "/admin/v1/reload", "", NO_BODY), status, told }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

fn tenant(key: &str) -> Result<Tenant> {
    let digest = Digest::of_key(key).context("a generated key is a key")?;
    let roles = Roles::Everywhere(vec![Role::Admin]);
    let key = Key { name: "key".to_owned(), sha256: digest.to_string(), roles };
    Ok(Tenant { keys: vec![key], ..Tenant::default() })
}

/// Tell the addresses, and serve until it is stopped.
async fn serve(
    config: &Arc<Mutex<Config>>,
    started: &mpsc::Sender<(SocketAddr, SocketAddr)>,
    stopped: oneshot::Receiver<()>,
) -> Result<()> {
    let shared = Arc::clone(config);
    let source: Source =
        Arc::new(move || Ok(shared.lock().unwrap_or_else(PoisonError::into_inner).clone()));
    let first = source()?;
    let Started { server, background, .. } =
        start_from(source, first, &gateway::runtime()?).await?;
    started.send((server.local_addr()?, server.admin_addr()?)).unwrap_or_default();
    server.run(async { stopped.await.unwrap_or_default() }).await;
    background.stop().await;
    Ok(())
}
