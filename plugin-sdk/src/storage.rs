//! Documents in the collections that the plugin declared, for the tenant of the request.
//!
//! There is no way to name another tenant, nor to begin or end a transaction: the gateway owns
//! one for each request and commits when the handler returns `Ok`. Each call sees what was
//! committed before it began, and the request's own writes. What was read before may have
//! changed since: a rule holds only where a [`Precondition`] or a unique index holds it.
//!
//! ```no_run
//! use loggia_plugin_sdk::manifest::FieldType;
//! use loggia_plugin_sdk::schemars::{self, JsonSchema};
//! use loggia_plugin_sdk::{Collection, Expiry, Failure, Precondition, Request, declare};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Deserialize, JsonSchema, Serialize)]
//! struct Note {
//!     title: String,
//! }
//!
//! declare! { STORAGE:
//!     const NOTES: Collection<Note> = collection("note")
//!         .with(|note| note.field("title", FieldType::Text).expires());
//! }
//!
//! fn example(request: &Request, note: &Note) -> Result<(), Failure> {
//!     NOTES.put("a", note).run()?; // Whatever is there.
//!     NOTES.insert("b", note).run()?; // Only when nothing is there.
//!     if let Some(stored) = NOTES.get("a")? {
//!         NOTES.replace("a", stored.version, note).run()?; // Only what was read.
//!     }
//!     let tomorrow = request.now().plus_seconds(86_400);
//!     NOTES.put("c", note).when(Precondition::Present).expires(Expiry::at(tomorrow)).run()?;
//!     let was_there = NOTES.delete("b").run()?;
//!     assert!(was_there);
//!     Ok(())
//! }
//! ```

mod args;
pub mod checkpoint;
mod collection;
mod declare;
mod failed;
mod select;
mod statement;
mod sweep;
mod update;
mod write;

pub use self::args::Json;
pub(crate) use self::args::TIMESTAMP;
pub use self::collection::{Collection, Document};
pub use self::declare::Declare;
pub use self::select::{Rows, Select};
pub(crate) use self::statement::Definition;
pub use self::sweep::sweep;
pub use self::update::{Delete, Scope, Update};
pub use self::write::{Write, apply};
pub use crate::bindings::loggia::plugin::storage::Page;
pub use crate::bindings::loggia::plugin::types::{
    Error, Expiry, Fault, Mismatch, Outcome, Precondition, Value, Version, Written,
};
