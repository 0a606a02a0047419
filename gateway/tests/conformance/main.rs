//! The conformance suite: a real gateway on a real socket, every case on `SQLite` and on
//! `PostgreSQL` from one body.
//!
//! Run by `cargo xtask test`, which builds the plugins and starts `PostgreSQL`.

#![expect(clippy::unwrap_used, reason = "a test that fails there has failed")]

mod documents;
mod harness;
mod limits;
mod server;
mod sessions;
mod transactions;
