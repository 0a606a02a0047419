//! `POST /workers`: a worker comes, or comes back.

use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Failure, Problem, Request, Response, Route, Select, declare};
use serde::{Deserialize, Serialize};

use super::get::shown;
use super::{About, Row, WORKERS, Worker, read, take_jobs_from};
use crate::machine::Rules;
use crate::settings::Settings;

pub(crate) const ROUTE: Route =
    Route::post("register-worker", "/workers", "Register or renew a worker.", register).with(
        |operation| {
            operation
                .body::<NewWorker>()
                // It may have held a thousand jobs.
                .request_ms(10_000)
                .transaction_ms(5_000)
                .answers(201, "The new worker.")
                .answers(200, "The worker of this address. What it held is tried again.")
        },
    );

declare! { STORAGE:
    const FIND: Select<Find<'_>, Row> =
        select("find-worker", "SELECT id FROM worker WHERE address = :address");
}

#[derive(Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct NewWorker {
    #[schemars(length(min = 1, max = 255))]
    id: Option<String>,
    #[serde(flatten)]
    about: About,
}

#[derive(Serialize)]
struct Find<'a> {
    address: &'a str,
}

fn register(request: &Request) -> Result<Response, Failure> {
    let NewWorker { id, about } = request.json()?;
    let rules = Rules::of(request, Settings::read()?);
    match FIND.first(&Find { address: &about.address })? {
        Some(row) => renew(&row.id, about, &rules),
        None => add(id.unwrap_or_else(|| request.uuid()), about, &rules),
    }
}

fn add(id: String, about: About, rules: &Rules) -> Result<Response, Failure> {
    let worker = Worker::new(about, rules.now, &rules.settings);
    match WORKERS.insert(&id, &worker).run() {
        Ok(_) => Response::serialize(201, &shown(&id, &worker, 0)?),
        // Another request has registered the address since.
        Err(Error::Duplicate(_)) => Err(Failure::Retry),
        Err(Error::PreconditionFailed(_)) => {
            let detail = "there is a worker with this id at another address";
            Err(Problem::new(409, "already-exists", detail).with("pointer", "/id").into())
        }
        Err(error) => Err(error.into()),
    }
}

/// It knows nothing of what it held before: that is tried again.
fn renew(id: &str, about: About, rules: &Rules) -> Result<Response, Failure> {
    let found = read(id)?;
    let registered_at = found.body.registered_at;
    let worker = Worker { registered_at, ..Worker::new(about, rules.now, &rules.settings) };
    WORKERS.replace(id, found.version, &worker).run().map_err(Error::or_retry)?;
    take_jobs_from(id, rules)?;
    Response::serialize(200, &shown(id, &worker, 0)?)
}
