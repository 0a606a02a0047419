//! `POST /retention:run`: delete what is older than the settings say. The gateway calls it each hour.

use loggia_plugin_sdk::manifest::Schedule;
use loggia_plugin_sdk::{Delete, Failure, Request, Response, Route, Timestamp, declare, settings};
use serde::Serialize;

use crate::erase::{STEP, Steps, in_steps};
use crate::period::DAY_MS;
use crate::settings::Settings;
use crate::stats::NUMBERS;

pub(crate) const ROUTE: Route =
    Route::post("run-retention", "/retention:run", "Delete what is too old.", run).with(in_steps);

pub(crate) fn schedule() -> Schedule {
    Schedule::every("1h", "run-retention")
}

declare! { STORAGE:
    const OLD: Delete<Old<'_>> = delete("old-events", "event")
        .filter("guild_id = :guild AND type = :type AND created_at < :before")
        .order("created_at")
        .limit(STEP);
}

#[derive(Serialize)]
struct Old<'a> {
    guild: &'a str,
    r#type: &'a str,
    before: Timestamp,
}

fn run(request: &Request) -> Result<Response, Failure> {
    let settings: Settings = settings()?;
    let days: Vec<(&str, i64)> = settings.retention_days.by_kind().collect();
    let mut steps = Steps::default();
    for numbers in NUMBERS.rows(&())? {
        let kept = days.iter().find(|(kind, _)| *kind == numbers.r#type);
        let Some(&(r#type, days)) = kept else { continue };
        let before = request.received_at().plus_millis(-days * DAY_MS);
        steps.run(&OLD, &Old { guild: &numbers.guild_id, r#type, before })?;
    }
    Ok(steps.answer())
}
