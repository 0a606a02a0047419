//! Where log lines go: standard error, as text for people or as JSON for machines.

mod json;

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// tokio-postgres logs whole statements at debug level, and with them what clients have sent.
/// `RUST_LOG` replaces it.
const DEFAULT_FILTER: &str = "info,tokio_postgres=warn,refinery_core=warn,wasmtime=warn";

/// Tests of plugins say themselves what has failed, and make things fail on purpose.
const QUIET_FILTER: &str = "off";

/// Set up the log once for the process.
pub fn init() {
    init_with(DEFAULT_FILTER);
}

/// As [`init`] for a command that prints what it does: only `RUST_LOG` brings lines.
pub fn init_quiet() {
    init_with(QUIET_FILTER);
}

fn init_with(default: &str) {
    let log = fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry().with(filter(default));
    if std::io::stderr().is_terminal() {
        registry.with(log).init();
    } else {
        registry.with(log.fmt_fields(json::Members).event_format(json::Line)).init();
    }
}

/// By targets and levels, which is decided once for each place that logs. A filter that also looks
/// at spans' fields would look at every step of every request.
fn filter(default: &str) -> Targets {
    let given = std::env::var("RUST_LOG").ok().filter(|filter| !filter.is_empty());
    let given = given.and_then(|filter| filter.parse().ok());
    given.unwrap_or_else(|| default.parse().expect("the default filter is one"))
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
