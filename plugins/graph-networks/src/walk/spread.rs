//! What can be come to from some contacts, the nearest first.

use std::collections::HashSet;

use loggia_plugin_sdk::Failure;

use super::{Direction, MAX_KEYS, Walk};

/// Contacts with their distances, in the order of these.
#[derive(Debug)]
pub(super) struct Spread {
    pub(super) reached: Vec<(String, u32)>,
    /// Whether there are more than were asked for.
    pub(super) truncated: bool,
}

impl Spread {
    /// What lies within a depth of these contacts, them included: at most `limit` of them.
    pub(super) fn from(
        walk: &Walk,
        start: Vec<String>,
        direction: Direction,
        depth: u32,
        limit: usize,
    ) -> Result<Self, Failure> {
        let mut seen: HashSet<String> = start.iter().cloned().collect();
        let mut reached: Vec<(String, u32)> = start.iter().map(|key| (key.clone(), 0)).collect();
        let mut level = start;
        for distance in 1..=depth {
            let mut next = Vec::new();
            for keys in level.chunks(MAX_KEYS) {
                walk.steps(keys, direction, |step| {
                    if !seen.contains(step.to.as_ref()) {
                        seen.insert(step.to.as_ref().to_owned());
                        next.push(step.to.as_ref().to_owned());
                    }
                })?;
                if reached.len() + next.len() > limit {
                    break;
                }
            }
            next.sort_unstable();
            let room = limit - reached.len();
            let truncated = next.len() > room;
            next.truncate(room);
            reached.extend(next.iter().map(|key| (key.clone(), distance)));
            if truncated || next.is_empty() {
                return Ok(Self { reached, truncated });
            }
            level = next;
        }
        Ok(Self { reached, truncated: false })
    }
}
