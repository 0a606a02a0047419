//! Locks with fencing tokens.
//!
//! A lock is a document that stays when it is released, so that its token grows for ever. Who takes,
//! renews or releases one does so by a statement that checks and writes in one step.

pub(crate) mod acquire;
pub(crate) mod get;
pub(crate) mod release;
pub(crate) mod renew;

use loggia_plugin_sdk::manifest::{FieldType, Param};
use loggia_plugin_sdk::schemars::{self, JsonSchema};
use loggia_plugin_sdk::{Collection, Document, Failure, Problem, Timestamp, Update, declare};
use serde::{Deserialize, Serialize};

declare! { STORAGE:
    const LOCKS: Collection<Lock> = collection("lock").with(|lock| {
        lock.field("token", FieldType::Integer)
            .field("owner", FieldType::Text)
            .field("expires_at", FieldType::Timestamp)
    });

    /// Take a lock that nobody holds.
    const TAKE: Update<Take<'_>, Lock> = update("take-lock", "lock")
        .set(&[("token", "token + 1"), ("owner", ":owner"), ("expires_at", ":expires_at")])
        .filter("id = :name AND (expires_at IS NULL OR expires_at <= now())");

    const RENEW: Update<Renew<'_>, Lock> = update("renew-lock", "lock")
        .set(&[("expires_at", ":expires_at")])
        .filter("id = :name AND token = :token AND expires_at > now()");

    const RELEASE: Update<Release<'_>, Lock> = update("release-lock", "lock")
        .set(&[("expires_at", "CAST(NULL AS timestamp)")])
        .filter("id = :name AND token = :token AND expires_at > now()");
}

/// A stored lock.
#[derive(Debug, Deserialize, JsonSchema, Serialize)]
struct Lock {
    /// Grows by 1 each time that the lock is taken.
    token: u64,
    owner: String,
    /// Until when it is held; absent when it was released.
    expires_at: Option<Timestamp>,
}

#[derive(Serialize)]
struct Take<'a> {
    name: &'a str,
    owner: &'a str,
    expires_at: Timestamp,
}

#[derive(Serialize)]
struct Renew<'a> {
    name: &'a str,
    token: u64,
    expires_at: Timestamp,
}

#[derive(Serialize)]
struct Release<'a> {
    name: &'a str,
    token: u64,
}

impl Lock {
    /// Until when somebody holds it.
    fn held_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.expires_at.filter(|expires_at| *expires_at > now)
    }
}

/// Why a token does not hold the lock.
fn stale(name: &str) -> Result<Problem, Failure> {
    let found: Option<Document<Lock>> = LOCKS.get(name)?;
    Ok(match found {
        Some(_) => {
            let detail = "the token does not hold the lock: it was released, taken or ran out";
            Problem::new(409, "stale-token", detail)
        }
        None => not_found(),
    })
}

fn not_found() -> Problem {
    Problem::not_found("nobody holds this lock")
}

fn name() -> Param {
    Param::string().describe("The lock's name.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_until_its_time() {
        let at = Timestamp::from_millis;
        let lock = |expires_at| Lock { token: 1, owner: "a".to_owned(), expires_at };
        assert_eq!(lock(Some(at(5))).held_until(at(4)), Some(at(5)));
        assert_eq!(lock(Some(at(5))).held_until(at(5)), None);
        assert_eq!(lock(None).held_until(at(0)), None);
    }
}
