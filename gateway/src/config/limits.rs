//! What requests may consume: `[limits]` for all of them, and what a tenant or a plugin has
//! otherwise.

use serde::Deserialize;

/// The limits in one list, each with its default: [`Limits`] has them all, [`LimitOverrides`] those
/// that are given.
macro_rules! limits {
    ($($(#[$meta:meta])* $name:ident: $type:ty = $default:expr,)+) => {
        /// `[limits]`: what one request may consume.
        #[derive(Clone, Debug, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct Limits {
            $($(#[$meta])* pub $name: $type,)+
            /// The most that an operation's manifest, a plugin or a tenant may have.
            pub ceiling: Ceiling,
        }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)+ ceiling: Ceiling::default() }
            }
        }

        /// `[plugins.NAME.limits]` or `[tenants.NAME.limits]`: what differs from `[limits]`.
        #[derive(Clone, Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct LimitOverrides {
            $($(#[$meta])* pub $name: Option<$type>,)+
        }

        impl LimitOverrides {
            /// These, and where they say nothing, the others.
            #[must_use]
            pub fn or(&self, others: &Self) -> Self {
                Self { $($name: self.$name.or(others.$name),)+ }
            }
        }

        impl Limits {
            /// These with what differs.
            #[must_use]
            pub fn with(&self, overrides: &LimitOverrides) -> Self {
                Self {
                    $($name: overrides.$name.unwrap_or(self.$name),)+
                    ceiling: self.ceiling.clone(),
                }
            }
        }
    };
}

limits! {
    /// One deadline for all of it, from the end of the body, in milliseconds.
    request_ms: u64 = 3_000,
    /// Time that the plugin may compute, in milliseconds.
    guest_cpu_ms: u64 = 1_000,
    /// From the first write to the end of the transaction, in milliseconds. Absent: 500 on
    /// `PostgreSQL`, 100 on `SQLite`, where it holds up all other writers.
    transaction_ms: Option<u64> = None,
    /// The largest request body.
    body_bytes: usize = 2 << 20,
    /// The largest document.
    document_bytes: usize = 2 << 20,
    /// The largest response body.
    response_bytes: usize = 16 << 20,
    /// The most that one plugin instance's memory can be.
    plugin_memory_bytes: usize = 64 << 20,
    /// Storage calls.
    storage_calls: u32 = 1_000,
    /// Documents and rows that it may read.
    documents_read: u32 = 100_000,
    /// Writes that it may apply.
    documents_written: u32 = 20_000,
    /// Bytes of log messages; more are dropped.
    log_bytes: usize = 64 << 10,
    /// Requests that run at a time. This and what follows is counted for each tenant in each
    /// plugin.
    concurrent_requests: u32 = 64,
    /// Requests that wait until they run, at the longest until their deadline.
    queued_requests: u32 = 2_000,
    /// Requests that wait for a change at a time; they hold nothing meanwhile.
    waiting_requests: usize = 5_000,
    /// Connections of the pool at a time, of the tenant in all plugins. Where no tenant is
    /// configured there is only one, which has them all.
    connections: u32 = 5,
    /// Requests in a second; 0 for no limit.
    requests_per_second: u32 = 0,
    /// Traps within `quarantine_window_ms` after which the plugin is closed to the tenant for
    /// `quarantine_ms`; 0 for never.
    quarantine_traps: u32 = 0,
    /// How long a trap counts, in milliseconds.
    quarantine_window_ms: u64 = 60_000,
    /// How long the plugin is closed, in milliseconds.
    quarantine_ms: u64 = 10_000,
    /// Documents that are stored; 0 for no limit.
    stored_documents: u64 = 0,
    /// Bytes of the bodies of stored documents, as the database writes them; 0 for no limit.
    stored_bytes: u64 = 0,
}

/// `[limits.ceiling]`: the most that an operation's manifest, a plugin or a tenant may have.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ceiling {
    /// See [`Limits::body_bytes`].
    pub body_bytes: usize,
    /// See [`Limits::document_bytes`].
    pub document_bytes: usize,
    /// See [`Limits::response_bytes`].
    pub response_bytes: usize,
    /// See [`Limits::request_ms`].
    pub request_ms: u64,
    /// See [`Limits::transaction_ms`].
    pub transaction_ms: u64,
    /// See [`Limits::documents_written`].
    pub documents_written: u32,
}

impl Default for Ceiling {
    fn default() -> Self {
        Self {
            body_bytes: 64 << 20,
            document_bytes: 16 << 20,
            response_bytes: 128 << 20,
            request_ms: 60_000,
            transaction_ms: 60_000,
            documents_written: 1_000_000,
        }
    }
}
