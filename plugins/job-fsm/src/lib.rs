//! A queue of jobs with a state machine, workers with capabilities, leases and retries.
//!
//! `state.rs` says which states follow which, `machine.rs` makes each change of state, and
//! `job.rs` says how a job is stored: begin reading there. `claim.rs` gives jobs to workers, and
//! `work.rs` is what these say of them. The other files are a route or a few each.

mod bell;
mod change;
mod claim;
mod create;
mod delete;
mod get;
mod job;
mod list;
mod machine;
mod maintenance;
mod new_job;
mod operate;
mod order;
mod queue;
mod sequence;
mod settings;
mod state;
mod stats;
mod timing;
mod work;
mod worker;

use loggia_plugin_sdk::manifest::{Manifest, Schedule};
use loggia_plugin_sdk::{Plugin, Route};

use job::JOBS;
use worker::WORKERS;

struct JobFsm;

loggia_plugin_sdk::export!(JobFsm);

impl Plugin for JobFsm {
    const ROUTES: &'static [Route] = &[
        create::ROUTE,
        create::BATCH_ROUTE,
        get::ROUTE,
        get::LOGS_ROUTE,
        get::TRANSITIONS_ROUTE,
        list::ROUTE,
        delete::ROUTE,
        claim::ROUTE,
        work::single::START,
        work::single::HEARTBEAT,
        work::single::COMPLETE,
        work::single::FAIL,
        work::batch::START,
        work::batch::HEARTBEAT,
        work::batch::COMPLETE,
        operate::TRANSITION,
        operate::PAUSE,
        operate::RESUME,
        operate::CANCEL,
        operate::RETRY,
        worker::register::ROUTE,
        worker::get::ROUTE,
        worker::get::LIST_ROUTE,
        worker::delete::ROUTE,
        worker::heartbeat::ROUTE,
        queue::PAUSE,
        queue::RESUME,
        queue::LIST_ROUTE,
        maintenance::ROUTE,
        maintenance::WORKERS_ROUTE,
        stats::ROUTE,
    ];

    fn manifest() -> Manifest {
        let summary = "A queue of jobs with a state machine, workers, leases and retries.";
        let schedule =
            |operation, collection| Schedule::every("1s", operation).when_due(collection, "due_at");
        let manifest = Manifest::new("job-fsm", env!("CARGO_PKG_VERSION"), summary)
            .settings::<settings::Settings>()
            .storage(job::STORAGE)
            .storage(sequence::STORAGE)
            .storage(bell::STORAGE)
            .storage(create::REQUEST_STORAGE)
            .storage(create::UNIQUE_STORAGE)
            .storage(list::STORAGE)
            .storage(claim::STORAGE)
            .storage(worker::STORAGE)
            .storage(worker::register::STORAGE)
            .storage(worker::get::STORAGE)
            .storage(queue::STORAGE)
            .storage(maintenance::STORAGE)
            .storage(maintenance::QUEUED_STORAGE)
            .storage(stats::STORAGE)
            .schedule(schedule(maintenance::OPERATION, JOBS.name()))
            .schedule(schedule(maintenance::WORKERS_OPERATION, WORKERS.name()))
            .header(create::HEADER);
        stats::counts().into_iter().fold(manifest, Manifest::count)
    }
}

#[cfg(test)]
mod tests {
    use loggia_plugin_sdk::describe;

    use super::JobFsm;

    #[test]
    fn the_manifest_has_the_form_of_the_schema() {
        let parse = |text: &str| serde_json::from_str(text).expect("it is JSON");
        let schema: serde_json::Value = parse(include_str!("../../../wit/manifest.schema.json"));
        let manifest = parse(&describe::<JobFsm>().expect("it has no faults"));
        let checked = jsonschema::validate(&schema, &manifest);
        assert_eq!(checked.map_err(|fault| fault.to_string()), Ok(()));
    }
}
