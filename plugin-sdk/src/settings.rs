//! What the operator has set for the tenant of the request.

use serde::de::DeserializeOwned;

use crate::bindings::loggia::plugin::settings;
use crate::storage::Error;

/// The plugin's settings for the tenant of the request. The gateway has checked them against the
/// manifest, and filled in the defaults.
///
/// ```no_run
/// use loggia_plugin_sdk::{Failure, settings};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Settings {
///     max_notes: u32,
/// }
///
/// fn limit() -> Result<u32, Failure> {
///     let settings: Settings = settings()?;
///     Ok(settings.max_notes)
/// }
/// ```
///
/// # Errors
/// The settings are not a `T`: the manifest declares others.
pub fn settings<T: DeserializeOwned>() -> Result<T, Error> {
    serde_json::from_str(&settings::get())
        .map_err(|fault| Error::Other(format!("the settings: {fault}")))
}
