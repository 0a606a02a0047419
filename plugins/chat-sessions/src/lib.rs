//! Sessions of conversations between users and agents.
//!
//! A stored document is a record around the client's session, whose text is kept as it was sent:
//! `{"session": {…}, "agentCount": 2, "turnCount": 7}`. Declared fields point into it, so that a
//! list reads columns and never a body.
//!
//! Each operation has a file of its own; `session.rs` says what a session is, and `version.rs`
//! holds the rule of its version.

mod delete;
mod get;
mod list;
mod manifest;
mod put;
mod session;
mod shape;
mod store;
mod version;

use loggia_plugin_sdk::manifest::Manifest;
use loggia_plugin_sdk::{Failure, Plugin, Problem, Request, Response};

struct ChatSessions;

loggia_plugin_sdk::export!(ChatSessions);

impl Plugin for ChatSessions {
    fn manifest() -> Manifest {
        manifest::manifest()
    }

    fn handle(request: Request) -> Result<Response, Failure> {
        match request.operation() {
            "put-session" => put::put(&request),
            "get-session" => get::get(&request),
            "delete-session" => delete::delete(&request),
            "list-sessions" => list::list(&request),
            other => Err(Problem::unknown_operation(other).into()),
        }
    }
}
