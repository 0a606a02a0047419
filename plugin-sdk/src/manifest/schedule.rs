//! Operations that the gateway calls by itself.

use serde::Serialize;

/// An operation that the gateway calls again and again, once for each tenant that has the plugin,
/// with the rights of an admin and the limits of a request.
///
/// One gateway at a time does so. It has no parameters to give, and no body but `{}`.
///
/// ```
/// use loggia_plugin_sdk::manifest::Schedule;
///
/// Schedule::every("1m", "cleanup").when_due("session", "expires_on");
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct Schedule {
    operation: String,
    every: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    due: Option<Due>,
}

#[derive(Clone, Debug, Serialize)]
struct Due {
    collection: String,
    field: String,
}

impl Schedule {
    /// Call the operation so often: `500ms`, `30s`, `5m`, `24h`, at least `100ms`. A call that takes
    /// longer delays the next one.
    #[must_use]
    pub fn every(time: &str, operation: &str) -> Self {
        Self { operation: operation.to_owned(), every: time.to_owned(), due: None }
    }

    /// Call it for those tenants alone that have a document in this collection whose field, of the
    /// type timestamp, is not later than now. Tenants without one cost nothing.
    #[must_use]
    pub fn when_due(mut self, collection: &str, field: &str) -> Self {
        self.due = Some(Due { collection: collection.to_owned(), field: field.to_owned() });
        self
    }
}
