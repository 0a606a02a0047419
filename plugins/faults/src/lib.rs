//! A plugin that misbehaves on request, for the tests of the gateway and its benchmarks.
//!
//! Nobody serves it. What goes wrong has a route of its own, and `/documents` shows what is left
//! behind. Operations that write and then fail write the document that has their name.

mod apply;
mod breach;
mod checkpoints;
mod documents;
mod echo;
mod manifest;
mod output;
mod probe;
mod wait;

use loggia_plugin_sdk::manifest::Manifest;
use loggia_plugin_sdk::{Failure, Plugin, Problem, Request, Response};

struct Faults;

loggia_plugin_sdk::export!(Faults);

impl Plugin for Faults {
    fn manifest() -> Manifest {
        manifest::manifest()
    }

    fn handle(request: Request) -> Result<Response, Failure> {
        match request.operation() {
            // What an empty call costs.
            "nothing" | "hasty" => Ok(Response::empty(204)),
            "echo" => echo::echo(&request),
            "settings" => echo::settings(),
            "check-body" | "value" | "value-verb" | "bytes" => echo::input(&request),
            "admin" => Ok(Response::empty(204)),
            "put-document" => documents::put(&request),
            "get-document" => documents::get(&request),
            "patch-document" => documents::patch(&request),
            "delete-document" => documents::delete(&request),
            "list-documents" => documents::list(&request),
            "apply" | "apply-more" => apply::apply(&request),
            "increment" => apply::increment(&request),
            "wait" => wait::wait(&request),
            "wait-after-write" => wait::after_write(&request),
            "sweep" => documents::sweep(),
            "raise" => documents::raise(&request),
            "clear" => documents::clear(&request),
            "create-checkpoint" => checkpoints::create(&request),
            "read-checkpoint" => checkpoints::read(&request),
            "diff-checkpoint" => checkpoints::diff(&request),
            "restore-checkpoint" => checkpoints::restore(&request),
            "delete-checkpoint" => checkpoints::delete(&request),
            "list-checkpoints" => checkpoints::list(),
            "count-documents" => checkpoints::count(),
            "loop" => breach::run_forever(&request),
            "trap" => breach::trap(&request),
            "recurse" => breach::recurse(&request),
            "grow" => breach::grow(&request),
            "many-calls" => breach::many_calls(&request),
            "log-flood" => breach::log_flood(&request),
            "problem" => output::problem(&request),
            "retry" => output::retry(&request),
            "big-response" => output::big_response(&request),
            "bad-status" => Ok(Response::empty(99)),
            "bad-header" => Ok(Response::empty(200).header("x-fault", "a\r\nx-smuggled: b")),
            name => match probe::find(name) {
                Some(probe) => probe.run(),
                None => Err(Problem::unknown_operation(name).into()),
            },
        }
    }

    /// What had a `name` has a `title` now.
    fn upgrade(_collection: &str, _from: u32, body: &str) -> Result<String, String> {
        if !body.contains("\"name\"") {
            return Err("it has no name".to_owned());
        }
        Ok(body.replace("\"name\"", "\"title\""))
    }
}
