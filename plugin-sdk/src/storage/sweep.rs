//! Cleaning up what has expired.

use super::Error;
use crate::bindings::loggia::plugin::storage;

/// Delete the expired documents of these collections now, and say how many were cleaned up.
///
/// The gateway sweeps by itself, too, and those that it took since the last call are counted
/// here: over all calls, each document that expired is counted once. No more are deleted than the
/// request may write; the rest is left to the next call and to the gateway.
///
/// ```no_run
/// # use loggia_plugin_sdk::{Failure, Response, storage::sweep};
/// fn cleanup() -> Result<Response, Failure> {
///     let deleted = sweep(&["note"])?;
///     Ok(Response::json(200, format!(r#"{{"deleted":{deleted}}}"#)))
/// }
/// ```
///
/// # Errors
/// A collection that the manifest does not declare, an operation of the mode `read`, or the
/// database's failure.
pub fn sweep(collections: &[&str]) -> Result<u64, Error> {
    let collections: Vec<String> = collections.iter().map(|&name| name.to_owned()).collect();
    storage::sweep(&collections)
}
