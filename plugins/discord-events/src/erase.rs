//! `DELETE /users/{user}` and `DELETE /guilds/{guild}`: forget a user or a guild.
//!
//! Each step deletes a bounded number and lasts by itself, so that others can write between two of
//! them.

use loggia_plugin_sdk::manifest::{Mode, Operation, Role};
use loggia_plugin_sdk::storage::Error;
use loggia_plugin_sdk::{Delete, Failure, Request, Response, Route, declare};
use serde::Serialize;

use crate::stats::NUMBERS;

pub(crate) const USER_ROUTE: Route =
    Route::delete("erase-user", "/users/{user}", "Delete all that is known of a user.", user)
        .with(in_steps);

pub(crate) const GUILD_ROUTE: Route =
    Route::delete("erase-guild", "/guilds/{guild}", "Delete all events of a guild.", guild)
        .with(in_steps);

/// So many events are deleted in one step.
pub(crate) const STEP: u32 = 1_000;

/// So many steps are made in a request, which may make a thousand storage calls.
const MAX_STEPS: u32 = 900;

declare! { STORAGE:
    const OF_USER: Delete<User<'_>> =
        delete("events-of-user", "event")
            .filter("user_id = :user")
            .order("guild_id, created_at")
            .limit(STEP);

    /// Who was reacted to is named in it.
    const OF_ACTOR: Delete<Actor<'_>> = delete("reactions-to-user", "event")
        .filter("guild_id = :guild AND type = 'reaction_time' AND actor_id = :user")
        .order("created_at")
        .limit(STEP);

    const USER_AS_MEMBER: Delete<User<'_>> = delete("members-of-user", "member")
        .filter("user_id = :user")
        .order("guild_id, named_at")
        .limit(STEP);

    const OF_GUILD: Delete<Guild<'_>> = delete("events-of-guild", "event")
        .filter("guild_id = :guild")
        .order("created_at")
        .limit(STEP);

    const MEMBERS_OF_GUILD: Delete<Guild<'_>> = delete("members-of-guild", "member")
        .filter("guild_id = :guild")
        .order("user_id")
        .limit(STEP);
}

#[derive(Serialize)]
struct User<'a> {
    user: &'a str,
}

#[derive(Serialize)]
struct Actor<'a> {
    guild: &'a str,
    user: &'a str,
}

#[derive(Serialize)]
struct Guild<'a> {
    guild: &'a str,
}

/// How an operation is declared that deletes in steps.
pub(crate) fn in_steps(operation: Operation) -> Operation {
    operation
        .role(Role::Admin)
        // Each step is a transaction of its own.
        .mode(Mode::Autocommit)
        .documents_written(1_000_000)
        .request_ms(60_000)
}

fn user(request: &Request) -> Result<Response, Failure> {
    let user = request.path("user");
    let mut steps = Steps::default();
    steps.run(&OF_USER, &User { user })?;
    for numbers in NUMBERS.rows(&())?.iter().filter(|of| of.r#type == "reaction_time") {
        steps.run(&OF_ACTOR, &Actor { guild: &numbers.guild_id, user })?;
    }
    steps.run_uncounted(&USER_AS_MEMBER, &User { user })?;
    Ok(steps.answer())
}

fn guild(request: &Request) -> Result<Response, Failure> {
    let guild = Guild { guild: request.path("guild") };
    let mut steps = Steps::default();
    steps.run(&OF_GUILD, &guild)?;
    steps.run_uncounted(&MEMBERS_OF_GUILD, &guild)?;
    Ok(steps.answer())
}

/// The steps of one request.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    deleted: u64,
    made: u32,
}

impl Steps {
    /// Delete until nothing is left, or the request has made its steps.
    pub(crate) fn run<A: Serialize>(&mut self, delete: &Delete<A>, args: &A) -> Result<(), Error> {
        while self.made < MAX_STEPS {
            let deleted = delete.run(args)?;
            self.made += 1;
            self.deleted += deleted;
            if deleted < u64::from(STEP) {
                break;
            }
        }
        Ok(())
    }

    /// The same for what is no event.
    fn run_uncounted<A: Serialize>(&mut self, delete: &Delete<A>, args: &A) -> Result<(), Error> {
        let deleted = self.deleted;
        self.run(delete, args)?;
        self.deleted = deleted;
        Ok(())
    }

    /// How many events are gone. Where the steps did not do, the client asks again.
    pub(crate) fn answer(&self) -> Response {
        let deleted = self.deleted;
        let more = if self.made < MAX_STEPS { "" } else { r#","more":true"# };
        Response::json(200, format!(r#"{{"deleted":{deleted}{more}}}"#))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_asks_again_where_the_steps_did_not_do() {
        let answer = |made| Steps { deleted: 5, made }.answer();
        assert_eq!(answer(MAX_STEPS - 1), Response::json(200, r#"{"deleted":5}"#));
        assert_eq!(answer(MAX_STEPS), Response::json(200, r#"{"deleted":5,"more":true}"#));
    }
}
