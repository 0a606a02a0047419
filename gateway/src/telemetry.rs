//! Where log lines go: standard error, as text for people or as JSON for machines.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing_subscriber::EnvFilter;

/// tokio-postgres logs whole statements at debug level, and with them what clients have sent.
const DEFAULT_FILTER: &str = "info,tokio_postgres=warn,refinery_core=warn,wasmtime=warn";

/// Set up the log once for the process. `RUST_LOG` overrides the filter.
pub fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| DEFAULT_FILTER.into());
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        log.init();
    } else {
        log.json().flatten_event(true).init();
    }
}

static STATEMENTS: AtomicBool = AtomicBool::new(false);

/// Log every statement that is sent to the database, with its duration and without its values.
pub fn log_statements() {
    STATEMENTS.store(true, Ordering::Relaxed);
}

/// Whether statements are logged.
pub(crate) fn logs_statements() -> bool {
    STATEMENTS.load(Ordering::Relaxed)
}
