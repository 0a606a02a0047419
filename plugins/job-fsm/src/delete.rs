//! `DELETE /jobs/{id}`: remove a job that has ended, with its log.

use loggia_plugin_sdk::manifest::Mode;
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Failure, Problem, Request, Response, Route};

use crate::change::{id, read};
use crate::job::JOBS;

pub(crate) const ROUTE: Route =
    Route::delete("delete-job", "/jobs/{id}", "Delete a job that has ended.", delete)
        .with(|operation| operation.mode(Mode::Autocommit).param("id", id()));

fn delete(request: &Request) -> Result<Response, Failure> {
    let id = request.path("id");
    let job = read(id)?;
    if !job.body.status.is_ended() {
        let status = job.body.status.name();
        let detail = format!("the job is {status}: only one that has ended is deleted");
        return Err(Problem::new(409, "not-ended", detail).with("state", status).into());
    }
    JOBS.delete(id).when(job.precondition()).run().map_err(Error::or_retry)?;
    Ok(Response::empty(204))
}
