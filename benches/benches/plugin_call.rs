//! G4: what it costs to enter a plugin and leave it again, without HTTP and without storage.
//!
//! `warm` reuses an instance; `fresh` makes one for each call and drops it, so the difference is
//! what instantiation costs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use criterion::Criterion;
use loggia::config::{self, Isolation};
use loggia::manifest::{Mode, TransactionIsolation};
use loggia::metrics::Breaches;
use loggia::plugin::{CallOptions, Limits, LoadOptions, Plugin, Request, Retry};
use loggia::storage::{Location, Storage, Tenant};
use loggia::tenant::Principal;
use loggia_benches::database::Database;
use loggia_benches::{document, gateway};

fn main() -> Result<()> {
    let mut criterion = Criterion::default().configure_from_args();
    let executor = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut group = criterion.benchmark_group("plugin_call");
    for (name, isolation) in [("warm", Isolation::Tenant), ("fresh", Isolation::Request)] {
        // Each has its own file: a gateway's file belongs to it alone.
        let database = Database::sqlite()?;
        let called = executor.block_on(Called::load(&database, isolation))?;
        for (size, body) in [("empty", Bytes::new()), ("1kB", document::body(1).into())] {
            let request = request(body);
            group.bench_function(format!("{size}/{name}"), |bencher| {
                bencher.iter_custom(|times| {
                    executor.block_on(called.times(times, &request)).expect("the plugin answers")
                });
            });
        }
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}

/// A plugin that is called as the gateway calls it.
struct Called {
    plugin: Plugin,
    tenant: Tenant,
    limits: config::Limits,
    breaches: Arc<Breaches>,
}

impl Called {
    async fn load(database: &Database, isolation: Isolation) -> Result<Self> {
        let path = database.url().trim_start_matches("sqlite:").into();
        let storage = Storage::open(&Location::Sqlite(path)).await?;
        let limits = config::Limits::default();
        let options = LoadOptions {
            isolation,
            max_requests_per_instance: 1_000,
            memory_bytes: limits.plugin_memory_bytes,
            retry: Retry { times: 3, backoff: Duration::from_millis(50) },
            allow: BTreeSet::new(),
            statistics: false,
            stored_limits: Vec::new(),
        };
        let runtime = gateway::runtime()?;
        let component = std::fs::read(gateway::component()?)?;
        let plugin = Plugin::load(&runtime, &storage, &component, options).await?;
        let breaches = Arc::new(Breaches::new(&Arc::default(), "default", "faults"));
        Ok(Self { plugin, tenant: storage.tenant("default").await?, limits, breaches })
    }

    async fn times(&self, times: u64, request: &Request) -> Result<Duration> {
        let began = Instant::now();
        for _ in 0..times {
            self.plugin.call(request, &self.options(), std::future::pending()).await?;
        }
        Ok(began.elapsed())
    }

    fn options(&self) -> CallOptions {
        let limits = &self.limits;
        CallOptions {
            tenant: self.tenant,
            mode: Mode::Autocommit,
            isolation: TransactionIsolation::ReadCommitted,
            deadline: tokio::time::Instant::now() + Duration::from_millis(limits.request_ms),
            limits: Limits {
                guest_cpu: Duration::from_millis(limits.guest_cpu_ms),
                transaction: Duration::from_millis(100),
                plugin_memory_bytes: limits.plugin_memory_bytes,
                storage_calls: limits.storage_calls,
                documents_read: limits.documents_read,
                documents_written: limits.documents_written,
                response_bytes: limits.response_bytes,
                document_bytes: limits.document_bytes,
                log_bytes: limits.log_bytes,
                concurrent_requests: limits.concurrent_requests,
                queued_requests: limits.queued_requests,
                waiting_requests: limits.waiting_requests,
            },
            settings: self.plugin.default_settings(),
            probe: None,
            breaches: Arc::clone(&self.breaches),
        }
    }
}

/// As the gateway makes it of a request without parameters.
fn request(body: Bytes) -> Request {
    Request {
        operation: "nothing".to_owned(),
        path_params: Vec::new(),
        query: Vec::new(),
        headers: Vec::new(),
        body,
        principal: Principal {
            subject: "anonymous".to_owned(),
            roles: ["reader", "writer", "admin"].map(str::to_owned).to_vec(),
        },
        received_at: 0,
        entropy: (0, 0),
        trace_id: "0".repeat(32),
    }
}
