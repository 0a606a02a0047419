//! `GET /guilds/{guild}/analytics/{name}`: who behaves how, each in a file of its own.
//!
//! The databases count and rank; names are looked up for the rows alone that are told.

mod channels;
mod clients;
mod ghosts;
mod heatmap;
mod lurkers;
mod presence;
mod reactions;
mod roles;
mod shifts;
mod suspicion;

use loggia_plugin_sdk::manifest::Param;
use loggia_plugin_sdk::storage::Declare;
use loggia_plugin_sdk::{Failure, Request, Response, Route, Timestamp};
use serde::Serialize;

use crate::period::{self, Period, WEEK_MS, invalid_parameter};

pub(crate) const ROUTE: Route =
    Route::get("analytics", "/guilds/{guild}/analytics/{name}", "See who behaves how.", analytics)
        .with(|operation| {
            let names: Vec<&str> = ANALYTICS.iter().map(|(name, _)| *name).collect();
            let limit = Param::integer().between(1, MAX_ROWS);
            let exclude = Param::strings().describe("Leave these users out.");
            let formula = Param::string().one_of(&["full", "original"]).default("full");
            let operation = operation
                .param("name", Param::string().one_of(&names))
                .param("limit", limit.describe("How many rows are told at most."))
                .param("exclude_users", exclude)
                .param("formula", formula.describe("What the suspicion adds up."));
            period::params(operation)
        });

/// More rows than a request may read.
const MAX_ROWS: i64 = 100_000;

type Analytic = fn(&Request) -> Result<Response, Failure>;

const ANALYTICS: [(&str, Analytic); 10] = [
    ("ghosts", ghosts::ghosts),
    ("lurkers", lurkers::lurkers),
    ("heatmap", heatmap::heatmap),
    ("channels", channels::channels),
    ("presence", presence::presence),
    ("clients", clients::clients),
    ("shifts", shifts::shifts),
    ("reactions", reactions::reactions),
    ("roles", roles::roles),
    ("suspicion", suspicion::suspicion),
];

/// The statements of all.
pub(crate) const STORAGES: [&[&dyn Declare]; 10] = [
    ghosts::STORAGE,
    lurkers::STORAGE,
    heatmap::STORAGE,
    channels::STORAGE,
    presence::STORAGE,
    clients::STORAGE,
    shifts::STORAGE,
    reactions::STORAGE,
    roles::STORAGE,
    suspicion::STORAGE,
];

fn analytics(request: &Request) -> Result<Response, Failure> {
    let name = request.path("name");
    match ANALYTICS.iter().find(|(known, _)| *known == name) {
        Some((_, analytic)) => analytic(request),
        // The gateway has refused it.
        None => Err(invalid_parameter("name", "there is no such analytic").into()),
    }
}

/// What the statements of a period take.
#[derive(Serialize)]
struct Filter<'a> {
    guild: &'a str,
    since: Timestamp,
    until: Timestamp,
    exclude: Vec<&'a str>,
    limit: i64,
}

impl<'a> Filter<'a> {
    fn of(request: &'a Request, limit: i64) -> Result<Self, Failure> {
        let Period { since, until } = Period::of(request)?;
        Ok(Self {
            guild: request.path("guild"),
            since,
            until,
            exclude: request.query_all("exclude_users").collect(),
            limit: request.query_as("limit")?.unwrap_or(limit),
        })
    }
}

/// What the statements take that compare the week before the last one with the last.
#[derive(Serialize)]
struct Weeks<'a> {
    guild: &'a str,
    old: Timestamp,
    new: Timestamp,
    exclude: Vec<&'a str>,
    limit: i64,
}

impl<'a> Weeks<'a> {
    fn of(request: &'a Request, limit: i64) -> Result<Self, Failure> {
        for name in ["since", "until"] {
            if request.query(name).is_some() {
                let detail = format!("this analytic is of the last two weeks; leave {name} out");
                return Err(invalid_parameter(name, &detail).into());
            }
        }
        let (old, new) = two_weeks(request);
        Ok(Self {
            guild: request.path("guild"),
            old,
            new,
            exclude: request.query_all("exclude_users").collect(),
            limit: request.query_as("limit")?.unwrap_or(limit),
        })
    }
}

/// When the week before the last one began, and when the last one did.
fn two_weeks(request: &Request) -> (Timestamp, Timestamp) {
    let now = request.received_at();
    (now.plus_millis(-2 * WEEK_MS), now.plus_millis(-WEEK_MS))
}
