//! The conformance suite: a real gateway on a real socket, every case on `SQLite` and on
//! `PostgreSQL` from one body.
//!
//! Run by `cargo xtask test`, which builds the plugins and starts `PostgreSQL`.

#![expect(clippy::unwrap_used, reason = "a test that fails there has failed")]

mod attacks;
mod batches;
mod check;
mod checkpoints;
mod claims;
mod code_cache;
mod commands;
mod counts;
mod crashes;
mod differential;
mod discord;
mod document_schemas;
mod documents;
mod expiry;
mod guide;
mod harness;
mod indexes;
mod isolation;
mod jobs;
mod kept;
mod languages;
mod large_batches;
mod layers;
mod limits;
mod lists;
mod lost_updates;
mod networks;
mod operations;
mod plans;
mod plugin_commands;
mod plugin_test;
mod postgres_commit;
mod postgres_pool;
mod postgres_role;
mod postgres_server;
mod postgres_tls;
mod process;
mod quarantine;
mod quotas;
mod readiness;
mod readmes;
mod references;
mod reload;
mod row_level_security;
mod runtime;
mod schedules;
mod schema_changes;
mod search;
mod serializable;
mod server;
mod sessions;
mod state;
mod statements;
mod statistics;
mod store;
mod stored_limits;
mod sweeper;
mod tenants;
mod tenants_apart;
mod transactions;
mod update_where;
mod values;
mod waits;
mod wasi;
