//! The document store: the same documents, with the same guarantees, on `PostgreSQL` and on
//! `SQLite`.
//!
//! Begin reading at [`Session`]: its methods are the storage calls of a plugin. They are written
//! once; `sql.rs` and `transaction.rs` are what the two databases have in common, and
//! `postgres.rs` and `sqlite.rs` how each is spoken to. This layer knows nothing of WebAssembly
//! and nothing of HTTP.

mod apply;
mod background;
mod batch;
mod batch_sql;
mod changes;
mod checkpoint;
mod checkpoint_sql;
mod clock;
pub mod collection;
mod collection_sql;
pub mod count;
mod counts;
mod cursor;
mod ddl;
mod document;
mod document_schema;
mod error;
mod field;
mod insert_rows;
pub mod migrations;
mod one_of;
mod plan_check;
mod postgres;
mod prepare;
pub mod reference;
mod schedule;
mod schema;
mod schema_change;
mod scope;
mod scratch;
mod search;
mod select;
mod session;
mod sql;
mod sqlite;
pub mod statement;
mod statistics;
mod store;
mod sweep;
mod transaction;
mod update;
mod words;

pub use background::Background;
pub use changes::{Moment, Watch};
pub use checkpoint::{About, Checkpoint, Difference, DifferenceKind, Scope};
pub use count::StoredLimit;
pub use document::{
    Change, Document, Expiry, Otherwise, Outcome, Page, Precondition, Rows, Value, Write,
};
pub use error::{Error, Fault, Mismatch};
pub use postgres::{Options as PostgresOptions, PoolState, TlsOptions};
pub use schedule::{Claim, Turn};
pub use schema::Schema;
pub use schema_change::{
    Culprit, Culprits, InstallError, InstallOptions, Plan, Refusal, Step, StepKind, Upgrade,
};
pub use scratch::Scratch;
pub use session::{Session, SessionOptions};
pub use statistics::{Statistics, Stored, TableSize};
pub use store::{InUse, Location, Storage, Tenant};
pub use sweep::Swept;
