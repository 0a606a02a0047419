//! `POST /locks/{name}:release`: let somebody else take a lock.

use loggia_plugin_sdk::manifest::Mode;
use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::{Failure, Request, Response, Route};
use serde::Deserialize;

use super::{RELEASE, Release, name, stale};

pub(crate) const ROUTE: Route =
    Route::post("release-lock", "/locks/{name}:release", "Give a lock back.", release).with(
        |operation| {
            operation
                // One call writes, and it does all.
                .mode(Mode::Autocommit)
                .param("name", name())
                .body::<Body>()
        },
    );

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Body {
    token: u64,
}

fn release(request: &Request) -> Result<Response, Failure> {
    let Body { token } = request.json()?;
    let name = request.path("name");
    match RELEASE.run_json(&Release { name, token })?.is_empty() {
        false => Ok(Response::empty(204)),
        true => Err(stale(name)?.into()),
    }
}
