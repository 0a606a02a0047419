//! Unique keys: while a job with one has not ended, it stands for each new one with it.

use std::collections::HashMap;

use loggia_plugin_sdk::{Failure, Select, declare};
use serde::{Deserialize, Serialize};

use crate::new_job::NewJob;

declare! { STORAGE:
    const FIND: Select<Find<'_>, Found> = select(
        "find-unique",
        "SELECT id, unique_key FROM job WHERE unique_key = ANY(:keys) AND status IN \
         ('queued', 'assigned', 'running', 'timed_out', 'retrying', 'paused')",
    )
    .generic_plan();
}

#[derive(Serialize)]
struct Find<'a> {
    keys: Vec<&'a str>,
}

#[derive(Deserialize)]
struct Found {
    id: String,
    unique_key: String,
}

/// Which job an item of a request means.
pub(super) enum Place {
    New,
    /// The one with this id, which is there.
    Existing(String),
    /// That of an earlier item.
    SameAs(usize),
}

pub(super) fn places(jobs: &[NewJob]) -> Result<Vec<Place>, Failure> {
    let keys: Vec<&str> = jobs.iter().filter_map(|job| job.unique_key.as_deref()).collect();
    let found = if keys.is_empty() { Vec::new() } else { FIND.rows(&Find { keys })? };
    let found: HashMap<String, String> =
        found.into_iter().map(|found| (found.unique_key, found.id)).collect();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut places = Vec::with_capacity(jobs.len());
    for (index, job) in jobs.iter().enumerate() {
        let key = job.unique_key.as_deref();
        let place = match key.map(|key| (found.get(key), *seen.entry(key).or_insert(index))) {
            Some((Some(id), _)) => Place::Existing(id.clone()),
            Some((None, first)) if first < index => Place::SameAs(first),
            _ => Place::New,
        };
        places.push(place);
    }
    Ok(places)
}
