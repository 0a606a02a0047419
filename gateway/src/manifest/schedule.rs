//! Schedules: operations that the gateway calls by itself.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// An operation that the gateway calls again and again, for each tenant that has the plugin.
#[derive(Clone, Debug, Deserialize)]
pub struct ScheduleDeclaration {
    /// The operation.
    pub operation: String,
    /// The least time between the beginnings of two turns.
    #[serde(deserialize_with = "time")]
    pub every: Duration,
    /// Whom it is called for, where not for everybody.
    pub due: Option<DueDeclaration>,
}

/// Tenants that have a document whose field is not later than now.
#[derive(Clone, Debug, Deserialize)]
pub struct DueDeclaration {
    /// The collection.
    pub collection: String,
    /// A field of the type `timestamp`.
    pub field: String,
}

/// Each turn costs some statements, whether there is something to do or not.
pub(super) const SHORTEST: Duration = Duration::from_millis(100);
/// A gateway that was away for longer than this begins at once anyway.
pub(super) const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// A time such as `500ms`, `30s`, `5m` or `24h`; its form was checked by the schema.
fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().map_err(serde::de::Error::custom)?;
    Ok(match &text[digits.len()..] {
        "ms" => Duration::from_millis(number),
        "s" => Duration::from_secs(number),
        "m" => Duration::from_secs(number * 60),
        _ => Duration::from_secs(number * 3_600),
    })
}
