//! What a Loggia plugin in Rust is written with.
//!
//! A plugin is a WebAssembly component that declares what it stores and which requests it
//! answers, and answers them. The gateway owns all else: the database, transactions, tenants and
//! limits. A whole plugin:
//!
//! ```
//! use loggia_plugin_sdk::manifest::{self, Manifest, Operation};
//! use loggia_plugin_sdk::{Collection, Failure, Plugin, Problem, Request, Response};
//!
//! struct Notes;
//!
//! loggia_plugin_sdk::export!(Notes);
//!
//! const NOTES: Collection = Collection::new("note");
//!
//! impl Plugin for Notes {
//!     fn manifest() -> Manifest {
//!         Manifest::new("notes", "0.1.0", "Stores notes.")
//!             .collection(manifest::Collection::new("note"))
//!             .operation(Operation::get("get-note", "/notes/{id}", "Read a note."))
//!             .operation(Operation::put("put-note", "/notes/{id}", "Store a note.").json_body())
//!     }
//!
//!     fn handle(request: Request) -> Result<Response, Failure> {
//!         let id = request.path_param(0);
//!         match request.operation() {
//!             "get-note" => get(id),
//!             "put-note" => put(&request, id),
//!             other => Err(Problem::unknown_operation(other).into()),
//!         }
//!     }
//! }
//!
//! fn get(id: &str) -> Result<Response, Failure> {
//!     let note = NOTES.get_json(id)?.ok_or_else(|| Problem::not_found("there is no such note"))?;
//!     Ok(Response::json(200, note.body).etag(note.version))
//! }
//!
//! fn put(request: &Request, id: &str) -> Result<Response, Failure> {
//!     let precondition = request.precondition(&NOTES, id)?;
//!     let written = NOTES.put_json(id, request.text()?).when(precondition).run()?;
//!     Ok(Response::empty(if written.created { 201 } else { 204 }).etag(written.version))
//! }
//! # fn main() {}
//! ```
//!
//! The crate is a `cdylib`, and `loggia plugin build` makes the component. There is no clock, no
//! file and no network: the time is [`Request::now`], ids come from [`Request::uuid`], and lines
//! for the operator go through [`log`]. The stack has 64 KiB, so recursion must be shallow.

#![deny(missing_docs)]

#[doc(hidden)]
pub mod bindings;
mod conditions;
pub mod log;
pub mod manifest;
mod plugin;
mod problem;
mod request;
mod response;
mod settings;
pub mod storage;
mod timestamp;
mod uuid;

pub use self::conditions::Conditions;
pub use self::plugin::Plugin;
pub use self::problem::{Failure, Problem, Wait};
pub use self::request::{Principal, Request};
pub use self::response::Response;
pub use self::settings::settings;
pub use self::storage::{
    Collection, Document, Expiry, Outcome, Page, Precondition, Rows, Value, Version, Write,
    Written, apply, checkpoint, delete_where, select, sweep, update_where,
};
pub use self::timestamp::{InvalidTimestamp, Timestamp};
