//! `DELETE /workers/{id}`: remove a worker that holds no job.

use loggia_plugin_sdk::manifest::Mode;
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Failure, Problem, Request, Response, Route};

use super::{WORKERS, held_by, id, read};

pub(crate) const ROUTE: Route =
    Route::delete("delete-worker", "/workers/{id}", "Delete a worker that has no job.", delete)
        .with(|operation| operation.mode(Mode::Autocommit).param("id", id()));

fn delete(request: &Request) -> Result<Response, Failure> {
    let id = request.path("id");
    let worker = read(id)?;
    let held = held_by(id)?.len();
    if held > 0 {
        let detail = "the worker has jobs: let it complete them, or cancel them";
        return Err(Problem::new(409, "worker-busy", detail).with("current_jobs", held).into());
    }
    WORKERS.delete(id).when(worker.precondition()).run().map_err(Error::or_retry)?;
    Ok(Response::empty(204))
}
