//! What a Loggia plugin in Rust is written with.
//!
//! A plugin is a WebAssembly component that declares what it stores and which requests it
//! answers, and answers them. The gateway owns all else: the database, transactions, tenants and
//! limits. A whole plugin:
//!
//! ```
//! use loggia_plugin_sdk::manifest::{FieldType, Manifest};
//! use loggia_plugin_sdk::schemars::{self, JsonSchema};
//! use loggia_plugin_sdk::{
//!     Collection, Failure, Plugin, Problem, Request, Response, Route, Select, declare,
//! };
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Deserialize, JsonSchema, Serialize)]
//! struct Note {
//!     title: String,
//! }
//!
//! declare! { STORAGE:
//!     const NOTES: Collection<Note> = collection("note")
//!         .with(|note| note.field("title", FieldType::Text));
//!
//!     const LIST: Select = select("list", "SELECT id, title FROM note")
//!         .orders(&[("title", "title"), ("-updated", "_updated_at DESC")]);
//! }
//!
//! struct Notes;
//!
//! loggia_plugin_sdk::export!(Notes);
//!
//! impl Plugin for Notes {
//!     const ROUTES: &'static [Route] = &[
//!         Route::get("get-note", "/notes/{id}", "Read a note.", get),
//!         Route::put("put-note", "/notes/{id}", "Store a note.", put)
//!             .with(|operation| operation.body::<Note>()),
//!         Route::get("list-notes", "/notes", "List notes.", list)
//!             .with(|operation| operation.pages(&LIST)),
//!     ];
//!
//!     fn manifest() -> Manifest {
//!         Manifest::new("notes", "0.1.0", "Stores notes.").storage(STORAGE)
//!     }
//! }
//!
//! fn get(request: &Request) -> Result<Response, Failure> {
//!     let note = NOTES.get_json(request.path("id"))?;
//!     let note = note.ok_or_else(|| Problem::not_found("there is no such note"))?;
//!     Ok(Response::json(200, note.body).etag(note.version))
//! }
//!
//! fn put(request: &Request) -> Result<Response, Failure> {
//!     let id = request.path("id");
//!     let precondition = request.precondition(&NOTES, id)?;
//!     let written = NOTES.put_json(id, request.text()?).when(precondition).run()?;
//!     Ok(Response::empty(written.status()).etag(written.version))
//! }
//!
//! fn list(request: &Request) -> Result<Response, Failure> {
//!     Ok(LIST.page(&(), &request.page()?)?.answer())
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
#[doc(hidden)]
pub mod declaring;
mod digest;
mod encoding;
mod entity_tag;
pub mod log;
pub mod manifest;
mod merge_patch;
mod ndjson;
mod plugin;
mod problem;
mod request;
mod response;
mod route;
mod settings;
pub mod storage;
#[cfg(not(target_family = "wasm"))]
mod test_request;
mod timestamp;
mod uuid;

/// Derives the form of a type in JSON, for bodies and settings: `JsonSchema`. The derived code names
/// the crate, so it must be in scope: `use loggia_plugin_sdk::schemars::{self, JsonSchema}`.
pub use schemars;

pub use self::conditions::Conditions;
pub use self::digest::{digest_id, sha256};
pub use self::encoding::{Encoding, InvalidEncoding};
pub use self::entity_tag::EntityTag;
pub use self::merge_patch::merge_patch;
pub use self::plugin::{Plugin, describe};
pub use self::problem::{Failure, Problem, Wait};
pub use self::request::{Principal, Request};
pub use self::response::Response;
pub use self::route::{Handler, Route};
pub use self::settings::settings;
pub use self::storage::{
    Collection, Delete, Document, Expiry, Outcome, Page, Precondition, Rows, Scope, Select, Update,
    Version, Write, Written, apply, checkpoint, sweep,
};
#[cfg(not(target_family = "wasm"))]
pub use self::test_request::TestRequest;
pub use self::timestamp::{InvalidTimestamp, Timestamp};
