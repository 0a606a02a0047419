//! `POST /workers/{id}:heartbeat`: a worker lives, and comes back where it was offline.

use loggia_plugin_sdk::manifest::Mode;
use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Failure, Request, Response, Route};
use serde::Deserialize;

use super::get::shown;
use super::{WORKERS, held_by, id, read};
use crate::settings::Settings;

pub(crate) const ROUTE: Route = Route::post(
    "heartbeat-worker",
    "/workers/{id}:heartbeat",
    "Say that a worker lives.",
    heartbeat,
)
.with(|operation| operation.mode(Mode::Autocommit).param("id", id()).body::<Heartbeat>());

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Heartbeat {
    #[schemars(range(max = 9_007_199_254_740_991_u64))]
    ram_free_bytes: Option<u64>,
}

fn heartbeat(request: &Request) -> Result<Response, Failure> {
    let Heartbeat { ram_free_bytes } = request.json()?;
    let id = request.path("id");
    let mut worker = read(id)?;
    worker.body.about.ram_free_bytes = ram_free_bytes.or(worker.body.about.ram_free_bytes);
    worker.body.beat(request.now(), &Settings::read()?);
    let held = held_by(id)?.len();
    WORKERS.replace(id, worker.version, &worker.body).run().map_err(Error::or_retry)?;
    Response::serialize(200, &shown(id, &worker.body, held)?)
}
