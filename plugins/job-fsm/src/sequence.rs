//! The numbers of jobs: 1, 2, 3, … for each tenant, without gaps and repetitions.
//!
//! They are counted in one document, which a request that creates jobs changes first and holds until
//! it commits. So requests that create jobs take turns, whichever gateway they come to, and what one
//! that fails has taken is given back. Quotas of new jobs are looked at in that turn, where nobody
//! else can create any.

use loggia_plugin_sdk::manifest::FieldType;
use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Collection, Failure, Problem, Select, Timestamp, Update, declare};
use serde::{Deserialize, Serialize};

use crate::settings::Settings;

const ID: &str = "jobs";
const MILLIS_PER_HOUR: i64 = 3_600_000;

declare! { STORAGE:
    pub(crate) const SEQUENCES: Collection<Sequence> = collection("sequence").with(|sequence| {
        sequence
            .field("last", FieldType::Integer)
            .field("hour", FieldType::Integer)
            .field("in_hour", FieldType::Integer)
    });

    const TAKE: Update<Take, Sequence> = update("take-numbers", "sequence")
        .set(&[
            ("last", "last + :count"),
            ("hour", ":hour"),
            ("in_hour", "CASE WHEN hour = :hour THEN in_hour + :count ELSE :count END"),
        ])
        .filter("id = 'jobs'")
        .generic_plan();

    const QUEUED: Select<(), Queued> = select(
        "count-queued",
        "SELECT coalesce(sum(documents), 0) AS documents FROM count_jobs WHERE status = 'queued'",
    )
    .generic_plan();
}

#[derive(Debug, Deserialize, JsonSchema, Serialize)]
pub(crate) struct Sequence {
    /// The number that was given last.
    last: i64,
    /// Hours since 1970.
    hour: i64,
    /// How many jobs were created in that hour.
    in_hour: i64,
}

#[derive(Serialize)]
struct Take {
    count: i64,
    hour: i64,
}

#[derive(Deserialize)]
struct Queued {
    documents: i64,
}

/// Take the numbers of so many new jobs, and answer the first of them.
pub(crate) fn take(count: i64, now: Timestamp, settings: &Settings) -> Result<i64, Failure> {
    let hour = now.as_millis().div_euclid(MILLIS_PER_HOUR);
    let taken = TAKE.run(&Take { count, hour })?.into_iter().next();
    let sequence = match taken {
        Some(taken) => taken.body,
        None => begin(count, hour)?,
    };
    check_rate(&sequence, now, settings)?;
    check_queued(count, settings)?;
    Ok(sequence.last - count + 1)
}

fn begin(count: i64, hour: i64) -> Result<Sequence, Failure> {
    let sequence = Sequence { last: count, hour, in_hour: count };
    // Where another request was first, the numbers go on from its own.
    SEQUENCES.insert(ID, &sequence).run().map_err(Error::or_retry)?;
    Ok(sequence)
}

fn check_rate(sequence: &Sequence, now: Timestamp, settings: &Settings) -> Result<(), Failure> {
    let limit = settings.max_jobs_per_hour;
    if limit == 0 || sequence.in_hour <= i64::from(limit) {
        return Ok(());
    }
    let rest = (sequence.hour + 1) * MILLIS_PER_HOUR - now.as_millis();
    let seconds = rest / 1_000 + 1;
    let detail = format!("no more than {limit} jobs may be created in an hour");
    Err(quota("max_jobs_per_hour", detail, seconds).into())
}

/// Retries are queued as well, whatever the quota: it keeps out what is new.
fn check_queued(count: i64, settings: &Settings) -> Result<(), Failure> {
    let limit = i64::from(settings.max_queued);
    if limit == 0 {
        return Ok(());
    }
    let queued = QUEUED.first(&())?.map_or(0, |queued| queued.documents);
    if queued + count <= limit {
        return Ok(());
    }
    let detail = format!("{queued} jobs are queued, and {limit} may be");
    Err(quota("max_queued", detail, 1).into())
}

pub(crate) fn quota(setting: &str, detail: String, retry_after_seconds: i64) -> Problem {
    Problem::new(429, "quota-exceeded", detail)
        .with("limit", setting)
        .header("retry-after", &retry_after_seconds.to_string())
}
