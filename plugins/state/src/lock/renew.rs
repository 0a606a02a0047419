//! `POST /locks/{name}:renew`: hold a lock for longer.

use loggia_plugin_sdk::manifest::Mode;
use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::{Failure, Request, Response, Route};
use serde::Deserialize;

use super::{RENEW, Renew, acquire, name, stale};
use crate::time_to_live::{self, after};

pub(crate) const ROUTE: Route =
    Route::post("renew-lock", "/locks/{name}:renew", "Hold a lock for longer.", renew).with(
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
    /// From now on.
    #[schemars(range(min = time_to_live::MIN_SECONDS, max = time_to_live::MAX_SECONDS))]
    ttl_seconds: f64,
}

fn renew(request: &Request) -> Result<Response, Failure> {
    let Body { token, ttl_seconds } = request.json()?;
    let name = request.path("name");
    let renewed =
        RENEW.run(&Renew { name, token, expires_at: after(request.now(), ttl_seconds) })?;
    match renewed.into_iter().next() {
        Some(renewed) => Ok(acquire::answer(&renewed)),
        None => Err(stale(name)?.into()),
    }
}
