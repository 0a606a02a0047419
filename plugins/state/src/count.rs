//! `GET /count`: how many entries there are.

use loggia_plugin_sdk::{Failure, Request, Response, Route, Select, declare};
use serde::Deserialize;

use crate::key;
use crate::prefix::Prefix;

pub(crate) const ROUTE: Route = Route::get("count", "/count", "Count entries.", count)
    .with(|operation| operation.param("prefix", key::param("How keys begin.")));

declare! { STORAGE:
    /// The gateway keeps the count of all.
    const ALL: Select<(), Count> = select("count-all", "SELECT documents AS count FROM count_entries")
            .generic_plan();

    const SOME: Select<Prefix, Count> = select("count", "SELECT count(*) AS count FROM entry")
        .conditions(&["hex >= :from", "hex < :to"]);
}

#[derive(Deserialize)]
struct Count {
    count: u64,
}

fn count(request: &Request) -> Result<Response, Failure> {
    let prefix = Prefix::parse(request.query("prefix"))?;
    let found = if prefix == Prefix::default() { ALL.first(&())? } else { SOME.first(&prefix)? };
    let count = found.map_or(0, |Count { count }| count);
    Ok(Response::json(200, format!(r#"{{"count":{count}}}"#)))
}
