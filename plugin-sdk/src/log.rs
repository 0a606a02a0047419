//! Lines for the operator's log. The gateway adds tenant, plugin and request.
//!
//! ```
//! # use loggia_plugin_sdk::log;
//! log::warn("the session has no turns");
//! log::info(&format!("removed {} turns", 3));
//! ```
//!
//! Outside a gateway, as in unit tests, they do nothing. Never log what a client stored.

use crate::bindings::loggia::plugin::logging::{self, Level};

/// What a developer follows step by step.
pub fn trace(message: &str) {
    log(Level::Trace, message);
}

/// What helps to find a fault.
pub fn debug(message: &str) {
    log(Level::Debug, message);
}

/// What an operator may want to know.
pub fn info(message: &str) {
    log(Level::Info, message);
}

/// What an operator should look at some time.
pub fn warn(message: &str) {
    log(Level::Warn, message);
}

/// What an operator must look at.
pub fn error(message: &str) {
    log(Level::Error, message);
}

fn log(level: Level, message: &str) {
    // Only a component has the import; elsewhere the generated function panics.
    if cfg!(target_family = "wasm") {
        logging::log(level, message);
    }
}

/// Let a panic leave its message in the log: the trap that it becomes says nothing.
pub(crate) fn on_panic() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(|panic| error(&panic.to_string()))));
}
