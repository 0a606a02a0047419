//! Problems: the one place where a failure becomes a status code and a text for the client
//! (RFC 9457).
//!
//! Each has `type`, `title`, `status`, `code`, `detail`, `trace_id`, `retryable` and `committed`:
//! false when nothing that the request wrote is there, true when what it wrote before the failure
//! stays (only an operation in autocommit mode can do that), "unknown" when the connection to the
//! database broke at the wrong moment.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};

use crate::metrics::Breaches;
use crate::plugin::{CallError, Failed};
use crate::storage;

/// Why a request has no ordinary answer.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: String,
    detail: String,
    committed: Committed,
    headers: Vec<(HeaderName, HeaderValue)>,
    extensions: Map<String, Value>,
    /// The limit that was broken, by its name in `gateway.toml`.
    limit: Option<&'static str>,
}

/// Whether what the request wrote is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Committed {
    No,
    /// An operation in autocommit mode had written before it failed.
    Yes,
    Unknown,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            detail: detail.into(),
            committed: Committed::No,
            headers: Vec::new(),
            extensions: Map::new(),
            limit: None,
        }
    }

    /// A limit was broken. The breach is counted when the problem is answered.
    pub(super) fn of_limit(
        status: StatusCode,
        code: &str,
        limit: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        let problem = Self::new(status, code, detail).with("limit", limit);
        Self { limit: Some(limit), ..problem }
    }

    /// Count it among the breaches of the tenant's limits, if it is one.
    pub(super) fn count_breach(&self, breaches: &Breaches) {
        if let Some(limit) = self.limit {
            breaches.count(limit);
        }
    }

    /// As [`Problem::of_limit`], where `limit` is the number.
    pub(super) fn counts_as(self, limit: &'static str) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// A request that can never succeed as it was sent.
    pub(super) fn bad_request(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// The gateway's own fault, at a point that nobody knows.
    pub(super) fn panicked() -> Self {
        let detail = "the gateway failed; read what is there before you try again";
        let problem = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail);
        Self { committed: Committed::Unknown, ..problem }
    }

    pub(super) fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.extensions.insert(member.to_owned(), value.into());
        self
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// A problem that another try may not meet.
    pub(super) fn retry_after(self, seconds: u32) -> Self {
        self.header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// What is left to wait, in seconds to tell: whoever waits so long does not wait in vain.
    pub(super) fn whole_seconds(wait: Duration) -> u32 {
        u32::try_from(wait.as_nanos().div_ceil(1_000_000_000)).unwrap_or(u32::MAX).max(1)
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn code(&self) -> &str {
        &self.code
    }

    /// What a 405 allows instead.
    pub(super) fn allow(&self) -> Option<HeaderValue> {
        let allow = self.headers.iter().find(|(name, _)| name == ALLOW);
        allow.map(|(_, value)| value.clone())
    }

    pub(super) fn into_response(self, trace_id: &str) -> Response<Full<Bytes>> {
        let retryable = self.headers.iter().any(|(name, _)| name == RETRY_AFTER);
        let mut members = self.extensions;
        // The gateway's own members win over those of a plugin's extensions.
        members.insert("type".to_owned(), format!("urn:loggia:problem:{}", self.code).into());
        members
            .insert("title".to_owned(), self.status.canonical_reason().unwrap_or("Error").into());
        members.insert("status".to_owned(), self.status.as_u16().into());
        members.insert("code".to_owned(), self.code.into());
        members.insert("detail".to_owned(), self.detail.into());
        members.insert("trace_id".to_owned(), trace_id.into());
        members.insert("retryable".to_owned(), retryable.into());
        members.insert(
            "committed".to_owned(),
            match self.committed {
                Committed::No => json!(false),
                Committed::Yes => json!(true),
                Committed::Unknown => json!("unknown"),
            },
        );
        let body = Bytes::from(Value::Object(members).to_string());
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

impl From<Failed> for Problem {
    fn from(Failed { error, kept }: Failed) -> Self {
        let problem = Self::from(error);
        if kept && problem.committed == Committed::No {
            return Self { committed: Committed::Yes, ..problem };
        }
        problem
    }
}

impl From<CallError> for Problem {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Problem(problem) => plugin_problem(problem),
            CallError::Trap(why) => {
                tracing::warn!(%why, blame = "plugin", "a plugin trapped");
                let detail = "the plugin failed";
                Self::new(StatusCode::BAD_GATEWAY, "plugin-trap", detail)
            }
            CallError::Instantiation(why) => {
                tracing::error!(%why, blame = "plugin", "a plugin could not be instantiated");
                let detail = "the plugin could not be started";
                Self::new(StatusCode::BAD_GATEWAY, "plugin-trap", detail)
            }
            CallError::Breach(breach) => limit(breach.name(), breach.is_time()),
            CallError::Storage(storage::Error::LimitExceeded(name)) => limit(name, false),
            CallError::BadOutput(why) => {
                tracing::warn!(%why, blame = "plugin", "a plugin's response was refused");
                let detail = "the plugin's response could not be sent";
                Self::new(StatusCode::BAD_GATEWAY, "plugin-bad-output", detail)
            }
            CallError::LostRace | CallError::Contention => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "contention",
                "other requests changed the same documents each time this one ran; try again",
            )
            .retry_after(1),
            // Those that wait do not get here, and nobody reads the answer of those who have gone.
            CallError::Wait(_) | CallError::ClientGone | CallError::TooManyWait => Self::of_limit(
                StatusCode::SERVICE_UNAVAILABLE,
                "too-many-waiting",
                "waiting_requests",
                "as many requests of the tenant wait for a change as may; try again",
            )
            .retry_after(1),
            CallError::TenantQuota(limit) => tenant_quota(limit),
            CallError::NoCapacity => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "plugin-capacity",
                "all plugin instances are in use; try again",
            )
            .retry_after(1),
            CallError::Storage(error) => storage_problem(error),
        }
    }
}

/// Time is 504, everything else that a plugin uses up is 502: the client can do nothing about it.
fn limit(name: &'static str, is_time: bool) -> Problem {
    tracing::warn!(limit = name, blame = "plugin", "a plugin went over a limit");
    let detail = format!("the plugin went over the limit {name}");
    let (status, code) = if is_time {
        (StatusCode::GATEWAY_TIMEOUT, "plugin-timeout")
    } else {
        (StatusCode::BAD_GATEWAY, "plugin-resource-limit")
    };
    Problem::of_limit(status, code, name, detail)
}

/// Errors of the storage layer that ended the request. Those that a plugin has seen it has
/// answered itself.
fn storage_problem(error: storage::Error) -> Problem {
    tracing::warn!(%error, blame = "host", "the database failed a request");
    match error {
        storage::Error::Timeout => Problem::new(
            StatusCode::GATEWAY_TIMEOUT,
            "storage-timeout",
            "the database did not answer in time",
        ),
        storage::Error::ConnectionLimit => tenant_quota("connections"),
        storage::Error::StoredLimit(limit) => Problem::of_limit(
            StatusCode::INSUFFICIENT_STORAGE,
            "tenant-storage-full",
            limit,
            format!(
                "the tenant stores as much as its limit {limit} allows; delete what is not needed"
            ),
        ),
        storage::Error::Unavailable => {
            unavailable("storage-unavailable", "the database cannot be reached; try again")
        }
        storage::Error::PoolExhausted => {
            unavailable("pool-exhausted", "no connection to the database was free; try again")
        }
        storage::Error::Saturated => {
            unavailable("storage-saturated", "the database accepts no more connections; try again")
        }
        storage::Error::ReadOnly => {
            unavailable("storage-read-only", "the database accepts no writes now; try again")
        }
        storage::Error::SchemaDrift => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "schema-drift",
            "another gateway serves another version of the plugin, and its tables are not what \
             this one knows; try again",
        )
        .retry_after(1),
        storage::Error::StorageFull => Problem::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "storage-full",
            "the database has no room left",
        ),
        storage::Error::OutcomeUnknown => Problem {
            committed: Committed::Unknown,
            ..Problem::new(
                StatusCode::GATEWAY_TIMEOUT,
                "outcome-unknown",
                "the connection to the database broke during the commit: read what is there \
                 before you try again",
            )
        },
        _ => Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the database failed; the gateway's log says how",
        ),
    }
}

/// What others of the tenant have will be free again.
fn tenant_quota(limit: &'static str) -> Problem {
    let detail = format!("the tenant has as much under way as its limit {limit} allows; try again");
    Problem::of_limit(StatusCode::TOO_MANY_REQUESTS, "tenant-quota", limit, detail).retry_after(1)
}

fn unavailable(code: &str, detail: &str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(1)
}

/// Status and headers were checked by the plugin layer before the rollback.
fn plugin_problem(problem: crate::plugin::Problem) -> Problem {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_GATEWAY);
    let extensions = problem.extensions.and_then(|text| serde_json::from_str(&text).ok());
    let headers = super::response::header_pairs(&problem.headers);
    Problem {
        headers: headers.collect(),
        extensions: extensions.unwrap_or_default(),
        ..Problem::new(status, &problem.code, problem.detail)
    }
}
